#include "daemon/check_job.h"

#include <stddef.h>

/* Read in one step: about 3 ms of hashing, so that jobs take turns quickly and
 * a cancelled one ends soon. */
#define STEP_BYTES (4u * 1024 * 1024)

Progress check_job_progress(CheckJob *check)
{
        return shared_progress_get(&check->progress);
}

static int check_job_step(Job *job)
{
        CheckJob *check = (CheckJob *)((char *)job - offsetof(CheckJob, job));
        Progress progress;
        int r;

        r = kernel_check_step(check->work, STEP_BYTES, &check->fault);
        if (r == STEP_MORE) {
                kernel_check_progress(check->work, &progress);
                shared_progress_set(&check->progress, &progress);
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
        shared_progress_clear(&check->progress);
        return kernel_check_new(path, variant, owner, receipt, &check->work);
}

bool check_job_found_wrong(const CheckJob *check)
{
        return check->refused && (check->fault.name == FAULT_NO_REPOSITORY || check->fault.name == FAULT_CORRUPT);
}

void check_job_deinit(CheckJob *check)
{
        check->work = kernel_check_free(check->work);
}
