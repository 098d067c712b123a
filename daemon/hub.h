/* The daemon's side of the Hub, on the loop: the cache, what is known
 * (kernels/catalog), who used what, and the fetches. */
#pragma once

#include <uv.h>

#include "daemon/fetches.h"
#include "daemon/http.h"
#include "kernels/commit_memory.h"
#include "kernels/facts.h"
#include "kernels/hub_find.h"
#include "kernels/named_environment.h"
#include "kernels/uses.h"

typedef struct Daemon Daemon;
typedef struct HubScan HubScan;
typedef struct HubTask HubTask;
typedef struct HubVerify HubVerify;
typedef struct Refresh Refresh;
typedef struct StoredEnvironment StoredEnvironment;

struct Hub {
        Daemon *daemon;
        Cache *cache;                /* NULL: nothing is kept, so nothing is fetched */
        Catalog *catalog;
        Uses *uses;
        Fetches *fetches;
        TextTable jobs;              /* memories that several sessions share */
        HubScan *scan;               /* of the cache, at the start */
        Refresh *refreshes;          /* in the background */
        HubTask *tasks;              /* requests that wait for fetches */
        HubVerify *verifies;         /* requests that wait for kernels to be hashed */
        uv_timer_t ticks;            /* while there are any of the two */
        uint64_t key;                /* of tables */
        int64_t auth_said_s;         /* when it was last logged that the token is refused */
        bool ready;                  /* the cache has been looked through */
        char cache_message[LIMIT_FAULT_MESSAGE]; /* why a user's cache cannot be used; "": it can */
        char message[LIMIT_FAULT_MESSAGE]; /* how the last fetch failed; "": it did not */
};

/* Opens the cache, if the configuration names one; blocks: before the loop runs.
 * 0; 1 with a fault: a system's cache that cannot be used; negative. */
int hub_new(Daemon *daemon, Hub **ret_hub, Fault *fault);

/* What was found out before, which becomes the hub's; then looks through the cache,
 * and says to the daemon when it is ready. */
void hub_begin(Hub *hub, Facts *facts);

/* Ends what nobody asked for; part of hub_stop. */
void hub_stop_refreshes(Hub *hub);

/* Cancels what runs; before worker_close, with all waiters gone. NULL is allowed, as below. */
void hub_stop(Hub *hub);

/* After worker_close and with the loop at its end. */
Hub *hub_free(Hub *hub);

/* Around the linking of a first, and the unlinking of a last, task or verify. */
void hub_ticks_begin(Hub *hub);
void hub_ticks_end(Hub *hub);

/* Seconds since 1970. */
int64_t hub_now_s(void);

/* Whether nothing may be asked of the Hub, for anybody. */
bool hub_is_offline(const Hub *hub);

/* --- for fetches --- */

/* What a wish comes to, with all that is known already. 0; 1 with a fault; -ENOMEM. */
int hub_order(Hub *hub, const FetchWish *wish, FetchOrder **ret_order, Fault *fault);

/* Takes over what a fetch has found out, whether it failed or not. */
void hub_learn(Hub *hub, const FetchOrder *order, const FetchResult *result, const Fault *fault);

/* A variant was found to be gone (FAULT_NO_REPOSITORY), or to have other files or
 * bytes: neither its receipt nor that it is complete holds any more. What a user has
 * changed in his own cache is his, to be answered as it is, and nothing that a fetch
 * may write over. 0; 1: such a one; -ENOMEM. */
int hub_forget_files(Hub *hub, Text repo, Text commit, Text variant, Text path, FaultName found);

/* --- for askers --- */

/* Whether this host takes the kernel, for this asker, now. POLICY_OK with the reason,
 * for people; POLICY_ASK with the publisher whom the Hub must be asked about, or an
 * absent text: it must be asked for the repository; POLICY_FAULT; -ENOMEM. */
int hub_judge(const Hub *hub, const HubName *name, const HubFound *found, bool trust_remote_code, bool offline,
              Arena *arena, Text *ret_why, Fault *fault);

/* The same of what is not served to everybody, by whatever name it is asked for. 0; 1 with a fault. */
int hub_judge_private(const Hub *hub, Text repo, Fault *fault);

/* An answer of the Hub that is older than the configuration likes is asked for
 * again in the background, on the account of the one who asks. */
void hub_refresh_stale(Hub *hub, const HubName *name, Account *account);

/* All that a change of the revision must be here for: who used it, and the named
 * environments. Counted up; given back one by one. There is room for one more. 0, -ENOMEM. */
int hub_targets_of(const Hub *hub, Text repo, Text revision, Arena *arena, Target ***ret_targets, size_t *ret_n);

/* The named environments alone, added to those that are there and counted up, of
 * which the caller has room for all. 0, -ENOMEM. */
int hub_named_targets(const Hub *hub, Target **targets, size_t *n);

/* One that an administrator stored. 0; 1: it cannot be read; -ENOMEM. */
int hub_stored_target(const StoredEnvironment *stored, Target **ret_target);

/* The wish to ask again for all who use it; given back by hub_refresh_wish_clear. 0, -ENOMEM. */
int hub_refresh_wish(Hub *hub, const HubName *name, Arena *arena, FetchWish *ret_wish);
void hub_refresh_wish_clear(FetchWish *wish);

/* Notes that somebody acquired it. */
void hub_note_use(Hub *hub, const HubName *name, Target *target, uid_t uid);

/* The memory of a session of the domain, or of its job (absent: none); given
 * back with hub_forget_memory, which takes NULL. 0, -ENOMEM. */
int hub_memory(Hub *hub, const Account *account, Text job, CommitMemory **ret_memory);
void hub_forget_memory(Hub *hub, CommitMemory *memory);
