/* Acquires that wait for a variant's folder: the check, once for all who ask for
 * it, and then a lease for each. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "daemon/acquire_internal.h"
#include "daemon/acquire_result.h"
#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* A running check of one variant folder, and then the opening of a lease for
 * each who waits. */
struct Check {
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
};

/* One lease on its way, in the file thread; stays until that lets go of it,
 * whether anybody waits or not. */
struct Opening {
        LeaseOpening lease;
        Check *check;
        Wait *wait; /* NULL: who asked has left */
        Charge charge;
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
        wait->check = check;
        wait->previous = NULL;
        wait->next = check->waits;
        if (wait->next)
                wait->next->previous = wait;
        check->waits = wait;
}

/* A check that nobody waits for is cancelled but stays until the file thread
 * lets go of it: however often somebody asks and leaves, there is one for each
 * folder. */
void wait_leave_check(Wait *wait)
{
        Check *check = wait->check;

        *(wait->previous ? &wait->previous->next : &check->waits) = wait->next;
        if (wait->next)
                wait->next->previous = wait->previous;
        wait->check = NULL;
        if (wait->opening) {
                job_cancel(&wait->opening->lease.job);
                wait->opening->wait = NULL;
        }
        if (!check->waits && !check->checked)
                job_cancel(&check->job.job);
}

Progress wait_check_progress(const Wait *wait)
{
        return check_job_progress(&wait->check->job);
}

/* --- the lease of one who waits --- */

static int fault_leases(Fault *fault)
{
        return fault_set(fault, FAULT_LIMIT, "too many leases: release some, read the answers, or have quota.leases raised");
}

/* The files of one that states a digest hash to it, now or when that was looked at. */
static Text digest_word(const Metadata *metadata)
{
        return metadata && metadata->digest ? TEXT("ok") : TEXT("missing");
}

/* Makes the asker's own lease of what was opened and answers with it. 0; 1 with
 * a fault. */
static int wait_lease(Wait *wait, LeaseOpening *opening, Fault *fault)
{
        Daemon *daemon = wait->acquires->daemon;
        Session *session = wait->session;
        Holdings *holdings = session->holdings;
        CLEANUP(lease_freep) Lease *lease = NULL;
        int64_t number;
        int r;

        r = wait->hub.target ? wait_judge_denial(wait, fault) : 0;
        if (r == 0)
                r = lease_new(wait->result.layer, wait->kernel, wait->result.commit, wait->result.variant, &lease);
        if (r != 0)
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
        wait->result.digest = digest_word(wait->check->metadata);
        r = answer_result(session, wait->id, METHOD_ACQUIRE, &wait->result, STEAL_FD(opening->fd));
        if (r != 0 && holdings_release(holdings, number, session_unread_descriptors(session)))
                daemon->n_leases--;
        return 0;
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
        KernelReceipt receipt;

        check->metadata = kernel_check_take_metadata(check->job.work);
        check->folder_fd = kernel_check_take_fd(check->job.work);
        receipt = kernel_check_receipt(check->job.work);
        acquires_put_receipt(check->acquires, text_of(check->path), text_of(check->variant), &receipt);
        for (Wait *wait = check->waits, *next; wait; wait = next) {
                Fault fault;
                int r = wait_open(wait, &fault);

                next = wait->next;
                if (r != 0)
                        wait_end_with_result(wait, r, &fault);
        }
}

/* Of files that were there, where no others may be fetched. */
static void wait_end_gone(Wait *wait, const Check *check, const Fault *fault)
{
        Fault gone;

        (void)fault_set(&gone, FAULT_CORRUPT, "%s/build/%s was complete and is no more; acquire it while the Hub may be "
                        "asked, or put its files back and restart the daemon: %s", check->path, check->variant,
                        fault->message);
        wait_end_with_fault(wait, &gone);
}

/* Once, whatever comes of it: what does not stay whole is not fetched in a loop. */
static void wait_mend(Wait *wait)
{
        Fault fault;
        int r;

        wait_leave_check(wait);
        wait->hub.mended = true;
        r = wait_seek(wait, &fault);
        if (r != 0)
                wait_end_with_result(wait, r, &fault);
}

/* Ends the wait, or sends it on. */
static void wait_fail(Wait *wait, Check *check, const Fault *fault)
{
        Hub *hub = check->acquires->daemon->hub;
        bool wrong = wait->hub.target && check_job_found_wrong(&check->job);

        if (!wrong || hub_forget_files(hub, wait->kernel, wait->result.commit, wait->result.variant, text_of(check->path),
                                       fault->name) || wait->hub.mended)
                wait_end_with_fault(wait, fault);
        else if (wait->hub.offline)
                wait_end_gone(wait, check, fault);
        else
                wait_mend(wait);
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
                wait_fail(check->waits, check, fault);
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

int wait_check(Wait *wait, Text path, Text variant)
{
        Check *check = check_find(wait->acquires, path, variant);
        int r = check ? 0 : check_start(wait->acquires, path, variant, &check);

        if (r == 0)
                wait_link(wait, check);
        return r;
}
