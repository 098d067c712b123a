/* What a file of the cache hashes to: the name of its blob, and what
 * metadata.json states of it. File thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cache_paths.h"
#include "kernels/hash.h"

/* The two hashes of one file, fed together. */
typedef struct CacheHash {
        Hash *name;   /* SHA-256 for 64 digits, git's SHA-1 of a blob for 40 */
        Hash *second; /* NULL: it is the same one */
} CacheHash;

#define CACHE_HASH_NULL ((CacheHash){ 0 })

/* For a file of this size: 0, negative. What was there is given back first. */
int cache_hash_begin(CacheHash *hash, Text etag, int64_t size, bool sha512);
int cache_hash_update(CacheHash *hash, const void *bytes, size_t n);

/* Gives the name that the bytes have, in hex, and the second hash in base64. */
int cache_hash_finish(CacheHash *hash, char ret_name[2 * HASH_MAX + 1], char ret_second[HASH_BASE64_MAX + 1]);
void cache_hash_deinit(CacheHash *hash);
#define CLEANUP_CACHE_HASH CLEANUP(cache_hash_deinit)

/* Whether the rest of an open file has that size and name, at once: 0, 1 if not, negative. */
int cache_hash_compare(int fd, Text etag, int64_t size);
