/* What a session that said hello holds: its environment, its views, its leases,
 * what it said that it uses. */
#pragma once

#include <stdint.h>

#include "daemon/account.h"
#include "daemon/lease.h"
#include "daemon/reports.h"
#include "kernels/environment.h"
#include "kernels/resolve.h"
#include "kernels/view.h"
#include "proto/base/buffer.h"
#include "proto/limits.h"

typedef struct Wait Wait; /* daemon/acquire.h */

typedef struct HeldView {
        uint32_t number;
        View *view; /* NULL: view 1 as hello makes it, nothing own on the host mapping */
        Charge entries;
        Charge bytes;
} HeldView;

/* A local repository that the session named, for as long as entries refer to it. */
typedef struct HeldLocal {
        Repository *repository; /* counted */
        Charge bytes;
} HeldLocal;

/* Guess: a model has some dozens of layers, each from another place at most.
 * Bounds the work of looking for those that nobody refers to any more. */
#define HOLDINGS_LOCALS 1024

/* The parts of a mapping.load that have come. */
typedef struct Upload {
        Buffer bytes;
        Charge charge;
        int64_t n_parts;
} Upload;

typedef struct Holdings {
        Environment *environment;
        ChoiceMemo *memo;
        CommitMemory *memory; /* hub_memory gave it, and takes it back before the holdings end */
        bool offline;         /* nothing is asked of the Hub for the session */
        HeldView *views; /* in the order in which they were made */
        size_t n_views;
        HeldLocal *locals;
        size_t n_locals;
        uint32_t next_local; /* the number of the session's next local repository */
        uint32_t last_lease;
        Wait *waits;   /* acquires in flight */
        Upload upload; /* of mapping.load, up to its last part */
        Lease *leases; /* newest first */
        size_t n_leases;
        Charge charge; /* of the leases */
        Reports reports;
        char client[LIMIT_WORD + 1];
} Holdings;

/* After hello: view 1 on view 0. 0; 1 with a fault; -ENOMEM. */
int holdings_new(const MsgHello *hello, Holdings **ret_holdings, Fault *fault);
Holdings *holdings_free(Holdings *holdings);
DEFINE_CLEANUP(Holdings *, holdings_free)

/* Replaces the environment; of a bad one the old stays. 0; 1 with a fault; -ENOMEM. */
int holdings_set_environment(Holdings *holdings, const MsgEnvironment *message, bool native, Fault *fault);

/* NULL if there is none of that number. */
HeldView *holdings_view(const Holdings *holdings, int64_t number);

/* Takes over a view as the last, under a number that is free. 0; -ENOMEM, with
 * the view still the caller's. */
int holdings_add_view(Holdings *holdings, uint32_t number, View *view, HeldView **ret_held);
void holdings_drop_view(Holdings *holdings, HeldView *held);

/* Takes part in n local repositories (counted up here), charging what each
 * takes, `sizes`, and forgets those that nobody else refers to. 0; 1 with
 * FAULT_LIMIT, -ENOMEM: none is held. */
int holdings_add_locals(Holdings *holdings, Account *account, Repository *const *repositories, const size_t *sizes,
                        size_t n, Fault *fault);

/* Gives the last n up again, as nothing came to refer to them. */
void holdings_drop_last_locals(Holdings *holdings, size_t n);

/* After entries went: forgets the repositories that only they referred to. */
void holdings_sweep_locals(Holdings *holdings);

/* Own entries of all its views. */
size_t holdings_n_entries(const Holdings *holdings);

/* Forgets the parts. */
void upload_clear(Upload *upload);

/* Views beyond view 1. */
size_t holdings_n_views(const Holdings *holdings);

/* Charges the leases and n more, or, where those are more, the descriptors that
 * the peer has not received: 0, or 1: refused. */
int holdings_charge_leases(Holdings *holdings, Account *account, size_t n, size_t n_unread);

/* Takes over a lease, which is charged already, under the next number. */
void holdings_add_lease(Holdings *holdings, Lease *lease);

/* False: there is none of that number. */
bool holdings_release(Holdings *holdings, int64_t number, size_t n_unread);
