#include <stdio.h>
#include <string.h>

#include "client/kernelsctl/command.h"
#include "client/kernelsctl/query.h"
#include "tests/lib/fixture.h"

static int run(const char *line)
{
        static char copy[256];
        char *argv[16] = { 0 };
        int argc = 0;

        (void)strncpy(copy, line, sizeof(copy) - 1);
        for (char *word = strtok(copy, " "); word && argc < 15; word = strtok(NULL, " "))
                argv[argc++] = word;
        return command_run(argc, argv);
}

START_TEST(test_every_verb_has_help)
{
        char line[128];

        for (size_t i = 0; i < n_commands; i++) {
                (void)snprintf(line, sizeof(line), "kernelsctl %s --help", command_table[i].verb);
                ck_assert_int_eq(run(line), 0);
        }
        ck_assert_int_eq(run("kernelsctl --help"), 0);
}
END_TEST

START_TEST(test_wrong_usage_is_2)
{
        static const char *const lines[] = {
                "kernelsctl", "kernelsctl nosuch", "kernelsctl mapping", "kernelsctl mapping nosuch",
                "kernelsctl resolve", "kernelsctl explain", "kernelsctl explain A B", "kernelsctl status extra",
                "kernelsctl resolve A --nosuch", "kernelsctl resolve A --device", "kernelsctl resolve A --json=yes",
                "kernelsctl status --device cpu", "kernelsctl resolve A -- true", "kernelsctl acquire A --",
                "kernelsctl resolve A -x", "kernelsctl resolve A --capability nine", "kernelsctl mapping check",
                "kernelsctl acquire A --deadline 0", "kernelsctl acquire", "kernelsctl acquire A --repo o/n --version 1",
                "kernelsctl acquire --repo o/n", "kernelsctl acquire --repo o/n --version 1 --revision main",
                "kernelsctl acquire --repo o/n --version v1", "kernelsctl acquire A --version 1",
                "kernelsctl acquire --repo o/n --version 1 --mode training", "kernelsctl versions",
                "kernelsctl versions o/n --version 1", "kernelsctl info o/n --version 1 --revision main",
                "kernelsctl info o/n --capability nine", "kernelsctl refresh --version 1", "kernelsctl refresh o/n --torch 2.7",
                "kernelsctl prefetch o/n", "kernelsctl prefetch --version 1",
                "kernelsctl prefetch o/n --version 1 --lock x", "kernelsctl prefetch --environment a --torch 2.7",
                "kernelsctl environment", "kernelsctl environment add", "kernelsctl environment add a",
                "kernelsctl environment add a --remove --torch 2.7", "kernelsctl environment add a --torch 2.7 --cuda 12",
                "kernelsctl cache", "kernelsctl cache verify a b", "kernelsctl history -n", "kernelsctl history -n 0",
                "kernelsctl history -n x", "kernelsctl status -n 1", "kernelsctl explain A --fresh",
        };

        for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
                ck_assert_msg(run(lines[i]) == 2, "%s", lines[i]);
}
END_TEST

START_TEST(test_no_daemon_is_3)
{
        ck_assert_int_eq(run("kernelsctl status --socket /nonexistent/kernelsd.sock"), 3);
        ck_assert_int_eq(run("kernelsctl status --json --socket=/nonexistent/kernelsd.sock"), 3);
        ck_assert_int_eq(run("kernelsctl version --socket /nonexistent/kernelsd.sock"), 0);
}
END_TEST

static int64_t capability_of(const char *text)
{
        Arguments arguments = { 0 };
        kd_query query;

        arguments.values[OPTION_CAPABILITY] = text;
        return query_from_arguments(&arguments, "L", &query) ? -2 : query.capability;
}

START_TEST(test_capabilities)
{
        ck_assert_int_eq(capability_of(NULL), -1);
        ck_assert_int_eq(capability_of("90"), 90);
        ck_assert_int_eq(capability_of("9.0"), 90);
        ck_assert_int_eq(capability_of("12.1"), 121);
        ck_assert_int_eq(capability_of("9223372036854775807"), INT64_MAX);
        ck_assert_int_eq(capability_of("9223372036854775808"), -2);
        ck_assert_int_eq(capability_of("9.00"), -2);
        ck_assert_int_eq(capability_of(".9"), -2);
        ck_assert_int_eq(capability_of("-1"), -2);
        ck_assert_int_eq(capability_of(""), -2);
}
END_TEST

FIXTURE_MAIN("kernelsctl/command", test_every_verb_has_help, test_wrong_usage_is_2, test_no_daemon_is_3,
             test_capabilities)
