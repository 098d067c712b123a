#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernels/hub_reply.h"

#define WHAT TEXT("org/name")
#define HUB TEXT("http://127.0.0.1:8080")

typedef struct Case {
        int status;
        const char *code, *message;
        bool with_token;
        FaultName name;
        const char *words;
} Case;

static HubReply reply_of(int status, const char *code, const char *message)
{
        HubReply reply = { .status = status };

        (void)snprintf(reply.error_code, sizeof(reply.error_code), "%s", code);
        (void)snprintf(reply.error_message, sizeof(reply.error_message), "%s", message);
        return reply;
}

START_TEST(test_statuses)
{
        static const Case cases[] = {
                { 404, "RevisionNotFound", "", false, FAULT_NO_REVISION, "no such revision" },
                { 404, "EntryNotFound", "", false, FAULT_GONE, "no such file" },
                { 401, "GatedRepo", "", false, FAULT_AUTH, "trust.private" },
                { 403, "GatedRepo", "", true, FAULT_AUTH, "ask for it" },
                { 403, "", "Access to this resource is disabled.", true, FAULT_NO_REPOSITORY, "disabled" },
                { 404, "RepoNotFound", "Access to this resource is disabled.", false, FAULT_NO_REPOSITORY, "disabled" },
                { 404, "GatedRepo", "Access to this resource is disabled.", true, FAULT_AUTH, "restricted" },
                { 401, "RepoNotFound", "Invalid username or password.", false, FAULT_NO_REPOSITORY, "trust.private" },
                { 404, "RepoNotFound", "", true, FAULT_NO_REPOSITORY, "token may not see it" },
                { 401, "", "", false, FAULT_NO_REPOSITORY, "does not exist or is private" },
                { 401, "", "Invalid credentials in Authorization header", true, FAULT_AUTH, "refuses the token" },
                { 403, "", "", true, FAULT_AUTH, "refuses the token" },
                { 403, "", "Forbidden", false, FAULT_HUB, "(status 403): Forbidden" },
                { 404, "", "", false, FAULT_HUB, "404" },
                { 429, "", "", false, FAULT_RATE_LIMITED, "slow down" },
                { 500, "", "a\x1b[2J", false, FAULT_HUB, "the Hub failed (status 500): a?[2J" },
                { 503, "RevisionNotFound", "", false, FAULT_NO_REVISION, "revision" },
                { 302, "", "", false, FAULT_HUB, "302" },
                { 0, "", "", false, FAULT_HUB, "0" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                HubReply reply = reply_of(cases[i].status, cases[i].code, cases[i].message);
                Fault fault = FAULT_NULL;

                ck_assert_int_eq(hub_reply_judge(&reply, WHAT, cases[i].with_token, &fault), 1);
                ck_assert_msg(fault.name == cases[i].name, "%zu: %s", i, fault.message);
                ck_assert_msg(strstr(fault.message, cases[i].words), "%zu: %s", i, fault.message);
                ck_assert_msg(strstr(fault.message, "org/name: ") == fault.message, "%s", fault.message);
        }
}
END_TEST

START_TEST(test_good)
{
        static const int statuses[] = { 200, 206, 299 };
        Fault fault = FAULT_NULL;

        for (size_t i = 0; i < ARRAY_SIZE(statuses); i++) {
                HubReply reply = reply_of(statuses[i], "EntryNotFound", "x");

                ck_assert_int_eq(hub_reply_judge(&reply, WHAT, false, &fault), 0);
                ck_assert(!hub_reply_is_missing(&reply));
        }
}
END_TEST

START_TEST(test_troubles)
{
        static const struct {
                HubTrouble trouble;
                FaultName name;
                const char *words;
        } cases[] = {
                { HUB_UNREACHABLE, FAULT_HUB, "cannot be reached: curl's words" },
                { HUB_BROKEN, FAULT_HUB, "broke off: curl's words" },
                { HUB_TIMED_OUT, FAULT_TIMEOUT, "in time: curl's words" },
                { HUB_TLS, FAULT_HUB, "SSL_CERT_FILE" },
                { HUB_TOO_LARGE, FAULT_HUB, "larger" },
                { HUB_REFUSED_LOCALLY, FAULT_INTERNAL, "taken in: curl's words" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                HubReply reply = reply_of(200, "EntryNotFound", "");
                Fault fault = FAULT_NULL;

                reply.trouble = cases[i].trouble;
                (void)snprintf(reply.message, sizeof(reply.message), "curl's words");
                ck_assert_int_eq(hub_reply_judge(&reply, WHAT, false, &fault), 1);
                ck_assert_int_eq(fault.name, cases[i].name);
                ck_assert_msg(strstr(fault.message, cases[i].words), "%s", fault.message);
                reply.status = 404;
                ck_assert(!hub_reply_is_missing(&reply));
        }
}
END_TEST

START_TEST(test_missing)
{
        HubReply entry = reply_of(404, "EntryNotFound", ""), bare = reply_of(404, "", "EntryNotFound"),
                 revision = reply_of(404, "RevisionNotFound", "");

        ck_assert(hub_reply_is_missing(&entry));
        ck_assert(!hub_reply_is_missing(&bare));
        ck_assert(!hub_reply_is_missing(&revision));
}
END_TEST

static int next_of(const char *link, Arena *arena, Text *ret_url, Fault *fault)
{
        HubReply reply = { .status = 200 };

        (void)snprintf(reply.link, sizeof(reply.link), "%s", link);
        return hub_reply_next(&reply, HUB, arena, ret_url, fault);
}

START_TEST(test_next)
{
        static const char target[] = "http://127.0.0.1:8080/api/x?cursor=NA%3D%3D&expand=false";
        static const char *const leading[] = {
                "<%s>; rel=\"next\"",
                "<%s>;rel=next",
                "  <%s> ; foo ; REL = \"prev NEXT\" , <http://evil/>; rel=\"next\"",
                "<http://evil/>; rel=\"prev\", <%s>; rel=\"next\"",
                "<a,b;c>; title=\"x, <y>; rel=\\\"next\\\"\"; rel=last,,<%s>; rel=\"next\"",
                "<http://evil/>; rel=first; rel=next,<%s>;;rel=next",
                "<http://evil/>; title=next, <http://evil/>; rel=nextish, <%s>; rel*=x; rel=next",
        };
        static const char *const last[] = { "", " ", ",,", "<http://evil/>; rel=\"prev\"", "<http://evil/>", "<>; rel",
                                            "<http://evil/>; rel=\"xet-auth\"" };
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        for (size_t i = 0; i < ARRAY_SIZE(leading); i++) {
                const char *at = strstr(leading[i], "%s");
                char link[512];
                Fault fault = FAULT_NULL;
                Text url;

                (void)snprintf(link, sizeof(link), "%.*s%s%s", (int)(at - leading[i]), leading[i], target, at + 2);
                ck_assert_msg(next_of(link, &arena, &url, &fault) == 0, "%s: %s", link, fault.message);
                ck_assert_msg(text_equal(url, text_of(target)), "%s: %.*s", link, TEXT_PRINT(url));
        }
        for (size_t i = 0; i < ARRAY_SIZE(last); i++) {
                Fault fault = FAULT_NULL;
                Text url = TEXT("untouched");

                ck_assert_msg(next_of(last[i], &arena, &url, &fault) == 0, "%s", last[i]);
                ck_assert_ptr_null(url.data);
        }
}
END_TEST

START_TEST(test_next_refused)
{
        static const char *const links[] = {
                "<http://evil/>; rel=next",
                "<https://127.0.0.1:8080/>; rel=next",
                "<http://127.0.0.1:8080@evil/>; rel=next",
                "<http://127.0.0.1:8081/>; rel=next",
                "</api/x>; rel=next",
                "<//evil/x>; rel=next",
                "<>; rel=next",
                "<http://127.0.0.1:8080/x", /* cut */
                "<http://127.0.0.1:8080/x>; rel=\"next",
                "http://127.0.0.1:8080/x; rel=next",
                "<http://127.0.0.1:8080/x> rel=next",
                "<http://127.0.0.1:8080/x>; rel=next <",
        };
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
                Fault fault = FAULT_NULL;
                Text url = TEXT("untouched");

                ck_assert_msg(next_of(links[i], &arena, &url, &fault) == 1, "%s", links[i]);
                ck_assert_int_eq(fault.name, FAULT_HUB);
                ck_assert(text_equal(url, TEXT("untouched")));
        }
}
END_TEST

static int take_next(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text url;

        return next_of("<http://127.0.0.1:8080/>; rel=next", &arena, &url, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(take_next());
        ck_assert_int_eq(take_next(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/hub_reply", test_statuses, test_good, test_troubles, test_missing, test_next, test_next_refused,
             test_torture)
