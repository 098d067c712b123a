/* Which socket to ask, and whether what answers there may be believed.
 *
 * Order: the socket that the program names, or KERNELSD_SOCKET, and then no
 * other; else the user's; else the system's. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "client/kernelsd.h"

#define SOCKET_PATH_MAX 108 /* sizeof(sun_path) */

/* Where to look; the paths differ in tests only. */
typedef struct FindPlaces {
        const char *named;         /* the one socket to use, or NULL */
        const char *runtime;       /* $XDG_RUNTIME_DIR, or NULL */
        const char *run_user;      /* "/run/user" */
        const char *temporary;     /* "/tmp" */
        const char *system_folder; /* "/run/kernelsd" */
        uid_t uid;
} FindPlaces;

/* From the process's surroundings; `named` NULL: KERNELSD_SOCKET. A
 * set-user-id program looks at neither variable. */
FindPlaces find_places(const char *named);

/* Connects to the first server that answers and may be believed: a stream
 * socket, non-blocking, close-on-exec. wait_ms bounds the wait for a listener
 * whose queue is full; 0: do not wait. On failure `error` says for every place
 * why not. 0, or -ENOENT, -ECONNREFUSED, -EACCES and such. */
int find_connect(const FindPlaces *places, int wait_ms, int *ret_fd, kd_error *error);

/* The folder of a user's socket: a directory of that uid's own, not a link,
 * shut to others. 0, -ENOENT, or -EACCES with a reason of at most size bytes. */
int find_check_folder(const char *folder, uid_t uid, char *reason, size_t size);

/* Whether the process that listens may be believed: uid 0, our own, or the
 * owner of the system's folder. 0 or -EACCES. */
int find_check_server(uid_t server, const FindPlaces *places);
