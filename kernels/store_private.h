/* What the files of the store share. */
#pragma once

#include "kernels/store.h"
#include "kernels/store_db.h"

/* Whose reports came since his oldest were dropped. */
typedef struct StoreReporter {
        int64_t uid;
        size_t n_new; /* 0: nobody's place */
} StoreReporter;

struct Store {
        char *folder;
        int folder_fd;
        StoreDb *db;      /* NULL: cannot be used; the export says what is known */
        Stored *stored;
        uint64_t number;
        size_t n_new_events; /* since the oldest were dropped */
        StoreReporter reporters[16]; /* guess: more at once are trimmed early, all of them */
        char note[300];     /* what was mended */
        char trouble[600];  /* why nothing can be changed; "": it can */
        char loss[300];     /* what is gone, until the next mapping.load */
        char dropped[600];  /* why something could not be noted, until something can */
        char not_kept[200]; /* why the mapping files are not kept */
};

/* One transaction. 0; 1 with a problem; -ENOMEM. */
typedef int StoreTry(Store *store, const void *what, StoreProblem *problem);

/* Tries it with the database, which is there; where that turns out to be damaged
 * it is mended, or gone, and tried again if it is there. */
int store_attempt(Store *store, StoreTry *try, const void *what, StoreProblem *problem);
