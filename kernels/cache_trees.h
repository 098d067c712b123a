/* R/trees/<commit>.json, in which the Hub's own client keeps the list of all
 * files of a commit. We only read it. */
#pragma once

#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/fault.h"

typedef struct CacheTreesFile {
        Text path; /* from the repository's root, plain */
        int64_t size;
} CacheTreesFile;

typedef struct CacheTrees {
        Arena arena;
        CacheTreesFile *files; /* by path in byte order */
        size_t n_files;
        Text *variants;        /* names of the folders in build/ that hold files, each once */
        size_t *firsts;        /* of each the number of its first file */
        size_t n_variants;
} CacheTrees;

/* 0; 1 with FAULT_CORRUPT: to be passed over as if it were not there (another
 * format version, bad JSON, a file's entry that cannot be); -ENOMEM. */
int cache_trees_parse(Text bytes, CacheTrees **ret_trees, Fault *fault);

/* The files of one variant: the first and how many; NULL: it has none. */
const CacheTreesFile *cache_trees_find(const CacheTrees *trees, Text variant, size_t *ret_n);

CacheTrees *cache_trees_free(CacheTrees *trees);
DEFINE_CLEANUP(CacheTrees *, cache_trees_free)
