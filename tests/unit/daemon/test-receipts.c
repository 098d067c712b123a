#include "tests/lib/fixture.h"

#include <stdio.h>
#include <string.h>

#include "daemon/receipts.h"

static KernelReceipt receipt_of(int number)
{
        KernelReceipt receipt = { { 0 } };

        memcpy(receipt.fingerprint, &number, sizeof(number));
        return receipt;
}

static int number_of(const KernelReceipt *receipt)
{
        int number;

        memcpy(&number, receipt->fingerprint, sizeof(number));
        return number;
}

START_TEST(test_the_latest_counts)
{
        Receipts receipts = { 0 };

        ck_assert_ptr_null(receipts_find(&receipts, TEXT("/k"), TEXT("v")));
        receipts_put(&receipts, TEXT("/k"), TEXT("v"), receipt_of(1), 1);
        receipts_put(&receipts, TEXT("/k"), TEXT("w"), receipt_of(2), 1);
        receipts_put(&receipts, TEXT("/k"), TEXT("v"), receipt_of(3), 1);
        ck_assert_int_eq(number_of(receipts_find(&receipts, TEXT("/k"), TEXT("v"))), 3);
        ck_assert_int_eq(number_of(receipts_find(&receipts, TEXT("/k"), TEXT("w"))), 2);
        ck_assert_ptr_null(receipts_find(&receipts, TEXT("/kv"), TEXT("")));
        ck_assert_uint_eq(receipts.n, 2);
        receipts_deinit(&receipts);
}
END_TEST

/* Of too many the one not asked for longest goes. */
START_TEST(test_the_oldest_goes)
{
        Receipts receipts = { 0 };
        char path[32];

        for (int i = 0; i < RECEIPTS_MAX; i++) {
                (void)snprintf(path, sizeof(path), "/%d", i);
                receipts_put(&receipts, text_of(path), TEXT("v"), receipt_of(i), 1);
        }
        ck_assert_ptr_nonnull(receipts_find(&receipts, TEXT("/0"), TEXT("v")));
        receipts_put(&receipts, TEXT("/more"), TEXT("v"), receipt_of(-1), 1);
        ck_assert_uint_eq(receipts.n, RECEIPTS_MAX);
        ck_assert_ptr_nonnull(receipts_find(&receipts, TEXT("/0"), TEXT("v")));
        ck_assert_ptr_null(receipts_find(&receipts, TEXT("/1"), TEXT("v")));
        receipts_deinit(&receipts);
}
END_TEST

START_TEST(test_void)
{
        Receipts receipts = { 0 };

        receipts_put(&receipts, TEXT("/k"), TEXT("v"), receipt_of(3), 7);
        receipts_put(&receipts, TEXT("/k"), TEXT("w"), receipt_of(4), 8);
        receipts_void(&receipts, TEXT("/k"), TEXT("v"));
        ck_assert_int_eq(number_of(receipts_find(&receipts, TEXT("/k"), TEXT("v"))), 0);
        ck_assert_int_eq(receipts_used_s(&receipts, TEXT("/k"), TEXT("v")), 7);
        ck_assert_int_eq(number_of(receipts_find(&receipts, TEXT("/k"), TEXT("w"))), 4);
        receipts_deinit(&receipts);
}
END_TEST

FIXTURE_MAIN("daemon/receipts", test_the_latest_counts, test_the_oldest_goes, test_void)
