#include "kernels/cache_place.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernels/cache_disk.h"
#include "kernels/cache_hash.h"
#include "kernels/cache_listing.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/name.h"

#define HASH_STEP (16u * 1024 * 1024)

/* "../" for each folder, "blobs/", an etag, a NUL. */
#define TARGET_MAX (3 * (LIMIT_CACHE_DEPTH + 2) + 6 + CACHE_ETAG_MAX + 1)

/* What CACHEDIR.TAG holds, byte for byte as the Hub's client writes it. */
static const char tag[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                          "# This file is a cache directory tag created by huggingface_hub.\n"
                          "# For information about cache directory tags, see:\n"
                          "#\thttps://bford.info/cachedir/\n";

typedef struct Link {
        Text path;    /* from the repository's root */
        Text variant; /* absent: in none */
        Text rest;    /* below the variant's folder; else the path */
        CacheBlob *blob;
} Link;

/* Links of one variant, or those of none. */
typedef struct Group {
        const Link *links;
        size_t n;
        char temporary[CACHE_TEMPORARY_MAX]; /* the folder that takes the variant's name; "": it is there */
} Group;

typedef struct Placing {
        Cache *cache;
        char folder[CACHE_REPO_MAX];
        Text commit;
        int repo_fd;
        int snapshot_fd;
        Arena arena;
        Link *links;
        size_t n_links;
        Group *groups;
        size_t n_groups;
} Placing;

static void placing_deinit(Placing *placing)
{
        for (size_t i = 0; i < placing->n_groups; i++)
                if (placing->groups[i].temporary[0])
                        (void)cache_listing_remove(placing->repo_fd, placing->groups[i].temporary);
        fd_closep(&placing->snapshot_fd);
        fd_closep(&placing->repo_fd);
        arena_deinit(&placing->arena);
}

static int link_fault(const Placing *placing, int r, Text path, Fault *fault)
{
        char name[PATH_MAX];

        cache_disk_name(name, "%s/snapshots/%.*s/%.*s", placing->folder, TEXT_PRINT(placing->commit), TEXT_PRINT(path));
        return cache_disk_fault(placing->cache, r, name, fault);
}

/* --- what goes where --- */

static bool is_metadata(const Link *link)
{
        return link->variant.data && text_equal(link->rest, TEXT("metadata.json"));
}

/* By variant, each with its metadata.json last. */
static int by_place(const void *a, const void *b)
{
        const Link *left = a, *right = b;
        int r = text_compare(left->variant, right->variant);

        if (!r)
                r = is_metadata(left) - is_metadata(right);
        return r ? r : text_compare(left->rest, right->rest);
}

static int take_links(Placing *placing, const CachePlacement *files, size_t n, Fault *fault)
{
        placing->links = arena_zeroed(&placing->arena, n, sizeof(*placing->links));
        if (!placing->links)
                return error_trace(-ENOMEM);
        placing->n_links = n;
        for (size_t i = 0; i < n; i++) {
                Link *link = &placing->links[i];

                if (!cache_is_plain_path(files[i].path))
                        return fault_set(fault, FAULT_CORRUPT, "\"%.*s\" is no path for a file of a repository",
                                         TEXT_PRINT(text_cut(files[i].path, 80)));
                *link = (Link){ .path = files[i].path, .rest = files[i].path, .blob = files[i].blob };
                (void)cache_path_variant(link->path, &link->variant, &link->rest);
        }
        qsort(placing->links, n, sizeof(*placing->links), by_place);
        for (size_t i = 1; i < n; i++)
                if (text_equal(placing->links[i - 1].path, placing->links[i].path))
                        return fault_set(fault, FAULT_CORRUPT, "%.*s stands twice in the list of files",
                                         TEXT_PRINT(text_cut(placing->links[i].path, 255)));
        return 0;
}

static int take_groups(Placing *placing)
{
        placing->groups = arena_zeroed(&placing->arena, placing->n_links, sizeof(*placing->groups));
        if (!placing->groups)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < placing->n_links; i++) {
                Link *link = &placing->links[i];
                Group *group = placing->n_groups ? &placing->groups[placing->n_groups - 1] : NULL;

                if (!group || !text_equal(group->links->variant, link->variant))
                        group = &placing->groups[placing->n_groups++], group->links = link;
                group->n++;
        }
        return 0;
}

static int complete_blobs(const Placing *placing, Fault *fault)
{
        for (size_t i = 0; i < placing->n_links; i++) {
                int r;

                do
                        r = cache_blob_hash_step(placing->links[i].blob, HASH_STEP, fault);
                while (r == STEP_MORE);
                if (r)
                        return error_trace(r);
        }
        return 0;
}

/* --- folders --- */

static int open_folders(Placing *placing)
{
        Cache *cache = placing->cache;
        char path[PATH_MAX];
        int r;

        cache_disk_name(path, "%s/blobs", placing->folder);
        r = cache_disk_folders(cache, path);
        if (r < 0)
                return r;
        cache_disk_name(path, "%s/snapshots/%.*s", placing->folder, TEXT_PRINT(placing->commit));
        r = cache_disk_folders(cache, path);
        if (r < 0)
                return r;
        placing->repo_fd = openat(cache->fd, placing->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        placing->snapshot_fd = openat(cache->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        return placing->repo_fd < 0 || placing->snapshot_fd < 0 ? -errno : 0;
}

/* That it is a cache only matters to programs that make backups. */
static int write_tag(const Placing *placing)
{
        Cache *cache = placing->cache;
        char made[CACHE_TEMPORARY_MAX];
        struct stat stat;
        int r;

        if (fstatat(cache->fd, "CACHEDIR.TAG", &stat, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        r = cache_disk_temporary(cache, cache->fd, "tag", (Text){ tag, sizeof(tag) - 1 }, made);
        if (!r && renameat(cache->fd, made, cache->fd, "CACHEDIR.TAG") < 0)
                (void)unlinkat(cache->fd, made, 0);
        return 0;
}

/* --- links --- */

static void print_target(const Link *link, char target[TARGET_MAX])
{
        size_t size = 0;

        for (Text rest = link->path; rest.data; (void)cache_path_split(rest, &rest))
                size += (size_t)snprintf(target + size, TARGET_MAX - size, "../");
        (void)snprintf(target + size, TARGET_MAX - size, "../blobs/%.*s", TEXT_PRINT(cache_blob_etag(link->blob)));
}

/* In a folder that nobody sees yet. */
static int stage_link(const Placing *placing, int at, const Link *link)
{
        CLEANUP_FD int parent = -1;
        char target[TARGET_MAX], name[NAME_MAX + 1];
        int r = cache_disk_parent(placing->cache, at, link->rest, &parent, name);

        if (r < 0)
                return r;
        print_target(link, target);
        return symlinkat(target, parent, name) < 0 ? -errno : 0;
}

static int stage_links(const Placing *placing, const Group *group, Fault *fault)
{
        CLEANUP_FD int fd = openat(placing->repo_fd, group->temporary, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int r = fd < 0 ? link_fault(placing, -errno, group->links->path, fault) : 0;

        for (size_t i = 0; !r && i < group->n; i++)
                r = link_fault(placing, stage_link(placing, fd, &group->links[i]), group->links[i].path, fault);
        return r;
}

static void variant_path(const Group *group, char path[PATH_MAX])
{
        cache_disk_name(path, "build/%.*s", TEXT_PRINT(group->links->variant));
}

/* Makes a new variant's folder beside where it belongs. */
static int stage_group(const Placing *placing, Group *group, Fault *fault)
{
        char path[PATH_MAX], made[CACHE_TEMPORARY_MAX];
        struct stat stat;
        int r;

        if (!group->links->variant.data)
                return 0;
        r = cache_disk_folder(placing->cache, placing->snapshot_fd, "build");
        variant_path(group, path);
        if (!r && fstatat(placing->snapshot_fd, path, &stat, AT_SYMLINK_NOFOLLOW) == 0)
                return 0;
        if (!r)
                r = cache_disk_temporary_folder(placing->cache, placing->repo_fd, "build", made);
        if (r < 0)
                return link_fault(placing, r, group->links->path, fault);
        memcpy(group->temporary, made, sizeof(made));
        return stage_links(placing, group, fault);
}

/* 0: what is there will do; 1: it will not, or there is nothing. */
static int look_at(const Placing *placing, int at, const char *name, const char *target, const Link *link)
{
        char there[TARGET_MAX];
        CLEANUP_FD int fd = -1;
        struct stat stat;
        ssize_t n = readlinkat(at, name, there, sizeof(there));
        int r;

        if (n >= 0)
                return !text_equal((Text){ there, (size_t)n }, text_of(target));
        r = cache_disk_open(at, name, O_NOFOLLOW, &fd, &stat);
        if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
                return r;
        if (r < 0 || stat.st_size != cache_blob_size(link->blob))
                return 1;
        return cache_hash_compare(fd, cache_blob_etag(link->blob), stat.st_size);
}

/* Into a folder that is there. */
static int add_link(const Placing *placing, const Link *link)
{
        CLEANUP_FD int parent = -1;
        char target[TARGET_MAX], name[NAME_MAX + 1];
        int r = cache_disk_parent(placing->cache, placing->snapshot_fd, link->path, &parent, name);

        if (r < 0)
                return r;
        print_target(link, target);
        r = look_at(placing, parent, name, target, link);
        if (r <= 0)
                return r;
        r = cache_disk_link(placing->cache, target, placing->repo_fd, parent, name);
        return r < 0 ? r : fsync(parent) < 0 ? -errno : 0;
}

static int add_links(const Placing *placing, const Group *group, Fault *fault)
{
        int r = 0;

        for (size_t i = 0; !r && i < group->n; i++)
                r = link_fault(placing, add_link(placing, &group->links[i]), group->links[i].path, fault);
        return r;
}

/* --- in order --- */

static int stage(Placing *placing, Fault *fault)
{
        int r = cache_disk_fault(placing->cache, open_folders(placing), placing->folder, fault);

        if (!r)
                r = write_tag(placing);
        for (size_t i = 0; !r && i < placing->n_groups; i++)
                r = stage_group(placing, &placing->groups[i], fault);
        /* Bytes, links and folders: nothing gets its name before all of it is on disk. */
        if (!r && syncfs(placing->repo_fd) < 0)
                r = cache_disk_fault(placing->cache, -errno, placing->folder, fault);
        return r;
}

static int sync_folder(int at, const char *name)
{
        CLEANUP_FD int fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

static int place_blobs(const Placing *placing, Fault *fault)
{
        int r = 0;

        for (size_t i = 0; !r && i < placing->n_links; i++)
                r = cache_blob_place(placing->links[i].blob, fault);
        return r ? r : cache_disk_fault(placing->cache, sync_folder(placing->repo_fd, "blobs"), placing->folder, fault);
}

/* The folder gets its name, unless somebody was quicker. */
static int place_group(const Placing *placing, Group *group, Fault *fault)
{
        char path[PATH_MAX];

        if (!group->temporary[0])
                return add_links(placing, group, fault);
        variant_path(group, path);
        if (renameat(placing->repo_fd, group->temporary, placing->snapshot_fd, path) < 0) {
                if (errno == EEXIST || errno == ENOTEMPTY)
                        return add_links(placing, group, fault);
                return link_fault(placing, -errno, group->links->path, fault);
        }
        group->temporary[0] = 0;
        return link_fault(placing, sync_folder(placing->snapshot_fd, "build"), TEXT("build"), fault);
}

int cache_place(Cache *cache, Text repo, Text commit, CachePlacement *files, size_t n, Fault *fault)
{
        CLEANUP(placing_deinit) Placing placing = { .cache = cache, .commit = commit, .repo_fd = -1, .snapshot_fd = -1 };
        int r = cache_repo_folder(repo, placing.folder, fault);

        if (r)
                return r;
        if (!name_is_commit(commit))
                return fault_set(fault, FAULT_INVALID_NAME, "\"%.*s\" is no commit", TEXT_PRINT(text_cut(commit, 80)));
        if (!n)
                return 0;
        r = take_links(&placing, files, n, fault);
        if (!r)
                r = take_groups(&placing);
        if (!r)
                r = complete_blobs(&placing, fault);
        if (!r)
                r = stage(&placing, fault);
        if (!r)
                r = place_blobs(&placing, fault);
        for (size_t i = 0; !r && i < placing.n_groups; i++)
                r = place_group(&placing, &placing.groups[i], fault);
        return error_trace(r);
}
