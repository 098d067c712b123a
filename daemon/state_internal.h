/* What the files of the state share. */
#pragma once

#include <time.h>

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
        KeptFiles *kept; /* of one that opens, like the next */
        Facts *facts;
        StoreHealth health;
        bool opens;
        bool loading;   /* the loader has it */
} Batch;

/* What waits to be noted. The fact's texts follow. */
typedef struct Noted {
        struct Noted *next;
        Fact fact;
} Noted;

typedef struct NotedList {
        Noted *first;
        Noted **end;
        size_t n;
} NotedList;

/* Each has room of its own, so that what a client says in any number displaces
 * neither what was found out nor what was done. */
typedef enum NotedKind { NOTED_FACT, NOTED_EVENT, NOTED_REPORT, _NOTED_MAX } NotedKind;

typedef struct EventQuery EventQuery;

struct State {
        Daemon *daemon;
        StateOwner owner;
        Worker *worker; /* the store thread */
        uv_idle_t idle; /* the end of the turn, while changes wait for it */
        char *folder;
        Store *store;   /* store thread, once it is opened */
        Stored *stored;
        StoreHealth health;
        ChangeList waiting;
        Batch *batch;   /* under way */
        NotedList noted[_NOTED_MAX]; /* to be noted at the end of the turn */
        size_t n_noting[_NOTED_MAX]; /* also those that the store thread has */
        size_t n_dropped;    /* of them, since it was said last */
        int64_t said_s;      /* when */
        EventQuery *queries; /* under way */
        bool closing;
};

static inline int64_t state_now_s(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_REALTIME, &now);
        return now.tv_sec;
}

/* Whether the session may have one more request under way: 0, or 1 with a fault. */
int state_check_in_flight(const Session *session, Fault *fault);

/* Has the end of this turn hand over what waits. */
void state_wake(State *state);

/* Shows it from now on, and logs what is new. */
void state_take_health(State *state, const StoreHealth *health);

/* --- state_notes.c --- */

void noted_list_init(NotedList *list);

/* Hands what waits to the store thread. */
void state_notes_flush(State *state);

/* The same where that thread is gone. */
void state_notes_end(State *state);

/* --- state_events.c --- */

bool state_events_are_in_flight(const State *state, const Session *session, uint32_t id);
void state_events_forget(State *state, const Session *session);
