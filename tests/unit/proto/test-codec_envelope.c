#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

#include "proto/codec.h"

#define PARSE(literal, envelope, known) envelope_parse((const uint8_t *)(literal), sizeof(literal) - 1, envelope, known)

START_TEST(test_request)
{
        Envelope envelope;
        bool known;

        ck_assert_int_eq(PARSE("\x94\x00\xcd\x01\x00\xa6status\x80", &envelope, &known), 0);
        ck_assert(known);
        ck_assert_int_eq(envelope.type, 0);
        ck_assert_uint_eq(envelope.id, 256);
        ck_assert(text_equal(envelope.method, TEXT("status")));
        ck_assert(text_equal(envelope.body, TEXT("\x80")));
        ck_assert_int_eq(PARSE("\x94\x00\x07\xa6status\xc0", &envelope, &known), 0);
        ck_assert_ptr_null(envelope.body.data);
}
END_TEST

START_TEST(test_answer)
{
        Envelope envelope;
        bool known;

        ck_assert_int_eq(PARSE("\x94\x01\xce\xff\xff\xff\xff\xc0\x81\xa1" "a\x01", &envelope, &known), 0);
        ck_assert_uint_eq(envelope.id, UINT32_MAX);
        ck_assert_ptr_null(envelope.error.data);
        ck_assert(text_equal(envelope.body, TEXT("\x81\xa1" "a\x01")));
        ck_assert_int_eq(PARSE("\x94\x01\x01\x81\xa1" "e\x93\x01\x02\xc4\x01z\xc0", &envelope, &known), 0);
        ck_assert(text_equal(envelope.error, TEXT("\x81\xa1" "e\x93\x01\x02\xc4\x01z")));
        ck_assert_ptr_null(envelope.body.data);
}
END_TEST

START_TEST(test_notification)
{
        Envelope envelope;
        bool known = true;

        ck_assert_int_eq(PARSE("\x93\x02\xa8progress\x80", &envelope, &known), 0);
        ck_assert(!known);
        ck_assert_int_eq(envelope.type, 2);
        ck_assert(text_equal(envelope.method, TEXT("progress")));
}
END_TEST

/* Requests that can be answered although they are not of the form. */
START_TEST(test_faulty_with_an_id)
{
        static const struct { const char *bytes; size_t size; } cases[] = {
#define CASE(literal) { literal, sizeof(literal) - 1 }
                CASE("\x92\x00\x05"), CASE("\x93\x00\x05\xa1m"), CASE("\x95\x00\x05\xa1m\x80\xc0"),
                CASE("\x94\x00\x05\x01\x80"), CASE("\x94\x00\x05\xc0\x80"), CASE("\x94\x00\xcc\x05\xc4\x01m\x80"),
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Envelope envelope = { .type = 9 };
                bool known = false;

                ck_assert_int_eq(envelope_parse((const uint8_t *)cases[i].bytes, cases[i].size, &envelope, &known), 1);
                ck_assert_msg(known, "case %zu", i);
                ck_assert_int_eq(envelope.type, 0);
                ck_assert_uint_eq(envelope.id, 5);
        }
}
END_TEST

START_TEST(test_faulty_without_an_id)
{
        static const struct { const char *bytes; size_t size; } cases[] = {
                CASE("\x80"), CASE("\x90"), CASE("\x01"), CASE("\x91\x00"), CASE("\x94\x03\x05\xa1m\x80"),
                CASE("\x94\xff\x05\xa1m\x80"), CASE("\x94\x00\xff\xa1m\x80"), CASE("\x94\x00\xa1x\xa1m\x80"),
                CASE("\x94\x00\xcf\x00\x00\x00\x01\x00\x00\x00\x00\xa1m\x80"), CASE("\x92\x02\xa1m"), CASE("\x93\x02\x01\x80"),
                CASE("\x94\xa1x\x05\xa1m\x80"),
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Envelope envelope;
                bool known = true;

                ck_assert_int_eq(envelope_parse((const uint8_t *)cases[i].bytes, cases[i].size, &envelope, &known), 1);
                ck_assert_msg(!known, "case %zu", i);
        }
}
END_TEST

static int error_round(const Fault *fault, Fault *ret_fault)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Envelope envelope;
        bool known;
        int r = envelope_write_error(&buffer, 3, fault);

        if (r < 0)
                return r;
        ck_assert_int_eq(envelope_parse(buffer.data, buffer.size, &envelope, &known), 0);
        ck_assert_uint_eq(envelope.id, 3);
        return envelope_parse_error(envelope.error, &arena, ret_fault);
}

START_TEST(test_errors_go_round)
{
        for (unsigned i = FAULT_NONE + 1; i < _FAULT_MAX; i++) {
                Fault fault, again = FAULT_NULL;

                fault_set(&fault, (FaultName)i, "do %u", i);
                ck_assert_int_eq(error_round(&fault, &again), 0);
                ck_assert_int_eq(again.name, fault.name);
                ck_assert_str_eq(again.message, fault.message);
        }
}
END_TEST

START_TEST(test_errors_of_others)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(envelope_parse_error(TEXT("\x82\xa4name\xa3new\xa7message\xa4" "wait"), &arena, &fault), 0);
        ck_assert_int_eq(fault.name, FAULT_INTERNAL);
        ck_assert_str_eq(fault.message, "wait");
        ck_assert_int_eq(envelope_parse_error(TEXT("\x81\xa4name\xa6" "denied"), &arena, &fault), 0);
        ck_assert_int_eq(fault.name, FAULT_DENIED);
        ck_assert_str_eq(fault.message, "");
        ck_assert_int_eq(envelope_parse_error(TEXT("\x80"), &arena, &fault), 1);
        ck_assert_int_eq(envelope_parse_error(TEXT("\xa1x"), &arena, &fault), 1);
        ck_assert_int_eq(envelope_parse_error(TEXT("\x81\xa4name\x01"), &arena, &fault), 1);
}
END_TEST

START_TEST(test_torture)
{
        Fault fault = { .name = FAULT_BUSY, .message = "later" }, again;

        FIXTURE_TORTURE(error_round(&fault, &again));
}
END_TEST

FIXTURE_MAIN("proto/codec_envelope", test_request, test_answer, test_notification, test_faulty_with_an_id,
             test_faulty_without_an_id, test_errors_go_round, test_errors_of_others, test_torture)
