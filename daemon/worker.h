/* The file thread: one thread beside the loop for whatever reads files or
 * hashes. Jobs are values: a job owns all that its step touches, and the loop
 * does not look into it between worker_submit and done.
 *
 * Jobs take turns, one step each, so that a large one holds up nobody. A step
 * does at most about 16 MiB of hashing. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

typedef struct Worker Worker;
typedef struct Job Job;

#define JOB_AGAIN 1

/* Embedded in what a job works on. */
struct Job {
        /* In the file thread: JOB_AGAIN for another turn, 0 when it is done,
         * negative when it failed. */
        int (*step)(Job *job);
        /* On the loop, exactly once for each submitted job, with what the last
         * step returned, or -ECANCELED; the job is its owner's again and may be
         * freed. */
        void (*done)(Job *job, int result);

        atomic_bool cancelled; /* private from here on */
        int result;
        Job *next;
};

/* Starts the thread. 0; negative. */
int worker_new(uv_loop_t *loop, Worker **ret_worker);

/* On the loop. Never fails; step and done must be set. */
void worker_submit(Worker *worker, Job *job);

/* On the loop: the job gets no further step; done follows with -ECANCELED,
 * never from within this call. */
void job_cancel(Job *job);

/* On the loop, for the watchdog: steps finished so far, and whether there is
 * nothing to do. */
uint64_t worker_n_steps(Worker *worker);
bool worker_is_idle(Worker *worker);

/* On the loop: no step begins any more. Waits so long for the running one; false:
 * it has not ended, and worker_close would wait on. */
bool worker_stop(Worker *worker, uint64_t patience_ms);

/* On the loop: cancels all jobs, waits for the running step, calls done of each
 * and closes; freed in the close callback. */
void worker_close(Worker *worker);
