#include "daemon/worker.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "proto/base/alloc.h"
#include "proto/base/cleanup.h"
#include "proto/base/error.h"

/* How long the pump waits before it is asked anew. No need is known: what happens
 * ends the wait; the watchdog sees it turn. */
#define PUMP_WAIT_MS 1000

/* First in, first out. */
typedef struct JobQueue {
        Job *first;
        Job **end;
} JobQueue;

struct Worker {
        uv_async_t finished_async;
        uv_thread_t thread;
        uv_mutex_t lock; /* guards what follows, up to the blank line */
        uv_cond_t wake; /* of the thread; once it shall stop, of who waits for that */
        JobQueue waiting;
        JobQueue finished;
        Job *parked; /* doubly linked */
        Job *running;
        WorkerPump pump; /* all NULL: none */
        bool turning;    /* the pump is, perhaps waiting */
        uint64_t n_steps;
        bool stop;
        bool stopped; /* the thread touches no job any more */

        size_t n_jobs; /* loop only: submitted and not yet done */
};

static void job_queue_init(JobQueue *queue)
{
        queue->first = NULL;
        queue->end = &queue->first;
}

static void job_queue_push(JobQueue *queue, Job *job)
{
        job->next = NULL;
        *queue->end = job;
        queue->end = &job->next;
}

static Job *job_queue_pop(JobQueue *queue)
{
        Job *job = queue->first;

        if (!job)
                return NULL;
        queue->first = job->next;
        if (!queue->first)
                queue->end = &queue->first;
        job->next = NULL;
        return job;
}

static bool job_is_cancelled(const Job *job)
{
        return atomic_load_explicit(&job->cancelled, memory_order_relaxed);
}

static void job_set_cancelled(Job *job, bool cancelled)
{
        atomic_store_explicit(&job->cancelled, cancelled, memory_order_relaxed);
}

/* --- with the lock held --- */

static void worker_park(Worker *worker, Job *job)
{
        job->parked = true;
        job->previous = NULL;
        job->next = worker->parked;
        if (job->next)
                job->next->previous = job;
        worker->parked = job;
}

static void worker_unpark(Worker *worker, Job *job)
{
        job->parked = false;
        if (job->next)
                job->next->previous = job->previous;
        if (job->previous)
                job->previous->next = job->next;
        else
                worker->parked = job->next;
        job_queue_push(&worker->waiting, job);
}

/* From the loop. Between this lock and the wait of a turn lies no moment in which
 * the thread could miss it: `turning` was set under the lock, and the pump keeps
 * a wake that comes early. */
static void worker_wake(Worker *worker)
{
        uv_cond_broadcast(&worker->wake);
        if (worker->turning)
                worker->pump.wake(worker->pump.data);
}

/* After a step, or in place of one. */
static void worker_take_result(Worker *worker, Job *job, int r)
{
        if (r == JOB_PARKED && !job->resumed && !job_is_cancelled(job)) {
                worker_park(worker, job);
                return;
        }
        if (r == JOB_AGAIN || r == JOB_PARKED) {
                job_queue_push(&worker->waiting, job);
                return;
        }
        job->result = r;
        job_queue_push(&worker->finished, job);
        (void)uv_async_send(&worker->finished_async);
}

/* --- jobs, from outside --- */

/* A parked one gets a turn, in which it is abandoned. Without the lock a step that
 * is just ending could park it unseen. */
void job_cancel(Job *job)
{
        Worker *worker = job->worker;

        job_set_cancelled(job, true);
        if (!worker)
                return;
        uv_mutex_lock(&worker->lock);
        if (job->parked) {
                worker_unpark(worker, job);
                worker_wake(worker);
        }
        uv_mutex_unlock(&worker->lock);
}

void job_resume(Job *job)
{
        Worker *worker = job->worker;

        uv_mutex_lock(&worker->lock);
        if (job->parked)
                worker_unpark(worker, job);
        else if (job == worker->running)
                job->resumed = true;
        uv_mutex_unlock(&worker->lock);
}

/* --- the thread: called and left with the lock held, which what runs goes without --- */

static int job_abandon(Job *job)
{
        if (job->abandon)
                job->abandon(job);
        return -ECANCELED;
}

static void worker_run_step(Worker *worker, Job *job)
{
        int r;

        worker->running = job;
        job->resumed = false;
        uv_mutex_unlock(&worker->lock);
        r = job_is_cancelled(job) ? job_abandon(job) : job->step(job);
        uv_mutex_lock(&worker->lock);
        worker->running = NULL;
        worker->n_steps++;
        worker_take_result(worker, job, r);
}

static void worker_turn_pump(Worker *worker, int timeout_ms)
{
        const WorkerPump pump = worker->pump;

        worker->turning = true;
        uv_mutex_unlock(&worker->lock);
        pump.turn(pump.data, timeout_ms);
        uv_mutex_lock(&worker->lock);
        worker->turning = false;
        worker->n_steps++;
}

static void worker_run_once(Worker *worker)
{
        Job *job = job_queue_pop(&worker->waiting);

        if (job)
                worker_run_step(worker, job);
        if (worker->stop)
                return;
        if (worker->pump.busy && worker->pump.busy(worker->pump.data))
                worker_turn_pump(worker, worker->waiting.first ? 0 : PUMP_WAIT_MS);
        else if (!job)
                uv_cond_wait(&worker->wake, &worker->lock);
}

static void worker_thread(void *data)
{
        Worker *worker = data;

        (void)pthread_setname_np(pthread_self(), "files");
        uv_mutex_lock(&worker->lock);
        while (!worker->stop)
                worker_run_once(worker);
        worker->stopped = true;
        uv_cond_broadcast(&worker->wake);
        uv_mutex_unlock(&worker->lock);
}

/* --- the loop --- */

/* A job that was cancelled after its last step is cancelled all the same: its
 * owner has given it up. */
static void worker_finish(Worker *worker, Job *job)
{
        worker->n_jobs--;
        job->worker = NULL;
        job->done(job, job_is_cancelled(job) ? -ECANCELED : job->result);
}

static void worker_on_finished(uv_async_t *async)
{
        Worker *worker = async->data;
        JobQueue finished;
        Job *job;

        job_queue_init(&finished);
        uv_mutex_lock(&worker->lock);
        while ((job = job_queue_pop(&worker->finished)))
                job_queue_push(&finished, job);
        uv_mutex_unlock(&worker->lock);
        while ((job = job_queue_pop(&finished)))
                worker_finish(worker, job);
}

static void worker_on_closed(uv_handle_t *handle)
{
        Worker *worker = handle->data;

        uv_cond_destroy(&worker->wake);
        uv_mutex_destroy(&worker->lock);
        alloc_free(worker);
}

/* Signals belong to the loop's thread. */
static int worker_start_thread(Worker *worker)
{
        sigset_t all, before;
        int r;

        (void)sigfillset(&all);
        (void)pthread_sigmask(SIG_SETMASK, &all, &before);
        r = uv_thread_create(&worker->thread, worker_thread, worker);
        (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
        return error_trace(r);
}

int worker_new(uv_loop_t *loop, Worker **ret_worker)
{
        CLEANUP_ALLOC Worker *worker = alloc_zeroed(1, sizeof(*worker));
        int r;

        if (!worker)
                return error_trace(-ENOMEM);
        job_queue_init(&worker->waiting);
        job_queue_init(&worker->finished);
        r = uv_mutex_init(&worker->lock);
        if (r < 0)
                return error_trace(r);
        r = uv_cond_init(&worker->wake);
        if (r < 0) {
                uv_mutex_destroy(&worker->lock);
                return error_trace(r);
        }
        r = uv_async_init(loop, &worker->finished_async, worker_on_finished);
        if (r < 0) {
                uv_cond_destroy(&worker->wake);
                uv_mutex_destroy(&worker->lock);
                return error_trace(r);
        }
        worker->finished_async.data = worker;
        r = worker_start_thread(worker);
        if (r < 0) {
                uv_close((uv_handle_t *)&STEAL(worker)->finished_async, worker_on_closed);
                return r;
        }
        *ret_worker = STEAL(worker);
        return 0;
}

void worker_set_pump(Worker *worker, const WorkerPump *pump)
{
        uv_mutex_lock(&worker->lock);
        worker->pump = *pump;
        uv_mutex_unlock(&worker->lock);
}

void worker_submit(Worker *worker, Job *job)
{
        assert(job->step && job->done);
        worker->n_jobs++;
        job->result = 0;
        job->parked = false;
        job->worker = worker;
        job_set_cancelled(job, false);
        uv_mutex_lock(&worker->lock);
        job_queue_push(&worker->waiting, job);
        worker_wake(worker);
        uv_mutex_unlock(&worker->lock);
}

uint64_t worker_n_steps(Worker *worker)
{
        uint64_t n_steps;

        uv_mutex_lock(&worker->lock);
        n_steps = worker->n_steps;
        uv_mutex_unlock(&worker->lock);
        return n_steps;
}

bool worker_is_idle(Worker *worker)
{
        bool idle;

        uv_mutex_lock(&worker->lock);
        idle = !worker->running && !worker->turning && !worker->waiting.first;
        uv_mutex_unlock(&worker->lock);
        return idle;
}

bool worker_stop(Worker *worker, uint64_t patience_ms)
{
        uint64_t now = uv_hrtime(), end = now + patience_ms * 1000000;
        bool stopped;

        uv_mutex_lock(&worker->lock);
        worker->stop = true;
        if (worker->running)
                job_set_cancelled(worker->running, true);
        worker_wake(worker);
        for (; !worker->stopped && now < end; now = uv_hrtime())
                (void)uv_cond_timedwait(&worker->wake, &worker->lock, end - now);
        stopped = worker->stopped;
        uv_mutex_unlock(&worker->lock);
        return stopped;
}

void worker_close(Worker *worker)
{
        Job *job;

        (void)worker_stop(worker, 0);
        (void)uv_thread_join(&worker->thread);
        /* The thread is gone: no lock. Done functions may submit again; such
         * jobs end here too. */
        while (worker->parked)
                worker_unpark(worker, worker->parked);
        while ((job = job_queue_pop(&worker->finished)))
                worker_finish(worker, job);
        while ((job = job_queue_pop(&worker->waiting))) {
                job_set_cancelled(job, true);
                (void)job_abandon(job);
                worker_finish(worker, job);
        }
        assert(worker->n_jobs == 0);
        uv_close((uv_handle_t *)&worker->finished_async, worker_on_closed);
}
