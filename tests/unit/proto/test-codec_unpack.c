#include "tests/lib/fixture.h"

#include <errno.h>
#include <msgpack.h>

#include "proto/codec_unpack.h"
#include "proto/payload.h"

#define UNPACK(literal, zone, object, fault) codec_unpack((const uint8_t *)(literal), sizeof(literal) - 1, zone, object, fault)

START_TEST(test_objects_lie_in_the_zone)
{
        msgpack_zone zone;
        msgpack_object object;
        Fault fault;

        ck_assert_int_eq(UNPACK("\x92\x01\xa1x", &zone, &object, &fault), 0);
        ck_assert_int_eq(object.type, MSGPACK_OBJECT_ARRAY);
        ck_assert_uint_eq(object.via.array.size, 2);
        msgpack_zone_destroy(&zone);
}
END_TEST

/* What would make msgpack-c reserve gigabytes, or say "no memory", never
 * reaches it. */
START_TEST(test_the_checker_goes_first)
{
        msgpack_zone zone;
        msgpack_object object;
        Fault fault;

        ck_assert_int_eq(UNPACK("\xdd\xff\xff\xff\xff", &zone, &object, &fault), 1);
        ck_assert_str_eq(fault.message, payload_explain(PAYLOAD_E_COUNT));
        ck_assert_int_eq(UNPACK("\x91\x91\x91\x91\x91\x91\x91\x91\x91\xc0", &zone, &object, &fault), 1);
        ck_assert_str_eq(fault.message, payload_explain(PAYLOAD_E_DEPTH));
        ck_assert_int_eq(fault.name, FAULT_BAD_REQUEST);
}
END_TEST

START_TEST(test_descriptions)
{
        static const struct { const char *bytes, *words; } cases[] = {
                { "\xc0", "nil" }, { "\xc3", "a boolean" }, { "\x01", "an integer" }, { "\xff", "an integer" },
                { "\xa0", "a string" }, { "\x90", "a list" }, { "\x80", "a map" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                msgpack_zone zone;
                msgpack_object object;
                Fault fault;

                ck_assert_int_eq(codec_unpack((const uint8_t *)cases[i].bytes, 1, &zone, &object, &fault), 0);
                ck_assert_str_eq(codec_unpack_describe(&object), cases[i].words);
                msgpack_zone_destroy(&zone);
        }
}
END_TEST

FIXTURE_MAIN("proto/codec_unpack", test_objects_lie_in_the_zone, test_the_checker_goes_first, test_descriptions)
