/* The names in one folder of the cache, kept and sorted: what a scan goes
 * through. File thread only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/arena.h"

typedef struct CacheNames {
        Text *items;
        size_t n;
        size_t capacity;
        bool cut; /* there were more than the limit */
} CacheNames;

/* The name is not copied: 0, -ENOMEM. */
int cache_names_add(CacheNames *names, Arena *arena, Text name);

/* Replaces `names` by those in the folder that `fits` takes, in byte order, at
 * most `limit`; none where there is no such folder. 0, negative. */
int cache_names_list(int at, const char *folder, bool (*fits)(Text name), size_t limit, Arena *arena, CacheNames *names);

/* What the disk does not give counts as not there; memory and descriptors that
 * ran out stay negative. */
int cache_names_absent(int r);
