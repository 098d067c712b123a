#include "tests/lib/fixture.h"

#include <errno.h>

#include "proto/base/error.h"

static int last_error, n_reports;

static void note(int error, const char *function, const char *file, int line)
{
        last_error = error;
        n_reports++;
        ck_assert_str_eq(function, "fails");
        ck_assert_int_gt(line, 0);
}

static int fails(int r)
{
        return error_trace(r);
}

START_TEST(test_only_negative_is_traced)
{
        error_trace_set(note);
        ck_assert_int_eq(fails(0), 0);
        ck_assert_int_eq(fails(1), 1);
        ck_assert_int_eq(n_reports, 0);
        ck_assert_int_eq(fails(-ENOMEM), -ENOMEM);
        ck_assert_int_eq(n_reports, 1);
        ck_assert_int_eq(last_error, -ENOMEM);
}
END_TEST

START_TEST(test_without_a_sink)
{
        ck_assert_int_eq(fails(-EIO), -EIO);
        ck_assert_int_eq(n_reports, 0);
}
END_TEST

FIXTURE_MAIN("proto/error", test_only_negative_is_traced, test_without_a_sink)
