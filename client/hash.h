/* FNV-1a, for tables of what the program itself names: not against an enemy. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define HASH_START 0xcbf29ce484222325u

static inline uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
        const uint8_t *bytes = data;

        for (size_t i = 0; i < size; ++i)
                hash = (hash ^ bytes[i]) * 0x100000001b3u;
        return hash;
}

/* Its upper bits say more than the lower ones, which a table takes. */
static inline uint64_t hash_end(uint64_t hash)
{
        return hash ^ hash >> 29;
}
