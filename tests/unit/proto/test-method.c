#include "tests/lib/fixture.h"

#include "proto/method.h"

START_TEST(test_each_is_found)
{
        for (unsigned i = 0; i < _METHOD_MAX; i++) {
                ck_assert_int_eq(method_find(text_of(method_table[i].name)), (MethodNumber)i);
                ck_assert_ptr_nonnull(method_table[i].params);
                ck_assert_ptr_nonnull(method_table[i].result);
        }
}
END_TEST

START_TEST(test_others_are_not)
{
        ck_assert_int_eq(method_find(TEXT("")), _METHOD_MAX);
        ck_assert_int_eq(method_find(TEXT_NULL), _METHOD_MAX);
        ck_assert_int_eq(method_find(TEXT("resolv")), _METHOD_MAX);
        ck_assert_int_eq(method_find(TEXT("resolve ")), _METHOD_MAX);
        ck_assert_int_eq(method_find(TEXT("Resolve")), _METHOD_MAX);
}
END_TEST

/* Who may ask for what: a change here is a change of the design. */
START_TEST(test_needs)
{
        static const char *const admin[] = { "mapping.", "pin.", "cache.", "environment.list", "environment.add", "refresh",
                                             "prefetch" };

        for (unsigned i = 0; i < _METHOD_MAX; i++) {
                MethodNeeds needs = i == METHOD_CLIENTS || i == METHOD_HISTORY ? METHOD_OWN : METHOD_ANY;

                for (size_t a = 0; a < ARRAY_SIZE(admin); a++)
                        if (text_starts_with(text_of(method_table[i].name), text_of(admin[a])))
                                needs = METHOD_ADMIN;
                ck_assert_int_eq(method_table[i].needs, needs);
        }
        ck_assert(method_table[METHOD_RESOLVE].idempotent);
        ck_assert(!method_table[METHOD_VIEW_CREATE].idempotent);
}
END_TEST

FIXTURE_MAIN("proto/method", test_each_is_found, test_others_are_not, test_needs)
