/* Fetching from the Hub, as decisions: which request comes next, what an answer
 * means, when all is there. It knows no network: calls come out, replies go in.
 * What arrives it writes to the cache, so it is for the file thread alone; an
 * order and a result are values that go between the threads.
 *
 * A fetch always finds out only what it does not know: which commit a revision
 * is, whether the repository has moved, what variants there are, whether the
 * publishers are trusted; then for each target the best variant that runs there,
 * and the files of those. Nothing is in its place before all of it is on disk. */
#pragma once

#include "kernels/cache.h"
#include "kernels/hub_reply.h"
#include "kernels/hub_retry.h"
#include "kernels/kernel_check.h"
#include "kernels/known.h"
#include "kernels/policy.h"
#include "kernels/step.h"
#include "kernels/target.h"

typedef enum FetchGoal {
        FETCH_PUBLISHER, /* whether the Hub trusts the publisher, whose name stands for the repository's */
        FETCH_REFS,    /* which revisions there are; the order's own need not be among them */
        FETCH_LISTING, /* which commit it is, and which variants it has */
        FETCH_FILES,   /* and the files for the targets */
} FetchGoal;

typedef struct FetchPublisher {
        Text name;
        bool trusted;
} FetchPublisher;

/* Texts lie in the arena. */
typedef struct FetchOrder {
        Arena arena;
        FetchGoal goal;
        Cache *cache;         /* borrowed: it outlives every fetch */
        Text endpoint;
        Policy *policy;       /* counted */
        Text repo;
        Text revision;        /* a branch, a tag, or a commit */
        bool version;         /* it is "vN" of a version, which a redirect keeps */
        bool fixed;           /* it is a commit */
        bool trust_remote_code;
        bool judged_later;    /* who acquires it is judged then: here a denial stops it alone */

        Text commit;          /* known already; absent: the Hub is asked */
        Text final_repo;      /* where the repository has moved to; absent: not known */
        Text final_commit;
        Text last_commit;     /* where the Hub is asked again: what it was, and where to; absent: not known */
        Text last_final_repo;
        Known *known;         /* counted; what is known of the final commit, or of the last one; NULL: nothing */
        FetchPublisher *publishers; /* known and fresh */
        size_t n_publishers;

        Target **targets;     /* counted */
        size_t n_targets;
        int64_t max_bytes;    /* that may be fetched: the domain's quota */
        bool takes_effect;    /* refs/ are to say what comes out */
        uint64_t key;         /* random: of a table whose names the Hub chooses */
} FetchOrder;

int fetch_order_new(FetchOrder **ret_order);
FetchOrder *fetch_order_free(FetchOrder *order);
DEFINE_CLEANUP(FetchOrder *, fetch_order_free)

/* A branch or tag, for `versions`. */
typedef struct FetchRef {
        Text name;
        Text commit;
        bool tag;
} FetchRef;

/* What became of one target. */
typedef struct FetchedTarget {
        Target *target; /* the order's */
        Text variant;   /* absent: the fault says why there is none */
        Fault fault;
} FetchedTarget;

typedef struct FetchedReceipt {
        Text variant;
        KernelReceipt receipt;
} FetchedReceipt;

/* Texts lie in the arena or are the order's. Filled in as far as the fetch came,
 * whether it failed or not: what was learned on the way stays learned. */
typedef struct FetchResult {
        Arena arena;
        bool asked;        /* the Hub was asked which commit it is */
        bool with_token;   /* the final repository was asked for with the token */
        Text commit;       /* absent: it did not come so far */
        Text final_repo;   /* likewise */
        Text final_commit;
        FetchRef *refs;
        size_t n_refs;
        Known *known;      /* counted; complete in it is what was put in place; NULL: no more than before */
        FetchPublisher *publishers; /* asked about */
        size_t n_publishers;
        FetchedTarget *targets;
        size_t n_targets;
        FetchedReceipt *receipts; /* of what was put in place */
        size_t n_receipts;
        int64_t n_bytes;   /* of files that came, in place or not */
} FetchResult;

typedef struct Fetch Fetch;

/* One request that the transport makes. What begins with fetch_call_ is called
 * by it; the texts stay until the call is done or cancelled. */
typedef struct FetchCall {
        Text url;          /* NUL behind it */
        bool with_token;
        bool is_file;      /* its bytes go to fetch_call_write; else they come with the reply */
        int64_t size;      /* of a file: all of it */
        int64_t from;      /* of a file: the first byte wanted */
        size_t limit;      /* of the body in the reply */
        uint64_t delay_ms; /* before it begins */
        void *data;        /* the transport's */
} FetchCall;

enum {
        FETCH_WAITS = 3,  /* for calls */
        FETCH_PAUSES = 4, /* for another process, which writes the same file: step again in a while */
        FETCH_CONFIRMS = 5, /* all is in place; before it takes effect: fetch_confirm, then step again */
};

/* The order becomes the fetch's. 0, -ENOMEM. */
int fetch_new(FetchOrder *order, Fetch **ret_fetch);

/* STEP_DONE, STEP_FAULT, STEP_MORE, FETCH_WAITS, FETCH_PAUSES, FETCH_CONFIRMS; negative. After
 * done or fault every call that is still out must be dropped. */
int fetch_step(Fetch *fetch, Fault *fault);

/* The next call to make; NULL: none for now. */
FetchCall *fetch_take_call(Fetch *fetch);

/* Non-zero: no more of it. */
int fetch_call_write(Fetch *fetch, FetchCall *call, const void *bytes, size_t size);

/* Status and headers are known. */
void fetch_call_started(Fetch *fetch, FetchCall *call, const HubReply *reply);

/* The call is the fetch's again. */
void fetch_call_done(Fetch *fetch, FetchCall *call, const HubReply *reply);

/* A fetch takes long, and others may have begun meanwhile to use what was in force:
 * says who uses it now. What is new among them is fetched for, too. Between two
 * steps, in any thread. 0, -ENOMEM. */
int fetch_confirm(Fetch *fetch, Target **targets, size_t n_targets);

void fetch_progress(const Fetch *fetch, Progress *ret_progress);

/* After the last step. */
FetchResult *fetch_take_result(Fetch *fetch);
FetchResult *fetch_result_free(FetchResult *result);
DEFINE_CLEANUP(FetchResult *, fetch_result_free)

/* Whether every target that can be served at all is: then it may be in force. */
bool fetch_result_is_complete(const FetchResult *result);

/* Gives back what it holds of the cache: what was fetched and is in no place yet
 * goes. In the file thread; the fetch can only be asked for its result and freed
 * then, which may be elsewhere. */
void fetch_let_go(Fetch *fetch);

/* After fetch_let_go, or in the file thread. */
Fetch *fetch_free(Fetch *fetch);
DEFINE_CLEANUP(Fetch *, fetch_free)
