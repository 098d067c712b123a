/* What a session that said hello holds: its environment, its views, its leases. */
#pragma once

#include <stdint.h>

#include "daemon/account.h"
#include "daemon/lease.h"
#include "kernels/environment.h"
#include "kernels/resolve.h"
#include "kernels/view.h"

typedef struct HeldView {
        uint32_t number;
        View *view; /* NULL: view 1 as hello makes it, nothing own on the host mapping */
        Charge entries;
        Charge bytes;
} HeldView;

struct Holdings {
        Environment environment;
        ChoiceMemo *memo;
        HeldView *views; /* in the order in which they were made */
        size_t n_views;
        uint32_t n_locals;   /* numbers given to local repositories so far */
        uint32_t next_lease; /* from 1 */
        Lease *leases;       /* newest first */
        size_t n_leases;
        Charge charge;       /* of the leases */
        char client[LIMIT_WORD + 1];
};
typedef struct Holdings Holdings;

/* After hello: view 1 on view 0. 0; 1 with a fault; -ENOMEM. */
int holdings_new(const MsgHello *hello, Holdings **ret_holdings, Fault *fault);
Holdings *holdings_free(Holdings *holdings);

/* NULL if there is none of that number. */
HeldView *holdings_view(Holdings *holdings, int64_t number);

/* Makes room for a view of this number, as the last. 0, -ENOMEM. */
int holdings_add_view(Holdings *holdings, uint32_t number, View *view, HeldView **ret_held);
void holdings_drop_view(Holdings *holdings, HeldView *held);

/* Own entries of all its views. */
size_t holdings_n_entries(const Holdings *holdings);

/* Views beyond view 1. */
size_t holdings_n_views(const Holdings *holdings);
