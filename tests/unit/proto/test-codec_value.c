#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/payload.h"

#define EVERY "\x99\xc0\xc3\xc2\x2a\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xa2hi\xc4\x02\x00\xff" \
        "\x82\xa0\x90\xa1k\x80"

static int go_round(const char *bytes, size_t size, Arena *arena, Value *ret_value)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        Fault fault = FAULT_NULL;
        int r = codec_decode_value((const uint8_t *)bytes, size, arena, ret_value, &fault);

        if (r)
                return r;
        r = codec_encode_value(ret_value, &buffer);
        if (!r)
                ck_assert(text_equal(buffer_text(&buffer), (Text){ bytes, size }));
        return r;
}

START_TEST(test_every_kind)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const Value *items;
        Value value;

        ck_assert_int_eq(go_round(EVERY, sizeof(EVERY) - 1, &arena, &value), 0);
        ck_assert_int_eq(value.kind, VALUE_LIST);
        ck_assert_uint_eq(value.list.n, 9);
        items = value.list.items;
        ck_assert_int_eq(items[0].kind, VALUE_NIL);
        ck_assert(items[1].kind == VALUE_BOOL && items[1].boolean);
        ck_assert(items[2].kind == VALUE_BOOL && !items[2].boolean);
        ck_assert(items[3].kind == VALUE_INTEGER && items[3].integer == 42);
        ck_assert_int_eq(items[4].integer, INT64_MIN);
        ck_assert_int_eq(items[5].integer, INT64_MAX);
        ck_assert(items[6].kind == VALUE_STRING && text_equal(items[6].text, TEXT("hi")));
        ck_assert(items[7].kind == VALUE_BINARY && text_equal(items[7].text, TEXT("\0\xff")));
        ck_assert(items[8].kind == VALUE_MAP && items[8].map.n == 2);
        ck_assert(text_equal(items[8].map.keys[0], TEXT("")));
        ck_assert_int_eq(items[8].map.items[1].kind, VALUE_MAP);
}
END_TEST

START_TEST(test_what_has_no_value)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Value value;

#define REFUSED(literal)                                                                                               \
        do {                                                                                                           \
                fault = FAULT_NULL;                                                                                    \
                ck_assert_int_eq(codec_decode_value((const uint8_t *)(literal), sizeof(literal) - 1, &arena, &value, &fault), 1); \
                ck_assert_int_eq(fault.name, FAULT_BAD_REQUEST);                                                       \
        } while (0)
        REFUSED("\xcb........");
        REFUSED("\xca....");
        REFUSED("\x91\xcf\x80\x00\x00\x00\x00\x00\x00\x00");
        REFUSED("\x81\xa1k\xca....");
        REFUSED("\xd4\x01\x01");
        REFUSED("\x91");
        REFUSED("");
}
END_TEST

START_TEST(test_too_deep_to_encode)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        Value values[LIMIT_DEPTH];

        values[0] = (Value){ .kind = VALUE_NIL };
        for (size_t i = 1; i < LIMIT_DEPTH; i++)
                values[i] = (Value){ .kind = VALUE_LIST, .list = { &values[i - 1], 1 } };
        ck_assert_int_eq(envelope_write_request(&buffer, 1, TEXT("x")), 0);
        ck_assert_int_eq(codec_encode_value(&values[LIMIT_DEPTH - 1], &buffer), 0);
        ck_assert_int_eq(payload_check(buffer.data, buffer.size), PAYLOAD_OK);
        values[0] = (Value){ .kind = VALUE_LIST };
        ck_assert_int_eq(codec_encode_value(&values[LIMIT_DEPTH - 1], &buffer), -EINVAL);
}
END_TEST

static int round_apart(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Value value;

        return go_round(EVERY, sizeof(EVERY) - 1, &arena, &value);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(round_apart());
}
END_TEST

FIXTURE_MAIN("proto/codec_value", test_every_kind, test_what_has_no_value, test_too_deep_to_encode, test_torture)
