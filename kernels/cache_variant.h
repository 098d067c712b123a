/* One variant's folder in the cache, as it lies there. File thread only. */
#pragma once

#include <stdbool.h>

#include "kernels/cache_trees.h"
#include "kernels/metadata.h"

typedef struct CachedVariant {
        Text name;
        bool complete;      /* listed, and every file of the list is there, of the right size where that is known */
        bool listed;        /* trees/COMMIT.json or the digest of metadata.json says which files there are */
        bool whole;         /* not listed, but with files, and nothing shows that one is missing: no dangling link,
                             * nothing incomplete */
        Metadata *metadata; /* NULL: there is none, or the fault says why it cannot be read */
        Fault fault;
} CachedVariant;

/* Looks at the folder of this name in the opened build/. `trees` may be NULL.
 * The texts are the caller's; metadata is the variant's. 0; 1: no folder;
 * negative. */
int cache_variant_look(int build_fd, Text name, const CacheTrees *trees, CachedVariant *ret_variant);

void cache_variant_deinit(CachedVariant *variant);
