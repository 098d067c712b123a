/* Tells that files may have changed, not which: bursts are one message. */
#pragma once

#include <uv.h>

#include "daemon/watch_points.h"

/* A burst ends when nothing more has come for so long, and is told after so
 * long at the latest. Guesses: an editor's or a package's writes lie closer,
 * and a person does not notice. */
#define WATCH_QUIET_MS 100
#define WATCH_LATEST_MS 1000

typedef struct Watch Watch;

/* `changed` is called on the loop. 0; negative. */
int watch_new(uv_loop_t *loop, void (*changed)(void *data), void *data, Watch **ret_watch);

/* Watches these settled points, whose contents it takes, and none else. Called
 * after each load, also with the same points: a folder may have been replaced.
 * A folder that cannot be watched is left out. 0: the points are those of
 * before. 1: they are others, and what changed there before this call went
 * unseen. -ENOMEM: as before. */
int watch_set(Watch *watch, WatchPoints *points);

void watch_close(Watch *watch); /* freed in its last close callback */
