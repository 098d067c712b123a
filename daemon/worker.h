/* The file thread: one thread beside the loop for whatever reads files or
 * hashes. Jobs are values: a job owns all that its step touches, and the loop
 * does not look into it between worker_submit and done.
 *
 * Jobs take turns, one step each, so that a large one holds up nobody. A step
 * does at most about 16 MiB of hashing. A job that waits for what comes from
 * outside is parked, and the pump, which moves transfers, runs it on. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

typedef struct Worker Worker;
typedef struct Job Job;

#define JOB_AGAIN 1
#define JOB_PARKED 2

/* Embedded in what a job works on. */
struct Job {
        /* In the file thread: JOB_AGAIN for another turn, JOB_PARKED for one after
         * job_resume, 0 when it is done, negative when it failed. */
        int (*step)(Job *job);
        /* May be NULL. In the file thread, or in worker_close once that has ended,
         * for a job that was cancelled before its last step: no step comes any more,
         * so here it lets go of what could resume it or write into it. */
        void (*abandon)(Job *job);
        /* On the loop, exactly once for each submitted job, with what the last
         * step returned, or -ECANCELED; the job is its owner's again and may be
         * freed. */
        void (*done)(Job *job, int result);

        atomic_bool cancelled; /* private from here on */
        int result;
        bool parked;
        bool resumed;   /* in its own step */
        Worker *worker; /* from worker_submit to done */
        Job *next;
        Job *previous;  /* where it is parked */
};

/* What moves in the file thread beside the jobs. */
typedef struct WorkerPump {
        void *data;
        /* In the file thread: whether there is something to move. Calls nothing here. */
        bool (*busy)(void *data);
        /* In the file thread: moves it, after waiting so long at most for something
         * that can be. */
        void (*turn)(void *data, int timeout_ms);
        /* On the loop: ends the wait of a turn that is running or about to. */
        void (*wake)(void *data);
} WorkerPump;

/* Starts the thread. 0; negative. */
int worker_new(uv_loop_t *loop, Worker **ret_worker);

/* On the loop, once, before jobs that need it; it is used until worker_close. */
void worker_set_pump(Worker *worker, const WorkerPump *pump);

/* On the loop. Never fails; step and done must be set. */
void worker_submit(Worker *worker, Job *job);

/* On the loop: the job gets no further step; done follows with -ECANCELED,
 * never from within this call. */
void job_cancel(Job *job);

/* In the file thread, from a step or a turn of the pump: a parked job waits for
 * its turn again, and so does one whose running step is about to park it. Else
 * nothing. */
void job_resume(Job *job);

/* On the loop, for the watchdog: steps and turns of the pump finished so far, and
 * whether there is nothing to do. Parked jobs are nothing to do; a turn is. */
uint64_t worker_n_steps(Worker *worker);
bool worker_is_idle(Worker *worker);

/* On the loop: no step begins any more. Waits so long for the running one; false:
 * it has not ended, and worker_close would wait on. */
bool worker_stop(Worker *worker, uint64_t patience_ms);

/* On the loop: cancels all jobs, waits for the running step, calls done of each
 * and closes; freed in the close callback. */
void worker_close(Worker *worker);
