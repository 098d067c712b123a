#include "kernels/store_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/base/cleanup.h"

static void new_name(const char *name, char made[NAME_MAX + 1])
{
        (void)snprintf(made, NAME_MAX + 1, "%s.new", name);
}

static int write_all(int fd, Text bytes)
{
        while (bytes.size) {
                ssize_t n = write(fd, bytes.data, bytes.size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                bytes = (Text){ bytes.data + n, bytes.size - (size_t)n };
        }
        return 0;
}

int store_file_prepare(int folder_fd, const char *name, Text bytes)
{
        char made[NAME_MAX + 1];
        CLEANUP_FD int fd = -1;
        int r;

        new_name(name, made);
        fd = openat(folder_fd, made, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0)
                return -errno;
        r = write_all(fd, bytes);
        return r < 0 ? r : fsync(fd) < 0 ? -errno : 0;
}

int store_file_place(int folder_fd, const char *name)
{
        char made[NAME_MAX + 1];

        new_name(name, made);
        return renameat(folder_fd, made, folder_fd, name) < 0 || fsync(folder_fd) < 0 ? -errno : 0;
}
