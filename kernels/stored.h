/* What administrators said by command, as one value: the stored mapping in the
 * form of a mapping file, and the pins. Immutable and counted (atomically). */
#pragma once

#include "kernels/json.h"
#include "kernels/pins.h"
#include "proto/base/buffer.h"

/* One entry of the stored mapping as the database has it. The same layer,
 * device and range are one row. */
typedef struct StoredRow {
        Text layer;
        Text device;          /* "": the entry only names the layer */
        CapabilityRange range;
        Text json;            /* the entry, as in a mapping file */
} StoredRow;

typedef struct StoredRows {
        StoredRow *items;
        size_t n;
} StoredRows;

/* An environment that an administrator gave a name. */
typedef struct StoredEnvironment {
        Text name;
        Text environment;   /* bytes: MessagePack of the map */
        Text device;        /* absent: that of the backend */
        int64_t capability; /* -1: none */
        Text arch;          /* may be absent */
} StoredEnvironment;

/* All of it, in the order of the database: layer, device, range; repository,
 * revision; name. */
typedef struct StoredContents {
        StoredRows rows;
        Pin *pins;
        size_t n_pins;
        StoredEnvironment *environments;
        size_t n_environments;
} StoredContents;

typedef struct Stored {
        unsigned n_users;
        uint64_t number; /* another one after each change */
        Buffer text;     /* the mapping file */
        size_t n_entries;
        Pins *pins;
        Arena arena;     /* of the environments */
        StoredEnvironment *environments; /* by name */
        size_t n_environments;
} Stored;

/* Takes a `mapping` object of a mapping file apart, in the arena. 0; 1 with
 * FAULT_BAD_REQUEST: not of that form, or an entry that removes; -ENOMEM. */
int stored_rows_read(const JsonValue *mapping, Arena *arena, StoredRows *ret_rows, Fault *fault);

/* The same for the whole bytes of a mapping file that somebody sent, which is
 * checked first. File thread only: lock files are read. */
int stored_rows_parse(Text bytes, Arena *arena, StoredRows *ret_rows, Fault *fault);

/* The export's text: the mapping file with pins and environments in it. 0, -ENOMEM. */
int stored_export(const Stored *stored, Buffer *buffer);

/* An export taken apart, in the arena. 0; 1 with a fault that says what is wrong with it; -ENOMEM. */
int stored_import(Text bytes, Arena *arena, StoredContents *ret_contents, Fault *fault);

/* Copies. 0, -ENOMEM. */
int stored_new(const StoredContents *contents, uint64_t number, Stored **ret_stored);
static inline bool stored_is_empty(const Stored *stored)
{
        return !stored->n_entries && !stored->pins->n && !stored->n_environments;
}

Stored *stored_ref(Stored *stored);
Stored *stored_unref(Stored *stored);
DEFINE_CLEANUP(Stored *, stored_unref)
