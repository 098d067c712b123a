/* refs/<branch or tag>: which commit the name meant. File thread only. */
#pragma once

#include <stdint.h>

#include "kernels/cache.h"

typedef struct CachedRef {
        Text name;
        Text commit;
        int64_t written_s; /* when the file last changed */
} CachedRef;

/* Writes it, if it is not so already; a name that is the commit itself needs
 * none. 0; 1 with the fault: invalid-name, no-space, internal; negative. */
int cache_ref_write(Cache *cache, Text repo, Text name, Text commit, Fault *fault);

/* Reads those of one repository, whose folder is open, by name in byte order,
 * into the arena: at most `limit`, with ret_cut set if there are more. Files that
 * hold no commit are passed over. 0, negative. */
int cache_ref_list(int repo_fd, size_t limit, Arena *arena, CachedRef **ret_refs, size_t *ret_n, bool *ret_cut);
