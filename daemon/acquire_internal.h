/* What the parts of an acquire share: those who wait, and what they wait for, in
 * this order: a fetch from the Hub (of what is not here), the check of the variant's
 * folder, the opening of the lease. */
#pragma once

#include "daemon/acquire.h"
#include "daemon/check_job.h"
#include "daemon/daemon.h"
#include "daemon/fetches.h"
#include "daemon/holdings.h"
#include "daemon/hub.h"
#include "daemon/lease.h"
#include "daemon/receipts.h"

typedef struct Check Check;
typedef struct Opening Opening;

/* Of one who waits for a kernel of the Hub. */
typedef struct HubWait {
        HubName name;   /* as it was asked for; texts lie in the wait's arena */
        HubName sought; /* what is looked for: the same, or the commit that a fresh fetch has found */
        MsgQuery query; /* device, capability and arch of it */
        Device device;
        Target *target; /* counted; NULL: not a kernel of the Hub */
        FetchWaiter fetch;
        unsigned n_fetches;
        bool fresh;     /* the Hub is still to be asked */
        bool trust_remote_code;
        bool offline;
        bool mended;    /* what was known to be here was not, and it went on as if nothing were */
} HubWait;

struct Wait {
        Acquires *acquires;
        Wait *next_of_all;
        Wait *previous_of_all;
        Session *session;
        Wait *next_of_session;
        Charge charge;
        uint64_t due_ms;
        uint32_t id;
        Progress told; /* the last that the asker was told */
        Arena arena;
        MsgAcquireResult result; /* as far as it is known */
        Text kernel; /* for leases and history: repository or path */
        HubWait hub;

        Check *check;     /* NULL: not yet */
        Opening *opening; /* NULL: still being checked */
        Wait *next;       /* of the same check */
        Wait *previous;
};

struct Acquires {
        Daemon *daemon;
        Wait *waits;
        size_t n_waiting;
        Check *checks;
        Receipts receipts;
        uv_timer_t timer; /* progress and deadlines, while anybody waits */
};

/* acquire.c */
void wait_end(Wait *wait);
void wait_end_with_fault(Wait *wait, const Fault *fault);
void wait_end_with_result(Wait *wait, int r, Fault *fault);

/* acquire_check.c: waits for the check of path/build/variant, which is begun if
 * there is none. 0, -ENOMEM. */
int wait_check(Wait *wait, Text path, Text variant);
void wait_leave_check(Wait *wait); /* out of the check's list */
Progress wait_check_progress(const Wait *wait);

/* acquire_hub.c: looks what is known, and goes on to a fetch or to the check. 0; 1
 * with a fault; -ENOMEM. */
int wait_seek(Wait *wait, Fault *fault);

/* acquire_hub.c: whether policy denies by now what was found, now that it lies
 * ready: the configuration may have changed meanwhile. 0; 1 with a fault;
 * -ENOMEM. */
int wait_judge_denial(const Wait *wait, Fault *fault);
