#include "daemon/hub_task.h"

#include <errno.h>
#include <stddef.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/tell.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* --- life --- */

int hub_task_new(const Request *request, const HubTaskKind *kind, OptionalInteger deadline_ms, HubTask **ret_task,
                 Fault *fault)
{
        Hub *hub = request->daemon->hub;
        CLEANUP(hub_task_freep) HubTask *task = NULL;
        uint64_t patience_ms;

        if (request_deadline(deadline_ms, &patience_ms, fault))
                return 1;
        task = alloc_zeroed(1, sizeof(*task));
        if (!task)
                return error_trace(-ENOMEM);
        task->kind = kind;
        task->hub = hub;
        task->session = request->session;
        task->id = request->id;
        task->method = request->method;
        task->due_ms = loop_now_ms(&hub->daemon->loop) + patience_ms;
        if (request_wait(request, &task->charge, fault))
                return 1;
        *ret_task = STEAL(task);
        return 0;
}

HubTask *hub_task_free(HubTask *task)
{
        if (!task)
                return NULL;
        for (size_t i = 0; i < task->n_items; i++)
                for (size_t k = 0; k < task->items[i].n_targets; k++)
                        target_unref(task->items[i].targets[k]);
        charge_clear(&task->charge);
        arena_deinit(&task->arena);
        alloc_free(task);
        return NULL;
}

int hub_task_make_items(HubTask *task, size_t n)
{
        task->items = arena_zeroed(&task->arena, n, sizeof(*task->items));
        if (!task->items)
                return error_trace(-ENOMEM);
        task->n_items = n;
        return 0;
}

int hub_task_set_name(HubTask *task, HubTaskItem *item, const HubName *name)
{
        int r = arena_copy(&task->arena, name->repo, &item->name.repo);

        item->name.version = name->version;
        item->name.fixed = name->fixed;
        return r == 0 ? arena_copy(&task->arena, name->revision, &item->name.revision) : r;
}

static void task_unlink(HubTask *task)
{
        Hub *hub = task->hub;

        *(task->previous ? &task->previous->next : &hub->tasks) = task->next;
        if (task->next)
                task->next->previous = task->previous;
        hub_ticks_end(hub);
}

/* Its request has been answered, or its session ends. */
static void task_end(HubTask *task)
{
        Session *session = task->session;

        fetches_leave(&task->waiter);
        task_unlink(task);
        hub_task_free(task);
        session_request_ends(session);
}

static void task_end_with(HubTask *task, int r, Fault *fault)
{
        if (r < 0)
                r = fault_set(fault, FAULT_INTERNAL, "the daemon is short of memory");
        if (r > 0)
                (void)answer_fault(task->session, task->id, fault);
        task_end(task);
}

/* --- one after the other --- */

static void task_fetch_done(FetchWaiter *waiter, const FetchOutcome *outcome);

/* What the Hub said lately of a name that is not there; NULL: it may be asked. Of one
 * that was found before the commit is known, so that it need not be looked up; and
 * which revisions a repository has does not depend on one of them. */
static const Fault *known_refusal(const Hub *hub, const HubTaskItem *item)
{
        const Fault *refusal = catalog_refusal(hub->catalog, item->name.repo, item->name.revision, hub_now_s());

        if (!refusal)
                return NULL;
        if (item->goal == FETCH_REFS)
                return refusal->name == FAULT_NO_REPOSITORY ? refusal : NULL;
        return item->fresh || catalog_revision(hub->catalog, item->name.repo, item->name.revision) ? NULL : refusal;
}

static int task_join(HubTask *task, Fault *fault)
{
        const HubTaskItem *item = &task->items[task->at];
        const Fault *refusal = known_refusal(task->hub, item);
        const FetchWish wish = {
                .goal = item->goal, .repo = item->name.repo, .revision = item->name.revision, .version = item->name.version,
                .fixed = item->name.fixed, .fresh = item->fresh, .takes_effect = item->takes_effect,
                .trust_remote_code = item->trust_remote_code, .judged_later = item->judged_later,
                .targets = item->targets, .n_targets = item->n_targets,
                .account = task->session->charge.account,
        };

        if (refusal) {
                *fault = *refusal;
                return 1;
        }
        task->waiter.done = task_fetch_done;
        return fetches_join(task->hub->fetches, &wish, &task->waiter, fault);
}

static int task_took(HubTask *task, const Fault *fault, const FetchResult *result, Fault *ret_fault)
{
        const HubTaskItem *item = &task->items[task->at++];

        return task->kind->took(task, item, fault, result, ret_fault);
}

/* What cannot even be begun is through as well. 0: one waits, or it is all done
 * and answered, which *ret_done says. */
static int task_go_on(HubTask *task, bool *ret_done, Fault *fault)
{
        Fault refusal;
        int r = 0;

        *ret_done = false;
        while (r == 0 && task->at < task->n_items) {
                r = task_join(task, &refusal);
                if (r <= 0)
                        return r;
                r = task_took(task, &refusal, NULL, fault);
        }
        *ret_done = true;
        return r == 0 ? task->kind->answer(task, fault) : r;
}

static void task_continue(HubTask *task)
{
        bool done;
        Fault fault;
        int r = task_go_on(task, &done, &fault);

        if (r != 0 || done)
                task_end_with(task, r, &fault);
}

static void task_fetch_done(FetchWaiter *waiter, const FetchOutcome *outcome)
{
        HubTask *task = (HubTask *)((char *)waiter - offsetof(HubTask, waiter));
        Fault fault;
        int r = 0;

        /* What others wished of the same repository is done: the next is this one's, sooner or later. */
        if (outcome->own)
                r = task_took(task, outcome->fault, outcome->result, &fault);
        if (r != 0)
                task_end_with(task, r, &fault);
        else
                task_continue(task);
}

/* --- all of them --- */

static void task_tick(HubTask *task, uint64_t now_ms)
{
        Progress progress;
        Fault fault;

        if (task->due_ms <= now_ms) {
                task_end_with(task, fault_set(&fault, FAULT_TIMEOUT, "it was not done before the deadline: what was fetched "
                                              "stays; try again with a later one"), &fault);
                return;
        }
        progress = fetches_progress(&task->waiter);
        tell_progress(task->session, task->id, &progress, &task->told);
}

void hub_task_tick(Hub *hub, uint64_t now_ms)
{
        for (HubTask *task = hub->tasks, *next; task; task = next) {
                next = task->next;
                task_tick(task, now_ms);
        }
}

void hub_task_run(HubTask *task)
{
        Hub *hub = task->hub;

        hub_ticks_begin(hub);
        task->next = hub->tasks;
        if (task->next)
                task->next->previous = task;
        hub->tasks = task;
        session_request_begins(task->session);
        task_continue(task);
}

static HubTask *find_task(const Hub *hub, const Session *session, int64_t id)
{
        HubTask *task = hub->tasks;

        while (task && (task->session != session || task->id != id))
                task = task->next;
        return task;
}

bool hub_task_is_in_flight(const Hub *hub, const Session *session, uint32_t id)
{
        return find_task(hub, session, id) != NULL;
}

void hub_task_cancel(Hub *hub, const Session *session, int64_t id)
{
        HubTask *task = find_task(hub, session, id);
        Fault fault;

        if (task)
                task_end_with(task, fault_set(&fault, FAULT_CANCELLED, "the request was cancelled"), &fault);
}

void hub_task_forget_session(Hub *hub, const Session *session)
{
        for (HubTask *task = hub->tasks, *next; task; task = next) {
                next = task->next;
                if (task->session == session)
                        task_end(task);
        }
}
