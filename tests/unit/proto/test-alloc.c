#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

START_TEST(test_zero_sizes_give_memory)
{
        CLEANUP_ALLOC void *bytes = alloc_bytes(0);
        CLEANUP_ALLOC void *zeroed = alloc_zeroed(0, 8);

        ck_assert_ptr_nonnull(bytes);
        ck_assert_ptr_nonnull(zeroed);
        bytes = alloc_resize(bytes, 0, 8);
        ck_assert_ptr_nonnull(bytes);
}
END_TEST

START_TEST(test_zeroed_is_zero)
{
        CLEANUP_ALLOC uint8_t *zeroed = alloc_zeroed(100, 7);

        for (size_t i = 0; i < 700; i++)
                ck_assert_uint_eq(zeroed[i], 0);
}
END_TEST

START_TEST(test_overflow_is_refused)
{
        CLEANUP_ALLOC void *block = alloc_bytes(8);

        ck_assert_ptr_null(alloc_zeroed(SIZE_MAX / 2, 3));
        ck_assert_ptr_null(alloc_resize(block, SIZE_MAX / 2, 3));
        ck_assert_ptr_null(alloc_text("", SIZE_MAX));
}
END_TEST

START_TEST(test_resize_keeps_contents)
{
        CLEANUP_ALLOC char *block = alloc_text("kernel", 6);

        block = alloc_resize(block, 1000, 10);
        ck_assert_ptr_nonnull(block);
        ck_assert_str_eq(block, "kernel");
}
END_TEST

START_TEST(test_text_keeps_nul_and_ends_in_one)
{
        CLEANUP_ALLOC char *copy = alloc_text("a\0b", 3);

        ck_assert_mem_eq(copy, "a\0b\0", 4);
}
END_TEST

START_TEST(test_fault_strikes_once)
{
        void *block[3];

        alloc_fault_set(1);
        block[0] = alloc_bytes(1);
        ck_assert(!alloc_fault_fired());
        block[1] = alloc_bytes(1);
        ck_assert(alloc_fault_fired());
        block[2] = alloc_bytes(1);
        alloc_fault_set(-1);
        ck_assert_ptr_nonnull(block[0]);
        ck_assert_ptr_null(block[1]);
        ck_assert_ptr_nonnull(block[2]);
        ck_assert(!alloc_fault_fired());
        alloc_free(block[0]);
        alloc_free(block[2]);
}
END_TEST

FIXTURE_MAIN("proto/alloc", test_zero_sizes_give_memory, test_zeroed_is_zero, test_overflow_is_refused,
             test_resize_keeps_contents, test_text_keeps_nul_and_ends_in_one, test_fault_strikes_once)
