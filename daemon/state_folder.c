#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/state.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* With the folders above it. 0; negative errno. */
static int make_folders(const char *path)
{
        CLEANUP_ALLOC char *copy = alloc_text(path, strlen(path));

        if (!copy)
                return error_trace(-ENOMEM);
        for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                if (mkdir(copy, 0700) < 0 && errno != EEXIST)
                        return -errno;
                *slash = '/';
        }
        return mkdir(copy, 0700) < 0 && errno != EEXIST ? -errno : 0;
}

int state_take_folder(const char *path, int *ret_fd, Fault *fault)
{
        CLEANUP_FD int fd = -1;
        struct stat st;
        int r = make_folders(path);

        if (r == -ENOMEM)
                return r;
        fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                *ret_fd = -1;
                return 0;
        }
        if (fstat(fd, &st) < 0)
                return error_trace(-errno);
        if (st.st_uid != geteuid() || (st.st_mode & 022))
                return fault_set(fault, FAULT_UNTRUSTED, "%s holds what decides which code runs: it must belong to uid %u "
                                 "and be writable for nobody else, or name another folder by state_dir", path, geteuid());
        if (flock(fd, LOCK_EX | LOCK_NB) < 0)
                return fault_set(fault, FAULT_BUSY, "another kernelsd has %s: end that one, or name another folder by "
                                 "state_dir", path);
        *ret_fd = STEAL_FD(fd);
        return 0;
}
