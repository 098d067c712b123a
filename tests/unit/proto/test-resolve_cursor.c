#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/resolve_cursor.h"

/* One more than the cursor is told of. */
static MsgQuery queries[5];

#define READ(literal, ret) resolve_cursor_read((const uint8_t *)(literal), sizeof(literal) - 1, queries, 4, ret)

#define LAYER "\xa5layer\xa1L"
#define DEVICE "\xa6" "device\xa4" "cuda"
#define MODE "\xa4mode\xa8training"
#define GOOD "\x83" LAYER DEVICE MODE
#define ONE(query) "\x82\xa4view\x01\xa7queries\x91" query

START_TEST(test_reads)
{
        MsgResolve resolve;

        ck_assert_int_eq(READ("\x82\xa4view\xcd\x01\x00\xa7queries\x92"
                              "\x85" LAYER DEVICE "\xaa" "capability\x5a" MODE "\xa4" "arch\xa6gfx942"
                              "\x83" LAYER DEVICE MODE, &resolve), 0);
        ck_assert_int_eq(resolve.view, 256);
        ck_assert_uint_eq(resolve.queries.n, 2);
        ck_assert_ptr_eq(resolve.queries.items, queries);
        ck_assert(text_equal(queries[0].layer, TEXT("L")));
        ck_assert(text_equal(queries[0].device, TEXT("cuda")));
        ck_assert(queries[0].capability.present);
        ck_assert_int_eq(queries[0].capability.value, 90);
        ck_assert(text_equal(queries[0].mode, TEXT("training")));
        ck_assert(text_equal(queries[0].arch, TEXT("gfx942")));
        ck_assert(!queries[1].capability.present);
        ck_assert_ptr_null(queries[1].arch.data);
}
END_TEST

/* These are ordinary for some client: they must not need the codec. */
START_TEST(test_reads_any_order_width_and_unknown_keys)
{
        MsgResolve resolve;

        ck_assert_int_eq(READ("\x82\xa7queries\x91\x83" MODE DEVICE LAYER "\xa4view\x00", &resolve), 0);
        ck_assert_int_eq(READ(ONE("\x85" MODE "\xa4" "arch\xc0" DEVICE "\xaa" "capability\xc0" LAYER), &resolve), 0);
        ck_assert(!queries[0].capability.present);
        ck_assert_int_eq(READ(ONE("\xde\x00\x03\xa5layer\xd9\x01L\xa6" "device\xda\x00\x04" "cuda" MODE), &resolve), 0);
        ck_assert(text_equal(queries[0].layer, TEXT("L")));
        ck_assert(text_equal(queries[0].device, TEXT("cuda")));
        ck_assert_int_eq(READ("\x82\xa4view\xd3\x00\x00\x00\x00\x00\x00\x00\x05\xa7queries\xdc\x00\x01\x84" LAYER DEVICE MODE
                              "\xaa" "capability\xd1\xff\x00", &resolve), 0);
        ck_assert_int_eq(resolve.view, 5);
        ck_assert_int_eq(queries[0].capability.value, -256);
        ck_assert_int_eq(READ("\x83\xa5" "sworn\xc3\xa4view\x01\xa7queries\x91\x85" LAYER DEVICE MODE "\xa5later\x81\xa1k\x92\x01\x02"
                              "\xa4" "area\xcb........", &resolve), 0);
        ck_assert_int_eq(READ("\x82\xa4view\x01\xa7queries\x90", &resolve), 0);
        ck_assert_uint_eq(resolve.queries.n, 0);
}
END_TEST

START_TEST(test_leaves_the_rest_to_the_codec)
{
        MsgResolve resolve = { .view = 77 };

        ck_assert_int_eq(READ(ONE("\x82" LAYER DEVICE), &resolve), 1);
        ck_assert_int_eq(READ(ONE("\x83" LAYER DEVICE "\xa4mode\xc0"), &resolve), 1);
        ck_assert_int_eq(READ(ONE("\x83" LAYER DEVICE "\xa4mode\x01"), &resolve), 1);
        ck_assert_int_eq(READ(ONE("\x84" LAYER DEVICE MODE "\xaa" "capability\xa1" "9"), &resolve), 1);
        ck_assert_int_eq(READ(ONE("\x84" LAYER DEVICE MODE "\xaa" "capability\xcf\x80\x00\x00\x00\x00\x00\x00\x00"), &resolve), 1);
        ck_assert_int_eq(READ(ONE("\x83" LAYER DEVICE MODE) "\x00", &resolve), 1);
        ck_assert_int_eq(READ(ONE("\x01"), &resolve), 1);
        ck_assert_int_eq(READ("\x81\xa4view\x01", &resolve), 1);
        ck_assert_int_eq(READ("\x81\xa7queries\x90", &resolve), 1);
        ck_assert_int_eq(READ("\x82\xa4view\xc0\xa7queries\x90", &resolve), 1);
        ck_assert_int_eq(READ("\x82\xd9\x04view\x01\xa7queries\x90", &resolve), 1);
        ck_assert_int_eq(READ("\x82\xa4view\x01\xa7queries\x95" GOOD GOOD GOOD GOOD GOOD, &resolve), 1);
        ck_assert_int_eq(READ("\x91\x01", &resolve), 1);
        /* Wherever it stands, whatever it says. */
        ck_assert_int_eq(READ("\x83\xa5" "fresh\xc3\xa4view\x01\xa7queries\x90", &resolve), 1);
        ck_assert_int_eq(READ("\x83\xa4view\x01\xa7queries\x90\xa5" "fresh\xc0", &resolve), 1);
        ck_assert_int_eq(READ("\x83\xa4view\x01\xa7queries\x90\xd9\x05" "fresh\xc2", &resolve), 1);
        ck_assert_int_eq(resolve.view, 77);
}
END_TEST

START_TEST(test_arch_has_its_limit)
{
        uint8_t bytes[200] = ONE("\x84" LAYER DEVICE MODE "\xa4" "arch\xd9");
        size_t front = sizeof(ONE("\x84" LAYER DEVICE MODE "\xa4" "arch\xd9")) - 1;
        MsgResolve resolve;

        memset(bytes + front + 1, 'g', LIMIT_WORD + 1);
        bytes[front] = LIMIT_WORD;
        ck_assert_int_eq(resolve_cursor_read(bytes, front + 1 + LIMIT_WORD, queries, 4, &resolve), 0);
        bytes[front]++;
        ck_assert_int_eq(resolve_cursor_read(bytes, front + 2 + LIMIT_WORD, queries, 4, &resolve), 1);
}
END_TEST

/* Of bytes that nobody checked none outside is read. */
START_TEST(test_every_front)
{
        static const char message[] = ONE("\x85" LAYER DEVICE "\xaa" "capability\xcd\x01\x00" MODE "\xa4" "arch\xd9\x03gfx");
        MsgResolve resolve;

        ck_assert_int_eq(READ(message, &resolve), 0);
        for (size_t size = 0; size < sizeof(message) - 1; size++) {
                CLEANUP_ALLOC uint8_t *copy = alloc_bytes(size);

                memcpy(copy, message, size);
                ck_assert_int_eq(resolve_cursor_read(copy, size, queries, 4, &resolve), 1);
        }
}
END_TEST

FIXTURE_MAIN("proto/resolve_cursor", test_reads, test_reads_any_order_width_and_unknown_keys,
             test_leaves_the_rest_to_the_codec, test_arch_has_its_limit, test_every_front)
