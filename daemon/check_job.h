/* One check of a variant folder, as a job of the file thread. A value: the
 * loop reads only its progress while it runs. */
#pragma once

#include <sys/types.h>

#include "daemon/progress.h"
#include "daemon/worker.h"
#include "kernels/kernel_check.h"
#include "proto/base/cleanup.h"

typedef struct CheckJob {
        Job job; /* job.done is the submitter's */
        KernelCheck *work;
        Fault fault; /* of a check that refuses the folder */
        bool refused;
        SharedProgress progress;
} CheckJob;

/* As kernel_check_new; `job` must be submitted before it is looked at. */
int check_job_init(CheckJob *check, const char *path, Text variant, uid_t owner, const KernelReceipt *receipt);

/* Of one that has ended: whether files are missing or are others than stated. */
bool check_job_found_wrong(const CheckJob *check);
void check_job_deinit(CheckJob *check);

/* As of now; any thread. */
Progress check_job_progress(CheckJob *check);
