#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernels/ownership.h"
#include "kernels/repository_private.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

typedef struct Scan {
        Ownership ownership;
        Arena arena;
        int build;                    /* O_PATH */
        Text names[LIMIT_VARIANTS];   /* in byte order, so that equal ranks fall the same way every time */
        size_t n_names;
        RepositoryStore *store;
        char metadata[LIMIT_METADATA + 1]; /* of the variant in hand */
} Scan;

static void scan_freep(Scan **scan)
{
        if (*scan) {
                fd_closep(&(*scan)->build);
                repository_store_freep(&(*scan)->store);
                arena_deinit(&(*scan)->arena);
                alloc_free(*scan);
        }
}

static int open_build(Scan *scan, const char *path, Fault *fault)
{
        CLEANUP_FD int fd = -1;
        struct stat stat;
        int r = ownership_open(&scan->ownership, AT_FDCWD, path, &fd, &stat, fault);

        if (!r && !S_ISDIR(stat.st_mode))
                r = fault_set(fault, FAULT_NO_REPOSITORY, "%s is no folder", path);
        if (!r)
                r = ownership_open_whole(&scan->ownership, fd, "build", &scan->build, &stat, fault);
        if (r > 0 && fault->name == FAULT_NO_REPOSITORY)
                return fault_set(fault, FAULT_NO_REPOSITORY,
                                 "%s is no kernel repository: there is no folder `build` in it, or the daemon may not "
                                 "look there", path);
        if (!r && !S_ISDIR(stat.st_mode))
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s/build is no folder", path);
        return error_trace(r);
}

static int by_bytes(const void *a, const void *b)
{
        return text_compare(*(const Text *)a, *(const Text *)b);
}

static int add_name(Scan *scan, const char *path, const char *name, Fault *fault)
{
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
                return 0;
        if (scan->n_names == LIMIT_VARIANTS)
                return fault_set(fault, FAULT_TOO_LARGE, "%s/build holds more than %d variants", path, LIMIT_VARIANTS);
        if (arena_copy(&scan->arena, text_of(name), &scan->names[scan->n_names]) < 0)
                return error_trace(-ENOMEM);
        scan->n_names++;
        return 0;
}

static int list_build(Scan *scan, const char *path, Fault *fault)
{
        CLEANUP_FD int fd = openat(scan->build, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        struct dirent *entry;
        DIR *stream;
        int r = 0;

        if (fd < 0 && errno == EACCES)
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s/build: the daemon may not list it", path);
        if (fd < 0)
                return error_trace(-errno);
        stream = fdopendir(fd);
        if (!stream)
                return error_trace(-errno);
        (void)STEAL_FD(fd);
        for (errno = 0; !r && (entry = readdir(stream)) != NULL; errno = 0)
                r = add_name(scan, path, entry->d_name, fault);
        if (!r && errno)
                r = -errno;
        (void)closedir(stream);
        if (!r && scan->n_names)
                qsort(scan->names, scan->n_names, sizeof(*scan->names), by_bytes);
        return error_trace(r);
}

/* Reads one byte more than is allowed, so that the parser sees it is too much. */
static int read_bytes(Scan *scan, int path_fd, Text *ret_bytes)
{
        CLEANUP_FD int fd = -1;
        size_t n_read = 0;
        int r = ownership_reopen(path_fd, O_RDONLY | O_NOCTTY, &fd);

        while (!r && n_read < sizeof(scan->metadata)) {
                ssize_t n = read(fd, scan->metadata + n_read, sizeof(scan->metadata) - n_read);

                if (n < 0)
                        r = -errno;
                if (n <= 0)
                        break;
                n_read += (size_t)n;
        }
        *ret_bytes = (Text){ scan->metadata, n_read };
        return r;
}

/* 0 with the bytes, absent where there is no such file; 1: the variant cannot be used. */
static int read_metadata(Scan *scan, int folder, Text *ret_bytes, Fault *fault)
{
        CLEANUP_FD int fd = -1;
        struct stat stat;
        int r;

        *ret_bytes = TEXT_NULL;
        if (fstatat(folder, "metadata.json", &stat, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
                return 0;
        r = ownership_open(&scan->ownership, folder, "metadata.json", &fd, &stat, fault);
        if (!r && !S_ISREG(stat.st_mode))
                return fault_set(fault, FAULT_CORRUPT, "metadata.json is no regular file");
        if (r)
                return error_trace(r);
        r = read_bytes(scan, fd, ret_bytes);
        if (r == -ENOMEM || r == -EMFILE || r == -ENFILE)
                return error_trace(r);
        if (r < 0)
                return fault_set(fault, FAULT_CORRUPT, "metadata.json cannot be read: %s", strerrordesc_np(-r));
        return 0;
}

/* What is no folder is passed over; a folder that others could have written is
 * a variant that is refused, so that `explain` can say why. */
static int take_variant(Scan *scan, Text name)
{
        CLEANUP_FD int folder = -1;
        Fault why = FAULT_NULL;
        struct stat stat;
        Text bytes = TEXT_NULL;
        int r;

        if (!text_is_utf8(name))
                return 0; /* no variant's name, and nothing to show to anybody */
        r = ownership_open_whole(&scan->ownership, scan->build, name.data, &folder, &stat, &why);
        if (!r && !S_ISDIR(stat.st_mode))
                return 0;
        if (!r)
                r = read_metadata(scan, folder, &bytes, &why);
        if (r < 0)
                return error_trace(r);
        if (r > 0)
                bytes = TEXT_NULL;
        if (repository_add(scan->store, name, bytes) < 0)
                return error_trace(-ENOMEM);
        if (r > 0)
                scan->store->repository.variants[scan->store->repository.n_variants - 1].metadata_fault = why;
        return 0;
}

int repository_scan(const char *path, uid_t owner, Repository **ret_repository, Fault *fault)
{
        CLEANUP(scan_freep) Scan *scan = alloc_zeroed(1, sizeof(*scan));
        int r;

        if (!scan)
                return error_trace(-ENOMEM);
        scan->ownership = OWNERSHIP_OF(owner);
        scan->build = -1;
        r = open_build(scan, path, fault);
        if (!r)
                r = list_build(scan, path, fault);
        if (!r)
                r = repository_new(scan->n_names, &scan->store);
        for (size_t i = 0; !r && i < scan->n_names; i++)
                r = take_variant(scan, scan->names[i]);
        if (!r && arena_copy(&scan->store->arena, text_of(path), &scan->store->repository.name) < 0)
                r = -ENOMEM;
        if (r)
                return error_trace(r);
        *ret_repository = &STEAL(scan->store)->repository;
        return 0;
}
