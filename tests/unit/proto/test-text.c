#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

#include "proto/base/text.h"

/* The plain reading of the standard: decode, then judge the code point. */
static bool utf8_plain(const uint8_t *p, size_t size)
{
        static const uint32_t lowest[5] = { 0, 0, 0x80, 0x800, 0x10000 };

        for (size_t i = 0; i < size;) {
                size_t n = p[i] < 0x80 ? 1 : (p[i] & 0xe0) == 0xc0 ? 2 : (p[i] & 0xf0) == 0xe0 ? 3 : (p[i] & 0xf8) == 0xf0 ? 4 : 0;
                uint32_t c = n == 1 ? p[i] : n ? p[i] & (0x7fu >> n) : 0;

                if (!n || size - i < n)
                        return false;
                for (size_t j = 1; j < n; j++) {
                        if ((p[i + j] & 0xc0) != 0x80)
                                return false;
                        c = c << 6 | (p[i + j] & 0x3f);
                }
                if (c < lowest[n] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
                        return false;
                i += n;
        }
        return true;
}

/* All sequences of three bytes whose first is not ASCII, and all of four whose
 * first opens a long one, with the last byte at its edges. */
START_TEST(test_utf8_every_short_sequence)
{
        static const uint8_t edges[] = { 0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xff };

        for (unsigned a = 0x80; a < 0x100; a++)
                for (unsigned b = 0; b < 0x100; b++)
                        for (unsigned c = 0; c < 0x100; c++)
                                for (size_t d = 0; d < sizeof(edges); d++) {
                                        uint8_t p[4] = { (uint8_t)a, (uint8_t)b, (uint8_t)c, edges[d] };

                                        for (size_t n = 1; n <= 4; n++)
                                                if (text_is_utf8((Text){ (char *)p, n }) != utf8_plain(p, n))
                                                        ck_abort_msg("%02x %02x %02x %02x, %zu", p[0], p[1], p[2], p[3], n);
                                }
}
END_TEST

/* Runs of sequences of all lengths, some with a byte that is another, cut anywhere. */
START_TEST(test_utf8_runs)
{
        static const char *const units[] = { "a", "12345678", "\xc3\xa9", "\xdf\xbf", "\xe2\x82\xac", "\xe0\xa0\x80",
                                             "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf0\x9f\x98\x80" };
        unsigned random = 1, n_good = 0;

        for (unsigned round = 0; round < 20000; round++) {
                uint8_t p[64];
                size_t size = 0;

                while (size < 40) {
                        const char *unit;

                        random = random * 1103515245u + 12345;
                        unit = units[(random >> 16) % ARRAY_SIZE(units)];
                        memcpy(p + size, unit, strlen(unit));
                        size += strlen(unit);
                }
                if (round % 2)
                        p[(random >> 8) % size] = (uint8_t)(random >> 20);
                size -= round % 4;
                ck_assert_int_eq(text_is_utf8((Text){ (char *)p, size }), utf8_plain(p, size));
                n_good += utf8_plain(p, size);
        }
        ck_assert_uint_gt(n_good, 5000);
        ck_assert_uint_lt(n_good, 15000);
}
END_TEST

START_TEST(test_utf8_by_name)
{
        static const struct { const char *bytes; bool good; } cases[] = {
                { "", true }, { "SiluAndMul", true }, { "\xc3\xa9", true }, { "\xe2\x82\xac", true },
                { "\xf0\x9f\x98\x80", true }, { "\xf4\x8f\xbf\xbf", true },
                { "\xc0\x80", false },         /* NUL, overlong */
                { "\xc1\xbf", false }, { "\xe0\x9f\xbf", false }, { "\xf0\x8f\xbf\xbf", false },
                { "\xed\xa0\x80", false },     /* a surrogate */
                { "\xf4\x90\x80\x80", false }, /* beyond U+10FFFF */
                { "\xf5\x80\x80\x80", false }, { "\xff", false }, { "\x80", false }, { "\xe2\x82", false },
                { "0123456\xe2\x82\xac", true }, { "01234567\xe2\x82", false }, { "0123456\x80", false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                ck_assert_msg(text_is_utf8(text_of(cases[i].bytes)) == cases[i].good, "case %zu", i);
}
END_TEST

/* The word at a time must not hide a bad byte at any place. */
START_TEST(test_utf8_bad_byte_at_every_place)
{
        char text[64];

        for (size_t size = 1; size <= sizeof(text); size++)
                for (size_t i = 0; i < size; i++) {
                        memset(text, 'a', size);
                        ck_assert(text_is_utf8((Text){ text, size }));
                        text[i] = (char)0x80;
                        ck_assert(!text_is_utf8((Text){ text, size }));
                }
}
END_TEST

START_TEST(test_absent_and_empty_differ)
{
        ck_assert(!text_equal(TEXT_NULL, TEXT("")));
        ck_assert(text_equal(TEXT_NULL, TEXT_NULL));
        ck_assert(text_equal(TEXT(""), text_of("")));
        ck_assert_ptr_null(text_of(NULL).data);
}
END_TEST

START_TEST(test_compare)
{
        ck_assert_int_lt(text_compare(TEXT("a"), TEXT("ab")), 0);
        ck_assert_int_gt(text_compare(TEXT("b"), TEXT("ab")), 0);
        ck_assert_int_eq(text_compare(TEXT("ab"), TEXT("ab")), 0);
        ck_assert_int_gt(text_compare(TEXT("\xff"), TEXT("a")), 0);
        ck_assert_int_lt(text_compare(TEXT(""), TEXT("a")), 0);
        ck_assert(text_starts_with(TEXT("vector"), TEXT("v")));
        ck_assert(text_starts_with(TEXT("v"), TEXT("")));
        ck_assert(!text_starts_with(TEXT("v"), TEXT("v1")));
}
END_TEST

FIXTURE_MAIN("proto/text", test_utf8_every_short_sequence, test_utf8_runs, test_utf8_by_name,
             test_utf8_bad_byte_at_every_place, test_absent_and_empty_differ, test_compare)
