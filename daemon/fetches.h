/* The fetches that run: one for a repository at a time. Whoever wants something
 * of a repository that is being fetched waits for that one and looks again, so
 * that any number of askers are one. One who leaves stops nothing for the
 * others; the last one who leaves stops it. */
#pragma once

#include "daemon/account.h"
#include "kernels/fetch.h"

typedef struct Fetches Fetches;
typedef struct RunningFetch RunningFetch;
typedef struct Hub Hub;

/* What is wanted of the Hub. Texts are copied. */
typedef struct FetchWish {
        FetchGoal goal;
        Text repo;
        Text revision;
        bool version;
        bool fixed;
        bool fresh;             /* the Hub is to be asked, whatever is known */
        bool trust_remote_code;
        bool judged_later;      /* for nobody who asks now: who acquires it is judged then */
        bool takes_effect;      /* what comes out is to be in force, if it is complete for all targets */
        Target *const *targets;
        size_t n_targets;
        Account *account;       /* whose quota it is; NULL: the daemon's own doing */
} FetchWish;

typedef struct FetchOutcome {
        const Fault *fault;        /* why it failed; NULL: it did not */
        const FetchResult *result; /* as far as it came; NULL: nowhere */
        bool own;                  /* it was for just what this one wished; else look again */
} FetchOutcome;

/* Embedded in what waits. */
typedef struct FetchWaiter FetchWaiter;
struct FetchWaiter {
        /* On the loop, once, after what was learned is in the catalog; the waiter
         * is its owner's again and may join anew. */
        void (*done)(FetchWaiter *waiter, const FetchOutcome *outcome);
        RunningFetch *fetch; /* private; NULL: does not wait */
        FetchWaiter *next;
        FetchWaiter *previous;
        bool own;
};

int fetches_new(Hub *hub, Fetches **ret_fetches);

/* Cancels all, with the waiters gone; before worker_close. */
void fetches_stop(Fetches *fetches);

/* After worker_close. NULL is allowed. */
void fetches_free(Fetches *fetches);

size_t fetches_n_running(const Fetches *fetches);

/* Waits for the running fetch of the repository, or begins one. 0; 1 with a
 * fault (limit); -ENOMEM. Done is never called from within. */
int fetches_join(Fetches *fetches, const FetchWish *wish, FetchWaiter *waiter, Fault *fault);

/* Waits no more. */
void fetches_leave(FetchWaiter *waiter);

/* How far the fetch is that the waiter waits for. */
Progress fetches_progress(const FetchWaiter *waiter);
