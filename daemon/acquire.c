#include "daemon/acquire.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "daemon/acquire_internal.h"
#include "daemon/acquire_result.h"
#include "daemon/handlers.h"
#include "daemon/state.h"
#include "daemon/tell.h"
#include "kernels/facts.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* A kernel that was used less long ago is not noted again as used. Guess. */
#define USED_S 3600

/* --- lists --- */

static void wait_link(Wait *wait)
{
        Acquires *acquires = wait->acquires;
        Holdings *holdings = wait->session->holdings;

        wait->next_of_session = holdings->waits;
        holdings->waits = wait;
        wait->next_of_all = acquires->waits;
        if (wait->next_of_all)
                wait->next_of_all->previous_of_all = wait;
        acquires->waits = wait;
}

static void wait_unlink(Wait *wait)
{
        Wait **link = &wait->session->holdings->waits;

        while (*link != wait)
                link = &(*link)->next_of_session;
        *link = wait->next_of_session;
        *(wait->previous_of_all ? &wait->previous_of_all->next_of_all : &wait->acquires->waits) = wait->next_of_all;
        if (wait->next_of_all)
                wait->next_of_all->previous_of_all = wait->previous_of_all;
}

static Wait *wait_find(const Session *session, int64_t id)
{
        Wait *wait = session->holdings ? session->holdings->waits : NULL;

        while (wait && wait->id != id)
                wait = wait->next_of_session;
        return wait;
}

bool acquire_is_in_flight(const Session *session, uint32_t id)
{
        return wait_find(session, id);
}

size_t acquires_n_waiting(const Acquires *acquires)
{
        return acquires->n_waiting;
}

/* --- the end of a wait --- */

static void wait_free(Wait *wait)
{
        charge_clear(&wait->charge);
        target_unref(wait->hub.target);
        arena_deinit(&wait->arena);
        alloc_free(wait);
}

/* Takes the wait out of everything and frees it; its request has been answered,
 * or its session ends. */
void wait_end(Wait *wait)
{
        Acquires *acquires = wait->acquires;
        Session *session = wait->session;

        wait_unlink(wait);
        if (wait->hub.target)
                fetches_leave(&wait->hub.fetch);
        if (wait->check)
                wait_leave_check(wait);
        if (--acquires->n_waiting == 0)
                (void)uv_timer_stop(&acquires->timer);
        wait_free(wait);
        session_request_ends(session);
}

/* For the history. */
static void wait_note(const Wait *wait, const char *outcome)
{
        const Identity *identity = &wait->session->identity;
        const Fact fact = {
                .kind = FACT_EVENT,
                .event = { .at_s = hub_now_s(), .uid = identity->uid, .pid = identity->pid, .what = TEXT("acquire"),
                           .layer = wait->result.layer, .repo = wait->kernel, .commit = wait->result.commit,
                           .variant = wait->result.variant, .outcome = text_of(outcome) },
        };

        if (wait->acquires->daemon->state)
                state_note(wait->acquires->daemon->state, &fact);
}

void wait_end_with_fault(Wait *wait, const Fault *fault)
{
        wait_note(wait, fault_spelling(fault->name));
        (void)answer_fault(wait->session, wait->id, fault);
        wait_end(wait);
}

void wait_end_with_result(Wait *wait, int r, Fault *fault)
{
        if (r < 0)
                r = fault_set(fault, FAULT_INTERNAL, "the daemon is short of memory");
        if (r != 0) {
                wait_end_with_fault(wait, fault);
                return;
        }
        wait_note(wait, "ok");
        if (wait->hub.target)
                hub_note_use(wait->acquires->daemon->hub, &wait->hub.name, wait->hub.target, wait->session->identity.uid);
        wait_end(wait);
}

void acquire_cancel(Session *session, int64_t id)
{
        Wait *wait = wait_find(session, id);
        Fault fault;

        if (!wait)
                return;
        (void)fault_set(&fault, FAULT_CANCELLED, "the request was cancelled");
        wait_end_with_fault(wait, &fault);
}

void acquire_forget_session(Session *session)
{
        while (session->holdings && session->holdings->waits)
                wait_end(session->holdings->waits);
}

/* --- while it waits --- */

static void wait_tick(Wait *wait, uint64_t now_ms)
{
        Progress progress;
        Fault fault;

        if (wait->due_ms <= now_ms) {
                (void)fault_set(&fault, FAULT_TIMEOUT, "the kernel was not %s before the deadline: try again with a later "
                                "one", wait->check ? "checked" : "fetched");
                wait_end_with_fault(wait, &fault);
                return;
        }
        progress = wait->check ? wait_check_progress(wait) : fetches_progress(&wait->hub.fetch);
        tell_progress(wait->session, wait->id, &progress, &wait->told);
}

static void acquires_tick(uv_timer_t *timer)
{
        Acquires *acquires = timer->data;
        uint64_t now_ms = loop_now_ms(&acquires->daemon->loop);

        for (Wait *wait = acquires->waits, *next; wait; wait = next) {
                next = wait->next_of_all;
                wait_tick(wait, now_ms);
        }
}

/* --- the beginning --- */

static int wait_new(Acquires *acquires, const Request *request, Wait **ret_wait, Fault *fault)
{
        Wait *wait;

        wait = alloc_zeroed(1, sizeof(*wait));
        if (!wait)
                return error_trace(-ENOMEM);
        wait->acquires = acquires;
        wait->session = request->session;
        wait->id = request->id;
        if (request_wait(request, &wait->charge, fault)) {
                wait_free(wait);
                return 1;
        }
        *ret_wait = wait;
        return 0;
}

static void wait_begin(Wait *wait, const AcquireOptions *options)
{
        Acquires *acquires = wait->acquires;

        wait->due_ms = loop_now_ms(&acquires->daemon->loop) + options->deadline_ms;
        wait_link(wait);
        if (acquires->n_waiting++ == 0)
                (void)uv_timer_start(&acquires->timer, acquires_tick, LIMIT_PROGRESS_MS, LIMIT_PROGRESS_MS);
        session_request_begins(wait->session);
}

/* Before it has begun. */
static int wait_give_up(Wait *wait, int r, const Fault *fault)
{
        if (r > 0)
                wait_note(wait, fault_spelling(fault->name));
        fetches_leave(&wait->hub.fetch);
        if (wait->check)
                wait_leave_check(wait);
        wait_free(wait);
        return r;
}

int acquire_begin(Acquires *acquires, const Request *request, const Resolution *resolution,
                  const AcquireOptions *options, Fault *fault)
{
        Wait *wait;
        int r = wait_new(acquires, request, &wait, fault);

        if (r != 0)
                return r;
        r = acquire_result_copy(resolution, acquires->daemon->mapping->generation, &wait->arena, &wait->result);
        if (r == 0)
                r = acquire_result_set_path(resolution, &wait->arena, &wait->result);
        if (r == 0)
                r = arena_copy(&wait->arena, resolution->reference.path, &wait->kernel);
        if (r == 0)
                r = wait_check(wait, resolution->reference.path, resolution->answer.variant);
        if (r != 0)
                return wait_give_up(wait, r, fault);
        wait_begin(wait, options);
        return 0;
}

/* What is asked for, so that it outlives the request. */
static int wait_take_wish(Wait *wait, const Reference *reference, const MsgQuery *query, const AcquireOptions *options,
                          Fault *fault)
{
        const Environment *environment = wait->session->holdings->environment;
        HubWait *hub = &wait->hub;
        int r;

        hub_name_init(&hub->name, reference);
        hub->fresh = options->fresh && !hub->name.fixed;
        hub->trust_remote_code = options->trust_remote_code;
        hub->offline = wait->session->holdings->offline || hub_is_offline(wait->acquires->daemon->hub);
        hub->query = *query;
        if (device_parse(query->device, &hub->device, fault))
                return 1;
        r = arena_copy(&wait->arena, hub->name.repo, &hub->name.repo);
        if (r == 0)
                r = arena_copy(&wait->arena, hub->name.revision, &hub->name.revision);
        if (r == 0)
                r = arena_copy(&wait->arena, query->device, &hub->query.device);
        if (r == 0)
                r = arena_copy(&wait->arena, query->arch, &hub->query.arch);
        hub->sought = hub->name;
        wait->kernel = hub->name.repo;
        return r == 0 ? target_new(environment, hub->device, query->capability, query->arch, &hub->target) : r;
}

int acquire_begin_hub(Acquires *acquires, const Request *request, const Resolution *resolution,
                      const Reference *reference, const MsgQuery *query, const AcquireOptions *options, Fault *fault)
{
        Wait *wait;
        int r = wait_new(acquires, request, &wait, fault);

        if (r != 0)
                return r;
        if (resolution)
                r = acquire_result_copy(resolution, 0, &wait->arena, &wait->result);
        if (r == 0)
                r = wait_take_wish(wait, reference, query, options, fault);
        if (r == 0)
                r = wait_seek(wait, fault);
        if (r != 0)
                return wait_give_up(wait, r, fault);
        wait_begin(wait, options);
        return 0;
}

/* --- all of them --- */

int64_t acquires_used_s(const Acquires *acquires, Text path, Text variant)
{
        return receipts_used_s(&acquires->receipts, path, variant);
}

void acquires_know_receipt(Acquires *acquires, Text path, Text variant, const KernelReceipt *receipt, int64_t used_s)
{
        receipts_put(&acquires->receipts, path, variant, *receipt, used_s);
}

void acquires_put_receipt(Acquires *acquires, Text path, Text variant, const KernelReceipt *receipt)
{
        const KernelReceipt *before = receipts_find(&acquires->receipts, path, variant);
        int64_t now_s = hub_now_s(), used_s = receipts_used_s(&acquires->receipts, path, variant);
        Fact fact = { .kind = FACT_RECEIPT, .receipt = { .path = path, .variant = variant, .used_s = now_s } };
        bool same = before && memcmp(before, receipt, sizeof(*receipt)) == 0;

        acquires_know_receipt(acquires, path, variant, receipt, now_s);
        if (same && now_s >= used_s && now_s - used_s < USED_S)
                return;
        memcpy(fact.receipt.fingerprint, receipt->fingerprint, sizeof(fact.receipt.fingerprint));
        if (acquires->daemon->state)
                state_note(acquires->daemon->state, &fact);
}

/* No files have the fingerprint of zeros. */
void acquires_void_receipt(Acquires *acquires, Text path, Text variant)
{
        const Fact fact = {
                .kind = FACT_RECEIPT,
                .receipt = { .path = path, .variant = variant, .used_s = acquires_used_s(acquires, path, variant) },
        };

        if (!receipts_find(&acquires->receipts, path, variant))
                return;
        receipts_void(&acquires->receipts, path, variant);
        if (acquires->daemon->state)
                state_note(acquires->daemon->state, &fact);
}

int acquires_new(Daemon *daemon, Acquires **ret_acquires)
{
        Acquires *acquires = alloc_zeroed(1, sizeof(*acquires));

        if (!acquires)
                return error_trace(-ENOMEM);
        acquires->daemon = daemon;
        (void)uv_timer_init(&daemon->loop.uv, &acquires->timer);
        acquires->timer.data = acquires;
        *ret_acquires = acquires;
        return 0;
}

static void acquires_closed(uv_handle_t *handle)
{
        Acquires *acquires = handle->data;

        receipts_deinit(&acquires->receipts);
        alloc_free(acquires);
}

void acquires_close(Acquires *acquires)
{
        if (!acquires)
                return;
        assert(acquires->n_waiting == 0);
        uv_close((uv_handle_t *)&acquires->timer, acquires_closed);
}
