#include "kernels/cache_blob.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "kernels/cache_disk.h"
#include "kernels/cache_hash.h"
#include "kernels/cache_lock.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Whole writes of this size at offsets that are multiples of it take half the
 * time of 16 KiB ones (measured); more gains nothing. */
#define STAGING (1024u * 1024)

#define BLOB_MODE 0444
#define NAME_TRIES 65536

/* Path of a blob from the cache's folder, with ".<8 hex>.incomplete". */
#define BLOB_NAME_MAX (CACHE_REPO_MAX + 8 + CACHE_ETAG_MAX + 24)

struct CacheBlob {
        Cache *cache;
        char folder[CACHE_REPO_MAX];
        char etag[CACHE_ETAG_MAX + 1];
        char name[BLOB_NAME_MAX];      /* where it belongs */
        char temporary[BLOB_NAME_MAX]; /* where it is; "": in its place */
        int64_t size;
        bool sha512;
        bool complete;                 /* size and hash are what they must be */
        int fd;
        int lock_fd;
        CacheHash hash;
        int64_t position;              /* bytes written or read */
        uint8_t *staging;
        size_t n_staged;
        char digest[HASH_BASE64_MAX + 1];
};

Text cache_blob_etag(const CacheBlob *blob)
{
        return text_of(blob->etag);
}

int64_t cache_blob_size(const CacheBlob *blob)
{
        return blob->size;
}

bool cache_blob_is_complete(const CacheBlob *blob)
{
        return blob->complete;
}

int64_t cache_blob_written(const CacheBlob *blob)
{
        return blob->position + (int64_t)blob->n_staged;
}

Text cache_blob_digest(const CacheBlob *blob)
{
        return blob->complete ? text_of(blob->digest) : TEXT_NULL;
}

static int blob_fault(const CacheBlob *blob, int r, Fault *fault)
{
        return cache_disk_fault(blob->cache, r, blob->temporary[0] ? blob->temporary : blob->name, fault);
}

/* --- the lock --- */

/* 0, CACHE_LOCK_BUSY, -errno. */
static int take_lock(CacheBlob *blob)
{
        int r = cache_lock_blob(blob->cache, blob->folder, text_of(blob->etag), &blob->lock_fd);

        if (!r && blob->lock_fd >= 0)
                blob->cache->n_locks++;
        return r;
}

static void release_lock(CacheBlob *blob)
{
        if (blob->lock_fd < 0)
                return;
        blob->cache->n_locks--;
        (void)close(blob->lock_fd);
        blob->lock_fd = -1;
}

CacheBlob *cache_blob_free(CacheBlob *blob)
{
        if (blob) {
                fd_closep(&blob->fd);
                if (blob->temporary[0])
                        (void)unlinkat(blob->cache->fd, blob->temporary, 0);
                release_lock(blob);
                cache_hash_deinit(&blob->hash);
                alloc_free(blob->staging);
                alloc_free(blob);
        }
        return NULL;
}

/* --- beginning --- */

static bool is_there(const CacheBlob *blob)
{
        struct stat stat;

        return fstatat(blob->cache->fd, blob->name, &stat, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(stat.st_mode) &&
               stat.st_size == blob->size;
}

static int open_temporary(CacheBlob *blob)
{
        for (int i = 0;; i++) {
                char name[BLOB_NAME_MAX];

                (void)snprintf(name, sizeof(name), "%s/blobs/%s.%08x.incomplete", blob->folder, blob->etag,
                               blob->cache->serial++);
                blob->fd = openat(blob->cache->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
                if (blob->fd >= 0) {
                        memcpy(blob->temporary, name, sizeof(name));
                        return 0;
                }
                if (errno != EEXIST || i == NAME_TRIES)
                        return -errno;
        }
}

/* A small file's is as small. */
static size_t staging_size(const CacheBlob *blob)
{
        return blob->size < STAGING ? (size_t)blob->size : STAGING;
}

static int begin_writing(CacheBlob *blob, Fault *fault)
{
        int r = open_temporary(blob);

        if (r < 0)
                return blob_fault(blob, r, fault);
        blob->staging = alloc_bytes(staging_size(blob));
        if (!blob->staging)
                return error_trace(-ENOMEM);
        return error_trace(cache_hash_begin(&blob->hash, text_of(blob->etag), blob->size, blob->sha512));
}

/* 0, CACHE_BLOB_THERE, CACHE_BLOB_BUSY; CACHE_BLOB_FAULT. */
static int begin_locked(CacheBlob *blob, Fault *fault)
{
        char folder[PATH_MAX];
        int r;

        if (is_there(blob))
                return CACHE_BLOB_THERE;
        cache_disk_name(folder, "%s/blobs", blob->folder);
        r = cache_disk_folders(blob->cache, folder);
        if (!r)
                r = take_lock(blob);
        if (r == CACHE_LOCK_BUSY)
                return CACHE_BLOB_BUSY;
        if (r < 0) {
                r = blob_fault(blob, r, fault);
        } else if (is_there(blob)) {
                release_lock(blob);
                return CACHE_BLOB_THERE;
        } else {
                r = begin_writing(blob, fault);
        }
        return r > 0 ? CACHE_BLOB_FAULT : r;
}

int cache_blob_begin(Cache *cache, Text repo, Text etag, int64_t size, bool digest_sha512, CacheBlob **ret_blob,
                     Fault *fault)
{
        CLEANUP(cache_blob_freep) CacheBlob *blob = alloc_zeroed(1, sizeof(*blob));
        int r;

        if (!blob)
                return error_trace(-ENOMEM);
        blob->fd = blob->lock_fd = -1;
        blob->cache = cache;
        blob->size = size;
        blob->sha512 = digest_sha512;
        if (cache_repo_folder(repo, blob->folder, fault) != 0)
                return CACHE_BLOB_FAULT;
        if (!cache_is_etag(etag) || size < 0) {
                (void)fault_set(fault, FAULT_CORRUPT, "\"%.*s\" is no hash that names a file, or its size %lld is none",
                                TEXT_PRINT(text_cut(etag, 80)), (long long)size);
                return CACHE_BLOB_FAULT;
        }
        memcpy(blob->etag, etag.data, etag.size);
        (void)snprintf(blob->name, sizeof(blob->name), "%s/blobs/%s", blob->folder, blob->etag);
        r = begin_locked(blob, fault);
        if (r == 0 || r == CACHE_BLOB_THERE)
                *ret_blob = STEAL(blob);
        return error_trace(r);
}

/* --- writing --- */

static int flush(CacheBlob *blob, Fault *fault)
{
        int r = cache_disk_write(blob->fd, blob->staging, blob->n_staged, blob->position);

        if (r < 0)
                return blob_fault(blob, r, fault);
        blob->position += (int64_t)blob->n_staged;
        blob->n_staged = 0;
        return 0;
}

int cache_blob_write(CacheBlob *blob, const void *bytes, size_t n, Fault *fault)
{
        const uint8_t *from = bytes;
        size_t room = staging_size(blob);
        int r;

        if (blob->fd < 0 || !blob->staging)
                return error_trace(-EINVAL);
        if ((uint64_t)(blob->size - cache_blob_written(blob)) < n)
                return fault_set(fault, FAULT_CORRUPT, "%s has more than the %lld bytes that were announced", blob->etag,
                                 (long long)blob->size);
        r = cache_hash_update(&blob->hash, bytes, n);
        while (!r && n) {
                size_t part = n < room - blob->n_staged ? n : room - blob->n_staged;

                memcpy(blob->staging + blob->n_staged, from, part);
                blob->n_staged += part;
                from += part;
                n -= part;
                if (blob->n_staged == room)
                        r = flush(blob, fault);
        }
        return error_trace(r);
}

int cache_blob_restart(CacheBlob *blob)
{
        if (blob->fd < 0 || !blob->staging || ftruncate(blob->fd, 0) < 0)
                return error_trace(blob->fd < 0 || !blob->staging ? -EINVAL : -errno);
        blob->position = 0;
        blob->n_staged = 0;
        return error_trace(cache_hash_begin(&blob->hash, text_of(blob->etag), blob->size, blob->sha512));
}

/* Compares the name that the bytes have with the one that they must have. */
static int compare(CacheBlob *blob, Fault *fault)
{
        char name[2 * HASH_MAX + 1];
        int r = cache_hash_finish(&blob->hash, name, blob->digest);

        if (r < 0)
                return error_trace(r);
        cache_hash_deinit(&blob->hash);
        if (!text_equal(text_of(name), text_of(blob->etag)))
                return fault_set(fault, FAULT_CORRUPT, "expected bytes with the hash %s, got bytes with %s", blob->etag, name);
        return 0;
}

void cache_blob_unlock(CacheBlob *blob)
{
        if (blob->complete)
                release_lock(blob);
}

/* Written as a whole: nothing but its names is needed any more. */
static void close_complete(CacheBlob *blob)
{
        blob->complete = true;
        fd_closep(&blob->fd);
        blob->fd = -1;
        alloc_free(blob->staging);
        blob->staging = NULL;
        if (blob->cache->n_locks > LIMIT_CACHE_LOCKS)
                release_lock(blob);
}

int cache_blob_end(CacheBlob *blob, Fault *fault)
{
        int r;

        if (blob->complete || !blob->temporary[0])
                return 0;
        if (blob->fd < 0)
                return error_trace(-EINVAL);
        r = flush(blob, fault);
        if (!r && blob->position != blob->size)
                r = fault_set(fault, FAULT_CORRUPT, "%s: expected %lld bytes, got %lld", blob->etag, (long long)blob->size,
                              (long long)blob->position);
        if (!r)
                r = compare(blob, fault);
        if (!r && fchmod(blob->fd, BLOB_MODE) < 0)
                r = blob_fault(blob, -errno, fault);
        if (!r)
                close_complete(blob);
        return error_trace(r);
}

int cache_blob_place(CacheBlob *blob, Fault *fault)
{
        if (!blob->complete)
                return error_trace(-EINVAL);
        if (!blob->temporary[0])
                return 0;
        if (renameat(blob->cache->fd, blob->temporary, blob->cache->fd, blob->name) < 0)
                return blob_fault(blob, -errno, fault);
        blob->temporary[0] = 0;
        return 0;
}

/* --- one that is on disk --- */

static int open_there(CacheBlob *blob, Fault *fault)
{
        struct stat stat;
        int r = cache_disk_open(blob->cache->fd, blob->name, O_NOFOLLOW, &blob->fd, &stat);

        if (r == -ENOENT || r == -EINVAL || (!r && stat.st_size != blob->size))
                return fault_set(fault, FAULT_CORRUPT, "%s was changed while it was looked at; ask again", blob->name);
        if (r < 0)
                return blob_fault(blob, r, fault);
        blob->staging = alloc_bytes(STAGING);
        if (!blob->staging)
                return error_trace(-ENOMEM);
        return error_trace(cache_hash_begin(&blob->hash, text_of(blob->etag), blob->size, blob->sha512));
}

/* Removes what was read, if it still is what has the name and nobody mends it. 0, -errno. */
static int remove_wrong(CacheBlob *blob)
{
        struct stat was, is;
        int r = take_lock(blob);

        if (r)
                return r == CACHE_LOCK_BUSY ? 0 : r;
        if (fstat(blob->fd, &was) == 0 && fstatat(blob->cache->fd, blob->name, &is, AT_SYMLINK_NOFOLLOW) == 0 &&
            was.st_dev == is.st_dev && was.st_ino == is.st_ino && unlinkat(blob->cache->fd, blob->name, 0) < 0 &&
            errno != ENOENT)
                r = -errno;
        release_lock(blob);
        return r;
}

/* One that cannot be removed would be hashed again and again. */
static int end_there(CacheBlob *blob, Fault *fault)
{
        int r = compare(blob, fault), removed = r > 0 ? remove_wrong(blob) : 0;

        if (removed < 0)
                return blob_fault(blob, removed, fault);
        if (!r)
                close_complete(blob);
        return r ? error_trace(r) : STEP_DONE;
}

int cache_blob_hash_step(CacheBlob *blob, size_t max_bytes, Fault *fault)
{
        int r = 0;

        if (blob->complete)
                return STEP_DONE;
        if (blob->temporary[0])
                return error_trace(-EINVAL);
        if (blob->fd < 0)
                r = open_there(blob, fault);
        while (!r && max_bytes) {
                ssize_t n = read(blob->fd, blob->staging, max_bytes < STAGING ? max_bytes : STAGING);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return blob_fault(blob, -errno, fault);
                if (n == 0 || blob->position > blob->size) /* one that grows has no end */
                        return end_there(blob, fault);
                blob->position += n;
                max_bytes -= (size_t)n;
                r = cache_hash_update(&blob->hash, blob->staging, (size_t)n);
        }
        return r ? error_trace(r) : STEP_MORE;
}

int cache_blob_read(const CacheBlob *blob, size_t limit, Arena *arena, Text *ret_bytes, Fault *fault)
{
        int r;

        if (!blob->complete && blob->temporary[0])
                return error_trace(-EINVAL);
        r = cache_disk_read(blob->cache->fd, blob->temporary[0] ? blob->temporary : blob->name, O_NOFOLLOW, limit, arena,
                            ret_bytes);
        if (r == -EFBIG)
                return fault_set(fault, FAULT_CORRUPT, "%s is larger than %zu bytes", blob->etag, limit);
        return r < 0 ? blob_fault(blob, r, fault) : 0;
}
