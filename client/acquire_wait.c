/* Any number of acquires that wait at the same time: all are started, then each
 * is waited for. Those beyond what may be under way wait to be sent. */
#include "client/acquire.h"

#include <errno.h>

#include "client/failure.h"
#include "client/kernel.h"
#include "client/view.h"

/* --- starting --- */

/* The encoded call; under the lock, since it holds the daemon's number of the view. */
static int acquire_call(Acquires *acquires, Acquire *one, kd_error *error)
{
        uint32_t remote;
        int r;

        if (acquires->view) {
                r = view_remote(acquires->client, *acquires->view, &remote, error);
                if (r)
                        return r;
                one->message.view = INTEGER_PRESENT(remote);
        }
        return call_new(acquires->client, METHOD_ACQUIRE, &one->message, &one->call, error);
}

static int acquires_start(Acquires *acquires, kd_error *error)
{
        for (size_t i = 0; i < acquires->n; ++i) {
                Acquire *one = &acquires->items[i];
                int r = acquire_call(acquires, one, error);

                if (r)
                        return r;
                one->call->progressed = &acquires->progressed;
                call_start(one->call);
        }
        client_drive(acquires->client, false);
        return 0;
}

/* --- giving up --- */

/* Tells the daemon, if it knows of the call yet. */
static void acquire_cancel(kd_client *client, Call *call)
{
        MsgCancel message = { .id = call->id };
        Call *cancel;

        if (call->list == &client->calls.flight && !call_new(client, METHOD_CANCEL, &message, &cancel, NULL)) {
                cancel->abandoned = true;
                call_start_before(cancel, client->calls.waiting.first);
        }
        call_abandon(call);
}

/* All that are not taken; what was answered is given back. From the last one on:
 * a release goes before the acquires that still wait. */
static void acquires_cancel(Acquires *acquires)
{
        for (size_t i = acquires->n; i-- > 0;)
                if (acquires->items[i].call)
                        acquire_cancel(acquires->client, STEAL(acquires->items[i].call));
        client_drive(acquires->client, false);
}

/* --- waiting --- */

static void count_add(int64_t *sum, int64_t one)
{
        if (__builtin_add_overflow(*sum, one, sum))
                *sum = INT64_MAX;
}

/* A total is known once all that are added up are. */
static void total_add(OptionalInteger *total, OptionalInteger one)
{
        total->present = total->present && one.present;
        count_add(&total->value, one.value);
}

static int64_t progress_total(OptionalInteger total)
{
        return total.present ? total.value : -1;
}

/* Of all that the daemon has told of: one that is served at once tells nothing. */
static MsgProgress acquires_sum(const Acquires *acquires)
{
        MsgProgress sum = { .files_total.present = true, .bytes_total.present = true };
        bool told = false;

        for (size_t i = 0; i < acquires->n; ++i) {
                const Call *call = acquires->items[i].call;

                if (!call->told)
                        continue;
                told = true;
                count_add(&sum.files, call->progress.files);
                count_add(&sum.bytes, call->progress.bytes);
                total_add(&sum.files_total, call->progress.files_total);
                total_add(&sum.bytes_total, call->progress.bytes_total);
        }
        sum.files_total.present = sum.files_total.present && told;
        sum.bytes_total.present = sum.bytes_total.present && told;
        return sum;
}

/* Tells the caller, with the lock open. He may give up, or have forked: the child
 * has none of the parent's calls. */
static int acquires_tell(Acquires *acquires, kd_error *error)
{
        kd_client *client = acquires->client;
        MsgProgress now = acquires_sum(acquires);
        int stop;

        acquires->progressed = false;
        acquires->tell_ms = client_deadline(client, LIMIT_PROGRESS_MS);
        client_unlock(client);
        stop = acquires->progress(acquires->data, now.files, progress_total(now.files_total), now.bytes,
                                  progress_total(now.bytes_total));
        if (!client_relock(client))
                return failure_set(error, -ECANCELED, "this process was forked while it waited for a kernel: acquire it "
                                                      "again in the child");
        acquires->idle_ms = client_deadline(client, LIMIT_PROGRESS_IDLE_MS);
        return stop ? failure_refuse(error, FAULT_CANCELLED, "the caller gave the acquire up") : 0;
}

static int acquire_late(int reason, kd_error *error)
{
        return failure_unreachable(error, reason, "kernelsd did not answer the acquire in time: see whether it is "
                                                  "stopped or overloaded, or allow more time");
}

/* When the caller is told next. */
static int64_t acquires_next(const Acquires *acquires)
{
        if (!acquires->progress)
                return INT64_MAX;
        return acquires->progressed ? acquires->tell_ms : acquires->idle_ms;
}

/* Waits until something happens to one of them. A signal counts as news: only the
 * caller can do what its handler put off, such as to give up. One that this thread
 * does not see (it came just before poll, or another thread leads) has to wait
 * until the caller is told anyway. */
static int acquires_wait(Acquires *acquires, int64_t deadline, kd_error *error)
{
        kd_client *client = acquires->client;
        int64_t next = acquires_next(acquires);
        int r;

        if (client->clock_ms() >= next)
                return acquires_tell(acquires, error);
        r = client_wait(client, next < deadline ? next : deadline);
        if (r > 0)
                acquires->progressed = true;
        return r < 0 && deadline <= next ? acquire_late(r, error) : 0;
}

/* A connection that failed is the failure of all. */
static int acquires_await(Acquires *acquires, int64_t deadline, kd_error *error)
{
        for (size_t i = 0; i < acquires->n; ++i) {
                Call *call = acquires->items[i].call;

                while (!call->over) {
                        int r = acquires_wait(acquires, deadline, error);

                        if (r && (r == KD_CANCELLED || !call->over))
                                return r;
                }
                if (call->code < 0)
                        return failure_copy(error, &call->error);
        }
        return 0;
}

int acquires_run(Acquires *acquires, kd_error *error)
{
        kd_client *client = acquires->client;
        int64_t wait_ms = acquires->deadline_ms;
        int r;

        r = client_lock(client, error);
        if (r)
                return r;
        /* The daemon keeps the deadline; we only notice when it does not. */
        wait_ms = wait_ms > INT64_MAX - client->timeout_ms ? INT64_MAX : wait_ms + client->timeout_ms;
        acquires->idle_ms = client_deadline(client, LIMIT_PROGRESS_IDLE_MS);
        r = acquires_start(acquires, error);
        if (!r)
                r = acquires_await(acquires, client_deadline(client, wait_ms), error);
        if (r)
                acquires_cancel(acquires);
        (void)client_dispatch(client);
        client_unlock(client);
        return r;
}

void acquires_drop(Acquires *acquires)
{
        if (client_lock(acquires->client, NULL) < 0)
                return;
        acquires_cancel(acquires);
        (void)client_dispatch(acquires->client);
        client_unlock(acquires->client);
}

int acquire_take(kd_client *client, Acquire *one, kd_kernel **ret_kernel, kd_error *error)
{
        CLEANUP(call_freep) Call *call = STEAL(one->call);
        int r;

        if (call->code)
                return failure_copy(error, &call->error);
        r = kernel_new(client, call, ret_kernel, error);
        if (r && call->body && client_lock(client, NULL) == 0) {
                acquire_give_back(call);
                client_drive(client, false);
                (void)client_dispatch(client);
                client_unlock(client);
        }
        return r;
}
