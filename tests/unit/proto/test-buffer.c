#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdint.h>

#include "proto/base/buffer.h"

START_TEST(test_grows_and_keeps)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        for (unsigned i = 0; i < 100000; i++) {
                uint8_t byte = (uint8_t)(i * 7);

                ck_assert_int_eq(buffer_append(&buffer, &byte, 1), 0);
        }
        ck_assert_uint_eq(buffer.size, 100000);
        for (unsigned i = 0; i < 100000; i++)
                ck_assert_uint_eq(buffer.data[i], (uint8_t)(i * 7));
}
END_TEST

START_TEST(test_consume_moves_the_rest)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        ck_assert_int_eq(buffer_append(&buffer, "abcdef", 6), 0);
        buffer_consume(&buffer, 0);
        buffer_consume(&buffer, 2);
        ck_assert(text_equal(buffer_text(&buffer), TEXT("cdef")));
        buffer_consume(&buffer, 4);
        ck_assert_uint_eq(buffer.size, 0);
        ck_assert_int_eq(buffer_append(&buffer, "x", 1), 0);
        ck_assert(text_equal(buffer_text(&buffer), TEXT("x")));
}
END_TEST

START_TEST(test_overflow_is_refused)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        ck_assert_int_eq(buffer_append(&buffer, "ab", 2), 0);
        ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX), -ENOMEM);
        ck_assert_int_eq(buffer_reserve(&buffer, SIZE_MAX / 2 + 2), -ENOMEM);
        ck_assert(text_equal(buffer_text(&buffer), TEXT("ab")));
}
END_TEST

START_TEST(test_nothing_can_be_appended)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        ck_assert_int_eq(buffer_append(&buffer, NULL, 0), 0);
        ck_assert_uint_eq(buffer.size, 0);
}
END_TEST

static int fill(void)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        for (unsigned i = 0; i < 1000; i++) {
                size_t before = buffer.size;
                int r = buffer_append(&buffer, "0123456789", 10);

                ck_assert_uint_eq(buffer.size, r < 0 ? before : before + 10);
                if (r < 0)
                        return r;
        }
        return 0;
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(fill());
}
END_TEST

FIXTURE_MAIN("proto/buffer", test_grows_and_keeps, test_consume_moves_the_rest, test_overflow_is_refused,
             test_nothing_can_be_appended, test_torture)
