#include "tests/lib/fixture.h"

#include <stdio.h>

#include "kernels/hub_retry.h"

static HubReply replied(int status)
{
        return (HubReply){ .status = status };
}

static HubReply troubled(HubTrouble trouble)
{
        return (HubReply){ .trouble = trouble };
}

/* How many attempts are made in all, when each ends in the same way. */
static unsigned attempts(HubCall kind, bool got_bytes, HubReply reply)
{
        uint64_t wait_ms;
        unsigned n = 1;

        while (n < 100 && hub_retry(kind, n, got_bytes, &reply, &wait_ms))
                n++;
        return n;
}

START_TEST(test_statuses)
{
        static const struct {
                int status;
                unsigned first, page, file;
        } cases[] = { { 408, 2, 6, 6 }, { 429, 2, 6, 6 }, { 500, 2, 6, 1 }, { 502, 2, 6, 1 }, { 503, 2, 6, 1 },
                      { 504, 2, 6, 1 }, { 501, 1, 1, 1 }, { 404, 1, 1, 1 }, { 401, 1, 1, 1 }, { 403, 1, 1, 3 },
                      { 416, 1, 1, 1 }, { 0, 1, 1, 1 } };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_uint_eq(attempts(HUB_CALL_FIRST, false, replied(cases[i].status)), cases[i].first);
                ck_assert_uint_eq(attempts(HUB_CALL_PAGE, false, replied(cases[i].status)), cases[i].page);
                ck_assert_uint_eq(attempts(HUB_CALL_FILE, false, replied(cases[i].status)), cases[i].file);
        }
}
END_TEST

START_TEST(test_network)
{
        static const struct {
                HubTrouble trouble;
                unsigned first, page, file, file_with_bytes;
        } cases[] = { { HUB_UNREACHABLE, 2, 6, 6, 32 }, { HUB_BROKEN, 2, 6, 6, 32 }, { HUB_TIMED_OUT, 1, 6, 6, 32 },
                      { HUB_TLS, 1, 1, 1, 1 },          { HUB_TOO_LARGE, 1, 1, 1, 1 }, { HUB_REFUSED_LOCALLY, 1, 1, 1, 1 } };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_uint_eq(attempts(HUB_CALL_FIRST, false, troubled(cases[i].trouble)), cases[i].first);
                ck_assert_uint_eq(attempts(HUB_CALL_PAGE, false, troubled(cases[i].trouble)), cases[i].page);
                ck_assert_uint_eq(attempts(HUB_CALL_FILE, false, troubled(cases[i].trouble)), cases[i].file);
                ck_assert_uint_eq(attempts(HUB_CALL_FILE, true, troubled(cases[i].trouble)), cases[i].file_with_bytes);
        }
}
END_TEST

/* Only a 403 that gives no reason is a link that has run out. */
START_TEST(test_forbidden_with_reason)
{
        HubReply gated = { .status = 403, .error_code = "GatedRepo" }, disabled = { .status = 403, .error_message = "x" };

        ck_assert_uint_eq(attempts(HUB_CALL_FILE, false, gated), 1);
        ck_assert_uint_eq(attempts(HUB_CALL_FILE, false, disabled), 1);
}
END_TEST

START_TEST(test_usual_waits)
{
        static const uint64_t expected[] = { 1000, 2000, 4000, 8000, 8000 };
        HubReply reply = replied(503), cut = troubled(HUB_BROKEN);
        uint64_t wait_ms = 0;

        for (unsigned i = 0; i < ARRAY_SIZE(expected); i++) {
                ck_assert(hub_retry(HUB_CALL_PAGE, i + 1, false, &reply, &wait_ms));
                ck_assert_uint_eq(wait_ms, expected[i]);
        }
        ck_assert(hub_retry(HUB_CALL_FILE, 5, true, &cut, &wait_ms));
        ck_assert_uint_eq(wait_ms, 1000);
}
END_TEST

START_TEST(test_waits_that_are_told)
{
        static const struct {
                int status;
                const char *rate_limit, *retry_after;
                uint64_t wait_ms; /* 0: not again */
        } cases[] = {
                { 429, "\"resolvers\";r=0;t=172", "", 173000 },
                { 429, "\"resolvers\"; r=0 ; t=172 ", "5", 173000 },
                { 429, "\"api\";r=3;t=5, \"res;r=0,\";t=7;r=0", "", 8000 },
                { 429, "\"res;r=0;t=9,\";r=4;t=7", "", 1000 },
                { 429, "\"resolvers\";r=2998;t=172", "", 1000 },
                { 429, "\"resolvers\";r=0", "", 1000 },
                { 429, "\"resolvers\";r=;t=3", "", 1000 },
                { 429, "\"resolvers\";r=0;t=3;t=x", "", 1000 },
                { 429, "\"r=0;t=9", "", 1000 },
                { 429, "\"resolvers\";r=0;t=299", "", 300000 },
                { 429, "\"resolvers\";r=0;t=300", "", 0 },
                { 429, "\"resolvers\";r=0;t=18446744073709551615", "", 0 },
                { 429, "", "7", 8000 },
                { 429, "", " 0 ", 1000 },
                { 503, "\"resolvers\";r=0;t=172", "2", 3000 },
                { 503, "\"resolvers\";r=0;t=172", "", 1000 },
                { 503, "", "301", 0 },
                { 503, "", "99999999999999999999999999999", 0 },
                { 503, "", "-1", 1000 },
                { 503, "", "Wed, 21 Oct 2026 07:28:00 GMT", 1000 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                HubReply reply = replied(cases[i].status);
                uint64_t wait_ms = 0;

                (void)snprintf(reply.rate_limit, sizeof(reply.rate_limit), "%s", cases[i].rate_limit);
                (void)snprintf(reply.retry_after, sizeof(reply.retry_after), "%s", cases[i].retry_after);
                ck_assert_msg(hub_retry(HUB_CALL_PAGE, 1, false, &reply, &wait_ms) == !!cases[i].wait_ms, "%zu", i);
                ck_assert_uint_eq(wait_ms, cases[i].wait_ms);
        }
}
END_TEST

FIXTURE_MAIN("kernels/hub_retry", test_statuses, test_network, test_forbidden_with_reason, test_usual_waits,
             test_waits_that_are_told)
