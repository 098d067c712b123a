#include "daemon/fetches.h"

#include <assert.h>
#include <errno.h>
#include <stddef.h>

#include "daemon/daemon.h"
#include "daemon/fetch_job.h"
#include "daemon/hub.h"
#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Another process writes a file: how often we look whether it is done. The Hub's
 * own client looks every 50 ms. */
#define PAUSE_MS 250

/* How often the log says that the Hub refuses the token. Guess. */
#define AUTH_SAID_S 600

struct RunningFetch {
        FetchJob job;
        Fetches *fetches;
        RunningFetch *next;
        RunningFetch *previous;
        FetchWaiter *waiters; /* in the order in which they came */
        FetchWaiter *last_waiter;
        FetchOrder *order; /* the job's: what it is for */
        Account *account;  /* counted; NULL: nobody's */
        uv_timer_t timer;  /* of a pause */
        bool fresh;
        bool abandoned;    /* nobody waits any more */
};

struct Fetches {
        Hub *hub;
        RunningFetch *first;
        size_t n;
        bool closing;
};

int fetches_new(Hub *hub, Fetches **ret_fetches)
{
        Fetches *fetches = alloc_zeroed(1, sizeof(*fetches));

        if (!fetches)
                return error_trace(-ENOMEM);
        fetches->hub = hub;
        *ret_fetches = fetches;
        return 0;
}

size_t fetches_n_running(const Fetches *fetches)
{
        return fetches->n;
}

/* --- lists --- */

static void running_link(Fetches *fetches, RunningFetch *running)
{
        running->next = fetches->first;
        if (running->next)
                running->next->previous = running;
        fetches->first = running;
        fetches->n++;
}

static void running_unlink(RunningFetch *running)
{
        *(running->previous ? &running->previous->next : &running->fetches->first) = running->next;
        if (running->next)
                running->next->previous = running->previous;
        running->fetches->n--;
}

static void waiter_link(FetchWaiter *waiter, RunningFetch *running)
{
        waiter->fetch = running;
        waiter->next = NULL;
        waiter->previous = running->last_waiter;
        *(waiter->previous ? &waiter->previous->next : &running->waiters) = waiter;
        running->last_waiter = waiter;
}

static void waiter_unlink(FetchWaiter *waiter)
{
        *(waiter->previous ? &waiter->previous->next : &waiter->fetch->waiters) = waiter->next;
        *(waiter->next ? &waiter->next->previous : &waiter->fetch->last_waiter) = waiter->previous;
        waiter->fetch = NULL;
}

/* --- the end --- */

static void running_on_closed(uv_handle_t *handle)
{
        alloc_free(handle->data);
}

static void running_free(RunningFetch *running)
{
        fetch_job_deinit(&running->job);
        account_unref(running->account);
        uv_close((uv_handle_t *)&running->timer, running_on_closed);
}

/* The first who came is the first to begin the next fetch: so everybody's turn
 * comes, whatever others wish of the same repository. */
static void tell_all(RunningFetch *running, const Fault *fault, const FetchResult *result)
{
        /* Whoever joins anew, from within, finds another fetch: this one is out of
         * the list. */
        while (running->waiters) {
                FetchWaiter *waiter = running->waiters;
                const FetchOutcome outcome = { .fault = fault, .result = result, .own = waiter->own };

                waiter_unlink(waiter);
                waiter->done(waiter, &outcome);
        }
}

static void log_failure(const RunningFetch *running, const Fault *fault)
{
        Hub *hub = running->fetches->hub;
        LogFields fields = LOG_FIELDS_NULL;
        int64_t now_s = hub_now_s();

        /* A refused token is refused for every private repository and every asker. */
        if (fault->name == FAULT_AUTH && now_s - hub->auth_said_s < AUTH_SAID_S)
                return;
        if (fault->name == FAULT_AUTH)
                hub->auth_said_s = now_s;

        fields.repository = running->order->repo;
        fields.reason = text_of(fault_spelling(fault->name));
        fields.peer = true; /* whoever asks for what is not there causes it */
        log_warning(HUB, &fields, "fetching %.*s at %.*s: %s", TEXT_PRINT(running->order->repo),
                    TEXT_PRINT(running->order->revision), fault->message);
}

/* What came over the line counts, whether anything came of it or not. */
static void running_charge(const RunningFetch *running, const FetchResult *result)
{
        if (running->account && result)
                account_fetched(running->account, result->n_bytes, hub_now_s());
}

/* `known`: what it has found out may be believed. */
static void running_end(RunningFetch *running, bool known, const Fault *fault)
{
        Fetches *fetches = running->fetches;
        CLEANUP(fetch_result_freep) FetchResult *result = fetch_take_result(running->job.fetch);

        running_charge(running, result);
        if (!known)
                result = fetch_result_free(result);
        running_unlink(running);
        if (!fetches->closing) {
                if (known || fault)
                        hub_learn(fetches->hub, running->order, result, fault);
                if (fault && running->waiters)
                        log_failure(running, fault);
                tell_all(running, fault, result);
        }
        running_free(running);
}

/* Nobody waits: what it has learned so far may be half of something. */
static void running_give_up(RunningFetch *running)
{
        running->abandoned = true;
        if (uv_is_active((uv_handle_t *)&running->timer)) {
                (void)uv_timer_stop(&running->timer);
                worker_submit(running->fetches->hub->daemon->worker, &running->job.job);
        }
        job_cancel(&running->job.job);
}

static void running_resume(uv_timer_t *timer)
{
        RunningFetch *running = timer->data;

        worker_submit(running->fetches->hub->daemon->worker, &running->job.job);
}

/* 0, -ENOMEM. */
static int running_confirm(RunningFetch *running)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Target **targets;
        size_t n;
        int r = hub_targets_of(running->fetches->hub, running->order->repo, running->order->revision, &arena, &targets, &n);

        if (r < 0)
                return r;
        r = fetch_confirm(running->job.fetch, targets, n);
        while (n > 0)
                target_unref(targets[--n]);
        return r;
}

static void running_pause(RunningFetch *running)
{
        running->job.pauses = false;
        (void)uv_timer_start(&running->timer, running_resume, PAUSE_MS, 0);
        if (running->fetches->closing || !running->waiters)
                running_give_up(running);
}

static void running_done(Job *job, int result)
{
        RunningFetch *running = (RunningFetch *)((char *)job - offsetof(RunningFetch, job.job));
        Fault fault;

        if (result == 0 && running->job.pauses) {
                running_pause(running);
                return;
        }
        if (result == 0 && running->job.confirms)
                result = running_confirm(running);
        if (result == 0 && running->job.confirms) {
                running->job.confirms = false;
                worker_submit(running->fetches->hub->daemon->worker, &running->job.job);
                if (running->fetches->closing || !running->waiters)
                        running_give_up(running);
                return;
        }
        if (result == -ECANCELED) {
                running_end(running, false, NULL);
                return;
        }
        if (result < 0) {
                (void)fault_set(&fault, FAULT_INTERNAL, "the fetch failed: %s; the daemon's log has more", strerror(-result));
                running_end(running, false, &fault);
                return;
        }
        running_end(running, true, running->job.refused ? &running->job.fault : NULL);
}

void fetches_stop(Fetches *fetches)
{
        fetches->closing = true;
        for (RunningFetch *running = fetches->first, *next; running; running = next) {
                next = running->next;
                assert(!running->waiters);
                running_give_up(running);
        }
}

void fetches_free(Fetches *fetches)
{
        assert(!fetches || !fetches->first);
        alloc_free(fetches);
}

/* --- the beginning --- */

static RunningFetch *find_running(const Fetches *fetches, Text repo)
{
        RunningFetch *running = fetches->first;

        while (running && !text_equal(running->order->repo, repo))
                running = running->next;
        return running;
}

/* One that goes further may fail where this one would not. */
static bool is_same_question(const FetchOrder *order, const FetchWish *wish)
{
        return text_equal(order->revision, wish->revision) && order->goal == wish->goal &&
               order->trust_remote_code == wish->trust_remote_code && order->judged_later == wish->judged_later;
}

/* Whether what runs is for just what is wished. */
static bool serves(const RunningFetch *running, const FetchWish *wish)
{
        const FetchOrder *order = running->order;

        if (running->abandoned || !is_same_question(order, wish) || (wish->fresh && !running->fresh))
                return false;
        for (size_t i = 0; i < wish->n_targets; i++)
                if (!target_is_among(order->targets, order->n_targets, wish->targets[i]))
                        return false;
        return true;
}

static int running_start(Fetches *fetches, const FetchWish *wish, RunningFetch **ret_running, Fault *fault)
{
        Hub *hub = fetches->hub;
        CLEANUP(fetch_order_freep) FetchOrder *order = NULL;
        CLEANUP_ALLOC RunningFetch *running = alloc_zeroed(1, sizeof(*running));
        int r = running ? hub_order(hub, wish, &order, fault) : error_trace(-ENOMEM);

        if (r)
                return r;
        running->order = order;
        running->fetches = fetches;
        running->fresh = !order->commit.data && !order->fixed;
        r = fetch_job_init(&running->job, hub->daemon->http, hub->daemon->config->token, STEAL(order));
        if (r < 0) {
                fetch_job_deinit(&running->job);
                return r;
        }
        (void)uv_timer_init(&hub->daemon->loop.uv, &running->timer);
        running->timer.data = running;
        running->job.job.done = running_done;
        running->account = wish->account ? account_ref(wish->account) : NULL;
        running->job.group = running->account;
        running_link(fetches, running);
        worker_submit(hub->daemon->worker, &running->job.job);
        *ret_running = STEAL(running);
        return 0;
}

int fetches_join(Fetches *fetches, const FetchWish *wish, FetchWaiter *waiter, Fault *fault)
{
        RunningFetch *running = find_running(fetches, wish->repo);
        int r = 0;

        waiter->own = !running || serves(running, wish);
        if (!running)
                r = running_start(fetches, wish, &running, fault);
        if (r == 0)
                waiter_link(waiter, running);
        return r;
}

void fetches_leave(FetchWaiter *waiter)
{
        RunningFetch *running = waiter->fetch;

        if (!running)
                return;
        waiter_unlink(waiter);
        if (!running->waiters)
                running_give_up(running);
}

Progress fetches_progress(const FetchWaiter *waiter)
{
        return shared_progress_get(&waiter->fetch->job.progress);
}
