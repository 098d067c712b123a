#include "tests/unit/kernels/cache_wrap.h"

/* The program is linked for the names of the 64-bit calls, which meson asks for. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static WrapKind strikes = WRAP_NOTHING;
static long left;
static int strikes_with;
static bool struck;
static void (*after_flock)(void);
static bool dirty, unsynced;

void wrap_set(WrapKind kind, long countdown, int error)
{
        strikes = kind;
        left = countdown;
        strikes_with = error;
        struck = false;
}

bool wrap_struck(void)
{
        return struck;
}

void wrap_after_flock(void (*act)(void))
{
        after_flock = act;
}

bool wrap_unsynced(void)
{
        return unsynced;
}

/* False: the call fails. */
static bool pass(void)
{
        if (strikes == WRAP_NOTHING || left-- != 0)
                return true;
        struck = true;
        if (strikes == WRAP_KILL)
                _exit(WRAP_KILLED);
        errno = strikes_with;
        return false;
}

#define WRAPPED(name, parameters, arguments)             \
        int __real_##name parameters;                    \
        int __wrap_##name parameters;                    \
        int __wrap_##name parameters                     \
        {                                                \
                return pass() ? __real_##name arguments : -1; \
        }

WRAPPED(fchmod, (int fd, mode_t mode), (fd, mode))
WRAPPED(fchmodat, (int at, const char *name, mode_t mode, int flags), (at, name, mode, flags))
WRAPPED(mkdirat, (int at, const char *name, mode_t mode), (at, name, mode))
WRAPPED(ftruncate64, (int fd, off_t size), (fd, size))

/* Giving back is what must not fail; the other two only cost time here. */
int __real_unlinkat(int at, const char *name, int flags);
int __wrap_unlinkat(int at, const char *name, int flags);
int __wrap_unlinkat(int at, const char *name, int flags)
{
        if (strikes == WRAP_KILL)
                (void)pass();
        return __real_unlinkat(at, name, flags);
}

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
        return pass() ? 0 : -1;
}

int __wrap_syncfs(int fd);
int __wrap_syncfs(int fd)
{
        if (!pass())
                return -1;
        dirty = false;
        return 0;
}

int __real_symlinkat(const char *target, int at, const char *name);
int __wrap_symlinkat(const char *target, int at, const char *name);
int __wrap_symlinkat(const char *target, int at, const char *name)
{
        dirty = true;
        return pass() ? __real_symlinkat(target, at, name) : -1;
}

ssize_t __real_pwrite64(int fd, const void *bytes, size_t n, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t offset);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t n, off_t offset)
{
        dirty = true;
        return pass() ? __real_pwrite64(fd, bytes, n, offset) : -1;
}

int __real_renameat(int from_at, const char *from, int to_at, const char *to);
int __wrap_renameat(int from_at, const char *from, int to_at, const char *to);
int __wrap_renameat(int from_at, const char *from, int to_at, const char *to)
{
        if (dirty && (strstr(to, "/blobs/") || strncmp(from, ".build.", 7) == 0))
                unsynced = true;
        return pass() ? __real_renameat(from_at, from, to_at, to) : -1;
}

int __real_openat64(int at, const char *name, int flags, ...);
int __wrap_openat64(int at, const char *name, int flags, ...);
int __wrap_openat64(int at, const char *name, int flags, ...)
{
        mode_t mode = 0;
        va_list arguments;

        if (!(flags & O_CREAT))
                return __real_openat64(at, name, flags);
        va_start(arguments, flags);
        mode = va_arg(arguments, mode_t);
        va_end(arguments);
        return pass() ? __real_openat64(at, name, flags, mode) : -1;
}

int __real_flock(int fd, int operation);
int __wrap_flock(int fd, int operation);
int __wrap_flock(int fd, int operation)
{
        int r = __real_flock(fd, operation);
        void (*act)(void) = after_flock;

        if (r == 0 && act) {
                after_flock = NULL;
                act();
        }
        return r;
}
