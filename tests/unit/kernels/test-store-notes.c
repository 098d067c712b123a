#include "kernels/store.h"

#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels/store_db.h"
#include "tests/lib/fixture.h"

#define COMMIT "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define DAY_S (24 * 3600)
#define NOW_S (1000 * DAY_S)

static Store *store;
static StoreHealth health;
static Facts *facts;

static const char *database(void)
{
        static char path[512];

        (void)snprintf(path, sizeof(path), "%s/" STORE_DATABASE, fixture_folder());
        return path;
}

static void begin(void)
{
        ck_assert_int_eq(store_open(fixture_folder(), &store), 0);
        ck_assert_int_eq(store_facts(store, NOW_S, &facts), 0);
        store_health(store, &health);
}

static void end(void)
{
        facts = facts_free(facts);
        store = store_close(store);
}

static void again(void)
{
        end();
        begin();
}

static void note(const Fact *fact)
{
        ck_assert_int_eq(store_note(store, fact, 1), 0);
        store_health(store, &health);
        ck_assert_str_eq(health.message, "");
}

static Fact use(const char *repo, int64_t at_s)
{
        return (Fact){ .kind = FACT_USE, .use = { 7, text_of(repo), TEXT("v1"), TEXT("\x81\xa1\x00"), TEXT("cuda"), 90,
                                                  TEXT_NULL, at_s } };
}

static Fact event(int64_t uid, const char *what, int64_t at_s)
{
        return (Fact){ .kind = FACT_EVENT, .event = { .at_s = at_s, .uid = uid, .pid = 3, .what = text_of(what),
                                                      .repo = TEXT("o/n"), .outcome = TEXT("ok") } };
}

START_TEST(test_kinds)
{
        const Fact all[] = {
                { .kind = FACT_REVISION, .revision = { TEXT("o/n"), TEXT("v1"), TEXT("c1"), TEXT_NULL, TEXT_NULL, false, 1 } },
                { .kind = FACT_REVISION, .revision = { TEXT("o/n"), TEXT("v2"), TEXT("c2"), TEXT("p/n"), TEXT("c3"), true, 2 } },
                { .kind = FACT_LISTING, .listing = { TEXT("o/n"), TEXT("c1"), TEXT("a\nb"), 3 } },
                { .kind = FACT_PUBLISHER, .publisher = { TEXT("o"), true, 4 } },
                { .kind = FACT_CORRUPT, .corrupt = { TEXT("o/n"), TEXT("c1"), TEXT("v"), TEXT("why") } },
                { .kind = FACT_COMPLETE, .complete = { TEXT("o/n"), TEXT("c1"), TEXT("v") } },
                { .kind = FACT_RECEIPT, .receipt = { TEXT("/s"), TEXT("v"), { 1, 2, [31] = 9 }, 5 } },
                { .kind = FACT_USE, .use = { 7, TEXT("o/n"), TEXT("v1"), TEXT("\x81\xa1\x00"), TEXT("cpu"), -1, TEXT_NULL,
                                             NOW_S } },
        };

        begin();
        ck_assert_uint_eq(facts->n_revisions + facts->n_uses + facts->n_receipts, 0);
        ck_assert_int_eq(store_note(store, all, ARRAY_SIZE(all)), 0);
        ck_assert_int_eq(store_note(store, all, ARRAY_SIZE(all)), 0); /* the same again is the same */
        again();
        ck_assert_uint_eq(facts->n_revisions, 2);
        ck_assert_ptr_null(facts->revisions[0].redirect.data);
        ck_assert_ptr_null(facts->revisions[0].final_commit.data);
        ck_assert(text_equal(facts->revisions[1].redirect, TEXT("p/n")));
        ck_assert(text_equal(facts->revisions[1].final_commit, TEXT("c3")));
        ck_assert_int_eq(facts->revisions[1].at_s, 2);
        ck_assert(facts->revisions[1].with_token);
        ck_assert_uint_eq(facts->n_listings, 1);
        ck_assert(text_equal(facts->listings[0].variants, TEXT("a\nb")));
        ck_assert_uint_eq(facts->n_publishers, 1);
        ck_assert(facts->publishers[0].trusted);
        ck_assert_uint_eq(facts->n_corrupts, 1);
        ck_assert(text_equal(facts->corrupts[0].message, TEXT("why")));
        ck_assert_uint_eq(facts->n_completes, 1);
        ck_assert(text_equal(facts->completes[0].variant, TEXT("v")));
        ck_assert_uint_eq(facts->n_receipts, 1);
        ck_assert_mem_eq(facts->receipts[0].fingerprint, all[6].receipt.fingerprint, FACT_FINGERPRINT);
        ck_assert_int_eq(facts->receipts[0].used_s, 5);
        ck_assert_uint_eq(facts->n_uses, 1);
        ck_assert(text_equal(facts->uses[0].environment, TEXT("\x81\xa1\x00")));
        ck_assert_int_eq(facts->uses[0].capability, -1);
        ck_assert_ptr_null(facts->uses[0].arch.data);
        end();
}
END_TEST

/* Of one key the newest is there. */
START_TEST(test_replaced)
{
        Fact first = { .kind = FACT_REVISION, .revision = { TEXT("o/n"), TEXT("v1"), TEXT("c1"), TEXT("p/n"), TEXT("c2"), false, 1 } };
        Fact second = { .kind = FACT_REVISION, .revision = { TEXT("o/n"), TEXT("v1"), TEXT("c3"), TEXT_NULL, TEXT_NULL, 2 } };
        Fact trusted = { .kind = FACT_PUBLISHER, .publisher = { TEXT("o"), true, 1 } };
        Fact doubted = { .kind = FACT_PUBLISHER, .publisher = { TEXT("o"), false, 2 } };

        begin();
        note(&first);
        note(&second);
        note(&trusted);
        note(&doubted);
        again();
        ck_assert_uint_eq(facts->n_revisions, 1);
        ck_assert(text_equal(facts->revisions[0].commit, TEXT("c3")));
        ck_assert_ptr_null(facts->revisions[0].redirect.data);
        ck_assert_uint_eq(facts->n_publishers, 1);
        ck_assert(!facts->publishers[0].trusted);
        ck_assert_int_eq(facts->publishers[0].at_s, 2);
        end();
}
END_TEST

START_TEST(test_uses)
{
        Fact old = use("o/old", NOW_S - 31 * DAY_S), recent = use("o/recent", NOW_S - 29 * DAY_S), now = use("o/now", NOW_S);

        begin();
        note(&recent);
        note(&old); /* those of another one's time are judged by the newest */
        again();
        ck_assert_uint_eq(facts->n_uses, 1);
        note(&old);
        note(&now);
        note(&now);
        facts = facts_free(facts);
        ck_assert_int_eq(store_facts(store, 0, &facts), 0); /* which drops nothing by itself */
        ck_assert_uint_eq(facts->n_uses, 2);
        again();
        ck_assert_uint_eq(facts->n_uses, 2);
        ck_assert(text_equal(facts->uses[0].repo, TEXT("o/recent"))); /* the oldest first */
        ck_assert(text_equal(facts->uses[1].repo, TEXT("o/now")));
        end();
        /* When it is opened, too. */
        ck_assert_int_eq(store_open(fixture_folder(), &store), 0);
        ck_assert_int_eq(store_facts(store, NOW_S + 2 * DAY_S, &facts), 0);
        ck_assert_uint_eq(facts->n_uses, 1);
        end();
}
END_TEST

/* Of one domain and revision the newest are kept, whatever others have. */
START_TEST(test_uses_share)
{
        Fact other = use("o/n", NOW_S - DAY_S), mine = use("o/n", NOW_S), elsewhere = use("o/elsewhere", NOW_S - DAY_S);

        other.use.domain_uid = 8;
        begin();
        note(&other);
        note(&elsewhere);
        for (int i = 0; i < 3 * FACT_MAX_USES; i++) {
                mine.use.capability = 3 * FACT_MAX_USES - i;
                mine.use.at_s = NOW_S + i;
                note(&mine);
        }
        again();
        ck_assert_uint_eq(facts->n_uses, 2 + FACT_MAX_USES);
        ck_assert_int_eq(facts->uses[0].at_s, NOW_S - DAY_S);
        ck_assert_int_eq(facts->uses[1].at_s, NOW_S - DAY_S);
        for (size_t i = 0; i < FACT_MAX_USES; i++)
                ck_assert_int_eq(facts->uses[2 + i].capability, (int64_t)(FACT_MAX_USES - i));
        end();
}
END_TEST

static size_t read_events(bool all, int64_t uid, int64_t before, size_t limit, Arena *arena, FactEvent **ret_events)
{
        const EventRange range = { all, uid, before, limit };
        size_t n = 0;

        ck_assert_int_eq(store_events(store, &range, arena, ret_events, &n), 0);
        return n;
}

START_TEST(test_events)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        FactEvent *events;

        begin();
        for (int i = 0; i < 5; i++) {
                Fact fact = event(i % 2, i % 2 ? "odd" : "even", NOW_S + i);

                fact.event.reason = i == 4 ? TEXT("because") : TEXT_NULL;
                note(&fact);
        }
        again();
        ck_assert_uint_eq(read_events(true, 0, INT64_MAX, 10, &arena, &events), 5);
        ck_assert_int_eq(events[0].at_s, NOW_S + 4);
        ck_assert_int_gt(events[0].number, events[1].number);
        ck_assert(text_equal(events[0].what, TEXT("even")));
        ck_assert(text_equal(events[0].repo, TEXT("o/n")));
        ck_assert_ptr_null(events[0].layer.data);
        ck_assert(text_equal(events[0].reason, TEXT("because")));
        ck_assert_ptr_null(events[1].reason.data);
        ck_assert_int_eq(events[0].pid, 3);
        ck_assert_uint_eq(read_events(true, 0, events[1].number, 2, &arena, &events), 2);
        ck_assert_int_eq(events[0].at_s, NOW_S + 2);
        ck_assert_uint_eq(read_events(false, 1, INT64_MAX, 10, &arena, &events), 2);
        ck_assert(text_equal(events[1].what, TEXT("odd")));
        ck_assert_uint_eq(read_events(false, 9, INT64_MAX, 10, &arena, &events), 0);
        end();
}
END_TEST

/* At most so many, the newest, and none too old; numbers go on rising. */
START_TEST(test_many_events)
{
        enum { N = FACT_MAX_EVENTS + 5000 };
        CLEANUP_ALLOC Fact *many = alloc_zeroed(N, sizeof(*many));
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fact late = event(1, "late", NOW_S + 31 * DAY_S);
        FactEvent *events;
        size_t n;

        for (int i = 0; i < N; i++)
                many[i] = event(1, "e", NOW_S);
        begin();
        for (int i = 0; i < N; i += 5000)
                ck_assert_int_eq(store_note(store, many + i, 5000), 0);
        n = read_events(true, 0, INT64_MAX, N, &arena, &events);
        ck_assert_uint_le(n, FACT_MAX_EVENTS);
        ck_assert_uint_gt(n, FACT_MAX_EVENTS - 1000);
        ck_assert_int_eq(events[0].number, N);
        end();
        ck_assert_int_eq(store_open(fixture_folder(), &store), 0);
        ck_assert_int_eq(store_facts(store, NOW_S + 31 * DAY_S, &facts), 0);
        ck_assert_uint_eq(read_events(true, 0, INT64_MAX, N, &arena, &events), 0);
        note(&late);
        ck_assert_uint_eq(read_events(true, 0, INT64_MAX, N, &arena, &events), 1);
        ck_assert_int_eq(events[0].number, N + 1);
        end();
}
END_TEST

/* Of too many events those of the uid go that has the most. */
START_TEST(test_others_events)
{
        enum { N = FACT_MAX_EVENTS + 5000, OURS = 300 };
        CLEANUP_ALLOC Fact *many = alloc_zeroed(N, sizeof(*many));
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fact ours = event(2, "acquire", NOW_S);
        FactEvent *events;

        begin();
        for (int i = 0; i < OURS; i++)
                note(&ours);
        for (int i = 0; i < N; i++)
                many[i] = event(1, "acquire", NOW_S);
        for (int i = 0; i < N; i += 5000)
                ck_assert_int_eq(store_note(store, many + i, 5000), 0);
        ck_assert_uint_le(read_events(true, 0, INT64_MAX, N, &arena, &events), FACT_MAX_EVENTS);
        ck_assert_uint_eq(read_events(false, 2, INT64_MAX, N, &arena, &events), OURS);
        end();
}
END_TEST

/* What a uid says it uses displaces nothing but what it said, whoever else reports. */
START_TEST(test_reports)
{
        enum { N = FACT_MAX_REPORTS + 3000, UIDS = 20 };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CLEANUP_ALLOC Fact *many = alloc_zeroed(N, sizeof(*many));
        Fact acquire = event(1, "acquire", NOW_S);
        FactEvent *events;
        size_t n, n_reports = 0;

        begin();
        note(&acquire);
        for (int i = 0; i < UIDS; i++) {
                Fact other = event(100 + i, "report", NOW_S);

                note(&other);
        }
        for (int i = 0; i < N; i++)
                many[i] = event(1, "report", NOW_S);
        for (int i = 0; i < N; i += 1000)
                ck_assert_int_eq(store_note(store, many + i, 1000), 0);
        n = read_events(false, 1, INT64_MAX, N, &arena, &events);
        for (size_t i = 0; i < n; i++)
                n_reports += text_equal(events[i].what, TEXT("report"));
        ck_assert_uint_eq(n, n_reports + 1);
        ck_assert_uint_ge(n_reports, FACT_MAX_REPORTS);
        ck_assert_uint_le(n_reports, FACT_MAX_REPORTS + STORE_EVENT_SLACK);
        for (int i = 0; i < UIDS; i++)
                ck_assert_uint_eq(read_events(false, 100 + i, INT64_MAX, 10, &arena, &events), 1);
        end();
}
END_TEST

static FaultName change(StoreChangeKind kind, const char *name, const char *device)
{
        StoreChange made = { .kind = kind, .environment = { text_of(name), TEXT("\x81\xa1\x00\xff"), text_of(device), 90,
                                                            TEXT_NULL } };
        StoreChange *changes[] = { &made };

        ck_assert_int_eq(store_apply(store, changes, 1), 0);
        return made.fault.name;
}

static void expect_named(void)
{
        CLEANUP(stored_unrefp) Stored *stored = store_stored(store);

        ck_assert_uint_eq(stored->n_environments, 2);
        ck_assert(text_equal(stored->environments[0].name, TEXT("a")));
        ck_assert(text_equal(stored->environments[0].environment, TEXT("\x81\xa1\x00\xff")));
        ck_assert(text_equal(stored->environments[0].device, TEXT("rocm")));
        ck_assert_int_eq(stored->environments[0].capability, 90);
        ck_assert_ptr_null(stored->environments[0].arch.data);
        ck_assert(text_equal(stored->environments[1].name, TEXT("b \"quoted\"")));
        ck_assert_ptr_null(stored->environments[1].device.data);
}

/* They are somebody's statement: in the export, too. */
START_TEST(test_named)
{
        begin();
        ck_assert_int_eq(change(STORE_ENVIRONMENT_SET, "b \"quoted\"", NULL), FAULT_NONE);
        ck_assert_int_eq(change(STORE_ENVIRONMENT_SET, "a", "cuda"), FAULT_NONE);
        ck_assert_int_eq(change(STORE_ENVIRONMENT_SET, "a", "rocm"), FAULT_NONE);
        ck_assert_int_eq(change(STORE_ENVIRONMENT_SET, "c", "rocm"), FAULT_NONE);
        ck_assert_int_eq(change(STORE_ENVIRONMENT_DROP, "c", NULL), FAULT_NONE);
        ck_assert_int_eq(change(STORE_ENVIRONMENT_DROP, "c", NULL), FAULT_BAD_REQUEST);
        again();
        expect_named();
        end();
        ck_assert_int_eq(unlink(database()), 0);
        begin();
        ck_assert(health.good);
        expect_named();
        end();
}
END_TEST

static void execute(const char *sql)
{
        sqlite3 *connection;

        ck_assert_int_eq(sqlite3_open(database(), &connection), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(connection, sql, NULL, NULL, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_close(connection), SQLITE_OK);
}

START_TEST(test_too_many_named)
{
        char sql[256];

        (void)snprintf(sql, sizeof(sql), "WITH RECURSIVE c(x) AS (SELECT 0 UNION ALL SELECT x + 1 FROM c WHERE x < %d)"
                       " INSERT INTO named_environment SELECT 'n' || x, x'80', '', -1, '' FROM c",
                       LIMIT_STORED_ENVIRONMENTS - 1);
        begin();
        end();
        execute(sql);
        begin();
        ck_assert_int_eq(change(STORE_ENVIRONMENT_SET, "n0", NULL), FAULT_NONE);
        ck_assert_int_eq(change(STORE_ENVIRONMENT_SET, "one more", NULL), FAULT_LIMIT);
        end();
}
END_TEST

/* What cannot be written is dropped and said, until something can be written. */
START_TEST(test_dropped)
{
        Fact fact = use("o/n", NOW_S);

        begin();
        execute("ALTER TABLE use RENAME TO hidden");
        ck_assert_int_eq(store_note(store, &fact, 1), 0);
        store_health(store, &health);
        ck_assert(!health.good);
        ck_assert_ptr_nonnull(strstr(health.message, STORE_DATABASE));
        execute("ALTER TABLE hidden RENAME TO use");
        note(&fact);
        ck_assert(health.good);
        end();
}
END_TEST

START_TEST(test_keeps_nothing)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fact fact = use("o/n", NOW_S);
        FactEvent *events;

        ck_assert_int_eq(store_open("", &store), 0);
        ck_assert_int_eq(store_facts(store, NOW_S, &facts), 0);
        ck_assert_uint_eq(facts->n_uses, 0);
        ck_assert_int_eq(store_note(store, &fact, 1), 0);
        ck_assert_uint_eq(read_events(true, 0, INT64_MAX, 10, &arena, &events), 0);
        store_health(store, &health);
        ck_assert(health.good);
        end();
}
END_TEST

static int open_and_note(void)
{
        CLEANUP(store_closep) Store *made = NULL;
        CLEANUP(facts_freep) Facts *read = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const EventRange range = { .all = true, .before = INT64_MAX, .limit = 10 };
        Fact all[] = { use("o/n", NOW_S), event(1, "e", NOW_S) };
        FactEvent *events;
        size_t n;
        int r = store_open(fixture_folder(), &made);

        if (!r)
                r = store_facts(made, NOW_S, &read);
        if (!r)
                r = store_note(made, all, ARRAY_SIZE(all));
        return r ? r : store_events(made, &range, &arena, &events, &n);
}

START_TEST(test_no_memory)
{
        FIXTURE_TORTURE(open_and_note());
}
END_TEST

FIXTURE_MAIN("kernels/store_notes", test_kinds, test_replaced, test_uses, test_uses_share, test_events, test_many_events,
             test_others_events, test_reports,
             test_named, test_too_many_named, test_dropped, test_keeps_nothing, test_no_memory)
