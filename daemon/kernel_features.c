#include "daemon/kernel_features.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/kernel_interface.h"
#include "proto/base/cleanup.h"

static bool try_peerpidfd(int fd)
{
        CLEANUP_FD int pidfd = -1;
        socklen_t size = sizeof(pidfd);

        return getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0;
}

static bool try_passrights(int fd)
{
        int off = 0;

        return setsockopt(fd, SOL_SOCKET, SO_PASSRIGHTS, &off, sizeof(off)) == 0;
}

static bool try_pidfdinfo(int fd)
{
        CLEANUP_FD int pidfd = (int)syscall(SYS_pidfd_open, getpid(), 0);
        KernelPidfdInfo info = { .mask = KERNEL_PIDFD_INFO_CGROUPID };

        (void)fd;
        return pidfd >= 0 && ioctl(pidfd, KERNEL_PIDFD_GET_INFO, &info) == 0 &&
               (info.mask & KERNEL_PIDFD_INFO_CGROUPID);
}

static const struct {
        const char *spelling;
        Text meaning;
        bool (*try)(int fd);
} features_table[] = {
        [KERNEL_FEATURE_PEERPIDFD] = { "peerpidfd", TEXT("SO_PEERPIDFD"), try_peerpidfd },
        [KERNEL_FEATURE_PASSRIGHTS] = { "passrights", TEXT("SO_PASSRIGHTS"), try_passrights },
        [KERNEL_FEATURE_PIDFDINFO] = { "pidfdinfo", TEXT("PIDFD_GET_INFO"), try_pidfdinfo },
};

/* Whether `list`, words between commas, has the word. */
static bool list_has(const char *list, const char *word)
{
        size_t size = strlen(word);

        while (list && *list) {
                size_t n = strcspn(list, ",");

                if (n == size && memcmp(list, word, n) == 0)
                        return true;
                list += n + (list[n] == ',');
        }
        return false;
}

void kernel_features_try(KernelFeatures *features, const char *without)
{
        CLEANUP_FD int mine = -1, other = -1;
        int pair[2];

        *features = (KernelFeatures){ 0 };
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0) {
                mine = pair[0];
                other = pair[1];
        }
        for (size_t i = 0; i < _KERNEL_FEATURE_MAX; i++) {
                features->there[i] = mine >= 0 && !list_has(without, features_table[i].spelling) &&
                                     features_table[i].try(mine);
                if (!features->there[i])
                        features->absent[features->n_absent++] = features_table[i].meaning;
        }
}
