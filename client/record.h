/* The library's own record of a session's views: enough to make them again on
 * another connection, in a child, or to copy one.
 *
 * Entries are immutable and counted, so that a view made on another shares
 * them. A view keeps the number that the caller knows it by; `remote` is the
 * daemon's, which differs once a large mapping has been filled into a new view
 * and put in the place of the old. Under the client's lock, but for entries
 * that are being made. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/kernelsd.h"
#include "client/local.h"
#include "proto/base/cleanup.h"
#include "proto/schema.h"

/* A number of the caller's, of which -1 is none. */
static inline OptionalInteger optional_of(int64_t value)
{
        return value == -1 ? INTEGER_ABSENT : INTEGER_PRESENT(value);
}

typedef struct RecordReference {
        Text mode;
        Text repo;
        OptionalInteger version;
        Text revision;
        LocalRepository *local; /* counted, or NULL */
        Text layer;
} RecordReference;

typedef struct RecordEntry {
        unsigned n_users;   /* atomic */
        uint64_t hash;      /* of what makes it replace another: layer, device, range */
        Text layer;
        Text device;
        OptionalInteger min, max;
        size_t n_references;
        RecordReference references[];
} RecordEntry;

/* Entries by (layer, device, range): open addressing, never more than half full. */
typedef struct RecordTable {
        RecordEntry **slots;
        size_t n_slots; /* 0 or a power of two */
        size_t n;
} RecordTable;

#define RECORD_TABLE_NULL ((RecordTable){ 0 })

typedef struct ViewRecord {
        struct ViewRecord *next;
        uint32_t number;    /* the caller's */
        uint32_t remote;    /* the daemon's */
        bool on_host;       /* stands on the host mapping; else on nothing */
        RecordTable own;
        kd_error *lost;     /* it could not be made again, and why */
} ViewRecord;

/* Copies what the caller says, reading local repositories. `known` are those
 * read for the same request; new ones are added. 0, or with an error. */
int record_entry_new(const kd_entry *from, LocalSet *known, RecordEntry **ret_entry, kd_error *error);
RecordEntry *record_entry_ref(RecordEntry *entry);
RecordEntry *record_entry_unref(RecordEntry *entry);

/* Makes room for n more entries: 0 or -ENOMEM. After it record_table_set cannot
 * fail n times. */
int record_table_reserve(RecordTable *table, size_t n);

/* Takes a reference; replaces what has the same layer, device and range. */
void record_table_set(RecordTable *table, RecordEntry *entry);

/* Adds all of `from`: 0 or -ENOMEM. */
int record_table_copy(RecordTable *table, const RecordTable *from);
void record_table_deinit(RecordTable *table);

ViewRecord *view_record_new(uint32_t number, bool on_host);
ViewRecord *view_record_free(ViewRecord *view);
DEFINE_CLEANUP(ViewRecord *, view_record_free)
