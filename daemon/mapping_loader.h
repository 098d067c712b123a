/* The host mapping from its files: read by the file thread at the start, on a
 * change of the files and on reload. A faulty set changes nothing but the list
 * of faults. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "daemon/config.h"
#include "daemon/worker.h"

typedef struct HostMapping HostMapping; /* kernels/host_mapping.h */
typedef struct MappingLoader MappingLoader;

typedef struct MappingLoaderOwner {
        void *data;
        /* A new set is there: the reference becomes the callee's. */
        void (*loaded)(void *data, HostMapping *mapping);
        /* A load ended, good or faulty; what was asked for with
         * mapping_loader_load up to its start is done. */
        void (*finished)(void *data);
} MappingLoaderOwner;

/* Watches from now on, loads when asked. Of `places` it keeps copies. */
int mapping_loader_new(uv_loop_t *loop, Worker *worker, const Places *places, MappingLoaderOwner owner,
                       MappingLoader **ret_loader);

/* Asks for a load; asking again before one begins is one load. */
void mapping_loader_load(MappingLoader *loader);

/* Faults of the newest files; n = 0: they are in force. */
const FaultList *mapping_loader_faults(const MappingLoader *loader);

/* Cancels and closes; freed when its handles and its job are. */
void mapping_loader_close(MappingLoader *loader);
