/* Removing what killed fetches left. File thread only. */
#pragma once

#include "kernels/cache_private.h"

/* Right after the cache was taken: everything that this program puts into place
 * by rename and that is not there yet is nobody's. In a user's cache the
 * Hub's own client may be fetching: only blobs whose lock is free go. What
 * cannot be removed stays; 0, or negative without memory or descriptors. */
int cache_sweep(Cache *cache);
