#include "kernels/store.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/store_db.h"
#include "kernels/store_file.h"
#include "tests/lib/fixture.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static Store *store;
static StoreHealth health;

static const char *at(const char *name)
{
        static char path[4][512];
        static int n;
        char *made = path[n++ % 4];

        (void)snprintf(made, sizeof(path[0]), "%s/%s", fixture_folder(), name);
        return made;
}

static void begin(void)
{
        ck_assert_int_eq(store_open(fixture_folder(), &store), 0);
        store_health(store, &health);
}

static void end(void)
{
        store = store_close(store);
}

static FaultName apply(StoreChange *change)
{
        StoreChange *changes[] = { change };

        change->fault = FAULT_NULL;
        ck_assert_int_eq(store_apply(store, changes, 1), 0);
        store_health(store, &health);
        return change->fault.name;
}

static FaultName put(StoreChangeKind kind, const char *bytes)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        StoreChange change = { .kind = kind };
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(stored_rows_parse(text_of(bytes), &arena, &change.rows, &fault), 0);
        return apply(&change);
}

static FaultName pin(const char *revision, const char *commit)
{
        StoreChange change = { .kind = commit ? STORE_PIN_SET : STORE_PIN_DROP };

        change.pin = (Pin){ TEXT("o/n"), text_of(revision), text_of(commit) };
        return apply(&change);
}

#define FILE_OF(layer, device, more) \
        "{\"kernelsd\": 1, \"mapping\": {\"" layer "\": [{\"device\": \"" device "\"" more \
        ", \"use\": {\"repo\": \"o/n\", \"version\": 1}}]}}"

static bool has(const char *what)
{
        CLEANUP(stored_unrefp) Stored *stored = store_stored(store);

        return memmem(stored->text.data, stored->text.size, what, strlen(what)) != NULL;
}

static size_t n_entries(void)
{
        CLEANUP(stored_unrefp) Stored *stored = store_stored(store);

        return stored->n_entries;
}

static const char *pinned(const char *revision)
{
        CLEANUP(stored_unrefp) Stored *stored = store_stored(store);
        Reference reference = { .kind = REFERENCE_REVISION, .repo = TEXT("o/n"), .revision = text_of(revision) };
        const Pin *found = pins_find(stored->pins, &reference);

        return !found ? "" : text_equal(found->commit, TEXT(COMMIT_A)) ? COMMIT_A : COMMIT_B;
}

/* Two entries, a pin. */
static void fill(void)
{
        begin();
        ck_assert_int_eq(put(STORE_MAPPING_ADD, FILE_OF("A", "cpu", "")), FAULT_NONE);
        ck_assert_int_eq(put(STORE_MAPPING_ADD, FILE_OF("B \\\"quoted\\\"", "cuda", ", \"min_capability\": 80")), FAULT_NONE);
        ck_assert_int_eq(pin("main", COMMIT_A), FAULT_NONE);
        end();
}

static void expect_filled(void)
{
        ck_assert_uint_eq(n_entries(), 2);
        ck_assert(has("\"A\""));
        ck_assert(has("\"B \\\"quoted\\\"\""));
        ck_assert_str_eq(pinned("main"), COMMIT_A);
}

static bool is_there(const char *name)
{
        return access(at(name), F_OK) == 0;
}

static void overwrite(const char *name, off_t offset, size_t size)
{
        int fd = open(at(name), O_WRONLY | O_CLOEXEC);
        char junk[64];

        memset(junk, 0x5a, sizeof(junk));
        for (; size; size -= sizeof(junk), offset += (off_t)sizeof(junk))
                ck_assert_int_eq(pwrite(fd, junk, sizeof(junk), offset), sizeof(junk));
        ck_assert_int_eq(close(fd), 0);
}

START_TEST(test_kept)
{
        begin();
        ck_assert(health.good);
        ck_assert_str_eq(health.message, "");
        ck_assert_uint_eq(n_entries(), 0);
        end();
        fill();
        begin();
        expect_filled();
        ck_assert(health.good);
        ck_assert_str_eq(health.message, "");
        end();
}
END_TEST

START_TEST(test_changes)
{
        StoreChange all = { .kind = STORE_MAPPING_REMOVE, .layer = TEXT("A") };
        StoreChange range = { .kind = STORE_MAPPING_REMOVE, .layer = TEXT("B"), .device = TEXT("cuda"), .has_range = true,
                              .range = { 80, CAPABILITY_MAX } };

        begin();
        ck_assert_int_eq(put(STORE_MAPPING_ADD, FILE_OF("A", "cpu", "")), FAULT_NONE);
        ck_assert_int_eq(put(STORE_MAPPING_ADD,
                             "{\"kernelsd\": 1, \"mapping\": {\"A\": [{\"device\": \"cpu\", \"use\": {\"path\": \"/other\"}}]}}"),
                         FAULT_NONE);
        ck_assert_uint_eq(n_entries(), 1);
        ck_assert(has("/other"));
        ck_assert_int_eq(put(STORE_MAPPING_ADD, FILE_OF("B", "cuda", ", \"min_capability\": 80")), FAULT_NONE);
        ck_assert_int_eq(put(STORE_MAPPING_ADD, FILE_OF("B", "cuda", ", \"max_capability\": 79")), FAULT_NONE);
        ck_assert_uint_eq(n_entries(), 3);
        ck_assert_int_eq(apply(&range), FAULT_NONE);
        ck_assert_uint_eq(n_entries(), 2);
        ck_assert_int_eq(apply(&range), FAULT_NO_MAPPING);
        ck_assert_int_eq(apply(&all), FAULT_NONE);
        ck_assert_int_eq(put(STORE_MAPPING_REPLACE, FILE_OF("C", "cpu", "")), FAULT_NONE);
        ck_assert_uint_eq(n_entries(), 1);
        ck_assert(has("\"C\""));
        ck_assert_int_eq(pin("main", COMMIT_A), FAULT_NONE);
        ck_assert_int_eq(pin("main", COMMIT_B), FAULT_NONE);
        ck_assert_str_eq(pinned("main"), COMMIT_B);
        ck_assert_int_eq(pin("main", NULL), FAULT_NONE);
        ck_assert_int_eq(pin("main", NULL), FAULT_NO_REVISION);
        end();
}
END_TEST

/* Of a batch the bad ones leave no trace, the good ones are made. */
START_TEST(test_batch)
{
        StoreChange good = { .kind = STORE_PIN_SET, .pin = { TEXT("o/n"), TEXT("v1"), TEXT(COMMIT_A) } };
        StoreChange bad = { .kind = STORE_MAPPING_ADD };
        StoreChange passed_over = { .kind = STORE_PIN_SET, .pin = { TEXT("o/n"), TEXT("v2"), TEXT(COMMIT_A) },
                                    .fault = { .name = FAULT_BAD_REQUEST } };
        StoreChange *changes[] = { &good, &bad, &passed_over };
        StoredRow rows[LIMIT_STORED_RANGES + 1];

        for (int i = 0; i <= LIMIT_STORED_RANGES; i++)
                rows[i] = (StoredRow){ TEXT("L"), TEXT("cuda"), { i, i }, TEXT("{}") };
        bad.rows = (StoredRows){ rows, ARRAY_SIZE(rows) };
        begin();
        ck_assert_int_eq(store_apply(store, changes, 3), 0);
        ck_assert_int_eq(good.fault.name, FAULT_NONE);
        ck_assert_int_eq(bad.fault.name, FAULT_LIMIT);
        ck_assert_uint_eq(n_entries(), 0);
        ck_assert_str_eq(pinned("v1"), COMMIT_A);
        ck_assert_str_eq(pinned("v2"), "");
        end();
}
END_TEST

START_TEST(test_missing)
{
        fill();
        ck_assert_int_eq(unlink(at(STORE_DATABASE)), 0);
        begin();
        expect_filled();
        ck_assert(health.good);
        ck_assert_ptr_nonnull(strstr(health.message, "rebuilt"));
        ck_assert_int_eq(pin("main", COMMIT_B), FAULT_NONE);
        end();
}
END_TEST

START_TEST(test_truncated)
{
        static const off_t sizes[] = { 0, 100, 4096, 6000 };

        for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
                fill();
                ck_assert_int_eq(truncate(at(STORE_DATABASE), sizes[i]), 0);
                begin();
                expect_filled();
                ck_assert(health.good);
                ck_assert_ptr_nonnull(strstr(health.message, "rebuilt"));
                end();
        }
        ck_assert(is_there(STORE_DATABASE ".corrupt"));
}
END_TEST

START_TEST(test_overwritten)
{
        static const struct { off_t offset; size_t size; } runs[] = { { 0, 4096 }, { 64, 4032 }, { 4096, 4096 }, { 8192, 4096 } };

        for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
                fill();
                overwrite(STORE_DATABASE, runs[i].offset, runs[i].size);
                begin();
                expect_filled();
                ck_assert_ptr_nonnull(strstr(health.message, STORE_DATABASE ".corrupt"));
                ck_assert_int_eq(pin("main", COMMIT_B), FAULT_NONE);
                end();
        }
}
END_TEST

/* What cannot be rebuilt is said until the next load, over restarts too. */
START_TEST(test_lost)
{
        fill();
        overwrite(STORE_DATABASE, 0, 4096);
        ck_assert_int_eq(unlink(at(STORE_EXPORT)), 0);
        for (int i = 0; i < 2; i++) {
                begin();
                ck_assert(!health.good);
                ck_assert_ptr_nonnull(strstr(health.message, "gone"));
                ck_assert_uint_eq(n_entries(), 0);
                end();
        }
        begin();
        ck_assert_int_eq(pin("main", COMMIT_A), FAULT_NONE);
        ck_assert(!health.good);
        ck_assert_int_eq(put(STORE_MAPPING_REPLACE, FILE_OF("A", "cpu", "")), FAULT_NONE);
        ck_assert(health.good);
        end();
        begin();
        ck_assert(health.good);
        end();
}
END_TEST

START_TEST(test_damaged_both)
{
        fill();
        overwrite(STORE_DATABASE, 0, 4096);
        overwrite(STORE_EXPORT, 0, 64);
        begin();
        ck_assert(!health.good);
        ck_assert_ptr_nonnull(strstr(health.message, STORE_EXPORT));
        end();
}
END_TEST

START_TEST(test_export)
{
        fill();
        ck_assert_int_eq(unlink(at(STORE_EXPORT)), 0);
        begin();
        expect_filled();
        ck_assert(is_there(STORE_EXPORT));
        ck_assert(health.good);
        ck_assert_ptr_nonnull(strstr(health.message, "anew"));
        end();
        /* That one is as good as the first. */
        ck_assert_int_eq(unlink(at(STORE_DATABASE)), 0);
        begin();
        expect_filled();
        end();
}
END_TEST

/* As another user, since nothing is read-only to root. */
static void run_as_nobody(void (*body)(void))
{
        int status;
        pid_t pid;

        ck_assert_int_eq(chown(fixture_folder(), 65534, 65534), 0);
        pid = fork();
        ck_assert_int_ge(pid, 0);
        if (!pid) {
                if (setgid(65534) < 0 || setuid(65534) < 0)
                        _exit(99);
                body();
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
}

#define NEED(condition) do { if (!(condition)) _exit(__LINE__ % 200 + 1); } while (0)

static void use_read_only(void)
{
        StoreChange change = { .kind = STORE_PIN_SET, .pin = { TEXT("o/n"), TEXT("v9"), TEXT(COMMIT_B) } };
        StoreChange *changes[] = { &change };

        NEED(open(at("probe"), O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0);
        NEED(store_open(fixture_folder(), &store) == 0);
        store_health(store, &health);
        NEED(!health.good && strstr(health.message, STORE_DATABASE));
        NEED(n_entries() == 2 && has("\"A\"") && strcmp(pinned("main"), COMMIT_A) == 0);
        NEED(store_apply(store, changes, 1) == 0);
        NEED(change.fault.name == FAULT_INTERNAL && strstr(change.fault.message, STORE_DATABASE));
        NEED(!*pinned("v9"));
        end();
}

START_TEST(test_read_only)
{
        if (geteuid() != 0)
                return; /* needs root, to become somebody else */
        fill();
        ck_assert_int_eq(chmod(at(STORE_DATABASE), 0444), 0);
        ck_assert_int_eq(chmod(at(STORE_EXPORT), 0444), 0);
        ck_assert_int_eq(chmod(fixture_folder(), 0555), 0);
        run_as_nobody(use_read_only);
        ck_assert_int_eq(chmod(fixture_folder(), 0700), 0);
}
END_TEST

/* The export cannot be written: nothing is acknowledged, nothing is changed. */
START_TEST(test_export_refused)
{
        fill();
        begin();
        ck_assert_int_eq(mkdir(at(STORE_EXPORT ".new"), 0700), 0);
        ck_assert_int_eq(pin("v9", COMMIT_B), FAULT_INTERNAL);
        ck_assert(!health.good);
        ck_assert_ptr_nonnull(strstr(health.message, STORE_EXPORT));
        ck_assert_str_eq(pinned("v9"), "");
        ck_assert_int_eq(rmdir(at(STORE_EXPORT ".new")), 0);
        ck_assert_int_eq(pin("v9", COMMIT_B), FAULT_NONE);
        ck_assert(health.good);
        ck_assert_str_eq(pinned("v9"), COMMIT_B);
        end();
}
END_TEST

static void execute(const char *sql)
{
        sqlite3 *connection;

        ck_assert_int_eq(sqlite3_open(at(STORE_DATABASE), &connection), SQLITE_OK);
        ck_assert_int_eq(sqlite3_exec(connection, sql, NULL, NULL, NULL), SQLITE_OK);
        ck_assert_int_eq(sqlite3_close(connection), SQLITE_OK);
}

/* What a version could keep of the history is there, and it goes on. */
static void expect_events(int version)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const EventRange range = { .all = true, .before = INT64_MAX, .limit = 10 };
        const Fact fact = { .kind = FACT_EVENT, .event = { .at_s = 3, .what = TEXT("report"), .outcome = TEXT("ok"),
                                                           .reason = TEXT("new") } };
        const size_t n_events[] = { 0, 0, 1, 2 };
        FactEvent *events;
        size_t n = 0;

        ck_assert_int_eq(store_note(store, &fact, 1), 0);
        ck_assert_int_eq(store_events(store, &range, &arena, &events, &n), 0);
        ck_assert_uint_eq(n, n_events[version] + 1);
        ck_assert(text_equal(events[0].reason, TEXT("new")));
        if (version >= 3)
                ck_assert(text_equal(events[1].reason, TEXT("as mapped")));
        if (version < 2)
                return;
        ck_assert(text_equal(events[n - 1].what, TEXT("pin.set")));
        ck_assert_ptr_null(events[n - 1].reason.data);
}

/* A database as each version of the schema left it: tests/data/store/schema-N.sql,
 * which is `.dump` of one, and not changed when the schema is. */
START_TEST(test_versions)
{
        for (int version = 1; version <= 3; version++) {
                CLEANUP(facts_freep) Facts *facts = NULL;
                CLEANUP_ALLOC char *sql = NULL;
                char name[64];
                size_t size;

                (void)snprintf(name, sizeof(name), "store/schema-%d.sql", version);
                sql = fixture_read(name, &size);
                (void)unlink(at(STORE_DATABASE));
                (void)unlink(at(STORE_EXPORT));
                execute(sql);
                begin();
                ck_assert(health.good);
                ck_assert(has("\"A\""));
                ck_assert_str_eq(pinned("main"), COMMIT_A);
                ck_assert_int_eq(pin("main", COMMIT_B), FAULT_NONE);
                ck_assert_int_eq(store_facts(store, 0, &facts), 0);
                ck_assert_uint_eq(facts->n_revisions, version >= 2);
                expect_events(version);
                end();
        }
}
END_TEST

/* Of a newer one nothing is touched; the export says what is known. */
START_TEST(test_newer)
{
        fill();
        execute("PRAGMA user_version = 1000");
        begin();
        expect_filled();
        ck_assert(!health.good);
        ck_assert_ptr_nonnull(strstr(health.message, "newer"));
        ck_assert_int_eq(pin("v9", COMMIT_B), FAULT_INTERNAL);
        end();
        ck_assert(!is_there(STORE_DATABASE ".corrupt"));
}
END_TEST

START_TEST(test_no_folder)
{
        ck_assert_int_eq(store_open(at("nowhere"), &store), 0);
        store_health(store, &health);
        ck_assert(!health.good);
        ck_assert_uint_eq(n_entries(), 0);
        ck_assert_int_eq(pin("v9", COMMIT_B), FAULT_INTERNAL);
        end();
}
END_TEST

/* A daemon that is to keep nothing is well, and says how it would keep something. */
START_TEST(test_keeps_nothing)
{
        ck_assert_int_eq(store_open("", &store), 0);
        store_health(store, &health);
        ck_assert(health.good);
        ck_assert_uint_eq(n_entries(), 0);
        ck_assert_int_eq(pin("v9", COMMIT_B), FAULT_INTERNAL);
        ck_assert(health.good);
        ck_assert_ptr_nonnull(strstr(health.message, "state_dir"));
        end();
}
END_TEST

static int keep(const char *bytes)
{
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;
        int r = kept_files_new(&files);

        if (!r)
                r = kept_files_add(files, false, TEXT("a.json"), TEXT("/etc/a.json"), text_of(bytes));
        if (!r)
                r = kept_files_add(files, true, TEXT(""), TEXT("/etc/kernels.lock"), TEXT("[]"));
        return r ? r : store_keep_files(store, files);
}

static int kept_bytes(Text expected)
{
        CLEANUP(kept_files_unrefp) KeptFiles *files = NULL;
        int r = store_files(store, &files);

        if (r || !files)
                return r;
        ck_assert_uint_eq(files->n, 2);
        ck_assert(!files->items[0].is_lock && files->items[1].is_lock);
        ck_assert(text_equal(files->items[0].bytes, expected));
        ck_assert(text_equal(files->items[1].path, TEXT("/etc/kernels.lock")));
        return (int)files->n;
}

START_TEST(test_files)
{
        CLEANUP(kept_files_unrefp) KeptFiles *large = NULL;

        begin();
        ck_assert_int_eq(kept_bytes(TEXT_NULL), 0);
        ck_assert_int_eq(keep("one"), 0);
        ck_assert_int_eq(keep("two"), 0);
        end();
        begin();
        ck_assert_int_eq(kept_bytes(TEXT("two")), 2);
        /* One that is too large is not there, and nor is the one before it. */
        ck_assert_int_eq(kept_files_new(&large), 0);
        large->too_large = true;
        ck_assert_int_eq(store_keep_files(store, large), 0);
        store_health(store, &health);
        ck_assert(health.good);
        ck_assert_ptr_nonnull(strstr(health.message, "64 MiB"));
        ck_assert_int_eq(kept_bytes(TEXT_NULL), 0);
        ck_assert_int_eq(keep("three"), 0);
        store_health(store, &health);
        ck_assert_str_eq(health.message, "");
        FIXTURE_TORTURE(keep("three"));
        FIXTURE_TORTURE(kept_bytes(TEXT("three")));
        end();
}
END_TEST

/* Ends in the middle of a change leave the last acknowledged one. */
START_TEST(test_killed)
{
        fill();
        for (int i = 0; i < 20; i++) {
                pid_t pid = fork();
                int status;

                ck_assert_int_ge(pid, 0);
                if (!pid) {
                        begin();
                        NEED(pin("main", i % 2 ? COMMIT_A : COMMIT_B) == FAULT_NONE);
                        _exit(0); /* without closing: the write-ahead log stays */
                }
                ck_assert_int_eq(waitpid(pid, &status, 0), pid);
                ck_assert_int_eq(status, 0);
                begin();
                ck_assert_str_eq(pinned("main"), i % 2 ? COMMIT_A : COMMIT_B);
                end();
        }
}
END_TEST

static int open_and_change(void)
{
        StoreChange change = { .kind = STORE_PIN_SET, .pin = { TEXT("o/n"), TEXT("main"), TEXT(COMMIT_A) } };
        StoreChange *changes[] = { &change };
        CLEANUP(store_closep) Store *made = NULL;
        int r = store_open(fixture_folder(), &made);

        return r ? r : store_apply(made, changes, 1);
}

START_TEST(test_no_memory)
{
        fill();
        FIXTURE_TORTURE(open_and_change());
        begin();
        expect_filled();
        end();
        /* While it is rebuilt, too: each time the export is still there. */
        ck_assert_int_eq(unlink(at(STORE_DATABASE)), 0);
        FIXTURE_TORTURE(open_and_change());
        begin();
        expect_filled();
        end();
}
END_TEST

START_TEST(test_bad_mappings)
{
        static const char *const bad[] = {
                "", "{", "[]", "{\"kernelsd\": 2, \"mapping\": {}}", "{\"kernelsd\": 1}",
                "{\"kernelsd\": 1, \"mapping\": {\"A\": [{\"device\": \"rocm\", \"remove\": true}]}}",
                "{\"kernelsd\": 1, \"mapping\": {\"A\": [{\"device\": \"metal\", \"modes\": {}}]}}",
                FILE_OF("A", "cpu", ", \"min_capability\": 1"),
        };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        StoredRows rows;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                Fault fault = FAULT_NULL;

                ck_assert_int_eq(stored_rows_parse(text_of(bad[i]), &arena, &rows, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_BAD_REQUEST);
                ck_assert_str_ne(fault.message, "");
        }
}
END_TEST

FIXTURE_MAIN("kernels/store", test_kept, test_changes, test_batch, test_missing, test_truncated, test_overwritten,
             test_lost, test_damaged_both, test_export, test_read_only, test_export_refused, test_versions, test_newer,
             test_no_folder, test_keeps_nothing, test_killed, test_files, test_no_memory, test_bad_mappings)
