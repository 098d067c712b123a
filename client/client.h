/* A client: one connection to the daemon and what has to be known to make it
 * again.
 *
 * `lock` guards all that changes. It is never held while something is waited
 * for: of the threads inside a call one leads, which polls the socket with the
 * lock open, reads, and hands every answer to its call; the others wait on
 * `changed`. What that rests on stands at the head of drive.c. */
#pragma once

#include <pthread.h>

#include "client/call.h"
#include "client/connection.h"
#include "client/environment.h"
#include "client/forked.h"
#include "client/local.h"
#include "client/record.h"
#include "client/wake.h"

typedef enum Greeting { GREETING_NONE, GREETING_SENT, GREETING_DONE, GREETING_FAILED } Greeting;

struct kd_client {
        pthread_mutex_t lock;
        pthread_cond_t changed;
        ForkGuard guard;
        bool locked;             /* somebody is inside the lock: a child finds its copy torn */
        bool recording;          /* the record of views is being changed: a child cannot use it */
        bool torn;               /* a child that found that: every call fails */
        bool closed;
        unsigned n_users;        /* the caller until kd_close, and every kernel; atomic */

        char *named;             /* the socket of kd_options; NULL: search */
        char *program;           /* `client` of hello */
        char *job;               /* or NULL */
        bool native;
        bool offline;
        int timeout_ms;
        int64_t (*clock_ms)(void); /* monotonic; tests have their own */
        ClientEnvironment environment;

        Connection connection;
        bool broken;             /* lost while a thread leads, which closes it */
        bool leading;            /* a thread polls for input */
        bool watches_room;       /* ... and for room to write */
        Wake wake;               /* ... and for this */
        uint64_t epoch;          /* counts connections: leases and numbers belong to one */
        Greeting greeting;
        kd_error greeting_error; /* GREETING_FAILED */
        Calls calls;
        uint32_t next_id;        /* atomic */
        Arena texts;             /* what kd_daemon_version answered; lives until the end */
        const char *daemon;

        ViewRecord *views;       /* by number, ascending */
        uint32_t next_view;
        bool changing;           /* one change of views at a time */
        pthread_t changer;       /* the thread that does it */
        LocalNumbers locals;
};

/* Enters and leaves; finds out about a fork. 0, or with an error: -ESTALE, or
 * why there is nothing to be woken by (-EMFILE and such). */
int client_lock(kd_client *client, kd_error *error);
void client_unlock(kd_client *client);

/* Enters again after a callback, whatever state the client is in. Whether this is
 * still the process that left. */
bool client_relock(kd_client *client);

kd_client *client_ref(kd_client *client);
kd_client *client_unref(kd_client *client);

static inline int64_t client_deadline(kd_client *client, int64_t after_ms)
{
        int64_t now = client->clock_ms();

        return after_ms > INT64_MAX - now ? INT64_MAX : now + after_ms;
}

/* --- drive.c; all under the lock --- */

/* Does all that can be done without waiting: connects if there is something to
 * send, sends, and, if `readable` and no other thread leads, reads and delivers.
 * What fails is told to the calls concerned. Whoever calls this dispatches before
 * it leaves the library. */
void client_drive(kd_client *client, bool readable);

/* Dispatches what is over; or, if there is nothing, opens the lock, waits until
 * something happens or the deadline passes, and drives. 0; 1: a signal ended the
 * wait (seen only by the thread that leads); -ETIMEDOUT. */
int client_wait(kd_client *client, int64_t deadline_ms);

/* The same for what another thread does, not the daemon: leaves the connection
 * to the others. Whoever polled for them would not be woken by that thread. */
int client_wait_thread(kd_client *client, int64_t deadline_ms);

/* Calls kd_done of what kd_start started and is over, with the lock open. Not
 * in the midst of a change of views of this thread, which does it at its end: a
 * kd_done may change views. Whether there were any: the lock was open then. */
bool client_dispatch(kd_client *client);

/* Waits until there is a session, connecting if need be (wait_ms as for
 * session_begin). 0 or as kd_connect. */
int client_ensure(kd_client *client, int wait_ms, int64_t deadline_ms, kd_error *error);

/* Waits for a started call. 0: the answer is in the call; else as the public
 * functions. The call stays the caller's, and is out of all lists, save when it
 * was not over in time: then it is abandoned and *call NULL. */
int call_await(Call **call, int64_t deadline_ms, kd_error *error);

/* call_start and call_await; call_run with the client's own timeout. */
int call_run_for(Call **call, int64_t wait_ms, kd_error *error);
int call_run(Call **call, kd_error *error);

/* --- reconnect.c; under the lock --- */

/* Connects and puts hello and the record of views before all that waits. 0, or
 * what find_connect says. wait_ms only where nobody else knows the client yet. */
int session_begin(kd_client *client, int wait_ms, kd_error *error);

/* The connection cannot be used any more. */
void session_lost(kd_client *client, int reason);
