#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/arena.h"

START_TEST(test_memory_is_aligned_and_apart)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        uint8_t *last = NULL;

        for (size_t size = 0; size < 500; size++) {
                uint8_t *bytes = arena_bytes(&arena, size);

                ck_assert_ptr_nonnull(bytes);
                ck_assert_uint_eq((uintptr_t)bytes % 16, 0);
                memset(bytes, (int)(size & 0xff), size);
                if (last && size > 1)
                        ck_assert_uint_eq(last[0], (size - 1) & 0xff);
                last = bytes;
        }
}
END_TEST

START_TEST(test_large_block_fits_alone)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        uint8_t *bytes = arena_bytes(&arena, 3u * 1024 * 1024);

        ck_assert_ptr_nonnull(bytes);
        memset(bytes, 1, 3u * 1024 * 1024);
}
END_TEST

START_TEST(test_sizes_that_overflow_are_refused)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        ck_assert_ptr_null(arena_bytes(&arena, SIZE_MAX));
        ck_assert_ptr_null(arena_zeroed(&arena, SIZE_MAX / 2, 3));
        ck_assert_ptr_null(arena.blocks);
}
END_TEST

START_TEST(test_zeroed_after_reset)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        uint8_t *bytes = arena_bytes(&arena, 64);

        memset(bytes, 0xff, 64);
        arena_reset(&arena);
        bytes = arena_zeroed(&arena, 8, 8);
        for (size_t i = 0; i < 64; i++)
                ck_assert_uint_eq(bytes[i], 0);
}
END_TEST

START_TEST(test_copy_and_format)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text copy = TEXT("x"), formatted;

        ck_assert_int_eq(arena_copy(&arena, TEXT("layer"), &copy), 0);
        ck_assert_str_eq(copy.data, "layer");
        ck_assert_int_eq(arena_copy(&arena, TEXT_NULL, &copy), 0);
        ck_assert_ptr_null(copy.data);
        formatted = arena_format(&arena, "v%d", 12);
        ck_assert(text_equal(formatted, TEXT("v12")));
        ck_assert_int_eq(formatted.data[3], 0);
}
END_TEST

static int fill(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text copy;

        for (size_t i = 0; i < 40; i++) {
                int r = arena_copy(&arena, (Text){ "0123456789abcdef", 16 }, &copy);

                if (r < 0)
                        return r;
                if (!arena_bytes(&arena, 1000) || !arena_format(&arena, "%zu", i).data)
                        return -ENOMEM;
        }
        return 0;
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(fill());
}
END_TEST

FIXTURE_MAIN("proto/arena", test_memory_is_aligned_and_apart, test_large_block_fits_alone,
             test_sizes_that_overflow_are_refused, test_zeroed_after_reset,
             test_copy_and_format, test_torture)
