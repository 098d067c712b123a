#include "daemon/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Design: every second. */
#define RETRY_MS 1000

struct LeaseCopy {
        Job job; /* tries the lock */
        LeaseLocks *locks;
        LeaseCopy *next;
        LeaseCopy *previous;
        Lease *lease; /* NULL: its session ended */
        Charge charge;
        int fd;      /* the job's while it tries; -1: it has the lock */
        bool trying;
        bool dropped; /* in no list: goes when the job is done */
};

/* A descriptor on its way out. */
typedef struct Closing {
        Job job;
        int fd;
} Closing;

struct LeaseLocks {
        uv_timer_t timer;
        Worker *worker; /* NULL: it is closed */
        LeaseCopy *copies;
        size_t n_copies;
};

/* --- the facts --- */

static Text put_text(char **place, Text text)
{
        Text copy = { *place, text.size };

        if (!text.data)
                return TEXT_NULL;
        memcpy(*place, text.data, text.size);
        *place += text.size;
        return copy;
}

int lease_new(Text layer, Text kernel, Text commit, Text variant, Lease **ret_lease)
{
        Lease *lease = alloc_bytes(sizeof(*lease) + layer.size + kernel.size + commit.size + variant.size);
        char *place;

        if (!lease)
                return error_trace(-ENOMEM);
        place = (char *)(lease + 1);
        *lease = (Lease){ 0 };
        lease->layer = put_text(&place, layer);
        lease->kernel = put_text(&place, kernel);
        lease->commit = put_text(&place, commit);
        lease->variant = put_text(&place, variant);
        *ret_lease = lease;
        return 0;
}

static void copy_free(LeaseCopy *copy)
{
        lease_close(copy->locks, copy->fd);
        alloc_free(copy);
}

static void copy_drop(LeaseCopy *copy)
{
        LeaseLocks *locks = copy->locks;

        *(copy->previous ? &copy->previous->next : &locks->copies) = copy->next;
        if (copy->next)
                copy->next->previous = copy->previous;
        if (copy->lease)
                copy->lease->copy = NULL;
        if (--locks->n_copies == 0)
                (void)uv_timer_stop(&locks->timer);
        charge_clear(&copy->charge);
        copy->dropped = true;
        if (copy->trying)
                job_cancel(&copy->job);
        else
                copy_free(copy);
}

void lease_release(Lease *lease)
{
        if (lease->copy)
                copy_drop(lease->copy);
        lease_free(lease);
}

Lease *lease_free(Lease *lease)
{
        if (!lease)
                return NULL;
        if (lease->copy)
                lease->copy->lease = NULL;
        alloc_free(lease);
        return NULL;
}

/* --- in the file thread --- */

static int opening_step(Job *job)
{
        LeaseOpening *opening = (LeaseOpening *)((char *)job - offsetof(LeaseOpening, job));

        opening->fd = openat(opening->folder_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (opening->fd < 0)
                return -errno;
        opening->locked = flock(opening->fd, LOCK_SH | LOCK_NB) == 0;
        return 0;
}

void lease_open(LeaseLocks *locks, LeaseOpening *opening)
{
        opening->job.step = opening_step;
        opening->fd = -1;
        opening->locked = false;
        worker_submit(locks->worker, &opening->job);
}

static int closing_step(Job *job)
{
        Closing *closing = (Closing *)((char *)job - offsetof(Closing, job));

        (void)close(STEAL_FD(closing->fd));
        return 0;
}

/* A daemon that stops closes here what the file thread has not. */
static void closing_done(Job *job, int result)
{
        Closing *closing = (Closing *)((char *)job - offsetof(Closing, job));

        (void)result;
        fd_closep(&closing->fd);
        alloc_free(closing);
}

void lease_close(LeaseLocks *locks, int fd)
{
        CLEANUP_FD int owned = fd; /* short of memory, the loop closes it: it may wait, but must not leak */
        Closing *closing;

        if (owned < 0 || !locks->worker)
                return;
        closing = alloc_zeroed(1, sizeof(*closing));
        if (!closing)
                return;
        closing->job.step = closing_step;
        closing->job.done = closing_done;
        closing->fd = STEAL_FD(owned);
        worker_submit(locks->worker, &closing->job);
}

/* With the lock, the copy is closed at once: from then on the lock ends with
 * what was handed out. */
static int copy_step(Job *job)
{
        LeaseCopy *copy = (LeaseCopy *)((char *)job - offsetof(LeaseCopy, job));

        if (flock(copy->fd, LOCK_SH | LOCK_NB) == 0)
                (void)close(STEAL_FD(copy->fd));
        return 0;
}

static void copy_done(Job *job, int result)
{
        LeaseCopy *copy = (LeaseCopy *)((char *)job - offsetof(LeaseCopy, job));

        (void)result;
        copy->trying = false;
        if (copy->dropped)
                copy_free(copy);
        else if (copy->fd < 0)
                copy_drop(copy);
}

/* --- the locks --- */

static void lease_locks_retry(uv_timer_t *timer)
{
        LeaseLocks *locks = timer->data;

        for (LeaseCopy *copy = locks->copies; copy; copy = copy->next) {
                if (copy->trying)
                        continue;
                copy->trying = true;
                worker_submit(locks->worker, &copy->job);
        }
}

int lease_locks_new(Loop *loop, Worker *worker, LeaseLocks **ret_locks)
{
        LeaseLocks *locks = alloc_zeroed(1, sizeof(*locks));

        if (!locks)
                return error_trace(-ENOMEM);
        (void)uv_timer_init(&loop->uv, &locks->timer);
        locks->timer.data = locks;
        locks->worker = worker;
        *ret_locks = locks;
        return 0;
}

static void lease_locks_closed(uv_handle_t *handle)
{
        alloc_free(handle->data);
}

void lease_locks_close(LeaseLocks *locks)
{
        if (!locks)
                return;
        locks->worker = NULL;
        while (locks->copies)
                copy_drop(locks->copies);
        uv_close((uv_handle_t *)&locks->timer, lease_locks_closed);
}

size_t lease_locks_n_waiting(const LeaseLocks *locks)
{
        return locks->n_copies;
}

bool lease_locks_yield(LeaseLocks *locks, const Account *account)
{
        LeaseCopy *oldest = NULL;

        /* New ones stand in front. */
        for (LeaseCopy *copy = locks->copies; copy; copy = copy->next)
                if (!copy->lease && copy->charge.account == account)
                        oldest = copy;
        if (!oldest)
                return false;
        copy_drop(oldest);
        return true;
}

int lease_keep_copy(LeaseLocks *locks, Lease *lease, Account *account, int fd, Fault *fault)
{
        CLEANUP_FD int copy_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3); /* while `fd` is open, closing it waits for nobody */
        LogFields fields = LOG_FIELDS_NULL;
        LeaseCopy *copy;

        if (copy_fd < 0)
                return fault_set(fault, FAULT_BUSY, "the daemon is out of descriptors: try again later");
        copy = alloc_zeroed(1, sizeof(*copy));
        if (!copy)
                return error_trace(-ENOMEM);
        while (charge_set(&copy->charge, account, ACCOUNT_LEASES, 1) != 0) {
                if (lease_locks_yield(locks, account))
                        continue;
                alloc_free(copy);
                return fault_set(fault, FAULT_LIMIT, "too many leases: release some, or have quota.leases raised");
        }
        copy->job.step = copy_step;
        copy->job.done = copy_done;
        copy->locks = locks;
        copy->fd = STEAL_FD(copy_fd);
        copy->lease = lease;
        copy->next = locks->copies;
        if (copy->next)
                copy->next->previous = copy;
        locks->copies = copy;
        lease->copy = copy;
        if (locks->n_copies++ == 0)
                (void)uv_timer_start(&locks->timer, lease_locks_retry, RETRY_MS, RETRY_MS);
        fields.peer = true; /* a client can hold that lock, and ask as often as he likes */
        log_notice(LEASE, &fields, "another process holds the exclusive lock of %.*s/build/%.*s: leased without a lock, trying again every second",
                   TEXT_PRINT(lease->kernel), TEXT_PRINT(lease->variant));
        return 0;
}
