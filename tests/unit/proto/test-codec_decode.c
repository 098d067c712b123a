#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/payload.h"

#define DECODE(type, literal, arena, message, fault) \
        codec_decode(&schema_##type, (const uint8_t *)(literal), sizeof(literal) - 1, arena, message, fault)

/* Decodes and expects the fault. */
#define REFUSED(type, literal, fault_name, sentence)                             \
        do {                                                                     \
                CLEANUP_ARENA Arena arena_ = ARENA_NULL;                         \
                Msg##type message_;                                              \
                Fault fault_ = FAULT_NULL;                                       \
                ck_assert_int_eq(DECODE(type, literal, &arena_, &message_, &fault_), 1); \
                ck_assert_int_eq(fault_.name, fault_name);                       \
                ck_assert_str_eq(fault_.message, sentence);                      \
        } while (0)

#define QUERY "\x85\xa5layer\xa1L\xa6" "device\xa4" "cuda\xaa" "capability\x5a\xa4mode\xa9inference\xa4" "arch\xc0"
#define RESOLVE "\x82\xa4view\x01\xa7queries\x92" QUERY QUERY

START_TEST(test_resolve)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgResolve resolve;
        Fault fault;

        ck_assert_int_eq(DECODE(Resolve, RESOLVE, &arena, &resolve, &fault), 0);
        ck_assert_int_eq(resolve.view, 1);
        ck_assert_uint_eq(resolve.queries.n, 2);
        ck_assert(text_equal(resolve.queries.items[1].layer, TEXT("L")));
        ck_assert(text_equal(resolve.queries.items[1].device, TEXT("cuda")));
        ck_assert(resolve.queries.items[1].capability.present);
        ck_assert_int_eq(resolve.queries.items[1].capability.value, 90);
        ck_assert_ptr_null(resolve.queries.items[1].arch.data);
}
END_TEST

START_TEST(test_absent_nil_and_unknown)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgHello hello;
        MsgEnvironment environment;
        Fault fault;

        ck_assert_int_eq(DECODE(Hello, "\x84\xa8protocol\x01\xa6" "client\xa0\xa3new\xcb........\xa6native\xc0", &arena,
                                &hello, &fault), 0);
        ck_assert_ptr_nonnull(hello.client.data); /* empty, not absent */
        ck_assert_uint_eq(hello.client.size, 0);
        ck_assert_ptr_null(hello.environment);
        ck_assert(!hello.native);
        ck_assert_uint_eq(hello.features.n, 0);
        ck_assert_int_eq(DECODE(Environment, "\x81\xad" "free_threaded\xc2", &arena, &environment, &fault), 0);
        ck_assert_int_eq(environment.cxx11_abi, -1);
        ck_assert_int_eq(environment.free_threaded, 0);
}
END_TEST

START_TEST(test_tables_and_bytes)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgEntry entry;
        MsgLocalVariant local;
        Fault fault;

        ck_assert_int_eq(DECODE(Entry, "\x82\xa5layer\xa1L\xa5modes\x82\xa8" "fallback\x81\xa4repo\xa3o/n\xa8training\x80",
                                &arena, &entry, &fault), 0);
        ck_assert_uint_eq(entry.modes.n, 2);
        ck_assert(text_equal(entry.modes.keys[0], TEXT("fallback")));
        ck_assert(text_equal(entry.modes.items[0].repo, TEXT("o/n")));
        ck_assert(text_equal(entry.modes.keys[1], TEXT("training")));
        ck_assert_ptr_null(entry.modes.items[1].repo.data);
        ck_assert_int_eq(DECODE(LocalVariant, "\x82\xa7variant\xa1v\xa8metadata\xc4\x02\x00\xff", &arena, &local, &fault), 0);
        ck_assert(text_equal(local.metadata, (Text){ "\x00\xff", 2 }));
}
END_TEST

START_TEST(test_integers_of_every_width)
{
        static const struct { const char *bytes; size_t size; int64_t value; } cases[] = {
                { "\x7f", 1, 127 }, { "\xe0", 1, -32 }, { "\xcc\xff", 2, 255 }, { "\xcd\xff\xff", 3, 65535 },
                { "\xce\xff\xff\xff\xff", 5, UINT32_MAX }, { "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9, INT64_MAX },
                { "\xd0\x80", 2, INT8_MIN }, { "\xd0\x05", 2, 5 }, { "\xd1\x80\x00", 3, INT16_MIN },
                { "\xd2\x80\x00\x00\x00", 5, INT32_MIN }, { "\xd3\x80\x00\x00\x00\x00\x00\x00\x00", 9, INT64_MIN },
                { "\xd3\x00\x00\x00\x00\x00\x00\x00\x09", 9, 9 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                uint8_t bytes[32] = "\x81\xa2id";
                MsgCancel cancel;
                Fault fault;

                memcpy(bytes + 4, cases[i].bytes, cases[i].size);
                ck_assert_int_eq(codec_decode(&schema_Cancel, bytes, 4 + cases[i].size, &arena, &cancel, &fault), 0);
                ck_assert_int_eq(cancel.id, cases[i].value);
        }
}
END_TEST

START_TEST(test_faults_name_the_key)
{
        REFUSED(Cancel, "\x91\x01", FAULT_BAD_REQUEST, "the message must be a map, not a list");
        REFUSED(Cancel, "\x80", FAULT_BAD_REQUEST, "id is missing; give an integer");
        REFUSED(Cancel, "\x81\xa2id\xc0", FAULT_BAD_REQUEST, "id is missing; give an integer");
        REFUSED(Cancel, "\x81\xa2id\xa1" "7", FAULT_BAD_REQUEST, "id must be an integer, not a string");
        REFUSED(Cancel, "\x81\xa2id\xcb........", FAULT_BAD_REQUEST, "id must be an integer, not a real");
        REFUSED(Cancel, "\x81\xa2id\xcf\xff\xff\xff\xff\xff\xff\xff\xff", FAULT_BAD_REQUEST,
                "id must be an integer, not an integer above 9223372036854775807");
        REFUSED(Resolve, "\x82\xa4view\x01\xa7queries\x92" QUERY "\x81\xa5layer\xa1L", FAULT_BAD_REQUEST,
                "queries[1].device is missing; give a string");
        REFUSED(Resolve, "\x82\xa4view\x01\xa7queries\x91\x01", FAULT_BAD_REQUEST, "queries[0] must be a map, not an integer");
        REFUSED(Entry, "\x82\xa5layer\xa1L\xa5modes\x81\xa8training\x81\xa7version\xc3", FAULT_BAD_REQUEST,
                "modes.training.version must be an integer or nil, not a boolean");
        REFUSED(Hello, "\x83\xa8protocol\x01\xa6" "client\xa0\xa8" "features\x91\x01", FAULT_BAD_REQUEST,
                "features[0] must be a string, not an integer");
        REFUSED(LocalVariant, "\x82\xa7variant\xa1v\xa8metadata\xa1x", FAULT_BAD_REQUEST,
                "metadata must be bytes, not a string");
        REFUSED(Cancel, "\xc1", FAULT_BAD_REQUEST, payload_explain(PAYLOAD_E_TYPE));
        REFUSED(Cancel, "", FAULT_BAD_REQUEST, payload_explain(PAYLOAD_E_TRUNCATED));
        REFUSED(Cancel, "\xdd\xff\xff\xff\xff", FAULT_BAD_REQUEST, payload_explain(PAYLOAD_E_COUNT));
}
END_TEST

START_TEST(test_limits)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        uint8_t bytes[256] = "\x81\xa3" "cpu\xd9";
        MsgEnvironment environment;
        Fault fault;

        memset(bytes + 7, 'x', LIMIT_WORD + 1);
        bytes[6] = LIMIT_WORD;
        ck_assert_int_eq(codec_decode(&schema_Environment, bytes, 7 + LIMIT_WORD, &arena, &environment, &fault), 0);
        bytes[6] = LIMIT_WORD + 1;
        ck_assert_int_eq(codec_decode(&schema_Environment, bytes, 8 + LIMIT_WORD, &arena, &environment, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_TOO_LARGE);
        ck_assert_str_eq(fault.message, "cpu has 65 bytes; at most 64 are allowed");
}
END_TEST

START_TEST(test_too_many_queries)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        uint8_t bytes[20 + LIMIT_QUERIES] = "\x82\xa4view\x01\xa7queries\xdc";
        MsgResolve resolve;
        Fault fault;

        bytes[16] = (LIMIT_QUERIES + 1) >> 8;
        bytes[17] = (LIMIT_QUERIES + 1) & 0xff;
        memset(bytes + 18, 0x80, LIMIT_QUERIES + 1);
        ck_assert_int_eq(codec_decode(&schema_Resolve, bytes, 18 + LIMIT_QUERIES + 1, &arena, &resolve, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_TOO_LARGE);
        ck_assert_str_eq(fault.message, "queries has 1025 elements; at most 1024 are allowed");
}
END_TEST

/* A key of 256 bytes at the deepest place does not overrun the sentence. */
START_TEST(test_long_place)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        uint8_t bytes[400] = "\x82\xa7library\xa1l\xa6layers\x81\xda\x01\x00";
        MsgNative native;
        Fault fault;

        memset(bytes + 22, 'k', 256);
        bytes[278] = 0x80;
        ck_assert_int_eq(codec_decode(&schema_Native, bytes, 279, &arena, &native, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "kkk.function is missing; give a string"));
}
END_TEST

static int decode(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgResolve resolve;
        Fault fault;

        return DECODE(Resolve, RESOLVE, &arena, &resolve, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(decode());
}
END_TEST

FIXTURE_MAIN("proto/codec_decode", test_resolve, test_absent_nil_and_unknown, test_tables_and_bytes,
             test_integers_of_every_width, test_faults_name_the_key, test_limits, test_too_many_queries,
             test_long_place, test_torture)
