/* The database of the store: SQLite, wrapped so that nobody else knows it. One
 * connection, used by one thread at a time (the store's).
 *
 * Functions return 0; 1 with a problem; -ENOMEM. */
#pragma once

#include "kernels/facts.h"
#include "kernels/kept_files.h"
#include "kernels/stored.h"

typedef enum StoreProblemKind {
        STORE_DAMAGED,  /* not a database, or one whose pages contradict each other */
        STORE_NEWER,    /* of a later schema than this program knows */
        STORE_NO_SPACE,
        STORE_FAILED,   /* cannot be opened, read or written: the message says why */
} StoreProblemKind;

typedef struct StoreProblem {
        StoreProblemKind kind;
        char message[512]; /* "/var/lib/kernelsd/kernelsd.db: disk I/O error" */
} StoreProblem;

/* Events that may come in before the oldest go. */
#define STORE_EVENT_SLACK 256

typedef struct StoreDb StoreDb;

/* Opens or makes the database, checks it, and brings its schema up to date.
 * *ret_fresh: it was not there, or empty; a transaction has begun, in which the
 * caller fills it and which he commits. */
int store_db_open(const char *path, StoreDb **ret_db, bool *ret_fresh, StoreProblem *problem);
StoreDb *store_db_close(StoreDb *db);
DEFINE_CLEANUP(StoreDb *, store_db_close)

/* durable: a commit is on the disk when it returns; otherwise it may be lost with
 * the power, whole, and those after it. */
int store_db_begin(StoreDb *db, bool durable, StoreProblem *problem);
int store_db_commit(StoreDb *db, StoreProblem *problem);
void store_db_rollback(StoreDb *db);

/* One change in a transaction, which can be taken back alone. */
int store_db_mark(StoreDb *db, StoreProblem *problem);
int store_db_keep(StoreDb *db, StoreProblem *problem);
int store_db_take_back(StoreDb *db, StoreProblem *problem);

/* The row goes in the place of one with the same layer, device and range. */
int store_db_put_row(StoreDb *db, const StoredRow *row, StoreProblem *problem);

/* device absent: all of the layer; range NULL: all of the device. */
int store_db_remove_rows(StoreDb *db, Text layer, Text device, const CapabilityRange *range, size_t *ret_n,
                         StoreProblem *problem);
int store_db_clear_rows(StoreDb *db, StoreProblem *problem);

/* How many ranges a layer has for a device. */
int store_db_count_ranges(StoreDb *db, Text layer, Text device, size_t *ret_n, StoreProblem *problem);

int store_db_put_pin(StoreDb *db, const Pin *pin, StoreProblem *problem);
int store_db_drop_pin(StoreDb *db, Text repo, Text revision, size_t *ret_n, StoreProblem *problem);

/* What was lost and could not be rebuilt, until it is forgotten. */
int store_db_put_loss(StoreDb *db, Text what, StoreProblem *problem);
int store_db_forget_losses(StoreDb *db, StoreProblem *problem);
int store_db_loss(StoreDb *db, Arena *arena, Text *ret_what, StoreProblem *problem); /* absent: none */

/* In the place of those that are there. */
int store_db_put_files(StoreDb *db, const KeptFiles *files, StoreProblem *problem);
int store_db_files(StoreDb *db, KeptFiles **ret_files, StoreProblem *problem); /* NULL: none */

int store_db_put_named(StoreDb *db, const StoredEnvironment *environment, StoreProblem *problem);
int store_db_drop_named(StoreDb *db, Text name, size_t *ret_n, StoreProblem *problem);
int store_db_count_named(StoreDb *db, size_t *ret_n, StoreProblem *problem);

/* In the place of the one with its key. */
int store_db_put_fact(StoreDb *db, const Fact *fact, StoreProblem *problem);

/* Drops all but the newest FACT_MAX_USES of the domain and revision of this one. */
int store_db_trim_share(StoreDb *db, const FactUse *use, StoreProblem *problem);

/* Drops what is too old, of events among `most` of the oldest; and of too many
 * events the oldest of the uid that has the most, so that nobody loses what he did
 * to somebody who does much. */
int store_db_trim_uses(StoreDb *db, int64_t now_s, StoreProblem *problem);
int store_db_trim_events(StoreDb *db, int64_t now_s, size_t most, StoreProblem *problem);

/* Drops a uid's oldest reports beyond FACT_MAX_REPORTS. */
int store_db_trim_reports(StoreDb *db, int64_t uid, StoreProblem *problem);

int store_db_facts(StoreDb *db, Facts **ret_facts, StoreProblem *problem);
int store_db_events(StoreDb *db, const EventRange *range, Arena *arena, FactEvent **ret_events, size_t *ret_n,
                    StoreProblem *problem);

/* Everything that administrators said, in the order that stored_new wants it. */
int store_db_read(StoreDb *db, uint64_t number, Stored **ret_stored, StoreProblem *problem);
