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
        ck_assert_int_eq(failure_memory(NULL), -ENOMEM);
}
END_TEST

START_TEST(test_gates)
{
        ck_assert_int_eq(kd_gate_judge("inference", "fallback", -1, -1, false), KD_GATE_USE_KERNEL);
        ck_assert_int_eq(kd_gate_judge("inference", NULL, -1, -1, true), KD_GATE_USE_ORIGINAL);
        ck_assert_int_eq(kd_gate_judge("inference", NULL, -1, -1, false), KD_GATE_NO_MAPPING);
        ck_assert_int_eq(kd_gate_judge("fallback", "fallback", -1, -1, true), KD_GATE_INVALID_MODE);
        ck_assert_int_eq(kd_gate_judge(NULL, "fallback", -1, -1, true), KD_GATE_INVALID_MODE);
        ck_assert_int_eq(kd_gate_judge("training", "fallback", 0, -1, false), KD_GATE_REQUESTED_MODE_UNSUPPORTED);
        ck_assert_int_eq(kd_gate_judge("training", "fallback", 0, -1, true), KD_GATE_USE_ORIGINAL);
        ck_assert_int_eq(kd_gate_judge("inference", "training", 0, -1, true), KD_GATE_REGISTERED_MODE_UNSUPPORTED);
}
END_TEST

FIXTURE_MAIN("client/error", test_names, test_exit_status, test_filling, test_gates)
