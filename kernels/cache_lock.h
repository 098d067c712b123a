/* Locks as the Hub's own client takes them: flock on a file that may vanish
 * with its holder's release, so that whoever gets one looks whether the file is
 * still the one of that name. Never waits. File thread only. */
#pragma once

#include <sys/types.h>

#include "kernels/cache_private.h"

enum {
        CACHE_LOCK_BUSY = 1, /* somebody else holds it */
        CACHE_LOCK_NONE = 2, /* the file system has no flock */
};

/* Takes the lock on the file `name`, which is made with this mode, whatever the
 * umask, if it is missing. 0 with the descriptor, whose closing releases it; one
 * of the two above; -errno. */
int cache_lock_take(const Cache *cache, const char *name, mode_t mode, int *ret_fd);

/* Takes .locks/<folder>/<etag>.lock, making the folders. As above, but where
 * there is no flock 0 with the descriptor -1. */
int cache_lock_blob(const Cache *cache, const char *folder, Text etag, int *ret_fd);
