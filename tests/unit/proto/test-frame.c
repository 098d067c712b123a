#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

#include "proto/frame.h"

#define BYTES(...) ((const uint8_t[]){ __VA_ARGS__ })

/* Twelve bytes: a frame of 3 with one descriptor, and one byte of the next. */
static const uint8_t stream[] = { 3, 0, 0, 0, 1, 0, 0, 0, 'a', 'b', 'c', 9 };

START_TEST(test_complete)
{
        Frame frame;
        size_t wanted = 0;

        ck_assert_int_eq(frame_parse(stream, sizeof(stream), 3, 1, &frame, &wanted), FRAME_COMPLETE);
        ck_assert_ptr_eq(frame.payload, stream + 8);
        ck_assert_uint_eq(frame.size, 3);
        ck_assert_uint_eq(frame.n_descriptors, 1);
}
END_TEST

START_TEST(test_partial_says_what_is_wanted)
{
        Frame frame = { .size = 77 };

        for (size_t size = 0; size < 11; size++) {
                size_t wanted = 0;

                ck_assert_int_eq(frame_parse(stream, size, 3, 1, &frame, &wanted), FRAME_PARTIAL);
                ck_assert_uint_eq(wanted, size < 8 ? 8 : 11);
        }
        ck_assert_uint_eq(frame.size, 77);
}
END_TEST

/* Told from the header alone: no byte of the payload is there. */
START_TEST(test_faulty_headers)
{
        static const struct { uint8_t header[8]; FrameAnswer answer; } cases[] = {
                { { 0, 0, 0, 0, 0, 0, 0, 0 }, FRAME_E_EMPTY },
                { { 1, 1, 0, 0, 0, 0, 0, 0 }, FRAME_E_TOO_LARGE },
                { { 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0 }, FRAME_E_TOO_LARGE },
                { { 1, 0, 0, 0, 1, 0, 0, 0 }, FRAME_E_DESCRIPTORS },
                { { 1, 0, 0, 0, 0, 1, 0, 0 }, FRAME_E_DESCRIPTORS },
                { { 1, 0, 0, 0, 0, 0, 1, 0 }, FRAME_E_RESERVED },
                { { 1, 0, 0, 0, 0, 0, 0, 1 }, FRAME_E_RESERVED },
                { { 0, 1, 0, 0, 0, 0, 0, 0 }, FRAME_PARTIAL }, /* exactly the limit */
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Frame frame;
                size_t wanted = 0;

                ck_assert_int_eq(frame_parse(cases[i].header, 8, 256, 0, &frame, &wanted), cases[i].answer);
                ck_assert_ptr_nonnull(frame_explain(cases[i].answer));
        }
}
END_TEST

START_TEST(test_header_is_little_endian)
{
        uint8_t header[FRAME_HEADER_SIZE];

        frame_write_header(header, 0x01020304, 0x0506);
        ck_assert_mem_eq(header, BYTES(4, 3, 2, 1, 6, 5, 0, 0), 8);
}
END_TEST

FIXTURE_MAIN("proto/frame", test_complete, test_partial_says_what_is_wanted, test_faulty_headers,
             test_header_is_little_endian)
