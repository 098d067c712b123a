#include "client/kernelsd.h"
#include "tests/lib/fixture.h"

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

FIXTURE_MAIN("client/gate", test_gates)
