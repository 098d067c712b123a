/* The checker that every payload passes before anything else reads it: it
 * walks the bytes once and allocates nothing. (msgpack-c 4.0 answers depth 40
 * with "no memory" and reserves 8 GiB for five bytes.) */
#pragma once

#include <stddef.h>
#include <stdint.h>

typedef enum PayloadAnswer {
        PAYLOAD_OK = 0,
        PAYLOAD_E_TRUNCATED,
        PAYLOAD_E_TRAILING,   /* bytes behind the one value */
        PAYLOAD_E_DEPTH,
        PAYLOAD_E_ITEMS,
        PAYLOAD_E_COUNT,      /* a count larger than the bytes left */
        PAYLOAD_E_UTF8,
        PAYLOAD_E_KEY,        /* a map's key that is no string, or stands twice */
        PAYLOAD_E_TYPE,       /* ext, or the byte 0xc1 */
} PayloadAnswer;

/* Exactly one value, LIMIT_DEPTH and LIMIT_ITEMS kept, strings UTF-8, keys
 * distinct strings, no ext types. */
PayloadAnswer payload_check(const uint8_t *bytes, size_t size);

const char *payload_explain(PayloadAnswer answer);
