/* What administrators say by command, kept: the stored mapping, the pins
 * and the named environments, in a database and, for the day when that is damaged, in an export beside it.
 * Whatever store_apply has acknowledged is on the disk in both. Beside it, in the
 * database alone, what can be found again.
 *
 * Store thread only; what it hands out are values. */
#pragma once

#include "kernels/facts.h"
#include "kernels/kept_files.h"
#include "kernels/stored.h"

#define STORE_DATABASE "kernelsd.db"
#define STORE_EXPORT "export.json"

/* Ranges of one layer and device: half of what an index takes, so that files
 * have the other half. */
#define LIMIT_STORED_RANGES (LIMIT_RANGES / 2)

/* Guess: one for each sort of machine that somebody prepares for. */
#define LIMIT_STORED_ENVIRONMENTS 1000

typedef enum StoreChangeKind {
        STORE_MAPPING_ADD,     /* rows go on top of what is stored */
        STORE_MAPPING_REPLACE, /* rows are all there is */
        STORE_MAPPING_REMOVE,  /* layer, device, range */
        STORE_PIN_SET,
        STORE_PIN_DROP,
        STORE_ENVIRONMENT_SET,
        STORE_ENVIRONMENT_DROP,
} StoreChangeKind;

typedef struct StoreChange {
        StoreChangeKind kind;
        StoredRows rows;       /* ADD, REPLACE */
        Text layer;            /* REMOVE */
        Text device;           /* REMOVE; absent: all of the layer */
        bool has_range;        /* REMOVE; false: all of the device */
        CapabilityRange range;
        Pin pin;               /* SET; DROP without commit */
        StoredEnvironment environment; /* SET; of DROP the name */

        Fault fault;           /* filled in: name FAULT_NONE is good; a bad one is passed over */
        size_t n_changed;      /* filled in: entries, pins or environments */
} StoreChange;

/* How it is: good, or what is wrong; also good with something to tell. */
typedef struct StoreHealth {
        bool good;
        char message[1024]; /* "": nothing to tell */
} StoreHealth;

typedef struct Store Store;

/* Opens what is kept in the folder, which is there; repairs what can be
 * repaired. "": nothing is kept, which is good, and every change is refused. Whatever is wrong with the files is for store_health: 0 or -ENOMEM. */
int store_open(const char *folder, Store **ret_store);
Store *store_close(Store *store);
DEFINE_CLEANUP(Store *, store_close)

/* What is kept; counted up for the caller. */
Stored *store_stored(const Store *store);
void store_health(const Store *store, StoreHealth *ret_health);

/* Makes all changes together, each wholly or not at all, and tells in each what
 * became of it. 0 or -ENOMEM, after which nothing was changed. */
int store_apply(Store *store, StoreChange *const *changes, size_t n);

/* --- what can be found again: store_notes.c. What cannot be written is dropped,
 * what cannot be read is not there, and store_health says so: 0 or -ENOMEM --- */

/* The last good set of mapping files, in the place of the one before. One that is
 * too large is not kept. */
int store_keep_files(Store *store, const KeptFiles *files);
int store_files(Store *store, KeptFiles **ret_files); /* NULL: none */

/* All of them in one transaction. Of uses, environments and events what is too
 * old or too much goes. */
int store_note(Store *store, const Fact *facts, size_t n);

/* Everything but the events. What is too old at `now_s` goes before. */
int store_facts(Store *store, int64_t now_s, Facts **ret_facts);

int store_events(Store *store, const EventRange *range, Arena *arena, FactEvent **ret_events, size_t *ret_n);
