#include "daemon/reports.h"

#include <errno.h>
#include <stdio.h>

#include "proto/limits.h"
#include "tests/lib/fixture.h"

#define KEY 77

static Accounts *accounts;
static Account *account;
static Reports reports;
static Fault fault;

/* The layers that were told as new, one behind the other. */
static char told[4 * LIMIT_REPORT * 8];

static void begin(size_t limit)
{
        const AccountLimits limits = { .domain = { [ACCOUNT_HELD] = limit } };

        reports = (Reports){ 0 };
        ck_assert_int_eq(accounts_new(&limits, &accounts), 0);
        ck_assert_int_eq(account_find(accounts, 1000, TEXT_NULL, &account), 0);
}

/* The accounts assert that all was given back. */
static void end(void)
{
        reports_deinit(&reports);
        account_unref(account);
        accounts_free(accounts);
}

static void is_new(void *data, const MsgUsed *used)
{
        size_t size = strlen(told);

        ck_assert_ptr_eq(data, &told);
        (void)snprintf(told + size, sizeof(told) - size, "%.*s ", TEXT_PRINT(used->layer));
}

static int take(const MsgUsed *rows, size_t n)
{
        told[0] = 0;
        return reports_take(&reports, KEY, account, rows, n, is_new, told, &fault);
}

static MsgUsed row(const char *layer, const char *device, const char *repo, const char *reason)
{
        return (MsgUsed){ .layer = text_of(layer), .device = text_of(device), .repo = text_of(repo), .reason = text_of(reason) };
}

/* Newest first, as layer:device:reason. */
static const char *kept(void)
{
        static char text[1024];
        size_t n = 0;

        text[0] = 0;
        for (const Report *report = reports.newest; report; report = report->older) {
                ck_assert_ptr_eq(report->older ? report->older->newer : reports.oldest, report);
                n += (size_t)snprintf(text + n, sizeof(text) - n, "%.*s:%.*s:%.*s ", TEXT_PRINT(report->used.layer),
                                      TEXT_PRINT(report->used.device), TEXT_PRINT(report->used.reason));
        }
        return text;
}

START_TEST(test_latest_of_each_key)
{
        const MsgUsed first[] = { row("A", "cpu", "o/n", "1"), row("A", "cuda", NULL, "2"), row("A", NULL, NULL, "3") };
        const MsgUsed second[] = { row("A", "cuda", "o/n", "4"), row("A", "cpu", "o/n", "1"), row("", NULL, NULL, "5") };

        begin(1 << 20);
        ck_assert_int_eq(take(first, 3), 0);
        ck_assert_str_eq(told, "A A A ");
        ck_assert_str_eq(kept(), "A::3 A:cuda:2 A:cpu:1 ");
        ck_assert_int_eq(take(second, 3), 0);
        ck_assert_str_eq(told, "A  "); /* the cpu's is the same */
        ck_assert_str_eq(kept(), "::5 A:cpu:1 A:cuda:4 A::3 ");
        ck_assert_uint_eq(reports.table.n, 4);
        end();
}
END_TEST

/* Each fact makes a row another one, absence too. */
START_TEST(test_each_text_counts)
{
        MsgUsed used = row("A", "cpu", NULL, "r");
        Text *texts[] = { &used.mode, &used.repo, &used.commit, &used.variant, &used.reason };

        begin(1 << 20);
        ck_assert_int_eq(take(&used, 1), 0);
        for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
                *texts[i] = TEXT("x");
                ck_assert_int_eq(take(&used, 1), 0);
                ck_assert_str_eq(told, "A ");
                ck_assert_int_eq(take(&used, 1), 0);
                ck_assert_str_eq(told, "");
        }
        ck_assert(text_equal(reports.newest->used.variant, TEXT("x")));
        ck_assert(text_equal(reports.newest->used.commit, TEXT("x")));
        ck_assert_uint_eq(reports.table.n, 1);
        end();
}
END_TEST

/* Of one key in one request the later one counts. */
START_TEST(test_twice_in_one)
{
        const MsgUsed rows[] = { row("A", "cpu", NULL, "1"), row("A", "cpu", NULL, "2"), row("A", "cpu", NULL, "1") };

        begin(1 << 20);
        ck_assert_int_eq(take(rows, 3), 0);
        ck_assert_str_eq(told, "A A A ");
        ck_assert_str_eq(kept(), "A:cpu:1 ");
        end();
}
END_TEST

START_TEST(test_oldest_goes)
{
        char layer[16];
        MsgUsed used;

        begin(1 << 20);
        for (int i = 0; i < LIMIT_REPORT; i++) {
                (void)snprintf(layer, sizeof(layer), "L%d", i);
                used = row(layer, NULL, NULL, "r");
                ck_assert_int_eq(take(&used, 1), 0);
        }
        used = row("L0", NULL, NULL, "r"); /* said again: it is not the oldest any more */
        ck_assert_int_eq(take(&used, 1), 0);
        used = row("more", NULL, NULL, "r");
        ck_assert_int_eq(take(&used, 1), 0);
        ck_assert_uint_eq(reports.table.n, LIMIT_REPORT);
        ck_assert(text_equal(reports.newest->used.layer, TEXT("more")));
        ck_assert(text_equal(reports.newest->older->used.layer, TEXT("L0")));
        ck_assert(text_equal(reports.oldest->used.layer, TEXT("L2")));
        end();
}
END_TEST

/* What is kept is charged, no more; what does not fit changes nothing. */
START_TEST(test_charged)
{
        char reason[4000];
        MsgUsed rows[] = { row("A", NULL, NULL, "1"), row("B", NULL, NULL, "2") };

        memset(reason, 'r', sizeof(reason));
        begin(4096);
        ck_assert_int_eq(take(rows, 1), 0);
        ck_assert_uint_eq(accounts_total(accounts, ACCOUNT_HELD), reports.newest->size);
        ck_assert_uint_ge(reports.newest->size, sizeof(Report) + 2);
        rows[0].reason = TEXT("3");
        rows[1].reason = (Text){ reason, sizeof(reason) };
        ck_assert_int_eq(take(rows, 2), 1);
        ck_assert_int_eq(fault.name, FAULT_LIMIT);
        ck_assert_str_eq(told, "");
        ck_assert_str_eq(kept(), "A::1 ");
        ck_assert_uint_eq(accounts_total(accounts, ACCOUNT_HELD), reports.newest->size);
        ck_assert_int_eq(take(rows, 1), 0);
        ck_assert_str_eq(kept(), "A::3 ");
        ck_assert_uint_eq(accounts_total(accounts, ACCOUNT_HELD), reports.newest->size);
        end();
}
END_TEST

static int take_some(void)
{
        const MsgUsed rows[] = { row("A", "cpu", NULL, "1"), row("B", NULL, NULL, "2"), row("A", "cpu", NULL, "3") };
        Reports made = { 0 };
        int r;

        told[0] = 0;
        r = reports_take(&made, KEY, account, rows, 3, is_new, told, &fault);
        ck_assert_uint_eq(made.charge.n, made.n_bytes);
        reports_deinit(&made);
        return r;
}

START_TEST(test_no_memory)
{
        begin(1 << 20);
        FIXTURE_TORTURE(take_some());
        end();
}
END_TEST

FIXTURE_MAIN("daemon/reports", test_latest_of_each_key, test_each_text_counts, test_twice_in_one, test_oldest_goes,
             test_charged, test_no_memory)
