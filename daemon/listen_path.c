#include "daemon/listen_path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* The lock is held for a few system calls; two seconds without
 * getting it mean that somebody keeps it. */
#define LOCK_TRIES 200
#define LOCK_WAIT_MS 10

static int address_of(const char *path, struct sockaddr_un *ret_address, Fault *fault)
{
        size_t size = strlen(path);

        *ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
        if (size >= sizeof(ret_address->sun_path))
                return fault_set(fault, FAULT_BAD_REQUEST,
                                 "the path %s is too long for a socket, which takes %zu bytes: name a shorter one", path,
                                 sizeof(ret_address->sun_path) - 1);
        memcpy(ret_address->sun_path, path, size);
        return 0;
}

/* Nobody else may open it, so nobody else can keep it locked: the folder itself
 * can be locked by whoever can read it. */
static int lock_check(int fd, const char *path, Fault *fault)
{
        struct stat stat;

        if (fstat(fd, &stat) < 0)
                return error_trace(-errno);
        if (S_ISREG(stat.st_mode) && stat.st_uid == geteuid() && !(stat.st_mode & 077))
                return 0;
        return fault_set(fault, FAULT_BAD_REQUEST, "%s is no file that is uid %u's alone (mode 0600): remove it", path,
                         (unsigned)geteuid());
}

static int lock_open(const char *path, int *ret_fd, Fault *fault)
{
        CLEANUP_FD int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
        int r;

        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
                return error_trace(-errno);
        if (fd < 0)
                return fault_set(fault, FAULT_BAD_REQUEST,
                                 "%s cannot be opened: %s; see that its folder is there and writable, and that the file "
                                 "is the daemon's own", path, strerror(errno));
        r = lock_check(fd, path, fault);
        if (r == 0)
                *ret_fd = STEAL_FD(fd);
        return r;
}

/* Takes the lock of a socket's path, so that looking, removing and binding are
 * one act. Its file stays: removing it would let two hold a lock each. */
static int path_lock(const char *socket_path, int *ret_fd, Fault *fault)
{
        char path[sizeof(((struct sockaddr_un *)NULL)->sun_path) + sizeof(".lock")];
        CLEANUP_FD int fd = -1;
        int r;

        (void)snprintf(path, sizeof(path), "%s.lock", socket_path);
        r = lock_open(path, &fd, fault);
        if (r != 0)
                return r;
        for (size_t i = 0; flock(fd, LOCK_EX | LOCK_NB) < 0; i++) {
                struct timespec pause = { .tv_nsec = LOCK_WAIT_MS * 1000000 };

                if (errno != EWOULDBLOCK && errno != EINTR)
                        return fault_set(fault, FAULT_BAD_REQUEST, "%s cannot be locked: %s", path, strerror(errno));
                if (i == LOCK_TRIES)
                        return fault_set(fault, FAULT_BUSY, "another process keeps %s locked: end that process", path);
                (void)nanosleep(&pause, NULL);
        }
        *ret_fd = STEAL_FD(fd);
        return 0;
}

/* A backlog that is full (EAGAIN) has a listener too. */
static bool somebody_listens(const struct sockaddr_un *address)
{
        CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        if (fd < 0)
                return true;
        return connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0 || errno == EAGAIN ||
               errno == EACCES || errno == EPERM;
}

/* Makes way for bind: removes a socket that nobody listens at. */
static int path_clear(const struct sockaddr_un *address, Fault *fault)
{
        struct stat stat;

        if (lstat(address->sun_path, &stat) < 0)
                return errno == ENOENT ? 0
                                       : fault_set(fault, FAULT_BAD_REQUEST, "%s cannot be looked at: %s",
                                                   address->sun_path, strerror(errno));
        if (!S_ISSOCK(stat.st_mode))
                return fault_set(fault, FAULT_BAD_REQUEST, "%s is there and is no socket: remove it, or name another path",
                                 address->sun_path);
        if (somebody_listens(address))
                return fault_set(fault, FAULT_BUSY,
                                 "another process listens at %s: stop it, or name another path with --socket",
                                 address->sun_path);
        if (unlink(address->sun_path) < 0)
                return fault_set(fault, FAULT_BAD_REQUEST, "the stale socket %s cannot be removed: %s",
                                 address->sun_path, strerror(errno));
        return 0;
}

/* Permissions are set before listen, until which nobody can connect. */
static int socket_bind(int fd, const struct sockaddr_un *address, mode_t mode, struct stat *ret_stat, Fault *fault)
{
        if (bind(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 ||
            chmod(address->sun_path, mode) < 0 || lstat(address->sun_path, ret_stat) < 0 || listen(fd, SOMAXCONN) < 0)
                return fault_set(fault, FAULT_BAD_REQUEST, "cannot listen at %s: %s", address->sun_path,
                                 strerror(errno));
        return 0;
}

int listen_path_open(ListenPath *listen_path, const char *path, mode_t mode, Fault *fault)
{
        CLEANUP_FD int lock = -1, fd = -1;
        CLEANUP_ALLOC char *copy = alloc_text(path, strlen(path));
        struct sockaddr_un address;
        struct stat stat;
        int r;

        if (!copy)
                return error_trace(-ENOMEM);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (fd < 0)
                return error_trace(-errno);
        r = address_of(path, &address, fault);
        if (r == 0)
                r = path_lock(path, &lock, fault);
        if (r == 0)
                r = path_clear(&address, fault);
        if (r == 0)
                r = socket_bind(fd, &address, mode, &stat, fault);
        if (r != 0)
                return r;
        *listen_path = (ListenPath){ .path = STEAL(copy), .fd = STEAL_FD(fd), .device = stat.st_dev, .inode = stat.st_ino };
        return 0;
}

void listen_path_deinit(ListenPath *listen_path)
{
        CLEANUP_FD int lock = -1;
        Fault fault;
        struct stat stat;

        if (listen_path->path && path_lock(listen_path->path, &lock, &fault) == 0 &&
            lstat(listen_path->path, &stat) == 0 && stat.st_dev == listen_path->device &&
            stat.st_ino == listen_path->inode)
                (void)unlink(listen_path->path);
        if (listen_path->fd >= 0)
                (void)close(listen_path->fd);
        alloc_free(listen_path->path);
        *listen_path = LISTEN_PATH_NULL;
}
