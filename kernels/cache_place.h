/* Putting complete blobs into place: first all bytes on disk, then the names
 * blobs/<etag>, then the links in the snapshot. Killed at any point, no link
 * leads to wrong bytes, and a variant's folder that was not there is either not
 * there or whole. File thread only. */
#pragma once

#include "kernels/cache_blob.h"
#include "kernels/cache_ref.h"

typedef struct CachePlacement {
        Text path; /* from the repository's root: build/V/x */
        CacheBlob *blob; /* complete; or on disk, and hashed here and now where its steps were not done. Several
                          * paths may share one */
} CachePlacement;

/* A variant's folder that is there already gets what it lacks, one by one, its
 * metadata.json last; links that lead elsewhere are replaced, and so are files
 * whose bytes are others. 0; 1 with the fault: corrupt (a blob's bytes, a path
 * that is none or stands twice), no-space, internal; negative. After a fault
 * blobs may be in place, which does no harm. */
int cache_place(Cache *cache, Text repo, Text commit, CachePlacement *files, size_t n, Fault *fault);
