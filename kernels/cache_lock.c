#include "kernels/cache_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/cache_disk.h"

#define LOCK_TRIES 1000 /* a file that vanishes so often is somebody's game: busy */
/* Whoever can open a file can lock it, for ever. A user's locks are shared with his
 * other programs; the host's with nobody. */
#define LOCK_MODE 0664
#define LOCK_MODE_SYSTEM 0600

static int lock_now(int fd)
{
        while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
                switch (errno) {
                case EINTR:
                        continue;
                case EWOULDBLOCK:
                        return CACHE_LOCK_BUSY;
                case ENOLCK:
                case ENOSYS:
                case EOPNOTSUPP:
                        return CACHE_LOCK_NONE;
                default:
                        return -errno;
                }
        }
        return 0;
}

/* 0; EAGAIN: what is locked is no more the file of that name. */
static int check_locked(const Cache *cache, int fd, const char *name, mode_t mode)
{
        struct stat locked, named;

        if (fstat(fd, &locked) < 0)
                return -errno;
        if (fstatat(cache->fd, name, &named, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? -EAGAIN : -errno;
        if (locked.st_nlink == 0 || locked.st_dev != named.st_dev || locked.st_ino != named.st_ino)
                return -EAGAIN;
        if (locked.st_uid == geteuid() && (locked.st_mode & 07777) != mode && fchmod(fd, mode) < 0)
                return -errno;
        return 0;
}

int cache_lock_take(const Cache *cache, const char *name, mode_t mode, int *ret_fd)
{
        for (int i = 0; i < LOCK_TRIES; i++) {
                CLEANUP_FD int fd = openat(cache->fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, mode);
                int r = fd < 0 ? -errno : lock_now(fd);

                if (!r)
                        r = check_locked(cache, fd, name, mode);
                if (!r)
                        *ret_fd = STEAL_FD(fd);
                if (r != -EAGAIN)
                        return r;
        }
        return CACHE_LOCK_BUSY;
}

int cache_lock_blob(const Cache *cache, const char *folder, Text etag, int *ret_fd)
{
        char name[PATH_MAX];
        int r;

        cache_disk_name(name, ".locks/%s", folder);
        r = cache_disk_folders(cache, name);
        if (r < 0)
                return r;
        cache_disk_name(name, ".locks/%s/%.*s.lock", folder, TEXT_PRINT(etag));
        r = cache_lock_take(cache, name, cache->system ? LOCK_MODE_SYSTEM : LOCK_MODE, ret_fd);
        if (r == CACHE_LOCK_NONE) {
                *ret_fd = -1;
                return 0;
        }
        return r;
}
