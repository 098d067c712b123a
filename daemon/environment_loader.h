/* The named environments of environment.d: read by the file thread at the
 * start, on a change of the files and on reload. A faulty set changes nothing
 * but the faults, which status shows beside those of the mapping files. */
#pragma once

#include <uv.h>

#include "daemon/places.h"
#include "daemon/worker.h"
#include "kernels/named_environment.h"

typedef struct EnvironmentLoader EnvironmentLoader;

typedef struct EnvironmentLoaderOwner {
        void *data;
        /* A good set was read, perhaps the same as before: the reference becomes
         * the callee's. */
        void (*loaded)(void *data, NamedEnvironments *environments);
} EnvironmentLoaderOwner;

/* Watches from now on, loads when asked. */
int environment_loader_new(uv_loop_t *loop, Worker *worker, const Places *places, EnvironmentLoaderOwner owner,
                           EnvironmentLoader **ret_loader);

/* Asks for a load; asking again before it begins is one load. One that was
 * asked for before a load of the mapping ends before it. */
void environment_loader_load(EnvironmentLoader *loader);

/* Of the newest files, until the next load; *ret_n 0: they are good. */
const MsgMappingFault *environment_loader_faults(const EnvironmentLoader *loader, size_t *ret_n);

/* Cancels and closes; calls its owner no more. Before worker_close. */
void environment_loader_close(EnvironmentLoader *loader);
