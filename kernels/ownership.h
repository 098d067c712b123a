/* Who may have written what we are about to trust (design, section 4, "Local
 * repositories"): everything on the way must belong to root or to the daemon's
 * uid and not be writable for others, nor for a group other than its owner's
 * primary one.
 *
 * A sticky folder counts as not writable where it is only gone through: others
 * can add to it, but not replace the name that is asked for. Where whatever lies
 * in a folder counts (a repository's `build`, a variant's folder and all below
 * it, whose files a process imports by names that it chooses later), sticky is
 * no excuse.
 *
 * Paths are gone through component by component, links read by us, because the
 * folder that a link lies in and the folders that it leads through all decide
 * what is found in the end. Blocks (files, user database): file thread only. */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "proto/base/text.h"
#include "proto/fault.h"

typedef struct Ownership {
        uid_t owner;        /* the daemon's */
        bool any;           /* ask nothing: for tools and tests */
        gid_t group[2];     /* primary groups of root and of the owner, once looked up */
        bool known[2];
} Ownership;

#define OWNERSHIP_OF(uid) ((Ownership){ .owner = (uid) })
#define OWNERSHIP_ANY ((Ownership){ .any = true })

/* Judges one file or folder, named `what` in the message; name NULL: `fd` is it
 * (O_PATH will do), else it is no link and lies in the folder `fd`. Sticky is no
 * excuse. 0, or 1 with FAULT_UNTRUSTED. */
int ownership_check(Ownership *ownership, const struct stat *stat, int fd, const char *name, const char *what,
                    Fault *fault);

/* Opens `path` with O_PATH, from `from` (AT_FDCWD for an absolute path),
 * following links (at most 40, the kernel's own number) and judging every
 * folder that is gone through and what is found in the end. 0 with the
 * descriptor and its stat; 1 with FAULT_UNTRUSTED or FAULT_NO_REPOSITORY;
 * negative. */
int ownership_open(Ownership *ownership, int from, const char *path, int *ret_fd, struct stat *ret_stat, Fault *fault);

/* As ownership_open, and what is found in the end is judged like one in which
 * whatever lies counts. */
int ownership_open_whole(Ownership *ownership, int from, const char *path, int *ret_fd, struct stat *ret_stat,
                         Fault *fault);

/* Opens again for reading what ownership_open found. */
int ownership_reopen(int path_fd, int flags, int *ret_fd);
