/* One file on its way to blobs/: written to a temporary name under the lock of
 * its etag, hashed meanwhile, compared, then put into place with the others of
 * its kernel (cache_place). A blob must be freed before its cache is closed.
 *
 * One that is on disk already is used as it is, once its bytes were hashed: the
 * Hub's own client never looks at them. File thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernels/cache.h"
#include "kernels/step.h"
#include "proto/base/arena.h"

typedef struct CacheBlob CacheBlob;

enum {
        CACHE_BLOB_THERE = 1, /* the blob is on disk already */
        CACHE_BLOB_BUSY = 2,  /* somebody holds its lock, maybe a blob of this process: try again later */
        CACHE_BLOB_FAULT = 3,
};

/* 0: open for writing from byte 0. CACHE_BLOB_THERE: the blob only knows its
 * name; cache_blob_hash_step works out the rest. CACHE_BLOB_BUSY: no blob.
 * CACHE_BLOB_FAULT: invalid-name, corrupt (no etag, a size below 0), no-space,
 * internal. Negative. digest_sha512 says which hash of the content
 * cache_blob_digest gives. One on disk of another size counts as not there. */
int cache_blob_begin(Cache *cache, Text repo, Text etag, int64_t size, bool digest_sha512, CacheBlob **ret_blob,
                     Fault *fault);

/* The next bytes. 0; 1 with the fault: corrupt (more than `size` bytes),
 * no-space, internal; after that it can only be restarted or freed. */
int cache_blob_write(CacheBlob *blob, const void *bytes, size_t n, Fault *fault);

/* Forgets what was written: from byte 0 again. 0, negative. */
int cache_blob_restart(CacheBlob *blob);

/* How many bytes were taken: where a Range request goes on. */
int64_t cache_blob_written(const CacheBlob *blob);

/* All bytes are there: compares size and hash. 0; 1 with the fault: corrupt,
 * no-space, internal; negative. Nothing to do for one that is on disk. */
int cache_blob_end(CacheBlob *blob, Fault *fault);

/* Reads at most max_bytes more of one that is on disk. STEP_MORE; STEP_DONE (at
 * once for one that was written); STEP_FAULT: corrupt, the bytes being others
 * than the name says, after which the file is removed, so that the next
 * cache_blob_begin fetches it anew; internal; negative. */
int cache_blob_hash_step(CacheBlob *blob, size_t max_bytes, Fault *fault);

/* SHA-256 or SHA-512 of the content in base64, as metadata.json has it; absent
 * before the end or the last step. Lives as long as the blob. */
Text cache_blob_digest(const CacheBlob *blob);

/* The bytes of one that is complete, in place or not. 0; 1 with the fault:
 * corrupt (larger than `limit`), internal; negative. */
int cache_blob_read(const CacheBlob *blob, size_t limit, Arena *arena, Text *ret_bytes, Fault *fault);

/* Releases the lock of one that is complete: somebody else may now write the
 * same, which is only double work. */
void cache_blob_unlock(CacheBlob *blob);

/* Removes the temporary file unless it was put into place, and releases the lock. */
CacheBlob *cache_blob_free(CacheBlob *blob);
DEFINE_CLEANUP(CacheBlob *, cache_blob_free)

/* --- for cache_place --- */

Text cache_blob_etag(const CacheBlob *blob);
int64_t cache_blob_size(const CacheBlob *blob);
bool cache_blob_is_complete(const CacheBlob *blob);

/* Renames it to its name. 0, also if it has it; 1 with the fault. */
int cache_blob_place(CacheBlob *blob, Fault *fault);
