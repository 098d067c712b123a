/* A listening socket at a path, for a daemon that systemd did not give one. */
#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include "proto/base/cleanup.h"
#include "proto/fault.h"

typedef struct ListenPath {
        char *path;
        int fd;
        dev_t device; /* of the socket's file, to know it again */
        ino_t inode;
} ListenPath;

#define LISTEN_PATH_NULL ((ListenPath){ .fd = -1 })

/* Binds and listens at an absolute path with these permissions. A socket that
 * nobody listens at is replaced; a file of our own beside it, PATH.lock, is
 * locked meanwhile and stays, so that of two daemons starting at once one wins.
 * 0; 1 with a fault: somebody listens there, or something else lies there, or
 * the folder cannot be used; negative. */
int listen_path_open(ListenPath *listen, const char *path, mode_t mode, Fault *fault);

/* Removes the socket's file if it is still ours, and closes. */
void listen_path_deinit(ListenPath *listen);
#define CLEANUP_LISTEN_PATH CLEANUP(listen_path_deinit)
