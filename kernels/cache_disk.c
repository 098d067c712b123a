#include "kernels/cache_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/base/error.h"

#define FOLDER_MODE 0755
#define FILE_MODE 0644
#define NAME_TRIES 65536 /* so many temporary names are never there at once */

int cache_disk_fault(const Cache *cache, int r, const char *name, Fault *fault)
{
        switch (-r) {
        case 0:
                return 0;
        case ENOMEM:
        case EMFILE:
        case ENFILE:
                return error_trace(r);
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
                return fault_set(fault, FAULT_NO_SPACE, "%s/%s cannot be written: %s; make room on that file system",
                                 cache->path, name, strerrordesc_np(-r));
        default:
                return fault_set(fault, FAULT_INTERNAL, "%s/%s: %s", cache->path, name, strerrordesc_np(-r));
        }
}

void cache_disk_name(char name[PATH_MAX], const char *format, ...)
{
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(name, PATH_MAX, format, arguments);
        va_end(arguments);
}

/* --- folders --- */

int cache_disk_folder(const Cache *cache, int at, const char *name)
{
        struct stat stat;
        bool made = mkdirat(at, name, FOLDER_MODE) == 0;

        if (!made && errno != EEXIST)
                return -errno;
        if (fstatat(at, name, &stat, 0) < 0)
                return -errno;
        if (!S_ISDIR(stat.st_mode))
                return -ENOTDIR;
        /* One that is there in the system's cache may be of a process that was killed here. */
        if ((made || (cache->system && stat.st_uid == geteuid())) && (stat.st_mode & 07777) != FOLDER_MODE &&
            fchmodat(at, name, FOLDER_MODE, 0) < 0)
                return -errno;
        return 0;
}

/* Those above it were made, and got their mode, before it was. */
static bool is_made(const Cache *cache, const char *path)
{
        struct stat stat;

        return fstatat(cache->fd, path, &stat, 0) == 0 && stat.st_mode == (S_IFDIR | FOLDER_MODE);
}

int cache_disk_folders(const Cache *cache, const char *path)
{
        char made[PATH_MAX];
        size_t size = strlen(path);

        if (size >= sizeof(made))
                return -ENAMETOOLONG;
        if (is_made(cache, path))
                return 0;
        for (size_t n = strcspn(path, "/"); ; n += 1 + strcspn(path + n + 1, "/")) {
                int r;

                memcpy(made, path, n);
                made[n] = 0;
                r = cache_disk_folder(cache, cache->fd, made);
                if (r < 0 || n == size)
                        return r;
        }
}

/* Goes one folder down, making it. */
static int descend(const Cache *cache, int *fd, const char *name)
{
        int next, r = cache_disk_folder(cache, *fd, name);

        if (r < 0)
                return r;
        next = openat(*fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (next < 0)
                return -errno;
        (void)close(*fd);
        *fd = next;
        return 0;
}

int cache_disk_parent(const Cache *cache, int at, Text path, int *ret_fd, char ret_name[NAME_MAX + 1])
{
        CLEANUP_FD int fd = openat(at, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Text rest = path;

        if (fd < 0)
                return -errno;
        if (!cache_is_plain_path(path))
                return -EINVAL;
        for (;;) {
                Text name = cache_path_split(rest, &rest);
                int r;

                memcpy(ret_name, name.data, name.size);
                ret_name[name.size] = 0;
                if (!rest.data)
                        break;
                r = descend(cache, &fd, ret_name);
                if (r < 0)
                        return r;
        }
        *ret_fd = STEAL_FD(fd);
        return 0;
}

/* --- files --- */

int cache_disk_write(int fd, const void *bytes, size_t n, int64_t offset)
{
        const char *left = bytes;

        while (n) {
                ssize_t written = pwrite(fd, left, n, offset);

                if (written < 0 && errno == EINTR)
                        continue;
                if (written <= 0)
                        return written < 0 ? -errno : -EIO;
                left += written;
                offset += written;
                n -= (size_t)written;
        }
        return 0;
}

int cache_disk_temporary(Cache *cache, int at, const char *kind, Text bytes, char ret_name[CACHE_TEMPORARY_MAX])
{
        CLEANUP_FD int fd = -1;
        int r;

        for (int i = 0; fd < 0; i++) {
                cache_temporary_name(kind, cache->serial++, ret_name);
                fd = openat(at, ret_name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, FILE_MODE);
                if (fd < 0 && (errno != EEXIST || i == NAME_TRIES))
                        return -errno;
        }
        r = cache_disk_write(fd, bytes.data, bytes.size, 0);
        if (!r && (fchmod(fd, FILE_MODE) < 0 || fsync(fd) < 0))
                r = -errno;
        if (r)
                (void)unlinkat(at, ret_name, 0);
        return r;
}

int cache_disk_temporary_folder(Cache *cache, int at, const char *kind, char ret_name[CACHE_TEMPORARY_MAX])
{
        for (int i = 0;; i++) {
                cache_temporary_name(kind, cache->serial++, ret_name);
                if (mkdirat(at, ret_name, FOLDER_MODE) == 0)
                        break;
                if (errno != EEXIST || i == NAME_TRIES)
                        return -errno;
        }
        if (fchmodat(at, ret_name, FOLDER_MODE, 0) < 0) {
                int r = -errno;

                (void)unlinkat(at, ret_name, AT_REMOVEDIR);
                return r;
        }
        return 0;
}

int cache_disk_link(Cache *cache, const char *target, int temporary_at, int at, const char *name)
{
        char made[CACHE_TEMPORARY_MAX];

        for (int i = 0;; i++) {
                cache_temporary_name("link", cache->serial++, made);
                if (symlinkat(target, temporary_at, made) == 0)
                        break;
                if (errno != EEXIST || i == NAME_TRIES)
                        return -errno;
        }
        if (renameat(temporary_at, made, at, name) < 0) {
                int r = -errno;

                (void)unlinkat(temporary_at, made, 0);
                return r;
        }
        return 0;
}

int cache_disk_open(int at, const char *name, int flags, int *ret_fd, struct stat *ret_stat)
{
        CLEANUP_FD int fd = -1;

        /* Looked at before it is opened, which alone can do something to a device. */
        if (fstatat(at, name, ret_stat, flags & O_NOFOLLOW ? AT_SYMLINK_NOFOLLOW : 0) < 0)
                return -errno;
        if (!S_ISREG(ret_stat->st_mode))
                return -EINVAL;
        fd = openat(at, name, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | flags);
        if (fd < 0 || fstat(fd, ret_stat) < 0)
                return -errno;
        if (!S_ISREG(ret_stat->st_mode))
                return -EINVAL;
        *ret_fd = STEAL_FD(fd);
        return 0;
}

int cache_disk_read(int at, const char *name, int flags, size_t limit, Arena *arena, Text *ret_bytes)
{
        CLEANUP_FD int fd = -1;
        struct stat stat;
        size_t n_read = 0;
        char *bytes;
        int r = cache_disk_open(at, name, flags, &fd, &stat);

        if (r < 0)
                return r;
        if ((uint64_t)stat.st_size > limit)
                return -EFBIG;
        bytes = arena_bytes(arena, (size_t)stat.st_size + 1);
        if (!bytes)
                return -ENOMEM;
        while (n_read < (size_t)stat.st_size) {
                ssize_t n = read(fd, bytes + n_read, (size_t)stat.st_size - n_read);

                if (n < 0 && errno != EINTR)
                        return -errno;
                if (n == 0)
                        break;
                n_read += n > 0 ? (size_t)n : 0;
        }
        bytes[n_read] = 0;
        *ret_bytes = (Text){ bytes, n_read };
        return 0;
}
