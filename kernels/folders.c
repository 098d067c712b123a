#include "kernels/folders.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "proto/base/error.h"

static bool is_drop_in(const char *name)
{
        size_t n = strlen(name);

        return name[0] != '.' && n > 5 && strcmp(name + n - 5, ".json") == 0;
}

/* Does the path lead to /dev/null? By what it is, since the link may be a
 * relative one or go through others. */
static bool is_masked(const char *path)
{
        struct stat stat_;

        return stat(path, &stat_) == 0 && S_ISCHR(stat_.st_mode) && stat_.st_rdev == makedev(1, 3);
}

typedef struct Found {
        DropIn drop_in;
        size_t folder;
} Found;

typedef struct FoundList {
        Found *items; /* in the arena */
        size_t n;
        size_t capacity;
} FoundList;

static int add(FoundList *list, Arena *arena, const char *folder, size_t number, const char *name)
{
        Found *found;

        if (list->n == list->capacity) {
                size_t capacity = list->capacity ? 2 * list->capacity : 32;
                Found *items = arena_zeroed(arena, capacity, sizeof(*items));

                if (!items)
                        return error_trace(-ENOMEM);
                if (list->n)
                        memcpy(items, list->items, list->n * sizeof(*items));
                list->items = items;
                list->capacity = capacity;
        }
        found = &list->items[list->n];
        found->folder = number;
        found->drop_in.path = arena_format(arena, "%s/%s", folder, name);
        if (!found->drop_in.path.data || arena_copy(arena, text_of(name), &found->drop_in.name) < 0)
                return error_trace(-ENOMEM);
        list->n++;
        return 0;
}

static int cannot_read(const char *path, int error, Fault *fault)
{
        return fault_set(fault, FAULT_INTERNAL, "%s cannot be read: %s", path, strerrordesc_np(error));
}

static int list_folder(FoundList *list, Arena *arena, const char *folder, size_t number, Fault *fault)
{
        DIR *stream = opendir(folder);
        struct dirent *entry;
        int r = 0;

        if (!stream && (errno == ENOMEM || errno == EMFILE || errno == ENFILE))
                return error_trace(-errno);
        if (!stream)
                return errno == ENOENT || errno == ENOTDIR ? 0 : cannot_read(folder, errno, fault);
        for (;;) {
                errno = 0;
                entry = readdir(stream);
                if (!entry)
                        break;
                if (!is_drop_in(entry->d_name))
                        continue;
                r = add(list, arena, folder, number, entry->d_name);
                if (r < 0)
                        break;
        }
        if (!entry && errno)
                r = cannot_read(folder, errno, fault);
        (void)closedir(stream);
        return r;
}

/* By name; of equal names the one of the later folder first. */
static int by_name(const void *a, const void *b)
{
        const Found *x = a, *y = b;
        int r = text_compare(x->drop_in.name, y->drop_in.name);

        return r ? r : (x->folder < y->folder) - (x->folder > y->folder);
}

int folders_list(const char *const *folders, size_t n_folders, Arena *arena, DropInList *ret_list, Fault *fault)
{
        FoundList found = { 0 };
        DropInList list = { 0 };

        for (size_t i = 0; i < n_folders; i++) {
                int r = list_folder(&found, arena, folders[i], i, fault);

                if (r)
                        return error_trace(r);
        }
        list.items = arena_zeroed(arena, found.n, sizeof(*list.items));
        if (!list.items)
                return error_trace(-ENOMEM);
        if (found.n)
                qsort(found.items, found.n, sizeof(*found.items), by_name);
        for (size_t i = 0; i < found.n; i++) {
                if (i && text_equal(found.items[i].drop_in.name, found.items[i - 1].drop_in.name))
                        continue;
                if (!is_masked(found.items[i].drop_in.path.data))
                        list.items[list.n++] = found.items[i].drop_in;
        }
        *ret_list = list;
        return 0;
}

int folders_find(const char *const *folders, size_t n_folders, const char *name, Arena *arena, Text *ret_path,
                 Fault *fault)
{
        for (size_t i = n_folders; i-- > 0;) {
                Text path = arena_format(arena, "%s/%s", folders[i], name);
                struct stat stat;

                if (!path.data)
                        return error_trace(-ENOMEM);
                if (lstat(path.data, &stat) < 0) {
                        if (errno == ENOENT || errno == ENOTDIR)
                                continue;
                        return cannot_read(path.data, errno, fault);
                }
                *ret_path = is_masked(path.data) ? TEXT_NULL : path;
                return 0;
        }
        *ret_path = TEXT_NULL;
        return 0;
}

/* Reads to the end: the size that fstat tells is only where to begin, since the
 * file may grow. */
static int read_all(int fd, const char *path, size_t size, Arena *arena, Text *ret_bytes, Fault *fault)
{
        char *bytes = arena_bytes(arena, size + 1);
        size_t n_read = 0;

        if (!bytes)
                return error_trace(-ENOMEM);
        while (n_read <= size) {
                ssize_t n = read(fd, bytes + n_read, size + 1 - n_read);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return cannot_read(path, errno, fault);
                if (n == 0)
                        break;
                n_read += (size_t)n;
        }
        if (n_read > size)
                return fault_set(fault, FAULT_INTERNAL, "%s is being written; it is read again when it has changed", path);
        bytes[n_read] = 0;
        *ret_bytes = (Text){ bytes, n_read };
        return 0;
}

int folders_read(const char *path, size_t limit, Arena *arena, Text *ret_bytes, Fault *fault)
{
        /* Without O_NONBLOCK a FIFO would hold the thread up until somebody writes. */
        CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        struct stat stat;

        if (fd < 0)
                return errno == ENOMEM || errno == EMFILE || errno == ENFILE ? error_trace(-errno) :
                                                                               cannot_read(path, errno, fault);
        if (fstat(fd, &stat) < 0)
                return error_trace(-errno);
        if (!S_ISREG(stat.st_mode))
                return fault_set(fault, FAULT_INTERNAL, "%s is no regular file", path);
        if (stat.st_size < 0 || (uint64_t)stat.st_size > limit)
                return fault_set(fault, FAULT_TOO_LARGE, "%s is larger than %zu bytes", path, limit);
        return read_all(fd, path, (size_t)stat.st_size, arena, ret_bytes, fault);
}
