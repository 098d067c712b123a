#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/hub_redirect.h"

#define BASE "kind = \"redirect\"\ndestination = \"o/n\"\n"

START_TEST(test_good)
{
        static const struct {
                const char *text, *repo, *revision;
        } cases[] = {
                { BASE, "o/n", "main" },
                { BASE "revision = \"v1\"", "o/n", "v1" },
                { "# moved\r\n\r\n  kind='redirect' # so\r\n\t\"destination\" = 'o/n'\r\n'revision'=\"a\\u0062\\U00000063\"\r\n",
                  "o/n", "abc" },
                { BASE "since = 2026-01-01T00:00:00Z\nn = -1_0.5e+3\ntold = true\nwhy = \"a # \\\"b\\\" \\t\"\n", "o/n", "main" },
                { BASE "[table]\nrevision = [\n\"\"\"\nkind = 1\n\x01", "o/n", "main" },
                { "kind = \"\\u0072edirect\"\ndestination = \"o/n\"\nrevision = \"\\u00e9\\u20ac\\U0001F600\"", "o/n",
                  "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                Fault fault = FAULT_NULL;
                Text repo, revision;

                ck_assert_msg(hub_redirect_parse(text_of(cases[i].text), &arena, &repo, &revision, &fault) == 0, "%s: %s",
                              cases[i].text, fault.message);
                ck_assert(text_equal(repo, text_of(cases[i].repo)));
                ck_assert_msg(text_equal(revision, text_of(cases[i].revision)), "%.*s", TEXT_PRINT(revision));
        }
}
END_TEST

START_TEST(test_refused)
{
        static const struct {
                const char *text, *words;
        } cases[] = {
                { "", "`kind` must be" },
                { "kind = \"moved\"\ndestination = \"o/n\"", "`kind` must be" },
                { "kind = \"redirect\"", "`destination` is missing" },
                { "[redirect]\n" BASE, "`kind` must be" },
                { "kind = \"redirect\"\ndestination = \"\"", "`destination`: " },
                { "kind = \"redirect\"\ndestination = \"../x\"", "`destination`: " },
                { "kind = \"redirect\"\ndestination = \"name\"", "`destination`: " },
                { BASE "revision = \"../../x\"", "`revision`: " },
                { BASE "revision = \"\"", "`revision`: " },
                { BASE "revision = 1", "line 3: the value must be a text" },
                { BASE "revision = [\"a\"]", "line 3: the value must be a text" },
                { BASE "x = {a = 1}", "line 3: the value must be a text" },
                { BASE "destination = \"o/m\"", "line 3: this key is there already" },
                { BASE "'kind' = \"redirect\"", "line 3: this key is there already" },
                { BASE "x = \"\"\"\n[t]\n\"\"\"", "line 3: texts of several lines" },
                { BASE "x = '''a'''", "line 3: texts of several lines" },
                { BASE "x.y = 1", "line 3: dotted" },
                { BASE "\"\"\"x\"\"\" = 1", "line 3: a key stands on one line" },
                { BASE "x", "line 3: must be" },
                { BASE "= 1", "line 3: must be" },
                { BASE "x = ", "line 3: the value must be" },
                { BASE "x = \"a", "line 3: a text must end" },
                { BASE "x = 'a", "line 3: a text must end" },
                { BASE "x = \"a\\", "line 3: no such escape" },
                { BASE "x = \"\\x41\"", "line 3: no such escape" },
                { BASE "x = \"\\u12\"", "line 3: no such escape" },
                { BASE "x = \"\\ud800\"", "line 3: no such escape" },
                { BASE "x = \"\\UFFFFFFFF\"", "line 3: no such escape" },
                { BASE "x = 1 2", "line 3: something stands behind" },
                { BASE "x = \"a\" b", "line 3: something stands behind" },
                { BASE "# \x01", "line 3: control" },
                { BASE "x = 'a\rb'", "line 3: control" },
                { BASE "# \xff", "UTF-8" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                Fault fault = FAULT_NULL;
                Text repo = TEXT("untouched"), revision = TEXT("untouched");

                ck_assert_msg(hub_redirect_parse(text_of(cases[i].text), &arena, &repo, &revision, &fault) == 1, "%s",
                              cases[i].text);
                ck_assert_int_eq(fault.name, FAULT_CORRUPT);
                ck_assert_msg(strstr(fault.message, cases[i].words), "%s: %s", cases[i].text, fault.message);
                ck_assert(text_equal(repo, TEXT("untouched")) && text_equal(revision, TEXT("untouched")));
        }
}
END_TEST

START_TEST(test_large)
{
        static char bytes[70000];
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text repo, revision;

        memset(bytes, '\n', sizeof(bytes));
        memcpy(bytes, BASE, sizeof(BASE) - 1);
        ck_assert_int_eq(hub_redirect_parse((Text){ bytes, 65536 }, &arena, &repo, &revision, &fault), 0);
        ck_assert_int_eq(hub_redirect_parse((Text){ bytes, 65537 }, &arena, &repo, &revision, &fault), 1);
}
END_TEST

static int parse(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text repo, revision;

        return hub_redirect_parse(TEXT("'kind' = \"redirect\"\n\"destination\" = 'o/n'\n"), &arena, &repo, &revision, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(parse());
        ck_assert_int_eq(parse(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/hub_redirect", test_good, test_refused, test_large, test_torture)
