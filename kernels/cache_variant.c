#include "kernels/cache_variant.h"

#include <errno.h>
#include <fcntl.h>

#include "kernels/bytecode.h"
#include "kernels/cache_disk.h"
#include "kernels/cache_names.h"
#include "kernels/tree.h"
#include "proto/base/error.h"

void cache_variant_deinit(CachedVariant *variant)
{
        variant->metadata = metadata_free(variant->metadata);
}

static int read_metadata(int fd, CachedVariant *variant)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text bytes;
        int r = cache_disk_read(fd, "metadata.json", 0, LIMIT_METADATA, &arena, &bytes);

        if (r == -ENOENT)
                return 0;
        if (r == -EFBIG || r == -EINVAL)
                r = fault_set(&variant->fault, FAULT_CORRUPT, "metadata.json is %s",
                              r == -EFBIG ? "larger than any is" : "no regular file");
        else if (r < 0 && !cache_names_absent(r))
                r = fault_set(&variant->fault, FAULT_CORRUPT, "metadata.json cannot be read: %s", strerrordesc_np(-r));
        else if (!r)
                r = metadata_parse(bytes, &variant->metadata, &variant->fault);
        return r < 0 ? error_trace(r) : 0;
}

/* Compiled files are listed and never fetched. */
static bool is_in_place(int fd, Text path, int64_t size)
{
        struct stat stat;

        if (bytecode_is(path))
                return true;
        return cache_is_plain_path(path) && fstatat(fd, path.data, &stat, 0) == 0 && S_ISREG(stat.st_mode) &&
               (size < 0 || stat.st_size == size);
}

static bool is_complete_by_trees(int fd, const CacheTreesFile *files, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                Text variant, rest;

                if (!cache_path_variant(files[i].path, &variant, &rest) || !is_in_place(fd, rest, files[i].size))
                        return false;
        }
        return true;
}

static bool is_complete_by_digest(int fd, const Digest *digest)
{
        for (size_t i = 0; i < digest->n_files; i++)
                if (!is_in_place(fd, digest->files[i].path, -1))
                        return false;
        return true;
}

/* Without a list: 0 with the answer, negative. */
static int look_whole(int fd, bool *ret_whole)
{
        CLEANUP(tree_freep) Tree *tree = NULL;
        Ownership any = OWNERSHIP_ANY;
        Fault fault;
        const TreeFile *files;
        size_t n;
        int r = tree_new(fd, &any, &tree);

        *ret_whole = false;
        while (!r) {
                r = tree_step(tree, &fault);
                if (r == STEP_MORE)
                        r = 0;
                else if (r == STEP_DONE)
                        break;
        }
        if (r)
                return error_trace(cache_names_absent(r));
        files = tree_files(tree, &n);
        *ret_whole = n > 0;
        for (size_t i = 0; i < n; i++)
                if (text_ends_with(files[i].path, TEXT(".incomplete")))
                        *ret_whole = false;
        return 0;
}

static int judge(int fd, const CacheTrees *trees, CachedVariant *variant)
{
        const Digest *digest = variant->metadata ? variant->metadata->digest : NULL;
        size_t n = 0;
        const CacheTreesFile *files = trees ? cache_trees_find(trees, variant->name, &n) : NULL;

        variant->listed = files || digest;
        if (files)
                variant->complete = is_complete_by_trees(fd, files, n);
        else if (digest)
                variant->complete = is_complete_by_digest(fd, digest);
        else
                return error_trace(look_whole(fd, &variant->whole));
        return 0;
}

int cache_variant_look(int build_fd, Text name, const CacheTrees *trees, CachedVariant *ret_variant)
{
        CLEANUP_FD int fd = openat(build_fd, name.data, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        CachedVariant variant = { .name = name };
        int r;

        if (fd < 0)
                return cache_names_absent(-errno) ? error_trace(-errno) : 1;
        r = read_metadata(fd, &variant);
        if (!r)
                r = judge(fd, trees, &variant);
        if (r < 0) {
                cache_variant_deinit(&variant);
                return error_trace(r);
        }
        *ret_variant = variant;
        return 0;
}
