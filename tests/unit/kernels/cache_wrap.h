/* System calls of the cache's code, counted: at number k the process ends, as
 * if killed there, or the call fails. For programs linked with --wrap for each
 * (meson.build). */
#pragma once

#include <stdbool.h>

typedef enum WrapKind { WRAP_NOTHING, WRAP_KILL, WRAP_FAIL } WrapKind;

#define WRAP_KILLED 9 /* exit status */

/* Lets `countdown` calls pass and strikes at the one after. */
void wrap_set(WrapKind kind, long countdown, int error);
bool wrap_struck(void);

/* Called once right after the next flock that succeeds. */
void wrap_after_flock(void (*act)(void));

/* Whether a name was given before all that was written before it was on disk. */
bool wrap_unsynced(void);
