/* Environments that administrators name, in environment.d/NAME.json: what
 * prefetch and refresh work for although nobody with it is connected.
 *
 *   { "kernelsd": 1, "environment": { "torch": "2.7", "backend": "cu128", … },
 *     "device": "cuda", "capability": 90, "arch": null }
 *
 * A set is complete and immutable once it is loaded, and counted (atomically:
 * the loop and the worker threads hold it). */
#pragma once

#include "kernels/environment.h"
#include "kernels/mapping_file.h"

#define LIMIT_NAMED_ENVIRONMENTS 256             /* of a set; guess, a fleet has ten kinds of hosts */
#define LIMIT_ENVIRONMENT_FILE (64u * 1024)      /* guess: with every key it takes 1 KiB */

typedef struct NamedEnvironment {
        Text name;   /* the file's without .json */
        Text source; /* "file:NAME.json" */
        Environment environment;
        Device device;
        OptionalInteger capability; /* of cuda and rocm */
        Text arch;                  /* of rocm: the gfx name; or absent */
} NamedEnvironment;

typedef struct NamedEnvironments {
        unsigned n_users;
        Arena arena;
        NamedEnvironment *items; /* by name, in byte order */
        size_t n;
        size_t capacity;
} NamedEnvironments;

/* An empty set with room for so many. 0, -ENOMEM. */
int named_environments_new(size_t capacity, NamedEnvironments **ret_environments);
NamedEnvironments *named_environments_ref(NamedEnvironments *environments);
NamedEnvironments *named_environments_unref(NamedEnvironments *environments);
DEFINE_CLEANUP(NamedEnvironments *, named_environments_unref)

/* NULL: there is none of that name. */
const NamedEnvironment *named_environments_find(const NamedEnvironments *environments, Text name);

/* While a set is made and has room: adds what the file says, or its faults to
 * `files`, of which nothing else is used. `file` is its name in its folder. 0
 * (look at files->n_faults), -ENOMEM. */
int named_environments_add(NamedEnvironments *environments, Text file, Text path, Text bytes, MappingSet *files);

/* Reads the files in force from the folders (in rising order, each the
 * environment.d itself); faults, and the paths to watch, go into `files`. 0: with
 * any fault the set is not whole. Negative. File thread or start-up only. */
int named_environments_load(const char *const *folders, size_t n_folders, MappingSet *files,
                            NamedEnvironments **ret_environments);

/* Reads one file for its faults, for --check-config FILE…. */
int named_environments_check_file(const char *path, MappingSet *files);
