#include <errno.h>
#include <string.h>

#include "client/failure.h"
#include "client/kernelsd.h"
#include "tests/lib/fixture.h"

START_TEST(test_names)
{
        ck_assert_str_eq(kd_fault_name(KD_BAD_REQUEST), "bad-request");
        ck_assert_str_eq(kd_fault_name(KD_NO_MAPPING), "no-mapping");
        ck_assert_str_eq(kd_fault_name(KD_UNTRUSTED), "untrusted");
        ck_assert_str_eq(kd_fault_name(KD_CANCELLED), "cancelled");
        ck_assert_str_eq(kd_fault_name(KD_TIMEOUT), "timeout");
        ck_assert_ptr_null(kd_fault_name(0));
        ck_assert_ptr_null(kd_fault_name(KD_TIMEOUT + 1));
        ck_assert_ptr_null(kd_fault_name(-ENOENT));
        ck_assert_str_eq(kd_version(), KERNELSD_VERSION);
}
END_TEST

START_TEST(test_exit_status)
{
        ck_assert_int_eq(kd_exit_status(0), 0);
        ck_assert_int_eq(kd_exit_status(-ENOENT), 3);
        ck_assert_int_eq(kd_exit_status(KD_INVALID_MODE), 2);
        ck_assert_int_eq(kd_exit_status(KD_NO_MODE), 4);
        ck_assert_int_eq(kd_exit_status(KD_ARCH), 5);
        ck_assert_int_eq(kd_exit_status(KD_OFFLINE), 7);
        ck_assert_int_eq(kd_exit_status(KD_BUSY), 75);
}
END_TEST

START_TEST(test_filling)
{
        kd_error error;

        ck_assert_int_eq(failure_set(&error, -EINVAL, "Say %s.", "why"), -EINVAL);
        ck_assert_str_eq(error.name, "EINVAL");
        ck_assert_str_eq(error.message, "Say why.");
        ck_assert(!error.retry && error.code == -EINVAL);
        ck_assert_int_eq(failure_unreachable(&error, -EPIPE, "Gone."), -EPIPE);
        ck_assert_str_eq(error.name, "unreachable");
        ck_assert(error.retry);
        ck_assert_int_eq(failure_refuse(&error, FAULT_BUSY, "wait %d s", 2), KD_BUSY);
        ck_assert_str_eq(error.name, "busy");
        ck_assert_str_eq(error.message, "wait 2 s");
        ck_assert(error.retry && error.code == KD_BUSY);
        ck_assert_int_eq(failure_refuse(NULL, FAULT_GONE, "gone"), KD_GONE);
        ck_assert_int_eq(failure_memory(NULL), -ENOMEM);
}
END_TEST

FIXTURE_MAIN("client/error", test_names, test_exit_status, test_filling)
