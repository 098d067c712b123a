#include "kernels/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/cache_check.h"
#include "kernels/cache_disk.h"
#include "kernels/cache_lock.h"
#include "kernels/cache_sweep.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/name.h"

#define LOCK_NAME ".kernelsd.lock"
#define LOCK_MODE 0600 /* whoever can open it can lock it, and keep a daemon from starting */
#define FOLDER_MODE 0755

/* --- the folder --- */

static int make_one(const char *path)
{
        if (mkdir(path, FOLDER_MODE) == 0)
                return chmod(path, FOLDER_MODE) < 0 ? -errno : 0;
        return errno == EEXIST ? 0 : -errno;
}

/* With parents; those that are there stay as they are. */
static int make_folder(const char *path)
{
        char made[PATH_MAX];
        size_t size = strlen(path);

        if (size >= sizeof(made))
                return -ENAMETOOLONG;
        for (size_t n = 1; n <= size; n++) {
                int r;

                if (n < size && path[n] != '/')
                        continue;
                memcpy(made, path, n);
                made[n] = 0;
                r = make_one(made);
                /* In a read-only or foreign folder mkdir may say so before it sees that the name is there. */
                if (r < 0 && access(made, F_OK) < 0)
                        return r;
        }
        return 0;
}

static int open_folder(Cache *cache, Fault *fault)
{
        int r = make_folder(cache->path);

        if (!r) {
                cache->fd = open(cache->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
                r = cache->fd < 0 ? -errno : 0;
        }
        return cache_disk_fault(cache, r, "", fault);
}

/* --- one daemon a cache --- */

static int refuse_second(const Cache *cache, Fault *fault)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text owner = TEXT_NULL;
        unsigned pid = 0;

        if (cache_disk_read(cache->fd, LOCK_NAME, O_NOFOLLOW, 64, &arena, &owner) < 0 ||
            sscanf(owner.data, "pid %9u", &pid) != 1)
                return fault_set(fault, FAULT_BUSY, "another kernelsd has %s; a cache is for one", cache->path);
        return fault_set(fault, FAULT_BUSY, "kernelsd with process %u has %s; a cache is for one", pid, cache->path);
}

/* For whoever is refused; on a full disk it stays empty. */
static void write_owner(const Cache *cache)
{
        char text[32];
        int n = snprintf(text, sizeof(text), "pid %d\n", (int)getpid());

        if (ftruncate(cache->lock_fd, 0) == 0)
                (void)cache_disk_write(cache->lock_fd, text, (size_t)n, 0);
}

static int take_lock(Cache *cache, Fault *fault)
{
        int r = cache_lock_take(cache, LOCK_NAME, LOCK_MODE, &cache->lock_fd);

        switch (r) {
        case CACHE_LOCK_BUSY:
                return refuse_second(cache, fault);
        case CACHE_LOCK_NONE:
                cache->no_flock = true;
                return cache_check_doubt(cache, FAULT_INTERNAL, "its file system has no flock, so others may work in it at the same time",
                                         "put it on a file system of this host", fault);
        default:
                if (!r)
                        write_owner(cache);
                return cache_disk_fault(cache, r, LOCK_NAME, fault);
        }
}

/* --- the whole --- */

static int cache_new(const CacheOptions *options, Cache **ret_cache)
{
        CLEANUP(cache_closep) Cache *cache = alloc_zeroed(1, sizeof(*cache));
        size_t size = strlen(options->path);

        if (!cache)
                return error_trace(-ENOMEM);
        cache->fd = cache->lock_fd = -1;
        cache->system = options->system;
        /* Names are made with O_EXCL: this only keeps two runs from starting with the same. */
        cache->serial = (uint32_t)getpid() * 2654435761u;
        while (size > 1 && options->path[size - 1] == '/')
                size--;
        cache->path = alloc_text(options->path, size);
        if (!cache->path)
                return error_trace(-ENOMEM);
        *ret_cache = STEAL(cache);
        return 0;
}

int cache_open(const CacheOptions *options, Cache **ret_cache, Fault *fault)
{
        CLEANUP(cache_closep) Cache *cache = NULL;
        int r = name_check_path(text_of(options->path), fault);

        if (!r)
                r = cache_new(options, &cache);
        if (!r)
                r = open_folder(cache, fault);
        if (!r)
                r = cache_check(cache, options->owner, fault);
        if (!r)
                r = take_lock(cache, fault);
        if (!r)
                r = cache_sweep(cache);
        if (r)
                return error_trace(r);
        *ret_cache = STEAL(cache);
        return 0;
}

Cache *cache_close(Cache *cache)
{
        if (cache) {
                fd_closep(&cache->lock_fd);
                fd_closep(&cache->fd);
                alloc_free(cache->path);
                alloc_free(cache);
        }
        return NULL;
}

const char *cache_path(const Cache *cache)
{
        return cache->path;
}

const char *cache_warning(const Cache *cache)
{
        return cache->warning[0] ? cache->warning : NULL;
}

Text cache_snapshot_path(const Cache *cache, Text repo, Text commit, Arena *arena)
{
        char folder[CACHE_REPO_MAX];
        Fault fault;

        if (cache_repo_folder(repo, folder, &fault) != 0)
                return TEXT_NULL;
        return arena_format(arena, "%s/%s/snapshots/%.*s", cache->path, folder, TEXT_PRINT(commit));
}
