/* Drop-in folders: which *.json of several folders are in force. A file of the
 * same name in a later folder replaces; a link to /dev/null masks. Used for
 * the mapping and for the configuration. File thread (or start-up) only. */
#pragma once

#include "proto/base/arena.h"
#include "proto/base/text.h"
#include "proto/fault.h"

typedef struct DropIn {
        Text name; /* "50-site.json" */
        Text path; /* absolute, NUL behind it */
} DropIn;

typedef struct DropInList {
        DropIn *items; /* by name in byte order */
        size_t n;
} DropInList;

/* `folders` in rising order of precedence; one that is not there is empty. 0; 1
 * with FAULT_INTERNAL naming the folder that cannot be read; -ENOMEM. */
int folders_list(const char *const *folders, size_t n_folders, Arena *arena, DropInList *ret_list, Fault *fault);

/* The same, of a folder's own `name` (kernelsd.json in each of the folders):
 * the last that is there and not masked; absent path: none. */
int folders_find(const char *const *folders, size_t n_folders, const char *name, Arena *arena, Text *ret_path,
                 Fault *fault);

/* Reads a regular file whole. 0; 1 with FAULT_INTERNAL (or FAULT_TOO_LARGE)
 * saying why not; negative. */
int folders_read(const char *path, size_t limit, Arena *arena, Text *ret_bytes, Fault *fault);
