#include "tests/lib/fixture.h"

#include <string.h>

#include "proto/fault.h"

START_TEST(test_set_says_that_the_asker_is_wrong)
{
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(fault_set(&fault, FAULT_NO_MODE, "no %s", "training"), 1);
        ck_assert_int_eq(fault.name, FAULT_NO_MODE);
        ck_assert_str_eq(fault.message, "no training");
}
END_TEST

START_TEST(test_control_characters_and_bad_bytes_become_question_marks)
{
        Fault fault;

        fault_set(&fault, FAULT_BAD_REQUEST, "a\nb\x1b[31mc\x7f" "d\xc2\x9b" "e\xffg\xe2\x82h\xc3\xa9");
        ck_assert_str_eq(fault.message, "a?b?[31mc?d?e?g??h\xc3\xa9");
}
END_TEST

/* Each length around the limit, each place of a three-byte sequence. */
START_TEST(test_cut_inside_no_sequence)
{
        for (size_t ascii = LIMIT_FAULT_MESSAGE - 8; ascii < LIMIT_FAULT_MESSAGE + 2; ascii++) {
                char text[LIMIT_FAULT_MESSAGE + 16];
                Fault fault;
                size_t expected = ascii;

                memset(text, 'a', ascii);
                strcpy(text + ascii, "\xe2\x82\xac\xe2\x82\xac");
                fault_set(&fault, FAULT_INTERNAL, "%s", text);
                while (expected + 3 <= LIMIT_FAULT_MESSAGE - 1 && expected < ascii + 6)
                        expected += 3;
                if (expected > LIMIT_FAULT_MESSAGE - 1)
                        expected = LIMIT_FAULT_MESSAGE - 1;
                ck_assert_uint_eq(strlen(fault.message), expected);
                ck_assert(text_is_utf8(text_of(fault.message)));
        }
}
END_TEST

START_TEST(test_spellings_go_round)
{
        for (unsigned i = FAULT_NONE + 1; i < _FAULT_MAX; i++) {
                ck_assert_int_eq(fault_parse(text_of(fault_spelling((FaultName)i))), (FaultName)i);
                ck_assert_int_gt(fault_exit_status((FaultName)i), 0);
                ck_assert_uint_gt(strlen(fault_meaning((FaultName)i)), 0);
                ck_assert_int_eq(fault_may_retry((FaultName)i), fault_exit_status((FaultName)i) == 75);
        }
        ck_assert_int_eq(fault_parse(TEXT("none")), FAULT_NONE);
        ck_assert_int_eq(fault_parse(TEXT_NULL), FAULT_NONE);
        ck_assert_int_eq(fault_parse(TEXT("no-mappin")), FAULT_NONE);
        ck_assert_str_eq(fault_spelling((FaultName)1000), "internal");
}
END_TEST

FIXTURE_MAIN("proto/fault", test_set_says_that_the_asker_is_wrong,
             test_control_characters_and_bad_bytes_become_question_marks, test_cut_inside_no_sequence,
             test_spellings_go_round)
