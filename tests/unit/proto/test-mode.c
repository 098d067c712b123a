#include "tests/lib/fixture.h"

#include "proto/mode.h"

START_TEST(test_parse)
{
        static const struct { const char *text; int mode; } cases[] = {
                { "inference", MODE_INFERENCE }, { "training", MODE_TRAINING }, { "fallback", MODE_FALLBACK },
                { "none", MODE_NONE }, { "torch_compile", MODE_TORCH_COMPILE },
                { "inference|torch_compile", MODE_INFERENCE | MODE_TORCH_COMPILE },
                { "torch_compile|inference", MODE_INFERENCE | MODE_TORCH_COMPILE },
                { "training|torch_compile", MODE_TRAINING | MODE_TORCH_COMPILE },
                { "", -1 }, { "|", -1 }, { "inference|", -1 }, { "|inference", -1 }, { "Inference", -1 },
                { "inference ", -1 }, { "inference|inference", -1 }, { "inference|training", -1 },
                { "fallback|inference", -1 }, { "fallback|torch_compile", -1 }, { "none|inference", -1 },
                { "inference|training|torch_compile", -1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Fault fault = FAULT_NULL;
                Mode mode = 99;
                int r = mode_parse(text_of(cases[i].text), &mode, &fault);

                ck_assert_msg(r == (cases[i].mode < 0), "%s", cases[i].text);
                ck_assert_uint_eq(mode, r ? 99 : (Mode)cases[i].mode);
                ck_assert_int_eq(fault.name, r ? FAULT_INVALID_MODE : FAULT_NONE);
        }
}
END_TEST

START_TEST(test_only_some_can_be_asked_for)
{
        Fault fault;
        Mode mode;

        for (Mode candidate = 0; candidate < _MODE_MAX; candidate++) {
                bool asks = candidate & (MODE_INFERENCE | MODE_TRAINING);

                if (!mode_is_valid(candidate))
                        continue;
                ck_assert_int_eq(mode_parse(mode_text(candidate), &mode, &fault), 0);
                ck_assert_uint_eq(mode, candidate);
                ck_assert_int_eq(mode_parse_request(mode_text(candidate), &mode, &fault), !asks);
                if (asks)
                        ck_assert_uint_eq(mode_of_request_number(mode_request_number(candidate)), candidate);
        }
}
END_TEST

START_TEST(test_chains)
{
        static const char *const chains[MODE_REQUESTS] = {
                "inference inference|torch_compile training training|torch_compile fallback ",
                "inference|torch_compile training|torch_compile fallback ",
                "training training|torch_compile fallback ",
                "training|torch_compile fallback ",
        };

        for (unsigned number = 0; number < MODE_REQUESTS; number++) {
                char text[128] = "";
                const Mode *chain;
                size_t n = mode_chain(mode_of_request_number(number), &chain);

                for (size_t i = 0; i < n; i++)
                        strcat(strcat(text, mode_spelling(chain[i])), " ");
                ck_assert_str_eq(text, chains[number]);
        }
}
END_TEST

START_TEST(test_pick)
{
        uint8_t numbers[_MODE_MAX];

        memset(numbers, 9, sizeof(numbers));
        ck_assert_uint_eq(mode_chain_pick(0, numbers, 9), 9);
        numbers[MODE_FALLBACK] = 1;
        ck_assert_uint_eq(mode_chain_pick(0, numbers, 9), 1);
        numbers[MODE_TRAINING] = 2;
        ck_assert_uint_eq(mode_chain_pick(0, numbers, 9), 2);
        ck_assert_uint_eq(mode_chain_pick(1, numbers, 9), 1);
}
END_TEST

FIXTURE_MAIN("proto/mode", test_parse, test_only_some_can_be_asked_for, test_chains, test_pick)
