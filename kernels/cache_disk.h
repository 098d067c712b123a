/* What the files of kernels/cache* do to the disk, below the cache's folder.
 * Answers are 0 or -errno, untraced, since most of them are told to the asker
 * as faults (cache_disk_fault). File thread only. */
#pragma once

#include <stddef.h>
#include <sys/stat.h>

#include "kernels/cache_private.h"
#include "proto/base/arena.h"

/* Says what went wrong with `name`, relative to the cache: 1 with
 * FAULT_NO_SPACE or FAULT_INTERNAL; but memory and descriptors that ran out
 * stay negative. `r` is 0 (which stays so) or -errno. */
int cache_disk_fault(const Cache *cache, int r, const char *name, Fault *fault);

/* Formats a path of names that are known to fit; too long a one is cut, and is
 * then not found. */
void cache_disk_name(char name[PATH_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Makes one folder with mode 0755 whatever the umask. 0 also if it is there
 * already; ENOTDIR if something else is, a link to a folder counting as a
 * folder. */
int cache_disk_folder(const Cache *cache, int at, const char *name);

/* Makes every folder of a relative path. */
int cache_disk_folders(const Cache *cache, const char *path);

/* Opens the folder that a file of a plain path lies in, from `at`, making what
 * is missing and following no links. `ret_name` is the path's last name. */
int cache_disk_parent(const Cache *cache, int at, Text path, int *ret_fd, char ret_name[NAME_MAX + 1]);

int cache_disk_write(int fd, const void *bytes, size_t n, int64_t offset);

/* Makes a temporary file of this kind and content in the folder `at`. */
int cache_disk_temporary(Cache *cache, int at, const char *kind, Text bytes, char ret_name[CACHE_TEMPORARY_MAX]);

/* Makes a temporary folder. */
int cache_disk_temporary_folder(Cache *cache, int at, const char *kind, char ret_name[CACHE_TEMPORARY_MAX]);

/* Puts a link into place, over whatever file or link is there. */
int cache_disk_link(Cache *cache, const char *target, int temporary_at, int at, const char *name);

/* Opens a regular file for reading, never waiting, whatever lies there; flags
 * O_NOFOLLOW or 0. EINVAL: there, but no regular file. */
int cache_disk_open(int at, const char *name, int flags, int *ret_fd, struct stat *ret_stat);

/* Reads a whole regular file of at most `limit` bytes; EFBIG: it is larger. */
int cache_disk_read(int at, const char *name, int flags, size_t limit, Arena *arena, Text *ret_bytes);
