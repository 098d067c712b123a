/* The folder that the Hub's kernels are kept in, laid out as the Hub's own
 * client does it, so that both use each other's files:
 *
 *         CACHEDIR.TAG
 *         .kernelsd.lock                       one daemon a cache
 *         .locks/R/<etag>.lock                 R is kernels--<org>--<name>
 *         R/blobs/<etag>                       the bytes, named by their hash
 *         R/blobs/<etag>.<8 hex>.incomplete    on their way there
 *         R/refs/<branch or tag>               a commit
 *         R/snapshots/<commit>/build/<variant>/x -> ../../../../blobs/<etag>
 *         R/trees/<commit>.json                read if there, never written
 *         R/.<kind>.<8 hex>.incomplete         a link, ref or folder on its way to its place
 *
 * What is in place is whole: names appear by rename, after what they lead to.
 * File thread only, but for cache_path, cache_warning and cache_snapshot_path,
 * which only read what never changes. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/fault.h"

typedef struct Cache Cache;

typedef struct CacheOptions {
        const char *path; /* absolute */
        bool system;      /* the host's: what is doubtful refuses it, and nobody else writes to it */
        uid_t owner;      /* who may write to it, besides root */
} CacheOptions;

/* Makes the folder with its parents if it is missing, takes it for this
 * process, and removes what killed fetches left. 0; 1 with FAULT_BUSY (another
 * daemon has it), FAULT_UNTRUSTED, FAULT_NO_SPACE or FAULT_INTERNAL (the folder
 * cannot be used; of a system's cache also: network file system, no links, no
 * flock); negative. */
int cache_open(const CacheOptions *options, Cache **ret_cache, Fault *fault);

/* Lets go of it; every blob must be freed before. */
Cache *cache_close(Cache *cache);
DEFINE_CLEANUP(Cache *, cache_close)

const char *cache_path(const Cache *cache);

/* What is doubtful about a user's cache; NULL: nothing. */
const char *cache_warning(const Cache *cache);

/* PATH/kernels--org--name/snapshots/COMMIT, a NUL behind it; absent without
 * memory. `repo` is one that name_check_repository passes. */
Text cache_snapshot_path(const Cache *cache, Text repo, Text commit, Arena *arena);
