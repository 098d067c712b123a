/* A request that waits for fetches, one after the other: versions, variants,
 * refresh, prefetch. Ends with its answer, by cancel, by its deadline, or with
 * its session. */
#pragma once

#include "daemon/dispatch.h"
#include "daemon/fetches.h"
#include "daemon/hub.h"
#include "kernels/step.h"

typedef struct HubTask HubTask;

/* One fetch of a task. Texts lie in the task's arena. */
typedef struct HubTaskItem {
        HubName name;
        FetchGoal goal;
        bool fresh;
        bool takes_effect;
        bool trust_remote_code;
        bool judged_later;
        Target **targets; /* counted */
        Text *names;      /* of their environments; absent: a session's, or seen */
        size_t n_targets;
} HubTaskItem;

typedef struct HubTaskKind {
        /* One item is through, well or not; what the fetch found is in the catalog. 0; 1
         * with a fault, which ends the task; -ENOMEM. */
        int (*took)(HubTask *task, const HubTaskItem *item, const Fault *fault, const FetchResult *result, Fault *ret_fault);
        /* All are: answers. 0; 1 with a fault; -ENOMEM. */
        int (*answer)(HubTask *task, Fault *fault);
} HubTaskKind;

struct HubTask {
        const HubTaskKind *kind;
        Hub *hub;
        HubTask *next;
        HubTask *previous;
        Session *session;
        uint32_t id;
        MethodNumber method;
        Charge charge;
        uint64_t due_ms;
        Progress told;
        Arena arena;
        HubTaskItem *items;
        size_t n_items;
        size_t at;        /* in hand */
        FetchWaiter waiter;

        void *data;       /* the kind's, in the arena */
};

/* A task without items yet, which the handler adds; then hub_task_run, or
 * hub_task_free. 0; 1 with a fault; -ENOMEM. */
int hub_task_new(const Request *request, const HubTaskKind *kind, OptionalInteger deadline_ms, HubTask **ret_task,
                 Fault *fault);
HubTask *hub_task_free(HubTask *task);
DEFINE_CLEANUP(HubTask *, hub_task_free)

/* Room for n items, zeroed. 0, -ENOMEM. */
int hub_task_make_items(HubTask *task, size_t n);

/* Copies. 0, -ENOMEM. */
int hub_task_set_name(HubTask *task, HubTaskItem *item, const HubName *name);

/* Takes it over. The request will be answered. */
void hub_task_run(HubTask *task);

/* Deadlines and progress. */
void hub_task_tick(Hub *hub, uint64_t now_ms);

bool hub_task_is_in_flight(const Hub *hub, const Session *session, uint32_t id);
void hub_task_cancel(Hub *hub, const Session *session, int64_t id);
void hub_task_forget_session(Hub *hub, const Session *session);
