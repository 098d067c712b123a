/* What the daemon keeps (kernels/store.h), as the loop sees it: changes are
 * gathered, those of one turn of the loop are one batch. A batch is read by the
 * file thread, made by the store thread, brought into the host mapping by the
 * loader, and only then its askers are answered. */
#pragma once

#include "daemon/dispatch.h"
#include "daemon/worker.h"
#include "kernels/store.h"

typedef struct State State;

/* A change that somebody asked for. The loop fills it in and hands it over. */
typedef struct Change {
        StoreChange store;
        Arena arena;       /* of what `store` points to */
        Buffer bytes;      /* of a mapping that is still to be read into store.rows */
        Charge charge;     /* for them */
        Session *session;  /* NULL: it has ended */
        uint32_t id;
        MethodNumber method;
        uid_t uid;         /* for the log */
        pid_t pid;
        struct Change *next;
} Change;

/* The folder, made if need be, and taken by its flock. 0 with the descriptor, or
 * -1 where there is no folder that can be opened, which the store tells about; 1
 * with a fault: another daemon has it, or others can write it. Blocks: before
 * the loop runs. */
int state_take_folder(const char *path, int *ret_fd, Fault *fault);

typedef struct StateOwner {
        void *data;
        /* What is kept has been read, and the first mapping is about to be loaded:
         * what was found out before becomes the callee's. */
        void (*opened)(void *data, Facts *facts);
} StateOwner;

/* folder NULL: nothing can be stored. */
int state_new(Daemon *daemon, const char *folder, StateOwner owner, State **ret_state);

/* The store thread, for the watchdog. */
Worker *state_worker(const State *state);

/* Reads what is kept; then has the first mapping loaded. */
void state_begin(State *state);

/* No batch goes on any more; before the workers are closed. NULL is allowed. */
void state_stop(State *state);

/* After the loader and the file thread are closed. False: the store thread hangs. */
bool state_close(State *state, uint64_t patience_ms);

/* A change for the request, to be filled in and submitted or freed. 0; 1 with a
 * fault; -ENOMEM. */
int state_change_new(const Request *request, StoreChangeKind kind, Change **ret_change, Fault *fault);
Change *state_change_free(Change *change);
DEFINE_CLEANUP(Change *, state_change_free)

/* Takes the change over; it will be answered. */
void state_submit(State *state, Change *change);

/* Notes it, copied: all of one turn of the loop are written together, and may be
 * lost with the power. What comes too fast is dropped, events first. */
void state_note(State *state, const Fact *fact);

/* Called with what was read, unless the session has ended; answers it. */
typedef void StateEventsDone(Session *session, uint32_t id, const EventRange *range, const FactEvent *events, size_t n);

/* Reads the history for the request, with all that was noted so far. 0, and it
 * will be answered; 1 with a fault; -ENOMEM. */
int state_events(State *state, const Request *request, const EventRange *range, StateEventsDone *done, Fault *fault);

/* MappingLoaderOwner.keep. */
void state_keep_files(State *state, KeptFiles *files);

/* MappingLoaderOwner.finished. */
void state_mapping_finished(State *state);

bool state_is_in_flight(const State *state, const Session *session, uint32_t id);
void state_forget_session(State *state, const Session *session);

/* What is kept, borrowed, and how it is. */
const Stored *state_stored(const State *state);
const StoreHealth *state_health(const State *state);

/* Those that administrators stored, borrowed until a change, by name. */
void state_named_environments(const State *state, const StoredEnvironment **ret_environments, size_t *ret_n);
