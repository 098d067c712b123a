/* The bytes of a good set of mapping files and of the lock files that they
 * named, kept so that a later start whose files are faulty can begin from them.
 * Counted (atomically); unchanging once it has been finished. */
#pragma once

#include <stdint.h>

#include "kernels/mapping_file.h"

/* Names, paths and bytes together: above it a set is not kept. Guess: 300,000
 * layers; the database takes it twice while it is replaced. */
#define LIMIT_KEPT_FILES (64u * 1024 * 1024)
#define KEPT_DIGEST 32

typedef struct KeptFile {
        bool is_lock;
        Text name;    /* "50-site.json"; of a lock file "" */
        Text path;    /* NUL-terminated */
        Text bytes;
} KeptFile;

struct KeptFiles {
        unsigned n_users;
        Arena arena;
        KeptFile *items; /* mapping files in the order of their set */
        size_t n, capacity;
        size_t size;     /* what LIMIT_KEPT_FILES bounds */
        bool too_large;  /* then there are no items */
        uint8_t digest[KEPT_DIGEST]; /* of all, once it has been finished */
};

int kept_files_new(KeptFiles **ret_files);
KeptFiles *kept_files_ref(KeptFiles *files);
KeptFiles *kept_files_unref(KeptFiles *files);
DEFINE_CLEANUP(KeptFiles *, kept_files_unref)

/* Copies. A lock file that is there already is not added again. 0, -ENOMEM. */
int kept_files_add(KeptFiles *files, bool is_lock, Text name, Text path, Text bytes);

/* Makes the digest. 0, -ENOMEM. */
int kept_files_finish(KeptFiles *files);

/* Makes a set of them; a lock file that was not kept is read from the disk. 0
 * with the set, with or without faults; negative. File thread only. */
int kept_files_load(KeptFiles *files, int64_t now_us, MappingSet **ret_set);

/* What kept_files_load reads lock files with, for what is added to its set. */
MappingReader kept_files_reader(KeptFiles *files);
