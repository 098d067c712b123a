#include "tests/lib/fixture.h"

#include <errno.h>

#include "daemon/account.h"

static const AccountLimits limits = {
        .domain = { [ACCOUNT_SESSIONS] = 2, [ACCOUNT_BYTES] = 1000, [ACCOUNT_ENTRIES] = 10 },
        .all = { [ACCOUNT_BYTES] = 1500 },
};

START_TEST(test_a_domain_has_what_its_limit_says)
{
        Accounts *accounts;
        Account *account;
        Charge one = CHARGE_NULL, two = CHARGE_NULL, three = CHARGE_NULL;

        ck_assert_int_eq(accounts_new(&limits, &accounts), 0);
        ck_assert_int_eq(account_find(accounts, 7, TEXT_NULL, &account), 0);
        ck_assert_int_eq(charge_set(&one, account, ACCOUNT_SESSIONS, 1), 0);
        ck_assert_int_eq(charge_set(&two, account, ACCOUNT_SESSIONS, 1), 0);
        ck_assert_int_eq(charge_set(&three, account, ACCOUNT_SESSIONS, 1), 1);
        ck_assert_ptr_null(three.account);
        ck_assert_uint_eq(accounts_total(accounts, ACCOUNT_SESSIONS), 2);
        charge_clear(&one);
        ck_assert_int_eq(charge_set(&three, account, ACCOUNT_SESSIONS, 1), 0);
        charge_clear(&two);
        charge_clear(&three);
        charge_clear(&three);
        ck_assert_uint_eq(accounts_total(accounts, ACCOUNT_SESSIONS), 0);
        account_unref(account);
        accounts_free(accounts);
}
END_TEST

START_TEST(test_a_charge_grows_and_shrinks)
{
        Accounts *accounts;
        Account *account;
        Charge charge = CHARGE_NULL;

        ck_assert_int_eq(accounts_new(&limits, &accounts), 0);
        ck_assert_int_eq(account_find(accounts, 7, TEXT_NULL, &account), 0);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, 900), 0);
        ck_assert_uint_eq(account_room(account, ACCOUNT_BYTES), 100);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, 1001), 1);
        ck_assert_uint_eq(charge.n, 900);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, 1000), 0);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, 1), 0);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, SIZE_MAX), 1);
        ck_assert_uint_eq(accounts_total(accounts, ACCOUNT_BYTES), 1);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, 0), 0);
        ck_assert_ptr_null(charge.account);
        account_unref(account);
        accounts_free(accounts);
}
END_TEST

START_TEST(test_all_domains_together_have_a_limit)
{
        Accounts *accounts;
        Account *one, *other;
        Charge mine = CHARGE_NULL, others = CHARGE_NULL;

        ck_assert_int_eq(accounts_new(&limits, &accounts), 0);
        ck_assert_int_eq(account_find(accounts, 1, TEXT_NULL, &one), 0);
        ck_assert_int_eq(account_find(accounts, 2, TEXT_NULL, &other), 0);
        ck_assert_int_eq(charge_set(&mine, one, ACCOUNT_BYTES, 1000), 0);
        ck_assert_uint_eq(account_room(other, ACCOUNT_BYTES), 500);
        ck_assert_int_eq(charge_set(&others, other, ACCOUNT_BYTES, 501), 1);
        ck_assert_int_eq(charge_set(&others, other, ACCOUNT_BYTES, 500), 0);
        charge_clear(&mine);
        charge_clear(&others);
        account_unref(one);
        account_unref(other);
        accounts_free(accounts);
}
END_TEST

START_TEST(test_smaller_limits_refuse_only_what_is_new)
{
        AccountLimits smaller = limits;
        Accounts *accounts;
        Account *account;
        Charge charge = CHARGE_NULL;

        smaller.domain[ACCOUNT_BYTES] = 10;
        ck_assert_int_eq(accounts_new(&limits, &accounts), 0);
        ck_assert_int_eq(account_find(accounts, 7, TEXT_NULL, &account), 0);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, 900), 0);
        accounts_set_limits(accounts, &smaller);
        ck_assert_uint_eq(account_room(account, ACCOUNT_BYTES), 0);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, 901), 1);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_BYTES, 800), 0);
        charge_clear(&charge);
        account_unref(account);
        accounts_free(accounts);
}
END_TEST

/* A domain is the uid, or the uid with its cgroup; an absent cgroup is not an
 * empty one. */
START_TEST(test_domains_are_told_apart)
{
        Accounts *accounts;
        Account *found[6];

        ck_assert_int_eq(accounts_new(&limits, &accounts), 0);
        ck_assert_int_eq(account_find(accounts, 7, TEXT_NULL, &found[0]), 0);
        ck_assert_int_eq(account_find(accounts, 7, TEXT(""), &found[1]), 0);
        ck_assert_int_eq(account_find(accounts, 7, TEXT("/a"), &found[2]), 0);
        ck_assert_int_eq(account_find(accounts, 7 + 64, TEXT("/a"), &found[3]), 0);
        for (size_t i = 0; i < 4; i++)
                for (size_t j = 0; j < i; j++)
                        ck_assert_ptr_ne(found[i], found[j]);
        ck_assert_int_eq(account_find(accounts, 7, TEXT("/a"), &found[4]), 0);
        ck_assert_ptr_eq(found[4], found[2]);
        account_unref(found[2]);
        account_unref(found[4]);
        ck_assert_int_eq(account_find(accounts, 7, TEXT_NULL, &found[5]), 0);
        ck_assert_ptr_eq(found[5], found[0]);
        account_unref(found[5]);
        for (size_t i = 0; i < 4; i++)
                if (i != 2)
                        account_unref(found[i]);
        accounts_free(accounts);
}
END_TEST

/* A charge keeps its account, so that whoever made it may let go. */
START_TEST(test_a_charge_holds_its_account)
{
        Accounts *accounts;
        Account *account;
        Charge charge = CHARGE_NULL;

        ck_assert_int_eq(accounts_new(&limits, &accounts), 0);
        ck_assert_int_eq(account_find(accounts, 7, TEXT_NULL, &account), 0);
        ck_assert_int_eq(charge_set(&charge, account, ACCOUNT_ENTRIES, 10), 0);
        account_unref(account);
        ck_assert_int_eq(account_find(accounts, 7, TEXT_NULL, &account), 0);
        ck_assert_uint_eq(account_room(account, ACCOUNT_ENTRIES), 0);
        account_unref(account);
        charge_clear(&charge);
        accounts_free(accounts);
}
END_TEST

static int make(void)
{
        Accounts *accounts;
        Account *account;
        int r;

        r = accounts_new(&limits, &accounts);
        if (r < 0)
                return r;
        r = account_find(accounts, 7, TEXT("/a"), &account);
        if (r == 0)
                account_unref(account);
        accounts_free(accounts);
        return r;
}

START_TEST(test_without_memory)
{
        FIXTURE_TORTURE(make());
}
END_TEST

FIXTURE_MAIN("daemon/account", test_a_domain_has_what_its_limit_says, test_a_charge_grows_and_shrinks,
             test_all_domains_together_have_a_limit, test_smaller_limits_refuse_only_what_is_new,
             test_domains_are_told_apart, test_a_charge_holds_its_account, test_without_memory)
