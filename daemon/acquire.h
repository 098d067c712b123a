/* Acquires that wait for a kernel to be checked. All who ask for the same
 * folder wait for one check; one of them leaving stops nothing for the others,
 * the last one leaving stops it. */
#pragma once

#include "daemon/dispatch.h"
#include "kernels/resolve.h"

typedef struct Acquires Acquires; /* the running checks, and what earlier ones found */
typedef struct Wait Wait;         /* one request in flight */

int acquires_new(Daemon *daemon, Acquires **ret_acquires);

/* Answers all with `cancelled`, ends the checks; freed once they have ended. */
void acquires_close(Acquires *acquires);

/* Answers the request later. 0; 1 with a fault, -ENOMEM: nothing was begun. */
int acquire_begin(Acquires *acquires, Request *request, const Resolution *resolution, uint64_t deadline_ms,
                  Fault *fault);

/* Answers the session's request `id` with `cancelled`; false: there is none. */
bool acquire_cancel(Acquires *acquires, Session *session, uint32_t id);

/* Whether the session has a request of that number in flight. */
bool acquire_is_in_flight(const Acquires *acquires, const Session *session, uint32_t id);

/* Forgets the requests of a session that ends, answering nothing. */
void acquires_forget_session(Acquires *acquires, Session *session);
