/* Preloaded by `fetch` into the daemon: nothing is synced, as curl syncs nothing,
 * so that the programs are compared and not the disk. */
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

PUBLIC int syncfs(int fd)
{
        (void)fd;
        return 0;
}

PUBLIC int fsync(int fd)
{
        (void)fd;
        return 0;
}

PUBLIC int fdatasync(int fd)
{
        (void)fd;
        return 0;
}
