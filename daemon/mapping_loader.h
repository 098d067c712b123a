/* The host mapping from its files and, on top of them, what is stored: read by the file thread at the start, on a
 * change of the files and on reload. A faulty set changes nothing but the
 * faults: they stand in the mapping that is in force. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "daemon/places.h"
#include "daemon/worker.h"

typedef struct HostMapping HostMapping; /* kernels/host_mapping.h */
typedef struct KeptFiles KeptFiles;     /* kernels/kept_files.h */
typedef struct Stored Stored;           /* kernels/stored.h */
typedef struct MappingLoader MappingLoader;

typedef struct MappingLoaderOwner {
        void *data;
        /* A new generation is there: the reference becomes the callee's. Called
         * after the first load in any case; if the files have faults, with what was
         * kept, or with what is stored alone. */
        void (*loaded)(void *data, HostMapping *mapping);
        /* A good set of files is in force that is not known to be kept: the
         * reference becomes the callee's. NULL: nothing is kept. */
        void (*keep)(void *data, KeptFiles *files);
        /* Every load that was asked for so far has ended, good or faulty. */
        void (*finished)(void *data);
} MappingLoaderOwner;

/* Watches from now on, loads when asked. Of `places` it keeps copies. */
int mapping_loader_new(uv_loop_t *loop, Worker *worker, const Places *places, MappingLoaderOwner owner,
                       MappingLoader **ret_loader);

/* Asks for a load; asking again before it begins is one load. */
void mapping_loader_load(MappingLoader *loader);

/* What the next load puts on top of the files; counted up here. */
void mapping_loader_set_stored(MappingLoader *loader, Stored *stored);

/* Before the first load: what takes the place of faulty files, the last good ones
 * of an earlier start; counted up here. NULL: none. */
void mapping_loader_set_kept(MappingLoader *loader, KeptFiles *kept);

/* Whether the newest load is in force. */
bool mapping_loader_is_good(const MappingLoader *loader);

/* Cancels and closes; calls its owner no more. Before worker_close. */
void mapping_loader_close(MappingLoader *loader);
