#include "client/offline.h"

#include <stdlib.h>

#include "tests/lib/fixture.h"

static bool offline(const char *hub, const char *transformers)
{
        ck_assert_int_eq(hub ? setenv("HF_HUB_OFFLINE", hub, 1) : unsetenv("HF_HUB_OFFLINE"), 0);
        ck_assert_int_eq(transformers ? setenv("TRANSFORMERS_OFFLINE", transformers, 1) : unsetenv("TRANSFORMERS_OFFLINE"), 0);
        return offline_by_environment();
}

START_TEST(test_truths)
{
        static const char *const truths[] = { "1", "ON", "on", "Yes", "YES", "true", "TRUE", "tRuE" };
        static const char *const others[] = { "0", "off", "no", "false", "2", "11", "yes ", " 1", "y", "enabled" };

        for (size_t i = 0; i < ARRAY_SIZE(truths); ++i)
                ck_assert_msg(offline(truths[i], NULL), "%s", truths[i]);
        for (size_t i = 0; i < ARRAY_SIZE(others); ++i)
                ck_assert_msg(!offline(others[i], NULL), "%s", others[i]);
        ck_assert(!offline(NULL, NULL));
}
END_TEST

/* The second is asked only where the first says nothing at all. */
START_TEST(test_second)
{
        ck_assert(offline(NULL, "1"));
        ck_assert(offline("", "yes"));
        ck_assert(!offline("0", "1"));
        ck_assert(offline("1", "0"));
        ck_assert(!offline(NULL, ""));
}
END_TEST

FIXTURE_MAIN("client/offline", test_truths, test_second)
