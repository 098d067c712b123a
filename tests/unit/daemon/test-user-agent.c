#include "daemon/user_agent.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "tests/lib/fixture.h"

#define SHORT "kernelsd/" KERNELSD_VERSION

static char text[USER_AGENT_SIZE];

static const char *test_text(void)
{
        user_agent_make(text);
        return text;
}

static void test_clear(void)
{
        unsetenv("HF_HUB_DISABLE_TELEMETRY");
        unsetenv("DISABLE_TELEMETRY");
        unsetenv("DO_NOT_TRACK");
        unsetenv("HF_HUB_USER_AGENT_ORIGIN");
}

static const char *test_long(const char *end)
{
        static char wanted[USER_AGENT_SIZE];
        struct utsname host;

        ck_assert_int_eq(uname(&host), 0);
        (void)snprintf(wanted, sizeof(wanted), SHORT "; %s/%s%s", host.sysname, host.machine, end);
        return wanted;
}

START_TEST(test_plain)
{
        test_clear();
        ck_assert_str_eq(test_text(), test_long(""));
}
END_TEST

START_TEST(test_origin)
{
        static const char *const bad[] = { "", "a;b", "a b", "a\r\nX: y", "\xc3\xa9" };
        char longest[80];

        test_clear();
        setenv("HF_HUB_USER_AGENT_ORIGIN", "my-cluster/1.2", 1);
        ck_assert_str_eq(test_text(), test_long("; origin/my-cluster/1.2"));
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                setenv("HF_HUB_USER_AGENT_ORIGIN", bad[i], 1);
                ck_assert_str_eq(test_text(), test_long(""));
        }
        memset(longest, 'a', 65);
        longest[65] = 0;
        setenv("HF_HUB_USER_AGENT_ORIGIN", longest, 1);
        ck_assert_str_eq(test_text(), test_long(""));
}
END_TEST

START_TEST(test_no_telemetry)
{
        static const char *const names[] = { "HF_HUB_DISABLE_TELEMETRY", "DISABLE_TELEMETRY", "DO_NOT_TRACK" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                test_clear();
                setenv("HF_HUB_USER_AGENT_ORIGIN", "me", 1);
                setenv(names[i], "Yes", 1);
                ck_assert_str_eq(test_text(), SHORT);
                setenv(names[i], "0", 1);
                ck_assert_str_eq(test_text(), test_long("; origin/me"));
        }
}
END_TEST

FIXTURE_MAIN("daemon/user_agent", test_plain, test_origin, test_no_telemetry)
