/* Reads msgpack value by value, straight from the bytes and without an object
 * tree: what the hot path and the envelope stand on. Every step checks its
 * bounds, so that bytes which payload_check has not seen do no harm; each
 * function tells whether the value was of the kind asked for. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "proto/base/text.h"

typedef struct Scan {
        const uint8_t *p;
        const uint8_t *end;
} Scan;

#define SCAN_INLINE static inline __attribute__((always_inline))

SCAN_INLINE size_t scan_left(const Scan *scan)
{
        return (size_t)(scan->end - scan->p);
}

/* Passes over `type` if it is next. */
SCAN_INLINE bool scan_type(Scan *scan, uint8_t type)
{
        if (scan->p == scan->end || *scan->p != type)
                return false;
        scan->p++;
        return true;
}

SCAN_INLINE bool scan_nil(Scan *scan)
{
        return scan_type(scan, 0xc0);
}

SCAN_INLINE bool scan_take(Scan *scan, size_t n, Text *ret_text)
{
        if (scan_left(scan) < n)
                return false;
        *ret_text = (Text){ (const char *)scan->p, n };
        scan->p += n;
        return true;
}

bool scan_long_string(Scan *scan, Text *ret_text);
bool scan_long_integer(Scan *scan, int64_t *ret_integer);
bool scan_long_map(Scan *scan, uint32_t *ret_n);
bool scan_array(Scan *scan, uint32_t *ret_n);

SCAN_INLINE bool scan_string(Scan *scan, Text *ret_text)
{
        if (scan->p == scan->end)
                return false;
        if ((*scan->p & 0xe0) == 0xa0)
                return scan_take(scan, *scan->p++ & 0x1f, ret_text);
        return scan_long_string(scan, ret_text);
}

/* Of any width, within int64_t. */
SCAN_INLINE bool scan_integer(Scan *scan, int64_t *ret_integer)
{
        if (scan->p == scan->end)
                return false;
        if (*scan->p < 0x80) {
                *ret_integer = *scan->p++;
                return true;
        }
        return scan_long_integer(scan, ret_integer);
}

SCAN_INLINE bool scan_map(Scan *scan, uint32_t *ret_n)
{
        if (scan->p == scan->end)
                return false;
        if ((*scan->p & 0xf0) == 0x80) {
                *ret_n = *scan->p++ & 0x0f;
                return true;
        }
        return scan_long_map(scan, ret_n);
}

/* Passes over one value with all in it. */
bool scan_skip(Scan *scan);
