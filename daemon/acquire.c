#include "daemon/acquire.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "daemon/acquire_result.h"
#include "daemon/check_job.h"
#include "daemon/daemon.h"
#include "daemon/holdings.h"
#include "daemon/log.h"
#include "daemon/receipts.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/codec.h"

/* A running check of one variant folder, and then the opening of a lease for
 * each who waits. */
typedef struct Check {
        CheckJob job;
        Acquires *acquires;
        struct Check *next; /* of those that run */
        struct Check *previous;
        Wait *waits;
        bool checked; /* nobody joins it any more */
        int folder_fd;
        Metadata *metadata;
        size_t n_openings;
        char *path; /* of the repository */
        char *variant;
} Check;

/* One lease on its way, in the file thread; stays until that lets go of it,
 * whether anybody waits or not. */
typedef struct Opening {
        LeaseOpening lease;
        Check *check;
        Wait *wait; /* NULL: who asked has left */
        Charge charge;
} Opening;

struct Wait {
        Check *check;
        Opening *opening; /* NULL: still being checked */
        Wait *next; /* of the same check */
        Wait *previous;
        Session *session;
        Wait *next_of_session;
        Charge charge;
        uint64_t due_ms;
        uint32_t id;
        Progress told; /* the last that the asker was told */
        Arena arena;
        MsgAcquireResult result; /* as far as resolve knows it */
};

struct Acquires {
        Daemon *daemon;
        Check *checks;
        size_t n_waiting;
        Receipts receipts;
        uv_timer_t timer; /* progress and deadlines, while anybody waits */
};

/* --- lists --- */

static void check_unlink(Check *check)
{
        *(check->previous ? &check->previous->next : &check->acquires->checks) = check->next;
        if (check->next)
                check->next->previous = check->previous;
        check->next = check->previous = NULL;
}

static void check_link(Check *check)
{
        check->next = check->acquires->checks;
        if (check->next)
                check->next->previous = check;
        check->acquires->checks = check;
}

static void wait_link(Wait *wait, Check *check)
{
        Holdings *holdings = wait->session->holdings;

        wait->check = check;
        wait->next = check->waits;
        if (wait->next)
                wait->next->previous = wait;
        check->waits = wait;
        wait->next_of_session = holdings->waits;
        holdings->waits = wait;
}

static void wait_unlink(Wait *wait)
{
        Wait **link = &wait->session->holdings->waits;

        *(wait->previous ? &wait->previous->next : &wait->check->waits) = wait->next;
        if (wait->next)
                wait->next->previous = wait->previous;
        while (*link != wait)
                link = &(*link)->next_of_session;
        *link = wait->next_of_session;
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
        arena_deinit(&wait->arena);
        alloc_free(wait);
}

/* Takes the wait out of everything and frees it; its request has been answered,
 * or its session ends. */
static void wait_end(Wait *wait)
{
        Acquires *acquires = wait->check->acquires;
        Session *session = wait->session;

        wait_unlink(wait);
        if (wait->opening) {
                job_cancel(&wait->opening->lease.job);
                wait->opening->wait = NULL;
        }
        if (--acquires->n_waiting == 0)
                (void)uv_timer_stop(&acquires->timer);
        wait_free(wait);
        session_request_ends(session);
}

static void wait_end_with_fault(Wait *wait, const Fault *fault)
{
        (void)answer_fault(wait->session, wait->id, fault);
        wait_end(wait);
}

/* The asker leaves before the end. A check that nobody waits for is cancelled
 * but stays until the file thread lets go of it: however often somebody asks and
 * leaves, there is one for each folder. */
static void wait_leave(Wait *wait, const Fault *fault)
{
        Check *check = wait->check;

        if (fault)
                wait_end_with_fault(wait, fault);
        else
                wait_end(wait);
        if (!check->waits && !check->checked)
                job_cancel(&check->job.job);
}

void acquire_cancel(Session *session, int64_t id)
{
        Wait *wait = wait_find(session, id);
        Fault fault;

        if (!wait)
                return;
        (void)fault_set(&fault, FAULT_CANCELLED, "the request was cancelled");
        wait_leave(wait, &fault);
}

void acquire_forget_session(Session *session)
{
        while (session->holdings && session->holdings->waits)
                wait_leave(session->holdings->waits, NULL);
}

/* --- the lease of one who waits --- */

static int fault_leases(Fault *fault)
{
        return fault_set(fault, FAULT_LIMIT, "too many leases: release some, read the answers, or have quota.leases raised");
}

/* Makes the asker's own lease of what was opened and answers with it. 0; 1 with
 * a fault. */
static int wait_lease(Wait *wait, LeaseOpening *opening, Fault *fault)
{
        Daemon *daemon = wait->check->acquires->daemon;
        Session *session = wait->session;
        Holdings *holdings = session->holdings;
        CLEANUP(lease_freep) Lease *lease = NULL;
        int64_t number;
        int r;

        r = lease_new(wait->result.layer, text_of(wait->check->path), TEXT_NULL, wait->result.variant, &lease);
        if (r < 0)
                return r;
        if (holdings_charge_leases(holdings, session->charge.account, 1, session_unread_descriptors(session)) != 0)
                return fault_leases(fault);
        if (!opening->locked)
                r = lease_keep_copy(daemon->locks, lease, session->charge.account, opening->fd, fault);
        if (r != 0) {
                (void)holdings_charge_leases(holdings, session->charge.account, 0, session_unread_descriptors(session));
                return r;
        }
        holdings_add_lease(holdings, STEAL(lease));
        daemon->n_leases++;
        number = holdings->last_lease;
        wait->result.lease = INTEGER_PRESENT(number);
        acquire_result_set_metadata(&wait->result, wait->check->metadata);
        r = answer_result(session, wait->id, METHOD_ACQUIRE, &wait->result, STEAL_FD(opening->fd));
        if (r != 0 && holdings_release(holdings, number, session_unread_descriptors(session)))
                daemon->n_leases--;
        return 0;
}

static void wait_end_with_result(Wait *wait, int r, Fault *fault)
{
        if (r < 0)
                r = fault_set(fault, FAULT_INTERNAL, "the daemon is short of memory");
        if (r != 0)
                (void)answer_fault(wait->session, wait->id, fault);
        wait_end(wait);
}

static void check_end(Check *check);

static void opening_done(Job *job, int result)
{
        Opening *opening = (Opening *)((char *)job - offsetof(Opening, lease.job));
        Check *check = opening->check;
        Wait *wait = opening->wait;
        Fault fault;
        int r;

        charge_clear(&opening->charge);
        if (wait) {
                wait->opening = NULL;
                if (result == 0)
                        r = wait_lease(wait, &opening->lease, &fault);
                else
                        r = fault_set(&fault, FAULT_BUSY, "the variant folder cannot be opened: %s; try again later",
                                      strerror(-result));
                wait_end_with_result(wait, r, &fault);
        }
        lease_close(check->acquires->daemon->locks, opening->lease.fd);
        alloc_free(opening);
        check->n_openings--;
        check_end(check);
}

/* What the lease will take of the quota is charged before it is opened. */
static int opening_charge(Opening *opening, Session *session, Fault *fault)
{
        LeaseLocks *locks = opening->check->acquires->daemon->locks;
        Account *account = session->charge.account;

        while (holdings_charge_leases(session->holdings, account, 0, session_unread_descriptors(session)) != 0 ||
               charge_set(&opening->charge, account, ACCOUNT_LEASES, 1) != 0)
                if (!lease_locks_yield(locks, account))
                        return fault_leases(fault);
        return 0;
}

static int wait_open(Wait *wait, Fault *fault)
{
        Check *check = wait->check;
        CLEANUP_ALLOC Opening *opening = alloc_zeroed(1, sizeof(*opening));
        int r;

        if (!opening)
                return error_trace(-ENOMEM);
        opening->check = check;
        opening->wait = wait;
        r = opening_charge(opening, wait->session, fault);
        if (r != 0)
                return r;
        opening->lease.folder_fd = check->folder_fd;
        opening->lease.job.done = opening_done;
        wait->opening = STEAL(opening);
        check->n_openings++;
        lease_open(check->acquires->daemon->locks, &wait->opening->lease);
        return 0;
}

/* --- the end of a check --- */

static void check_succeed(Check *check)
{
        check->metadata = kernel_check_take_metadata(check->job.work);
        check->folder_fd = kernel_check_take_fd(check->job.work);
        receipts_put(&check->acquires->receipts, text_of(check->path), text_of(check->variant),
                     kernel_check_receipt(check->job.work));
        for (Wait *wait = check->waits, *next; wait; wait = next) {
                Fault fault;
                int r = wait_open(wait, &fault);

                next = wait->next;
                if (r != 0)
                        wait_end_with_result(wait, r, &fault);
        }
}

static void check_fail(Check *check, const Fault *fault)
{
        LogFields fields = LOG_FIELDS_NULL;

        fields.repository = text_of(check->path);
        fields.variant = text_of(check->variant);
        fields.reason = text_of(fault_spelling(fault->name));
        fields.peer = true;
        log_warning(LEASE, &fields, "%s/build/%s is not leased: %s", check->path, check->variant, fault->message);
        while (check->waits)
                wait_end_with_fault(check->waits, fault);
}

static Check *check_free(Check *check)
{
        if (!check)
                return NULL;
        check_job_deinit(&check->job);
        metadata_free(check->metadata);
        lease_close(check->acquires->daemon->locks, check->folder_fd);
        alloc_free(check->path);
        alloc_free(check->variant);
        alloc_free(check);
        return NULL;
}
DEFINE_CLEANUP(Check *, check_free)

/* Once checked: frees it with the last lease opened. */
static void check_end(Check *check)
{
        if (check->n_openings)
                return;
        assert(!check->waits);
        check_unlink(check);
        check_free(check);
}

static int check_submit(Check *check);

static void check_done(Job *job, int result)
{
        Check *check = (Check *)((char *)job - offsetof(Check, job.job));
        Fault fault;

        if (result == -ECANCELED && check->waits) {
                /* Somebody came after the last had left. */
                check_job_deinit(&check->job);
                result = check_submit(check);
                if (result == 0)
                        return;
        }
        check->checked = true;
        if (result < 0)
                (void)fault_set(&fault, FAULT_INTERNAL, "the kernel could not be checked: %s; the daemon's log has more",
                                strerror(-result));
        if (check->waits && result == 0 && !check->job.refused)
                check_succeed(check);
        else if (check->waits)
                check_fail(check, result < 0 ? &fault : &check->job.fault);
        check_end(check);
}

/* --- while it runs --- */

static bool progress_equal(const Progress *a, const Progress *b)
{
        return a->files == b->files && a->bytes == b->bytes && a->files_total.present == b->files_total.present &&
               a->bytes_total.present == b->bytes_total.present;
}

/* Whoever has unsent bytes is not told: a later one will do. */
static void wait_tell(Wait *wait, const Progress *progress)
{
        MsgProgress message = {
                .id = wait->id,
                .files = progress->files,
                .files_total = progress->files_total,
                .bytes = progress->bytes,
                .bytes_total = progress->bytes_total,
        };
        Buffer *buffer;
        size_t start;

        if (session_is_congested(wait->session) || progress_equal(&wait->told, progress))
                return;
        wait->told = *progress;
        buffer = session_frame_begin(wait->session, &start);
        if (!buffer || envelope_write_notification(buffer, TEXT("progress")) < 0 ||
            codec_encode(&schema_Progress, &message, false, buffer) < 0)
                session_frame_drop(wait->session, start);
        else
                session_frame_end(wait->session, start, -1);
}

static void check_tick(Check *check, uint64_t now_ms)
{
        Progress progress = check_job_progress(&check->job);
        Fault fault;

        (void)fault_set(&fault, FAULT_TIMEOUT, "the kernel was not checked before the deadline: try again with a later one");
        for (Wait *wait = check->waits, *next; wait; wait = next) {
                next = wait->next;
                if (wait->due_ms <= now_ms)
                        wait_leave(wait, &fault);
                else
                        wait_tell(wait, &progress);
        }
}

static void acquires_tick(uv_timer_t *timer)
{
        Acquires *acquires = timer->data;
        uint64_t now_ms = loop_now_ms(&acquires->daemon->loop);

        for (Check *check = acquires->checks, *next; check; check = next) {
                next = check->next;
                check_tick(check, now_ms);
        }
}

/* --- the beginning --- */

static Check *check_find(const Acquires *acquires, Text path, Text variant)
{
        Check *check = acquires->checks;

        while (check && (check->checked || !text_equal(text_of(check->path), path) ||
                         !text_equal(text_of(check->variant), variant)))
                check = check->next;
        return check;
}

static int check_submit(Check *check)
{
        Acquires *acquires = check->acquires;
        int r;

        r = check_job_init(&check->job, check->path, text_of(check->variant), geteuid(),
                           receipts_find(&acquires->receipts, text_of(check->path), text_of(check->variant)));
        if (r < 0)
                return error_trace(r);
        check->job.job.done = check_done;
        worker_submit(acquires->daemon->worker, &check->job.job);
        return 0;
}

static int check_start(Acquires *acquires, Text path, Text variant, Check **ret_check)
{
        CLEANUP(check_freep) Check *check = alloc_zeroed(1, sizeof(*check));
        int r;

        if (!check)
                return error_trace(-ENOMEM);
        check->acquires = acquires;
        check->folder_fd = -1;
        check->path = alloc_text(path.data, path.size);
        check->variant = alloc_text(variant.data, variant.size);
        if (!check->path || !check->variant)
                return error_trace(-ENOMEM);
        r = check_submit(check);
        if (r < 0)
                return r;
        check_link(check);
        *ret_check = STEAL(check);
        return 0;
}

static int wait_new(Acquires *acquires, const Request *request, const Resolution *resolution, Wait **ret_wait,
                    Fault *fault)
{
        Wait *wait = alloc_zeroed(1, sizeof(*wait));
        int r;

        if (!wait)
                return error_trace(-ENOMEM);
        wait->session = request->session;
        wait->id = request->id;
        r = charge_set(&wait->charge, request->session->charge.account, ACCOUNT_ACQUIRES, 1);
        if (r != 0)
                (void)fault_set(fault, FAULT_LIMIT, "too many acquires wait: wait for some, or have quota.acquires raised");
        if (r == 0)
                r = acquire_result_copy(resolution, acquires->daemon->mapping->generation, &wait->arena, &wait->result);
        if (r == 0)
                r = acquire_result_set_path(resolution, &wait->arena, &wait->result);
        if (r != 0) {
                wait_free(wait);
                return r;
        }
        *ret_wait = wait;
        return 0;
}

int acquire_begin(Acquires *acquires, const Request *request, const Resolution *resolution, uint64_t deadline_ms,
                  Fault *fault)
{
        Text path = resolution->reference.path, variant = resolution->answer.variant;
        Check *check;
        Wait *wait;
        int r;

        if (request->session->n_in_flight >= LIMIT_IN_FLIGHT)
                return fault_set(fault, FAULT_LIMIT, "a session has at most %d requests in flight: wait for an answer",
                                 LIMIT_IN_FLIGHT);
        r = wait_new(acquires, request, resolution, &wait, fault);
        if (r != 0)
                return r;
        check = check_find(acquires, path, variant);
        if (!check)
                r = check_start(acquires, path, variant, &check);
        if (r < 0) {
                wait_free(wait);
                return r;
        }
        wait->due_ms = loop_now_ms(&acquires->daemon->loop) + deadline_ms;
        wait_link(wait, check);
        if (acquires->n_waiting++ == 0)
                (void)uv_timer_start(&acquires->timer, acquires_tick, LIMIT_PROGRESS_MS, LIMIT_PROGRESS_MS);
        session_request_begins(request->session);
        return 0;
}

/* --- all of them --- */

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
