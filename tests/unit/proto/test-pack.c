#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdint.h>

#include "proto/pack.h"

/* The forms are those that msgpack's specification gives as the shortest. */
static void check_bytes(Buffer *buffer, const char *bytes, size_t size)
{
        ck_assert_uint_eq(buffer->size, size);
        ck_assert_mem_eq(buffer->data, bytes, size);
        buffer->size = 0;
}
#define CHECK(call, bytes)                                          \
        do {                                                        \
                ck_assert_int_eq(call, 0);                          \
                check_bytes(&buffer, bytes, sizeof(bytes) - 1);     \
        } while (0)

START_TEST(test_integers_take_the_shortest_form)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        CHECK(pack_integer(&buffer, 0), "\x00");
        CHECK(pack_integer(&buffer, 127), "\x7f");
        CHECK(pack_integer(&buffer, 128), "\xcc\x80");
        CHECK(pack_integer(&buffer, 255), "\xcc\xff");
        CHECK(pack_integer(&buffer, 256), "\xcd\x01\x00");
        CHECK(pack_integer(&buffer, 65535), "\xcd\xff\xff");
        CHECK(pack_integer(&buffer, 65536), "\xce\x00\x01\x00\x00");
        CHECK(pack_integer(&buffer, UINT32_MAX), "\xce\xff\xff\xff\xff");
        CHECK(pack_integer(&buffer, (int64_t)UINT32_MAX + 1), "\xcf\x00\x00\x00\x01\x00\x00\x00\x00");
        CHECK(pack_integer(&buffer, INT64_MAX), "\xcf\x7f\xff\xff\xff\xff\xff\xff\xff");
        CHECK(pack_integer(&buffer, -1), "\xff");
        CHECK(pack_integer(&buffer, -32), "\xe0");
        CHECK(pack_integer(&buffer, -33), "\xd0\xdf");
        CHECK(pack_integer(&buffer, -128), "\xd0\x80");
        CHECK(pack_integer(&buffer, -129), "\xd1\xff\x7f");
        CHECK(pack_integer(&buffer, -32769), "\xd2\xff\xff\x7f\xff");
        CHECK(pack_integer(&buffer, INT64_MIN), "\xd3\x80\x00\x00\x00\x00\x00\x00\x00");
}
END_TEST

START_TEST(test_strings_and_heads)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        static const char long_text[70000];

        CHECK(pack_nil(&buffer), "\xc0");
        CHECK(pack_bool(&buffer, true), "\xc3");
        CHECK(pack_bool(&buffer, false), "\xc2");
        CHECK(pack_string(&buffer, TEXT("ab")), "\xa2" "ab");
        CHECK(pack_string(&buffer, TEXT_NULL), "\xa0");
        CHECK(pack_map(&buffer, 15), "\x8f");
        CHECK(pack_map(&buffer, 16), "\xde\x00\x10");
        CHECK(pack_list(&buffer, 15), "\x9f");
        CHECK(pack_list(&buffer, 1024), "\xdc\x04\x00");
        CHECK(pack_list(&buffer, 65536), "\xdd\x00\x01\x00\x00");
        ck_assert_int_eq(pack_string(&buffer, (Text){ long_text, 31 }), 0);
        ck_assert_uint_eq(buffer.data[0], 0xbf);
        buffer.size = 0;
        ck_assert_int_eq(pack_string(&buffer, (Text){ long_text, 32 }), 0);
        ck_assert_mem_eq(buffer.data, "\xd9\x20", 2);
        buffer.size = 0;
        ck_assert_int_eq(pack_string(&buffer, (Text){ long_text, 256 }), 0);
        ck_assert_mem_eq(buffer.data, "\xda\x01\x00", 3);
        buffer.size = 0;
        ck_assert_int_eq(pack_string(&buffer, (Text){ long_text, 70000 }), 0);
        ck_assert_mem_eq(buffer.data, "\xdb\x00\x01\x11\x70", 5);
        ck_assert_uint_eq(buffer.size, 70005);
}
END_TEST

static int fill(void)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        static const char long_text[300];
        size_t before;
        int r;

        r = pack_map(&buffer, 1);
        if (r < 0)
                return r;
        before = buffer.size;
        r = pack_string(&buffer, (Text){ long_text, sizeof(long_text) });
        if (r < 0)
                ck_assert_uint_eq(buffer.size, before);
        return r;
}

START_TEST(test_without_memory_nothing_is_appended)
{
        FIXTURE_TORTURE(fill());
}
END_TEST

static void check_binary(size_t size, const char *front, size_t front_size)
{
        static const char bytes[70000];
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        ck_assert_int_eq(pack_binary(&buffer, (Text){ bytes, size }), 0);
        ck_assert_uint_eq(buffer.size, front_size + size);
        ck_assert_mem_eq(buffer.data, front, front_size);
}

START_TEST(test_binary)
{
        check_binary(0, "\xc4\x00", 2);
        check_binary(255, "\xc4\xff", 2);
        check_binary(256, "\xc5\x01\x00", 3);
        check_binary(65535, "\xc5\xff\xff", 3);
        check_binary(65536, "\xc6\x00\x01\x00\x00", 5);
}
END_TEST

FIXTURE_MAIN("proto/pack", test_integers_take_the_shortest_form, test_strings_and_heads, test_binary,
             test_without_memory_nothing_is_appended)
