#include "daemon/identity.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/kernel_interface.h"
#include "proto/base/cleanup.h"

int identity_read(int fd, Identity *ret_identity)
{
        struct ucred credentials;
        socklen_t size = sizeof(credentials);

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0 || size != sizeof(credentials))
                return 1;
        if (credentials.uid == (uid_t)-1)
                return 1;
        *ret_identity = (Identity){ .pid = credentials.pid, .uid = credentials.uid };
        return 0;
}

/* -1 where the kernel has no such thing or the process was reaped already. */
static int identity_pidfd(int fd, const KernelFeatures *features)
{
        int pidfd = -1;
        socklen_t size = sizeof(pidfd);

        if (!features->there[KERNEL_FEATURE_PEERPIDFD] ||
            getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) < 0)
                return -1;
        return pidfd;
}

/* A pidfd turns readable when its process ends. */
static bool pidfd_ended(int pidfd)
{
        struct pollfd poll_entry = { .fd = pidfd, .events = POLLIN };

        return poll(&poll_entry, 1, 0) != 0;
}

/* The path of the unified hierarchy: the line that begins with "0::". */
static int cgroup_of_text(char *text, size_t size, char storage[IDENTITY_CGROUP_MAX], Text *ret_cgroup)
{
        char *line = text;
        size_t n;

        text[size] = 0;
        if (strncmp(line, "0::", 3) != 0) {
                line = strstr(text, "\n0::");
                if (!line)
                        return 1;
                line++;
        }
        line += 3;
        n = strcspn(line, "\n");
        if (!line[n] || n >= IDENTITY_CGROUP_MAX)
                return 1;
        memcpy(storage, line, n);
        *ret_cgroup = (Text){ storage, n };
        return 0;
}

static int cgroup_of_pid(pid_t pid, char storage[IDENTITY_CGROUP_MAX], Text *ret_cgroup)
{
        CLEANUP_FD int fd = -1;
        char path[64], text[4096];
        ssize_t n;

        (void)snprintf(path, sizeof(path), "/proc/%d/cgroup", pid);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 1;
        n = read(fd, text, sizeof(text) - 1);
        return n > 0 ? cgroup_of_text(text, (size_t)n, storage, ret_cgroup) : 1;
}

int identity_cgroup(int fd, const Identity *identity, const KernelFeatures *features,
                    char storage[IDENTITY_CGROUP_MAX], Text *ret_cgroup)
{
        CLEANUP_FD int pidfd = identity_pidfd(fd, features);
        KernelPidfdInfo info = { .mask = KERNEL_PIDFD_INFO_CGROUPID };
        Text cgroup;
        int n;

        if (features->there[KERNEL_FEATURE_PEERPIDFD] && pidfd < 0)
                return 1;
        if (pidfd >= 0 && features->there[KERNEL_FEATURE_PIDFDINFO]) {
                if (ioctl(pidfd, KERNEL_PIDFD_GET_INFO, &info) < 0 || !(info.mask & KERNEL_PIDFD_INFO_CGROUPID))
                        return 1;
                n = snprintf(storage, IDENTITY_CGROUP_MAX, "#%llu", (unsigned long long)info.cgroupid);
                *ret_cgroup = (Text){ storage, (size_t)n };
                return 0;
        }
        if (cgroup_of_pid(identity->pid, storage, &cgroup) != 0 || (pidfd >= 0 && pidfd_ended(pidfd)))
                return 1;
        *ret_cgroup = cgroup;
        return 0;
}
