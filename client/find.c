#include "client/find.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/failure.h"
#include "proto/base/cleanup.h"

/* What was tried, for the sentence of the failure. */
typedef struct FindRecord {
        char text[768];
        size_t used;
        int code; /* the most telling so far */
} FindRecord;

FindPlaces find_places(const char *named)
{
        const char *runtime = secure_getenv("XDG_RUNTIME_DIR");

        if (!named)
                named = secure_getenv("KERNELSD_SOCKET");
        return (FindPlaces){
                .named = named && *named ? named : NULL,
                .runtime = runtime && *runtime == '/' ? runtime : NULL,
                .run_user = "/run/user",
                .temporary = "/tmp",
                .system_folder = "/run/kernelsd",
                .uid = geteuid(),
        };
}

int find_check_folder(const char *folder, uid_t uid, char *reason, size_t size)
{
        struct stat status;

        if (lstat(folder, &status) < 0)
                return -errno;
        if (!S_ISDIR(status.st_mode)) {
                (void)snprintf(reason, size, "%s is %s: remove it", folder,
                               S_ISLNK(status.st_mode) ? "a link" : "no directory");
                return -EACCES;
        }
        if (status.st_uid != uid) {
                (void)snprintf(reason, size, "%s belongs to uid %lu: remove it", folder,
                               (unsigned long)status.st_uid);
                return -EACCES;
        }
        if (status.st_mode & 077) {
                (void)snprintf(reason, size, "%s is open to others: chmod 700 it", folder);
                return -EACCES;
        }
        return 0;
}

int find_check_server(uid_t server, const FindPlaces *places)
{
        struct stat status;

        if (server == 0 || server == places->uid)
                return 0;
        if (lstat(places->system_folder, &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == server)
                return 0;
        return -EACCES;
}

static void record_add(FindRecord *record, int code, const char *path, const char *reason)
{
        int n;

        if (!record->code || code != -ENOENT)
                record->code = code;
        n = snprintf(record->text + record->used, sizeof(record->text) - record->used, "%s%s (%s)",
                     record->used ? ", " : "", path, reason);
        if (n > 0 && (size_t)n < sizeof(record->text) - record->used)
                record->used += (size_t)n;
        else
                record->text[record->used] = 0;
}

static const char *connect_reason(int code)
{
        switch (code) {
        case -ENOENT:
        case -ENOTDIR:
                return "not there";
        case -ECONNREFUSED:
                return "nobody listens: left behind by a kernelsd that is gone";
        case -EACCES:
        case -EPERM:
                return "permission denied";
        case -EAGAIN:
                return "too many wait to be let in: try again";
        case -ENAMETOOLONG:
                return "longer than the 107 bytes that a socket's path may have: use a shorter one";
        default:
                return strerrordesc_np(-code);
        }
}

/* A Unix socket connects at once, or, with the listener's queue full, after
 * SO_SNDTIMEO; with O_NONBLOCK it would fail with EAGAIN and could not be
 * polled for. */
static int socket_connect(const char *path, int wait_ms, int *ret_fd)
{
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        struct timeval wait = { wait_ms / 1000, wait_ms % 1000 * 1000 };
        CLEANUP_FD int fd = -1;
        size_t size = strlen(path);

        if (size >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        memcpy(address.sun_path, path, size + 1);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | (wait_ms > 0 ? 0 : SOCK_NONBLOCK), 0);
        if (fd < 0)
                return -errno;
        if (wait_ms > 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait)) < 0)
                return -errno;
        if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
                return -errno;
        if (fcntl(fd, F_SETFL, O_NONBLOCK) < 0)
                return -errno;
        *ret_fd = STEAL_FD(fd);
        return 0;
}

static int socket_server(int fd, uid_t *ret_uid)
{
        struct ucred server;
        socklen_t size = sizeof(server);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &server, &size) < 0)
                return -errno;
        *ret_uid = server.uid;
        return 0;
}

static int find_try(const FindPlaces *places, const char *path, int wait_ms, FindRecord *record, int *ret_fd)
{
        CLEANUP_FD int fd = -1;
        char reason[128];
        uid_t server = 0;
        int r;

        r = socket_connect(path, wait_ms, &fd);
        if (!r)
                r = socket_server(fd, &server);
        if (r < 0) {
                record_add(record, r, path, connect_reason(r));
                return r;
        }
        r = find_check_server(server, places);
        if (r < 0) {
                (void)snprintf(reason, sizeof(reason),
                               "its server has uid %lu, which is neither root's, nor yours, nor the owner of %s",
                               (unsigned long)server, places->system_folder);
                record_add(record, r, path, reason);
                return r;
        }
        *ret_fd = STEAL_FD(fd);
        return 0;
}

/* $XDG_RUNTIME_DIR/kernelsd, else /run/user/<uid>/kernelsd, else /tmp/kernelsd-<uid>. */
static int find_user_folder(const FindPlaces *places, char *ret_folder, size_t size)
{
        struct stat status;
        int n;

        if (places->runtime)
                return snprintf(ret_folder, size, "%s/kernelsd", places->runtime);
        n = snprintf(ret_folder, size, "%s/%lu", places->run_user, (unsigned long)places->uid);
        if (n > 0 && (size_t)n < size && stat(ret_folder, &status) == 0 && S_ISDIR(status.st_mode))
                return snprintf(ret_folder, size, "%s/%lu/kernelsd", places->run_user, (unsigned long)places->uid);
        return snprintf(ret_folder, size, "%s/kernelsd-%lu", places->temporary, (unsigned long)places->uid);
}

static int find_try_user(const FindPlaces *places, int wait_ms, FindRecord *record, int *ret_fd)
{
        char folder[SOCKET_PATH_MAX], path[SOCKET_PATH_MAX + 16], reason[256];
        int r, n;

        n = find_user_folder(places, folder, sizeof(folder));
        if (n < 0 || (size_t)n >= sizeof(folder)) {
                record_add(record, -ENAMETOOLONG, places->runtime ? places->runtime : places->temporary,
                           connect_reason(-ENAMETOOLONG));
                return -ENAMETOOLONG;
        }
        (void)snprintf(path, sizeof(path), "%s/kernelsd.sock", folder);
        r = find_check_folder(folder, places->uid, reason, sizeof(reason));
        if (r < 0) {
                record_add(record, r, path, r == -EACCES ? reason : connect_reason(r));
                return r;
        }
        return find_try(places, path, wait_ms, record, ret_fd);
}

static int find_failed(const FindPlaces *places, const FindRecord *record, kd_error *error)
{
        if (places->named)
                return failure_unreachable(error, record->code,
                                           "no kernelsd can be used at %s: start it, or correct KERNELSD_SOCKET or "
                                           "the socket that this program was given",
                                           record->text);
        return failure_unreachable(error, record->code,
                                   "no kernelsd can be used; looked at %s: start one with `systemctl --user start "
                                   "kernelsd.socket` or run `kernelsd`",
                                   record->text);
}

int find_connect(const FindPlaces *places, int wait_ms, int *ret_fd, kd_error *error)
{
        FindRecord record = { .used = 0 };
        char system[SOCKET_PATH_MAX + 16];

        if (places->named) {
                if (find_try(places, places->named, wait_ms, &record, ret_fd) == 0)
                        return 0;
                return find_failed(places, &record, error);
        }
        if (find_try_user(places, wait_ms, &record, ret_fd) == 0)
                return 0;
        (void)snprintf(system, sizeof(system), "%s/kernelsd.sock", places->system_folder);
        if (find_try(places, system, wait_ms, &record, ret_fd) == 0)
                return 0;
        return find_failed(places, &record, error);
}
