#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/bytecode.h"
#include "kernels/digest.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define CHUNK (256u * 1024) /* bytes a read; guess, beyond this nothing gets faster */
#define FILE_COST 4096u     /* what opening one counts against a step's bytes */

struct DigestWork {
        const Tree *tree;
        Digest *digest;
        Hash *hash;
        size_t at;        /* number of the file in hand */
        int fd;           /* -1: not open yet */
        Progress progress;
        uint8_t *buffer;
};

bool digest_covers(Text path)
{
        return !text_equal(path, TEXT("metadata.json")) && !text_equal(path, TEXT("metadata.json.sigstore")) &&
               !bytecode_is(path);
}

static bool is_covered(const TreeFile *file)
{
        return !file->linked && digest_covers(file->path);
}

static void count_totals(DigestWork *work)
{
        size_t n;
        const TreeFile *files = tree_files(work->tree, &n);
        int64_t n_files = 0, n_bytes = 0;

        for (size_t i = 0; i < n; i++) {
                if (!is_covered(&files[i]))
                        continue;
                n_files++;
                if (__builtin_add_overflow(n_bytes, files[i].stat.st_size, &n_bytes))
                        n_bytes = INT64_MAX;
        }
        work->progress.files_total = INTEGER_PRESENT(n_files);
        work->progress.bytes_total = INTEGER_PRESENT(n_bytes);
}

int digest_work_new(const Tree *tree, DigestAlgorithm algorithm, DigestWork **ret_work)
{
        CLEANUP(digest_work_freep) DigestWork *work = alloc_zeroed(1, sizeof(*work));
        size_t n;
        int r;

        if (!work)
                return error_trace(-ENOMEM);
        work->fd = -1;
        work->tree = tree;
        work->digest = alloc_zeroed(1, sizeof(*work->digest));
        work->buffer = alloc_bytes(CHUNK);
        if (!work->digest || !work->buffer)
                return error_trace(-ENOMEM);
        r = hash_new(algorithm == DIGEST_SHA256 ? HASH_SHA256 : HASH_SHA512, &work->hash);
        if (r < 0)
                return error_trace(r);
        (void)tree_files(tree, &n);
        work->digest->algorithm = algorithm;
        work->digest->files = arena_zeroed(&work->digest->arena, n, sizeof(*work->digest->files));
        if (!work->digest->files)
                return error_trace(-ENOMEM);
        count_totals(work);
        *ret_work = STEAL(work);
        return 0;
}

DigestWork *digest_work_free(DigestWork *work)
{
        if (work) {
                if (work->fd >= 0)
                        (void)close(work->fd);
                (void)digest_free(work->digest);
                (void)hash_free(work->hash);
                alloc_free(work->buffer);
                alloc_free(work);
        }
        return NULL;
}

/* Upstream writes paths of other systems with '/', and so changes this byte here. */
static int copy_path(Digest *digest, Text path, Text *ret_path)
{
        if (arena_copy(&digest->arena, path, ret_path) < 0)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < ret_path->size; i++)
                if (ret_path->data[i] == '\\')
                        ((char *)(uintptr_t)ret_path->data)[i] = '/';
        return 0;
}

static int end_file(DigestWork *work, const TreeFile *file, Fault *fault)
{
        DigestFile *entry = &work->digest->files[work->digest->n_files];
        uint8_t bytes[HASH_MAX];
        char text[HASH_BASE64_MAX + 1];
        struct stat stat;
        size_t size;
        int r;

        if (fstat(work->fd, &stat) < 0)
                return error_trace(-errno);
        if (!tree_same(&stat, &file->stat))
                return fault_set(fault, FAULT_CORRUPT, "%s changed while it was being checked; try again",
                                 file->path.data);
        r = hash_finish(work->hash, bytes, &size);
        if (!r)
                r = hash_restart(work->hash);
        if (!r)
                r = copy_path(work->digest, file->path, &entry->path);
        if (r < 0)
                return error_trace(r);
        size = hash_base64(bytes, size, text);
        if (arena_copy(&work->digest->arena, (Text){ text, size }, &entry->hash) < 0)
                return error_trace(-ENOMEM);
        work->digest->n_files++;
        work->progress.files++;
        (void)close(work->fd);
        work->fd = -1;
        work->at++;
        return 0;
}

/* Reads one chunk of the open file. */
static int read_chunk(DigestWork *work, const TreeFile *file, size_t max_bytes, size_t *ret_n, Fault *fault)
{
        ssize_t n = read(work->fd, work->buffer, max_bytes < CHUNK ? max_bytes : CHUNK);
        int r;

        if (n < 0)
                return fault_set(fault, FAULT_CORRUPT, "%s cannot be read: %s", file->path.data, strerrordesc_np(errno));
        *ret_n = (size_t)n;
        if (n == 0)
                return end_file(work, file, fault);
        r = hash_update(work->hash, work->buffer, (size_t)n);
        work->progress.bytes += n;
        return error_trace(r);
}

int digest_work_step(DigestWork *work, size_t max_bytes, Fault *fault)
{
        size_t n, n_done = 0;
        const TreeFile *files = tree_files(work->tree, &n);
        int r;

        while (work->at < n) {
                size_t n_read = FILE_COST;

                if (n_done >= max_bytes && n_done)
                        return STEP_MORE;
                if (!is_covered(&files[work->at])) {
                        work->at++;
                        continue;
                }
                if (work->fd < 0)
                        r = tree_open(work->tree, &files[work->at], &work->fd, fault);
                else
                        r = read_chunk(work, &files[work->at], max_bytes > n_done ? max_bytes - n_done : 1, &n_read,
                                       fault);
                if (r)
                        return error_trace(r);
                n_done += n_read;
        }
        digest_sort(work->digest);
        return STEP_DONE;
}

void digest_work_progress(const DigestWork *work, Progress *ret_progress)
{
        *ret_progress = work->progress;
}

Digest *digest_work_take(DigestWork *work)
{
        return STEAL(work->digest);
}

int digest_of_folder(int folder_fd, DigestAlgorithm algorithm, Digest **ret_digest, Fault *fault)
{
        CLEANUP(tree_freep) Tree *tree = NULL;
        CLEANUP(digest_work_freep) DigestWork *work = NULL;
        Ownership any = OWNERSHIP_ANY;
        int r;

        r = tree_new(folder_fd, &any, &tree);
        if (r < 0)
                return error_trace(r);
        do
                r = tree_step(tree, fault);
        while (r == STEP_MORE);
        if (!r)
                r = digest_work_new(tree, algorithm, &work);
        if (r)
                return error_trace(r);
        do
                r = digest_work_step(work, CHUNK, fault);
        while (r == STEP_MORE);
        if (r)
                return error_trace(r);
        *ret_digest = digest_work_take(work);
        return 0;
}
