#include "tests/lib/fixture.h"

#include "proto/gate.h"

#define INFERENCE MODE_INFERENCE
#define TRAINING MODE_TRAINING
#define COMPILED MODE_TORCH_COMPILE

/* The conformance cases have every combination; here is one of each kind. */
START_TEST(test_judge)
{
        static const struct {
                Mode requested, registered;
                bool has_backward, can_torch_compile;
                GateAnswer strict, lenient; /* without and with use_fallback */
        } cases[] = {
                { INFERENCE, MODE_FALLBACK, false, false, GATE_USE_KERNEL, GATE_USE_KERNEL },
                { TRAINING, TRAINING, true, false, GATE_USE_KERNEL, GATE_USE_KERNEL },
                { TRAINING, TRAINING, false, true, GATE_REGISTERED_MODE_UNSUPPORTED, GATE_REGISTERED_MODE_UNSUPPORTED },
                { INFERENCE, TRAINING, false, true, GATE_REGISTERED_MODE_UNSUPPORTED, GATE_REGISTERED_MODE_UNSUPPORTED },
                { TRAINING, MODE_FALLBACK, false, true, GATE_REQUESTED_MODE_UNSUPPORTED, GATE_USE_ORIGINAL },
                { INFERENCE | COMPILED, MODE_FALLBACK, true, false, GATE_REQUESTED_MODE_UNSUPPORTED, GATE_USE_ORIGINAL },
                { TRAINING, INFERENCE, true, true, GATE_NO_MODE, GATE_USE_ORIGINAL },
                { TRAINING, MODE_NONE, true, true, GATE_NO_MAPPING, GATE_USE_ORIGINAL },
                { MODE_FALLBACK, MODE_FALLBACK, true, true, GATE_INVALID_MODE, GATE_INVALID_MODE },
                { COMPILED, MODE_NONE, true, true, GATE_INVALID_MODE, GATE_INVALID_MODE },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                GateProperties properties = { cases[i].has_backward, cases[i].can_torch_compile };

                ck_assert_int_eq(gate_judge(cases[i].requested, cases[i].registered, properties, false), cases[i].strict);
                ck_assert_int_eq(gate_judge(cases[i].requested, cases[i].registered, properties, true), cases[i].lenient);
        }
        for (unsigned answer = 0; answer < _GATE_MAX; answer++)
                ck_assert_ptr_nonnull(gate_spelling((GateAnswer)answer));
}
END_TEST

FIXTURE_MAIN("proto/gate", test_judge)
