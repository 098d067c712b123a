#include "kernels/cache_hash.h"

#include <errno.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define CHUNK (256u * 1024) /* bytes a read; guess, beyond this nothing gets faster */

int cache_hash_begin(CacheHash *hash, Text etag, int64_t size, bool sha512)
{
        bool git = etag.size == 40;
        int r;

        cache_hash_deinit(hash);
        r = git ? hash_new_git_blob((uint64_t)size, &hash->name) : hash_new(HASH_SHA256, &hash->name);
        if (!r && (git || sha512))
                r = hash_new(sha512 ? HASH_SHA512 : HASH_SHA256, &hash->second);
        return error_trace(r);
}

int cache_hash_update(CacheHash *hash, const void *bytes, size_t n)
{
        int r = hash_update(hash->name, bytes, n);

        if (!r && hash->second)
                r = hash_update(hash->second, bytes, n);
        return error_trace(r);
}

int cache_hash_finish(CacheHash *hash, char ret_name[2 * HASH_MAX + 1], char ret_second[HASH_BASE64_MAX + 1])
{
        uint8_t bytes[HASH_MAX];
        size_t size;
        int r = hash_finish(hash->name, bytes, &size);

        if (r < 0)
                return error_trace(r);
        hash_hex(bytes, size, ret_name);
        if (hash->second)
                r = hash_finish(hash->second, bytes, &size);
        if (r < 0)
                return error_trace(r);
        (void)hash_base64(bytes, size, ret_second);
        return 0;
}

void cache_hash_deinit(CacheHash *hash)
{
        hash->name = hash_free(hash->name);
        hash->second = hash_free(hash->second);
}

static int feed_file(CacheHash *hash, int fd, int64_t *ret_size)
{
        CLEANUP_ALLOC uint8_t *buffer = alloc_bytes(CHUNK);
        int r = buffer ? 0 : -ENOMEM;

        *ret_size = 0;
        while (!r) {
                ssize_t n = read(fd, buffer, CHUNK);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0)
                        return n < 0 ? -errno : 0;
                *ret_size += n;
                r = cache_hash_update(hash, buffer, (size_t)n);
        }
        return r;
}

int cache_hash_compare(int fd, Text etag, int64_t size)
{
        CLEANUP_CACHE_HASH CacheHash hash = CACHE_HASH_NULL;
        char name[2 * HASH_MAX + 1], second[HASH_BASE64_MAX + 1];
        int64_t n_read = 0;
        int r = cache_hash_begin(&hash, etag, size, false);

        if (!r)
                r = feed_file(&hash, fd, &n_read);
        if (!r)
                r = cache_hash_finish(&hash, name, second);
        if (r < 0)
                return error_trace(r);
        return n_read != size || !text_equal(text_of(name), etag);
}
