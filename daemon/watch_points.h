/* Which folders must be watched so that no change of certain paths goes by:
 * each folder that is gone through on the way, with the name that matters in
 * it; of links both where they lie and where they lead; of what is missing the
 * nearest folder that is there. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/arena.h"
#include "proto/base/cleanup.h"

typedef struct WatchPoint {
        const char *folder;
        const char *name; /* NULL: every name in it */
} WatchPoint;

typedef struct WatchPoints {
        Arena arena;
        WatchPoint *items; /* after watch_points_settle: sorted, none covered by another */
        size_t n;
        size_t capacity;
} WatchPoints;

#define WATCH_POINTS_NULL ((WatchPoints){ 0 })

/* Adds what an absolute path needs; `contents`: if it is a folder, also every
 * name in it. Looks at the file system: file thread or start-up only. 0, -ENOMEM. */
int watch_points_add(WatchPoints *points, const char *path, bool contents);

void watch_points_settle(WatchPoints *points);
bool watch_points_equal(const WatchPoints *a, const WatchPoints *b);          /* both settled */
bool watch_points_matter(const WatchPoints *points, const char *folder, const char *name);
void watch_points_deinit(WatchPoints *points);
#define CLEANUP_WATCH_POINTS CLEANUP(watch_points_deinit)
