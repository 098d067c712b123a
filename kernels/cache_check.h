/* Whether a folder is fit to be a cache: on a file system of this host, with
 * links and flock, written to by nobody else. File thread only. */
#pragma once

#include "kernels/cache_private.h"

/* The kind of network file system that statfs's f_type names; NULL: none. */
const char *cache_check_network(long type);

/* Tries to make a link in the folder: 0; 1: the file system has none; -errno. */
int cache_check_links(int fd, uint32_t serial);

/* Judges the opened folder. 0, a user's with a warning where there is doubt; 1
 * with the fault that a system's is refused with, or where nothing can be
 * written; negative. */
int cache_check(Cache *cache, uid_t owner, Fault *fault);

/* One doubt: 1 with the fault for a system's cache, else 0 and a warning. */
int cache_check_doubt(Cache *cache, FaultName name, const char *reason, const char *advice, Fault *fault);
