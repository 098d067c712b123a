#include "daemon/check_job.h"

#include <stddef.h>

/* Read in one step: about 3 ms of hashing, so that jobs take turns quickly and
 * a cancelled one ends soon. */
#define STEP_BYTES (4u * 1024 * 1024)

static void store(atomic_int_least64_t *place, int64_t value)
{
        atomic_store_explicit(place, value, memory_order_relaxed);
}

static int64_t load(atomic_int_least64_t *place)
{
        return atomic_load_explicit(place, memory_order_relaxed);
}

static void check_job_publish(CheckJob *check)
{
        Progress progress = { 0 };

        kernel_check_progress(check->work, &progress);
        store(&check->files, progress.files);
        store(&check->files_total, progress.files_total.present ? progress.files_total.value : -1);
        store(&check->bytes, progress.bytes);
        store(&check->bytes_total, progress.bytes_total.present ? progress.bytes_total.value : -1);
}

static OptionalInteger total(int64_t value)
{
        return value < 0 ? INTEGER_ABSENT : INTEGER_PRESENT(value);
}

Progress check_job_progress(CheckJob *check)
{
        return (Progress){
                .files = load(&check->files),
                .files_total = total(load(&check->files_total)),
                .bytes = load(&check->bytes),
                .bytes_total = total(load(&check->bytes_total)),
        };
}

static int check_job_step(Job *job)
{
        CheckJob *check = (CheckJob *)((char *)job - offsetof(CheckJob, job));
        int r;

        r = kernel_check_step(check->work, STEP_BYTES, &check->fault);
        if (r == STEP_MORE) {
                check_job_publish(check);
                return JOB_AGAIN;
        }
        check->refused = r == STEP_FAULT;
        return r < 0 ? r : 0;
}

int check_job_init(CheckJob *check, const char *path, Text variant, uid_t owner, const KernelReceipt *receipt)
{
        check->job.step = check_job_step;
        check->refused = false;
        check->fault = FAULT_NULL;
        store(&check->files, 0);
        store(&check->files_total, -1);
        store(&check->bytes, 0);
        store(&check->bytes_total, -1);
        return kernel_check_new(path, variant, owner, receipt, &check->work);
}

void check_job_deinit(CheckJob *check)
{
        check->work = kernel_check_free(check->work);
}
