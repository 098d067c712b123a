/* A listing of a repository's files, page by page, and what is wrong with it.
 * Paths become files of the cache and etags the names of blobs, so a
 * repository with one bad entry is refused as a whole (fault `corrupt`, naming
 * the entry). The work is n log n in the bytes of the paths. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "proto/fault.h"

typedef struct HubEntry {
        Text path; /* from the repository's root, NUL behind it */
        bool folder;
        bool lfs;
        int64_t size;  /* of the contents */
        Text etag;     /* the blob's name: 64 hex digits of SHA-256 if `lfs`, else 40 of git's SHA-1; absent for a folder */
        Text blob_id;  /* git's id, of an `lfs` file that of its pointer; absent for a folder */
} HubEntry;

typedef struct HubTree {
        Arena arena; /* all texts */
        HubEntry *entries;
        size_t n_entries;
        size_t capacity;
        size_t n_pages;
        int64_t n_bytes; /* of all files together */
} HubTree;

#define HUB_TREE_NULL ((HubTree){ 0 })

void hub_tree_init(HubTree *tree);
void hub_tree_deinit(HubTree *tree);
#define CLEANUP_HUB_TREE CLEANUP(hub_tree_deinit)

/* Adds what a page lists; all of it must lie in `folder`, "" being the root.
 * 0; 1: `corrupt`, `too-large` (above LIMIT_KERNEL_FILES entries), `hub` (no
 * listing); -ENOMEM. After anything but 0 the tree is only good for deinit. */
int hub_tree_add_page(HubTree *tree, Text folder, Text body, Fault *fault);

/* After the last page: sorts by the paths' bytes. 1 with `corrupt`: paths that
 * come twice, that differ in case only, or a file that is a folder, too. */
int hub_tree_finish(HubTree *tree, Fault *fault);
