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
        PAYLOAD_E_KEYS,       /* a map with more than LIMIT_KEYS keys */
        PAYLOAD_E_KEY,        /* a map's key that is no string, is longer than LIMIT_KEY, or stands twice */
        PAYLOAD_E_TYPE,       /* ext, or the byte 0xc1 */
} PayloadAnswer;

/* Exactly one value; at most LIMIT_DEPTH lists and maps inside each other; at
 * most LIMIT_ITEMS values, keys counted; strings UTF-8; keys distinct strings,
 * LIMIT_KEYS and LIMIT_KEY kept; no ext types. */
PayloadAnswer payload_check(const uint8_t *bytes, size_t size);

const char *payload_explain(PayloadAnswer answer);
