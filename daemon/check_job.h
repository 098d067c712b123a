/* One check of a variant folder, as a job of the file thread. A value: the
 * loop reads only its progress while it runs. */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "daemon/worker.h"
#include "kernels/kernel_check.h"
#include "proto/base/cleanup.h"

typedef struct CheckJob {
        Job job; /* job.done is the submitter's */
        KernelCheck *work;
        Fault fault; /* of a check that refuses the folder */
        bool refused;
        atomic_int_least64_t files; /* progress, written by the file thread */
        atomic_int_least64_t files_total; /* -1: not yet known */
        atomic_int_least64_t bytes;
        atomic_int_least64_t bytes_total;
} CheckJob;

/* As kernel_check_new; `job` must be submitted before it is looked at. */
int check_job_init(CheckJob *check, const char *path, Text variant, uid_t owner, const KernelReceipt *receipt);
void check_job_deinit(CheckJob *check);

/* As of now; any thread. */
Progress check_job_progress(CheckJob *check);
