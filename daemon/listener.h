/* A listening socket on the loop: accepts, a few at a time, and stays calm when
 * descriptors run out. */
#pragma once

#include <stdbool.h>

#include "daemon/loop.h"

typedef struct Listener Listener;

/* `accepted` gets a connected, non-blocking, close-on-exec descriptor and owns
 * it; `spared` says that it can only be told to go, as descriptors ran out. */
typedef void (*ListenerAccepted)(void *data, int fd, bool spared);

/* `fd` stays the caller's, who closes it after the listener. */
int listener_new(Loop *loop, int fd, ListenerAccepted accepted, void *data, Listener **ret_listener);

/* Accepts no more; freed in its close callbacks. NULL is allowed. */
void listener_close(Listener *listener);
