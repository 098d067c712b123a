/* The inside of the cache, for the files of kernels/cache*. */
#pragma once

#include <stdint.h>

#include "kernels/cache.h"
#include "kernels/cache_paths.h"
#include "proto/limits.h"

struct Cache {
        char *path;
        int fd;          /* of the folder; every name below is relative to it */
        int lock_fd;     /* of .kernelsd.lock, locked; -1: not yet, or the file system has no flock */
        bool system;
        bool no_flock;   /* locks are not to be had: done without, said in the warning */
        uint32_t serial; /* the next temporary name's number */
        size_t n_locks;  /* of blobs, held */
        char warning[LIMIT_FAULT_MESSAGE]; /* "": none */
};
