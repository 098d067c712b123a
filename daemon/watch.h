/* Tells when files may have changed: folders, their nearest existing parents
 * where they are missing, single files, and what links lead to. It says only
 * that something changed; bursts are one message. */
#pragma once

#include <stddef.h>
#include <uv.h>

typedef struct Watch Watch;

/* `changed` is called on the loop, once per burst. */
int watch_new(uv_loop_t *loop, void (*changed)(void *data), void *data, Watch **ret_watch);

/* Watches these absolute folders from now on, and none else; called again
 * after each load, since links may lead elsewhere now. What cannot be watched
 * is left out. */
int watch_set(Watch *watch, char *const *folders, size_t n_folders);

void watch_close(Watch *watch); /* freed in the last close callback */
