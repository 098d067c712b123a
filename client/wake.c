#include "client/wake.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

int wake_open(Wake *wake)
{
        Wake fresh = WAKE_NULL;
        struct stat status;

        assert(!wake_is_open(wake));
        if (pipe2(fresh.fds, O_CLOEXEC | O_NONBLOCK) < 0)
                return -errno;
        if (fstat(fresh.fds[0], &status) < 0) {
                int r = -errno;

                (void)close(fresh.fds[0]);
                (void)close(fresh.fds[1]);
                return r;
        }
        fresh.device = status.st_dev;
        fresh.inode = status.st_ino;
        *wake = fresh;
        return 0;
}

void wake_close(Wake *wake)
{
        for (int i = 0; i < 2; ++i) {
                struct stat status;

                if (wake->fds[i] >= 0 && fstat(wake->fds[i], &status) == 0 && status.st_dev == wake->device &&
                    status.st_ino == wake->inode)
                        (void)close(wake->fds[i]);
        }
        *wake = WAKE_NULL;
}

void wake_set(Wake *wake)
{
        ssize_t n;

        if (wake->set || !wake_is_open(wake))
                return;
        do {
                n = write(wake->fds[1], "", 1);
        } while (n < 0 && errno == EINTR);
        wake->set = n == 1;
}

void wake_clear(Wake *wake)
{
        char byte;
        ssize_t n;

        if (!wake->set)
                return;
        do {
                n = read(wake->fds[0], &byte, 1);
        } while (n < 0 && errno == EINTR);
        wake->set = false;
}
