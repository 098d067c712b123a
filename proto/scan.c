#include "proto/scan.h"

static bool scan_number(Scan *scan, unsigned n, uint64_t *ret_number)
{
        uint64_t number = 0;

        if (scan_left(scan) < n)
                return false;
        for (unsigned i = 0; i < n; i++)
                number = number << 8 | scan->p[i];
        scan->p += n;
        *ret_number = number;
        return true;
}

/* The number behind a type byte of `first`, first + 1 …, which says how wide
 * it is: `width` bytes, twice that … Leaves the scan alone if it is another. */
static bool scan_widened(Scan *scan, uint8_t first, unsigned n_types, unsigned width, uint64_t *ret_number)
{
        Scan ahead = *scan;
        uint8_t type;

        if (ahead.p == ahead.end)
                return false;
        type = *ahead.p++;
        if (type < first || type >= first + n_types)
                return false;
        if (!scan_number(&ahead, width << (type - first), ret_number))
                return false;
        *scan = ahead;
        return true;
}

bool scan_long_string(Scan *scan, Text *ret_text)
{
        uint64_t size;

        return scan_widened(scan, 0xd9, 3, 1, &size) && scan_take(scan, size, ret_text);
}

bool scan_long_integer(Scan *scan, int64_t *ret_integer)
{
        uint8_t type = scan->p == scan->end ? 0xc0 : *scan->p;
        uint64_t number;

        if (type >= 0xe0) {
                *ret_integer = (int8_t)type;
                scan->p++;
                return true;
        }
        if (scan_widened(scan, 0xcc, 4, 1, &number)) {
                if (number > INT64_MAX)
                        return false;
                *ret_integer = (int64_t)number;
                return true;
        }
        if (!scan_widened(scan, 0xd0, 4, 1, &number))
                return false;
        if (type < 0xd3) {
                unsigned unused = 64 - (8u << (type - 0xd0));

                *ret_integer = (int64_t)(number << unused) >> unused;
        } else {
                *ret_integer = (int64_t)number;
        }
        return true;
}

static bool scan_count(Scan *scan, uint8_t first, uint32_t *ret_n)
{
        uint64_t n;

        if (!scan_widened(scan, first, 2, 2, &n))
                return false;
        *ret_n = (uint32_t)n;
        return true;
}

bool scan_long_map(Scan *scan, uint32_t *ret_n)
{
        return scan_count(scan, 0xde, ret_n);
}

bool scan_array(Scan *scan, uint32_t *ret_n)
{
        if (scan->p == scan->end)
                return false;
        if ((*scan->p & 0xf0) == 0x90) {
                *ret_n = *scan->p++ & 0x0f;
                return true;
        }
        return scan_count(scan, 0xdc, ret_n);
}

/* Passes over what is neither list nor map. */
static bool scan_skip_scalar(Scan *scan)
{
        uint8_t type = scan->p == scan->end ? 0xc1 : *scan->p;
        uint64_t number;
        Text text;

        if ((type & 0xe0) == 0xa0 || (type >= 0xd9 && type <= 0xdb))
                return scan_string(scan, &text);
        if (type >= 0xc4 && type <= 0xc6)
                return scan_widened(scan, 0xc4, 3, 1, &number) && scan_take(scan, number, &text);
        if (type == 0xca || type == 0xcb)
                return scan_widened(scan, 0xca, 2, 4, &number);
        if (type >= 0xcc && type <= 0xcf)
                return scan_widened(scan, 0xcc, 4, 1, &number);
        if (type >= 0xd0 && type <= 0xd3)
                return scan_widened(scan, 0xd0, 4, 1, &number);
        if (type < 0x80 || type >= 0xe0 || type == 0xc0 || type == 0xc2 || type == 0xc3) {
                scan->p++;
                return true;
        }
        return false;
}

bool scan_skip(Scan *scan)
{
        /* Each value takes a byte or more, so this ends, and 2^64 is far. */
        for (uint64_t pending = 1; pending; pending--) {
                uint32_t n;

                if (scan_map(scan, &n))
                        pending += 2 * (uint64_t)n;
                else if (scan_array(scan, &n))
                        pending += n;
                else if (!scan_skip_scalar(scan))
                        return false;
        }
        return true;
}
