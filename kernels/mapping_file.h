/* Mapping files (design, section 5): from bytes to entries, with every error
 * that can be found, each with file and line and column, or file and JSON
 * pointer. The set of files is the unit: with any fault there are no entries. */
#pragma once

#include "kernels/entry.h"
#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/schema.h"

#define LIMIT_MAPPING_FAULTS 16                  /* more are not told */
#define LIMIT_MAPPING_FILE (256u * 1024 * 1024)  /* guess: 100,000 layers take 20 MiB */
#define LIMIT_MAPPING_FILES 4096                 /* of a set; guess */
#define LIMIT_LOCK_FILE (16u * 1024 * 1024)      /* guess: a thousand kernels with forty variants take 8 MiB */

typedef struct KeptFiles KeptFiles; /* kernels/kept_files.h */

/* How files are read, so that tests bring their own. 0; 1 with a fault whose
 * message says why not; negative. */
typedef struct MappingReader {
        int (*read)(void *userdata, const char *path, Arena *arena, Text *ret_bytes, Fault *fault);
        void *userdata;
} MappingReader;

typedef struct MappingSource {
        Text name;    /* "50-site.json", for `file:50-site.json`; as it is where it is no file's */
        bool no_file; /* the stored mapping */
        Text path;
        int64_t read_at_us;
} MappingSource;

typedef struct MappingSet {
        Arena arena;            /* texts of all below but the entries' own */
        Entry **entries;        /* in order: a later one replaces; one reference each */
        size_t n_entries;
        MappingSource *sources; /* entry->source is a number into these */
        size_t n_sources;
        Text *watched;          /* absolute paths, NUL behind them: files and lock files; the
                                 * folders are the caller's, links on the way the watcher's affair */
        size_t n_watched;
        MsgMappingFault faults[LIMIT_MAPPING_FAULTS];
        size_t n_faults;        /* above 0: no entries */
        KeptFiles *keeps;       /* borrowed; gets the bytes of every file that is read; NULL: nobody wants them */

        size_t entries_capacity, sources_capacity, watched_capacity; /* of the three arrays */
} MappingSet;

int mapping_set_new(MappingSet **ret_set);
MappingSet *mapping_set_free(MappingSet *set);
DEFINE_CLEANUP(MappingSet *, mapping_set_free)

/* Adds the entries, or the faults, of one file. `name` and `path` are copied.
 * reader NULL: the real files. 0 (look at n_faults), or negative. */
int mapping_set_add_file(MappingSet *set, Text name, Text path, Text bytes, int64_t read_at_us,
                         const MappingReader *reader);

/* The same for bytes of that form that are no file: answers show `name` as their
 * source, faults as their file, and nothing but lock files is watched. */
int mapping_set_add_bytes(MappingSet *set, Text name, Text bytes, int64_t read_at_us, const MappingReader *reader);

/* Reads and adds one file, for --check-config FILE…. File thread or start-up only. */
int mapping_set_load_file(MappingSet *set, const char *path, int64_t now_us);

/* Reads the whole set in force from the folders (in rising order, each the
 * mapping.d itself). 0 with the set, with or without faults; negative. File
 * thread or start-up only. */
int mapping_set_load(const char *const *folders, size_t n_folders, int64_t now_us, KeptFiles *keeps, MappingSet **ret_set);

/* For a log line: "/etc/…/50-site.json:3:14: …" or "…50-site.json: /mapping/X/0: …". */
Text mapping_fault_describe(const MsgMappingFault *fault, Arena *arena);
