#include "kernels/ownership.h"

#include <fcntl.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "proto/base/alloc.h"
#include "proto/base/cleanup.h"
#include "proto/base/error.h"

#define LINKS_MAX 40 /* MAXSYMLINKS of the kernel, so that we refuse what it would */

/* --- judging one thing --- */

/* The user database may be a network away: asked once for each of the two. */
static bool primary_group(Ownership *ownership, uid_t uid, gid_t *ret_gid)
{
        size_t slot = uid == 0 ? 0 : 1;
        struct passwd entry, *found = NULL;
        char buffer[4096];

        if (!ownership->known[slot]) {
                ownership->known[slot] = true;
                ownership->group[slot] = (gid_t)-1; /* no such user: no group is his */
                if (getpwuid_r(uid, &entry, buffer, sizeof(buffer), &found) == 0 && found)
                        ownership->group[slot] = entry.pw_gid;
        }
        *ret_gid = ownership->group[slot];
        return *ret_gid != (gid_t)-1;
}

static bool is_trusted_uid(const Ownership *ownership, uid_t uid)
{
        return uid == 0 || uid == ownership->owner;
}

static int refuse_owner(const Ownership *ownership, uid_t uid, const char *what, Fault *fault)
{
        return fault_set(fault, FAULT_UNTRUSTED, "%s belongs to uid %u; it must belong to root%s", what, (unsigned)uid,
                         ownership->owner ? " or to the daemon's user" : "");
}

/* With an access control list the group's bits of the mode are a mask over
 * what the list gives to anybody. */
static bool has_access_list(int fd, const char *name)
{
        char path[NAME_MAX + 64];

        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d%s%s", fd, name ? "/" : "", name ? name : "");
        return getxattr(path, "system.posix_acl_access", NULL, 0) > 0;
}

static int check_group(Ownership *ownership, const struct stat *stat, int fd, const char *name, const char *what,
                       Fault *fault)
{
        gid_t group;

        if (!primary_group(ownership, stat->st_uid, &group) || group != stat->st_gid)
                return fault_set(fault, FAULT_UNTRUSTED,
                                 "%s is writable for group %u, which is not its owner's own; run chmod g-w on it", what,
                                 (unsigned)stat->st_gid);
        if (has_access_list(fd, name))
                return fault_set(fault, FAULT_UNTRUSTED,
                                 "%s has an access control list that lets others write; run chmod g-w on it", what);
        return 0;
}

/* What needs no question and no name for a message. */
static bool is_plainly_good(const Ownership *ownership, const struct stat *stat)
{
        return ownership->any || (is_trusted_uid(ownership, stat->st_uid) && !(stat->st_mode & (S_IWGRP | S_IWOTH)));
}

int ownership_check(Ownership *ownership, const struct stat *stat, int fd, const char *name, const char *what,
                    Fault *fault)
{
        if (is_plainly_good(ownership, stat))
                return 0;
        if (!is_trusted_uid(ownership, stat->st_uid))
                return refuse_owner(ownership, stat->st_uid, what, fault);
        if (stat->st_mode & S_IWOTH)
                return fault_set(fault, FAULT_UNTRUSTED, "%s is writable for everybody; run chmod o-w on it", what);
        return stat->st_mode & S_IWGRP ? check_group(ownership, stat, fd, name, what, fault) : 0;
}

/* --- going through a path --- */

/* What is still to be gone through, and from where. */
typedef struct Walk {
        Ownership *ownership;
        int fd;                    /* O_PATH; what was reached */
        struct stat stat;
        unsigned n_links;
        char rest[2 * PATH_MAX];
        const char *asked;         /* for messages */
} Walk;

/* The path by which the kernel knows an open file, for messages. */
static void describe(int fd, char *buffer, size_t size)
{
        char link[64];
        ssize_t n;

        (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = readlink(link, buffer, size - 1);
        (void)snprintf(buffer + (n > 0 ? n : 0), size - (size_t)(n > 0 ? n : 0), "%s", n > 0 ? "" : "a folder");
}

static int refuse_path(const Walk *walk, const char *component, int error, Fault *fault)
{
        char folder[PATH_MAX];

        describe(walk->fd, folder, sizeof(folder));
        switch (error) {
        case ENOENT:
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s: there is no \"%s\" in %s", walk->asked, component, folder);
        case ENOTDIR:
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s: %s is no folder", walk->asked, folder);
        case ELOOP:
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s leads through more than %d links", walk->asked, LINKS_MAX);
        case EACCES:
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s: the daemon may not look into %s", walk->asked, folder);
        case ENAMETOOLONG:
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s: the path is too long", walk->asked);
        default:
                return fault_set(fault, FAULT_NO_REPOSITORY, "%s: \"%s\" in %s: %s", walk->asked, component, folder,
                                 strerrordesc_np(error));
        }
}

static int walk_judge_whole(const Walk *walk, Fault *fault)
{
        char path[PATH_MAX];

        if (is_plainly_good(walk->ownership, &walk->stat))
                return 0;
        describe(walk->fd, path, sizeof(path));
        return ownership_check(walk->ownership, &walk->stat, walk->fd, NULL, path, fault);
}

/* In a sticky folder others cannot replace what is there. */
static int walk_judge(const Walk *walk, Fault *fault)
{
        if (S_ISDIR(walk->stat.st_mode) && (walk->stat.st_mode & S_ISVTX) &&
            is_trusted_uid(walk->ownership, walk->stat.st_uid))
                return 0;
        return walk_judge_whole(walk, fault);
}

/* Replaces what was reached. */
static void walk_move(Walk *walk, int fd, const struct stat *stat)
{
        if (walk->fd >= 0)
                (void)close(walk->fd);
        walk->fd = fd;
        walk->stat = *stat;
}

/* To where a path begins. */
static int walk_start(Walk *walk, int from, const char *folder)
{
        CLEANUP_FD int fd = openat(from, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
        struct stat stat;

        if (fd < 0 || fstat(fd, &stat) < 0)
                return error_trace(-errno);
        walk_move(walk, STEAL_FD(fd), &stat);
        return 0;
}

static int walk_to_root(Walk *walk, Fault *fault)
{
        int r = walk_start(walk, AT_FDCWD, "/");

        return r ? r : walk_judge(walk, fault);
}

/* Takes the first component off `rest`; an empty one at the end. */
static int take_component(Walk *walk, char component[NAME_MAX + 1])
{
        const char *start = walk->rest + strspn(walk->rest, "/");
        size_t n = strcspn(start, "/");

        if (n > NAME_MAX)
                return -ENAMETOOLONG;
        memcpy(component, start, n);
        component[n] = 0;
        memmove(walk->rest, start + n, strlen(start + n) + 1);
        return 0;
}

/* Puts a link's target before what is still to be gone through. */
static int walk_link(Walk *walk, int link_fd, const char *component, Fault *fault)
{
        char target[PATH_MAX], rest[sizeof(walk->rest)];
        ssize_t n;

        if (++walk->n_links > LINKS_MAX)
                return refuse_path(walk, component, ELOOP, fault);
        n = readlinkat(link_fd, "", target, sizeof(target) - 1);
        if (n < 0)
                return error_trace(-errno);
        target[n] = 0;
        if ((size_t)snprintf(rest, sizeof(rest), "%s/%s", target, walk->rest) >= sizeof(rest))
                return refuse_path(walk, component, ENAMETOOLONG, fault);
        memcpy(walk->rest, rest, sizeof(rest));
        return target[0] == '/' ? walk_to_root(walk, fault) : 0;
}

/* Whoever owns a link decides where it leads. */
static int check_link(const Walk *walk, const struct stat *stat, const char *component, Fault *fault)
{
        char what[PATH_MAX + NAME_MAX + 32], folder[PATH_MAX];

        if (walk->ownership->any || is_trusted_uid(walk->ownership, stat->st_uid))
                return 0;
        describe(walk->fd, folder, sizeof(folder));
        (void)snprintf(what, sizeof(what), "the link %s/%s", folder, component);
        return refuse_owner(walk->ownership, stat->st_uid, what, fault);
}

static int walk_component(Walk *walk, const char *component, Fault *fault)
{
        CLEANUP_FD int fd = -1;
        struct stat stat;
        int r;

        /* With O_DIRECTORY first: only so is an automount mounted. */
        fd = openat(walk->fd, component, O_PATH | O_NOFOLLOW | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0 && errno == ENOTDIR)
                fd = openat(walk->fd, component, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (fd < 0) {
                if (errno == EMFILE || errno == ENFILE || errno == ENOMEM)
                        return error_trace(-errno);
                return refuse_path(walk, component, errno, fault);
        }
        if (fstat(fd, &stat) < 0)
                return error_trace(-errno);
        if (S_ISLNK(stat.st_mode)) {
                r = check_link(walk, &stat, component, fault);
                return r ? r : walk_link(walk, fd, component, fault);
        }
        walk_move(walk, STEAL_FD(fd), &stat);
        return walk_judge(walk, fault);
}

static int walk_all(Walk *walk, Fault *fault)
{
        char component[NAME_MAX + 1];
        int r;

        for (;;) {
                if (take_component(walk, component) < 0)
                        return refuse_path(walk, "…", ENAMETOOLONG, fault);
                if (!component[0])
                        return 0;
                if (strcmp(component, ".") == 0)
                        continue;
                r = walk_component(walk, component, fault);
                if (r)
                        return r;
        }
}

static int walk_begin(Walk *walk, int from, const char *path, Fault *fault)
{
        if (strlen(path) >= PATH_MAX)
                return fault_set(fault, FAULT_NO_REPOSITORY, "the path is too long");
        memcpy(walk->rest, path, strlen(path) + 1);
        if (path[0] == '/')
                return walk_to_root(walk, fault);
        return walk_start(walk, from, ".");
}

static int open_judged(Ownership *ownership, int from, const char *path, bool whole, int *ret_fd, struct stat *ret_stat,
                       Fault *fault)
{
        CLEANUP_ALLOC Walk *walk = alloc_zeroed(1, sizeof(*walk)); /* too large for a thread's stack, twice over */
        int r;

        if (!walk)
                return error_trace(-ENOMEM);
        walk->ownership = ownership;
        walk->fd = -1;
        walk->asked = path;
        r = walk_begin(walk, from, path, fault);
        if (!r)
                r = walk_all(walk, fault);
        if (!r && whole)
                r = walk_judge_whole(walk, fault);
        if (r) {
                fd_closep(&walk->fd);
                return error_trace(r);
        }
        *ret_fd = walk->fd;
        if (ret_stat)
                *ret_stat = walk->stat;
        return 0;
}

int ownership_open(Ownership *ownership, int from, const char *path, int *ret_fd, struct stat *ret_stat, Fault *fault)
{
        return open_judged(ownership, from, path, false, ret_fd, ret_stat, fault);
}

int ownership_open_whole(Ownership *ownership, int from, const char *path, int *ret_fd, struct stat *ret_stat,
                         Fault *fault)
{
        return open_judged(ownership, from, path, true, ret_fd, ret_stat, fault);
}

int ownership_reopen(int path_fd, int flags, int *ret_fd)
{
        char path[64];
        int fd;

        /* openat(fd, "") does not exist; this is the kernel's own way for O_PATH descriptors. */
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", path_fd);
        fd = open(path, flags | O_CLOEXEC);
        if (fd < 0)
                return error_trace(-errno);
        *ret_fd = fd;
        return 0;
}
