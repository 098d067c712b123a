/* What the cache holds, found out from the disk alone, whoever wrote it and
 * whatever lies there: nothing is opened that could wait, names that cannot be
 * are passed over, everything that is counted has a limit. File thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "kernels/cache.h"
#include "kernels/cache_ref.h"
#include "kernels/cache_variant.h"
#include "kernels/step.h"

typedef struct CachedCommit {
        Text commit;
        CachedVariant *variants; /* by name in byte order, as all lists here */
        size_t n_variants;
        bool listing_known;      /* a list of all files of the commit is there, and names its variants: */
        Text *listing;
        size_t n_listing;
} CachedCommit;

typedef struct CachedRepository {
        Text repo; /* org/name */
        CachedCommit *commits;
        size_t n_commits;
        CachedRef *refs;
        size_t n_refs;
} CachedRepository;

/* Owns all of it. */
typedef struct Cached {
        Arena arena;
        CachedRepository *repositories;
        size_t n_repositories;
        bool cut; /* a limit was reached: there is more on disk */
} Cached;

Cached *cached_free(Cached *cached);
DEFINE_CLEANUP(Cached *, cached_free)

typedef struct CacheScan CacheScan;

int cache_scan_new(const Cache *cache, CacheScan **ret_scan);

/* Looks at one repository, commit or variant more. STEP_MORE, STEP_DONE,
 * negative. */
int cache_scan_step(CacheScan *scan, Fault *fault);

/* After STEP_DONE. */
Cached *cache_scan_take(CacheScan *scan);

CacheScan *cache_scan_free(CacheScan *scan);
DEFINE_CLEANUP(CacheScan *, cache_scan_free)

/* All at once: the one repository, with its refs, and of it the one commit. No
 * repository or no commit in the answer: it is not there. 0; 1 with the fault:
 * invalid-name; negative. */
int cache_scan_one(const Cache *cache, Text repo, Text commit, Cached **ret_cached, Fault *fault);
