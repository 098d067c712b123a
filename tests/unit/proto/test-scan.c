#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

#include "proto/scan.h"

#define SCAN(literal) ((Scan){ (const uint8_t *)(literal), (const uint8_t *)(literal) + sizeof(literal) - 1 })

/* Every kind, one inside the other, then a byte that does not belong to it. */
#define EVERY "\x9d\xc0\xc2\xca....\xcb........\xcf\xff.......\xd3........\xd9\x01x\xda\x00\x01x\xdb\x00\x00\x00\x01x" \
        "\xc6\x00\x00\x00\x01x\xde\x00\x01\xa1k\x92\x01\x02\xdd\x00\x00\x00\x01\xe0\xdf\x00\x00\x00\x00"

START_TEST(test_skip)
{
        Scan scan = SCAN(EVERY "\x07");

        ck_assert(scan_skip(&scan));
        ck_assert_uint_eq(scan_left(&scan), 1);
        ck_assert_uint_eq(*scan.p, 7);
}
END_TEST

START_TEST(test_skip_of_every_front_fails)
{
        for (size_t size = 0; size < sizeof(EVERY) - 1; size++) {
                CLEANUP_ALLOC uint8_t *copy = alloc_bytes(size);
                Scan scan;

                memcpy(copy, EVERY, size);
                scan = (Scan){ copy, copy + size };
                ck_assert_msg(!scan_skip(&scan), "%zu", size);
                ck_assert(scan.p <= scan.end);
        }
}
END_TEST

START_TEST(test_skip_refuses)
{
        Scan ext = SCAN("\xd4\x01\x01"), meaningless = SCAN("\xc1"), inner = SCAN("\x91\xc7\x01\x01\x01");
        Scan huge = SCAN("\xdf\xff\xff\xff\xff\xdf\xff\xff\xff\xff");

        ck_assert(!scan_skip(&ext));
        ck_assert(!scan_skip(&meaningless));
        ck_assert(!scan_skip(&inner));
        ck_assert(!scan_skip(&huge));
}
END_TEST

START_TEST(test_integers)
{
        Scan scan = SCAN("\x05\xff\xcc\xff\xd0\xff\xd1\x80\x00\xd2\x80\x00\x00\x00\xcf\x7f\xff\xff\xff\xff\xff\xff\xff\xcf\x80.......");
        static const int64_t values[] = { 5, -1, 255, -1, INT16_MIN, INT32_MIN, INT64_MAX };
        int64_t integer;

        for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
                ck_assert(scan_integer(&scan, &integer));
                ck_assert_int_eq(integer, values[i]);
        }
        ck_assert(!scan_integer(&scan, &integer)); /* beyond int64_t */
}
END_TEST

START_TEST(test_other_kinds_are_told)
{
        static const uint8_t types[] = { 0xc0, 0xc3, 0xca, 0x90, 0x80, 0xc4, 0xa0, 0x01 };

        for (size_t i = 0; i < sizeof(types); i++) {
                uint8_t bytes[9] = { types[i] };
                Scan scan = { bytes, bytes + sizeof(bytes) };
                int64_t integer;
                uint32_t n;
                Text text;

                ck_assert(scan_integer(&scan, &integer) == (types[i] == 0x01));
                scan.p = bytes;
                ck_assert(scan_string(&scan, &text) == (types[i] == 0xa0));
                scan.p = bytes;
                ck_assert(scan_map(&scan, &n) == (types[i] == 0x80));
                scan.p = bytes;
                ck_assert(scan_array(&scan, &n) == (types[i] == 0x90));
                scan.p = bytes;
                ck_assert(scan_nil(&scan) == (types[i] == 0xc0));
        }
}
END_TEST

FIXTURE_MAIN("proto/scan", test_skip, test_skip_of_every_front_fails, test_skip_refuses, test_integers,
             test_other_kinds_are_told)
