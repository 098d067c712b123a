/* Going through the names in a folder, and removing all of it. Answers as in
 * cache_disk.h. File thread only. */
#pragma once

#include "proto/base/cleanup.h"
#include "proto/base/text.h"

typedef struct CacheListing CacheListing;

/* Opens the folder; flags O_NOFOLLOW or 0. */
int cache_listing_new(int at, const char *name, int flags, CacheListing **ret_listing);

/* 1 with a name that lives till the next call, 0 at the end, -errno. `.` and
 * `..` are passed over. */
int cache_listing_next(CacheListing *listing, Text *ret_name);
int cache_listing_fd(const CacheListing *listing);
CacheListing *cache_listing_free(CacheListing *listing);
DEFINE_CLEANUP(CacheListing *, cache_listing_free)

/* Removes a file, link, or folder with all in it, links not followed. */
int cache_listing_remove(int at, const char *name);
