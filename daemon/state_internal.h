/* What the files of the state share. */
#pragma once

#include "daemon/daemon.h"
#include "daemon/state.h"

typedef struct ChangeList {
        Change *first;
        Change **end;
} ChangeList;

/* Opening the store, or a run of changes. The threads have it in turn. */
typedef struct Batch {
        Job job;
        State *state;
        ChangeList list;
        StoreChange **changes;
        size_t n;
        Stored *stored;  /* what is kept then */
        KeptFiles *kept; /* of one that opens */
        StoreHealth health;
        bool opens;
        bool loading;   /* the loader has it */
} Batch;

struct State {
        Daemon *daemon;
        Worker *worker; /* the store thread */
        uv_idle_t idle; /* the end of the turn, while changes wait for it */
        char *folder;
        Store *store;   /* store thread, once it is opened */
        Stored *stored;
        StoreHealth health;
        ChangeList waiting;
        Batch *batch;   /* under way */
        bool closing;
};

/* Shows it from now on, and logs what is new. */
void state_take_health(State *state, const StoreHealth *health);
