/* Acquires that wait: for a fetch, for a variant folder to be checked, for a
 * lease. All who ask for the same folder wait for one check; one of them leaving
 * stops nothing for the others, the last one leaving stops it. */
#pragma once

#include "daemon/dispatch.h"
#include "kernels/kernel_check.h"
#include "kernels/resolve.h"

typedef struct Acquires Acquires; /* the running checks, and what earlier ones found */
typedef struct Wait Wait;         /* one request in flight, in the list of its session's holdings */

int acquires_new(Daemon *daemon, Acquires **ret_acquires);

/* After the sessions are closed and before worker_close; freed later, on the
 * loop. NULL is allowed. */
void acquires_close(Acquires *acquires);

/* How many wait. */
size_t acquires_n_waiting(const Acquires *acquires);

/* What a folder looked like when its files were hashed; put is told to the store, too. */
void acquires_put_receipt(Acquires *acquires, Text path, Text variant, const KernelReceipt *receipt);
void acquires_void_receipt(Acquires *acquires, Text path, Text variant); /* the store is told, too */
void acquires_know_receipt(Acquires *acquires, Text path, Text variant, const KernelReceipt *receipt, int64_t used_s);
int64_t acquires_used_s(const Acquires *acquires, Text path, Text variant); /* 0: there is none */

typedef struct AcquireOptions {
        uint64_t deadline_ms;
        bool fresh;
        bool trust_remote_code;
} AcquireOptions;

/* Answers the request later: of a directory of the host mapping. 0; 1 with a
 * fault, -ENOMEM: nothing was begun. */
int acquire_begin(Acquires *acquires, const Request *request, const Resolution *resolution,
                  const AcquireOptions *options, Fault *fault);

/* The same of a repository of the Hub; query->layer and mode are not looked at.
 * `resolution` NULL: nobody looked a layer up. */
int acquire_begin_hub(Acquires *acquires, const Request *request, const Resolution *resolution,
                      const Reference *reference, const MsgQuery *query, const AcquireOptions *options, Fault *fault);

/* Answers the session's request `id` with `cancelled`, if it is in flight. */
void acquire_cancel(Session *session, int64_t id);

bool acquire_is_in_flight(const Session *session, uint32_t id);

/* Forgets the requests of a session that ends, answering nothing. */
void acquire_forget_session(Session *session);
