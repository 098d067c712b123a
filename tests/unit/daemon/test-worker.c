#include "daemon/worker.h"

#include <errno.h>
#include <unistd.h>

#include "tests/lib/fixture.h"

typedef struct TestJob {
        Job job;
        int n_steps;   /* to go */
        int n_ran;     /* in the file thread */
        int result;    /* of the last step */
        int answer;    /* what done was given */
        int n_done;
        int *n_open;   /* jobs that done is still owed to */
        int gate;      /* a step first reads a byte here; -1: none */
        char *order;   /* a letter is put here for each step */
        char letter;
        Worker *submit_again; /* in done, once */
        int n_abandoned;      /* in the file thread */
        Job *resumes;         /* the steps resume this one */
        int n_resumes;        /* that many of them */
        atomic_int n_entered; /* steps that have begun */
} TestJob;

static uv_loop_t loop;

static void test_loop_begin(void)
{
        ck_assert_int_eq(uv_loop_init(&loop), 0);
}

/* No handle is left: every close callback has run. */
static void test_loop_end(void)
{
        uv_run(&loop, UV_RUN_DEFAULT);
        ck_assert_int_eq(uv_loop_close(&loop), 0);
        uv_library_shutdown();
}

static int test_job_step(Job *job)
{
        TestJob *test = (TestJob *)job;
        char byte;

        test->n_entered++;
        if (test->gate >= 0 && read(test->gate, &byte, 1) != 1)
                return -EIO;
        test->n_ran++;
        if (test->order)
                *strchr(test->order, 0) = test->letter;
        if (test->resumes && test->n_resumes-- > 0)
                job_resume(test->resumes);
        return --test->n_steps > 0 ? JOB_AGAIN : test->result;
}

/* Parks, and is done when it comes again. */
static int test_job_park(Job *job)
{
        TestJob *test = (TestJob *)job;

        test->n_ran++;
        if (test->resumes && test->n_resumes-- > 0)
                job_resume(test->resumes);
        return --test->n_steps > 0 ? JOB_PARKED : test->result;
}

static void test_job_abandon(Job *job)
{
        ((TestJob *)job)->n_abandoned++;
}

static void test_job_done(Job *job, int result)
{
        TestJob *test = (TestJob *)job;

        test->answer = result;
        test->n_done++;
        (*test->n_open)--;
        if (test->submit_again) {
                Worker *worker = test->submit_again;

                test->submit_again = NULL;
                (*test->n_open)++;
                worker_submit(worker, job);
        }
}

static TestJob test_job(int n_steps, int result, int *n_open)
{
        return (TestJob){ .job = { .step = test_job_step, .done = test_job_done },
                          .n_steps = n_steps, .result = result, .n_open = n_open, .gate = -1 };
}

static TestJob test_job_parking(int n_steps, int *n_open)
{
        TestJob test = test_job(n_steps, 0, n_open);

        test.job.step = test_job_park;
        test.job.abandon = test_job_abandon;
        return test;
}

/* Until the thread has nothing left to do but what is parked. */
static void test_wait_idle(Worker *worker, uint64_t n_steps)
{
        while (worker_n_steps(worker) < n_steps || !worker_is_idle(worker))
                (void)sched_yield();
}

static void test_run_until_done(const int *n_open)
{
        while (*n_open > 0)
                uv_run(&loop, UV_RUN_ONCE);
}

START_TEST(test_result)
{
        int n_open = 3;
        TestJob good = test_job(1, 0, &n_open);
        TestJob bad = test_job(4, -EIO, &n_open);
        TestJob none = test_job(1, 7, &n_open);
        Worker *worker;

        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        worker_submit(worker, &good.job);
        worker_submit(worker, &bad.job);
        worker_submit(worker, &none.job);
        test_run_until_done(&n_open);
        ck_assert_int_eq(good.answer, 0);
        ck_assert_int_eq(bad.answer, -EIO);
        ck_assert_int_eq(bad.n_ran, 4);
        ck_assert_int_eq(none.answer, 7);
        ck_assert(worker_is_idle(worker));
        ck_assert_uint_eq(worker_n_steps(worker), 6);
        worker_close(worker);
        test_loop_end();
        ck_assert_int_eq(good.n_done + bad.n_done + none.n_done, 3);
}
END_TEST

/* A long job does not keep a short one waiting. */
START_TEST(test_turns)
{
        char order[16] = "";
        int n_open = 3, gate[2];
        TestJob first = test_job(1, 0, &n_open);
        TestJob a = test_job(3, 0, &n_open);
        TestJob b = test_job(2, 0, &n_open);
        Worker *worker;

        a.order = b.order = order;
        a.letter = 'a';
        b.letter = 'b';
        ck_assert_int_eq(pipe(gate), 0);
        first.gate = gate[0];
        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        worker_submit(worker, &first.job); /* so that both wait when the turns begin */
        worker_submit(worker, &a.job);
        worker_submit(worker, &b.job);
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        test_run_until_done(&n_open);
        ck_assert_str_eq(order, "ababa");
        worker_close(worker);
        test_loop_end();
        close(gate[0]);
        close(gate[1]);
}
END_TEST

/* While a step hangs the loop can see it, and the watchdog with it. */
START_TEST(test_stalled)
{
        int n_open = 1, gate[2];
        TestJob job = test_job(1, 0, &n_open);
        Worker *worker;

        ck_assert_int_eq(pipe(gate), 0);
        job.gate = gate[0];
        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        ck_assert(worker_is_idle(worker));
        worker_submit(worker, &job.job);
        ck_assert(!worker_is_idle(worker));
        uv_run(&loop, UV_RUN_NOWAIT);
        ck_assert(!worker_is_idle(worker));
        ck_assert_uint_eq(worker_n_steps(worker), 0);
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        test_run_until_done(&n_open);
        ck_assert(worker_is_idle(worker));
        worker_close(worker);
        test_loop_end();
        close(gate[0]);
        close(gate[1]);
}
END_TEST

START_TEST(test_cancel)
{
        int n_open = 2, gate[2];
        TestJob running = test_job(5, 0, &n_open);
        TestJob waiting = test_job(1, 0, &n_open);
        Worker *worker;

        ck_assert_int_eq(pipe(gate), 0);
        running.gate = gate[0];
        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        worker_submit(worker, &running.job);
        worker_submit(worker, &waiting.job);
        job_cancel(&waiting.job);
        ck_assert_int_eq(waiting.n_done, 0);
        job_cancel(&running.job);
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        test_run_until_done(&n_open);
        ck_assert_int_eq(running.answer, -ECANCELED);
        ck_assert_int_le(running.n_ran, 1);
        ck_assert_int_eq(waiting.answer, -ECANCELED);
        ck_assert_int_eq(waiting.n_ran, 0);
        worker_close(worker);
        test_loop_end();
        close(gate[0]);
        close(gate[1]);
}
END_TEST

/* Also a job that has finished, but whose owner has not heard of it yet. */
START_TEST(test_cancel_finished)
{
        int n_open = 1;
        TestJob job = test_job(1, 0, &n_open);
        Worker *worker;

        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        worker_submit(worker, &job.job);
        while (worker_n_steps(worker) == 0)
                (void)sched_yield();
        job_cancel(&job.job);
        test_run_until_done(&n_open);
        ck_assert_int_eq(job.answer, -ECANCELED);
        worker_close(worker);
        test_loop_end();
}
END_TEST

/* Every job that was submitted is done once, whatever state it is in, one that
 * is submitted by such a done included. */
START_TEST(test_close)
{
        int n_open = 3, gate[2];
        TestJob running = test_job(100, 0, &n_open);
        TestJob waiting = test_job(1, 0, &n_open);
        TestJob again = test_job(1, 0, &n_open);
        Worker *worker;

        ck_assert_int_eq(pipe(gate), 0);
        running.gate = gate[0];
        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        again.submit_again = worker;
        worker_submit(worker, &running.job);
        worker_submit(worker, &waiting.job);
        worker_submit(worker, &again.job);
        close(gate[1]); /* the step that waits there, or comes there, ends */
        worker_close(worker);
        ck_assert_int_eq(n_open, 0);
        ck_assert_int_eq(running.n_done, 1);
        ck_assert_int_eq(waiting.n_done, 1);
        ck_assert_int_eq(again.n_done, 2);
        test_loop_end();
        close(gate[0]);
}
END_TEST

/* A step that hangs is waited for no longer than was said; once it ends, all
 * goes its usual way. */
START_TEST(test_stop)
{
        int n_open = 2, gate[2];
        TestJob hanging = test_job(2, 0, &n_open);
        TestJob waiting = test_job(1, 0, &n_open);
        Worker *worker;

        ck_assert_int_eq(pipe(gate), 0);
        hanging.gate = gate[0];
        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        worker_submit(worker, &hanging.job);
        while (worker_n_steps(worker) == 0) /* then the second one has begun */
                (void)sched_yield();
        worker_submit(worker, &waiting.job);
        ck_assert(!worker_stop(worker, 1));
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        ck_assert(worker_stop(worker, 60000));
        worker_close(worker);
        ck_assert_int_eq(hanging.n_done + waiting.n_done, 2);
        test_loop_end();
        close(gate[0]);
        close(gate[1]);
}
END_TEST

/* A parked job gets no step until it is resumed, by the step of another one here. */
START_TEST(test_park)
{
        int n_open = 2;
        TestJob parked = test_job_parking(2, &n_open);
        TestJob other = test_job(1, 0, &n_open);
        Worker *worker;

        other.resumes = &parked.job;
        other.n_resumes = 1;
        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        worker_submit(worker, &parked.job);
        test_wait_idle(worker, 1);
        uv_run(&loop, UV_RUN_NOWAIT);
        ck_assert_int_eq(parked.n_done, 0);
        worker_submit(worker, &other.job);
        test_run_until_done(&n_open);
        ck_assert_int_eq(parked.n_ran, 2);
        ck_assert_int_eq(parked.answer, 0);
        ck_assert_int_eq(parked.n_abandoned, 0);
        worker_close(worker);
        test_loop_end();
}
END_TEST

/* What was waited for may come before the step has said that it waits; and it
 * counts for that step alone. */
START_TEST(test_resume_early)
{
        int n_open = 2;
        TestJob parked = test_job_parking(3, &n_open);
        TestJob other = test_job(1, 0, &n_open);
        Worker *worker;

        parked.resumes = &parked.job;
        parked.n_resumes = 1;
        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        worker_submit(worker, &parked.job);
        test_wait_idle(worker, 2);
        ck_assert_int_eq(parked.n_ran, 2);
        other.resumes = &parked.job;
        other.n_resumes = 1;
        worker_submit(worker, &other.job);
        test_run_until_done(&n_open);
        ck_assert_int_eq(parked.n_ran, 3);
        worker_close(worker);
        test_loop_end();
}
END_TEST

/* Several may be parked; they leave in any order. */
START_TEST(test_cancel_parked)
{
        int n_open = 4;
        TestJob parked[4];
        Worker *worker;

        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        for (int i = 0; i < 4; i++) {
                parked[i] = test_job_parking(2, &n_open);
                worker_submit(worker, &parked[i].job);
        }
        test_wait_idle(worker, 4);
        for (int i = 0; i < 4; i++) {
                TestJob *test = &parked[(i + 1) % 4];

                job_cancel(&test->job);
                ck_assert_int_eq(test->n_done, 0);
                while (!test->n_done)
                        uv_run(&loop, UV_RUN_ONCE);
                ck_assert_int_eq(test->answer, -ECANCELED);
                ck_assert_int_eq(test->n_ran, 1);
                ck_assert_int_eq(test->n_abandoned, 1);
                ck_assert_int_eq(n_open, 3 - i);
        }
        worker_close(worker);
        test_loop_end();
}
END_TEST

/* Cancelled while the step runs that will park it. */
START_TEST(test_cancel_parking)
{
        int n_open = 1, gate[2];
        TestJob parked = test_job(1, JOB_PARKED, &n_open);
        Worker *worker;

        parked.job.abandon = test_job_abandon;
        ck_assert_int_eq(pipe(gate), 0);
        parked.gate = gate[0];
        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        worker_submit(worker, &parked.job);
        while (!parked.n_entered)
                (void)sched_yield();
        job_cancel(&parked.job);
        ck_assert_int_eq(write(gate[1], "x", 1), 1);
        test_run_until_done(&n_open);
        ck_assert_int_eq(parked.answer, -ECANCELED);
        ck_assert_int_eq(parked.n_ran, 1);
        ck_assert_int_eq(parked.n_abandoned, 1);
        worker_close(worker);
        test_loop_end();
        close(gate[0]);
        close(gate[1]);
}
END_TEST

START_TEST(test_close_parked)
{
        int n_open = 2;
        TestJob first = test_job_parking(2, &n_open);
        TestJob second = test_job_parking(2, &n_open);
        Worker *worker;

        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        worker_submit(worker, &first.job);
        worker_submit(worker, &second.job);
        test_wait_idle(worker, 2);
        worker_close(worker);
        ck_assert_int_eq(n_open, 0);
        ck_assert_int_eq(first.n_abandoned + second.n_abandoned, 2);
        ck_assert_int_eq(first.answer, -ECANCELED);
        test_loop_end();
}
END_TEST

/* A pump that waits until it is woken, however long it was told: whoever forgets
 * to wake it hangs. */
typedef struct TestPump {
        int wakes[2];
        atomic_int n_waits, n_turns;
        atomic_bool busy;
        Job *resumes; /* in the next turn that does not wait, once */
} TestPump;

static bool test_pump_busy(void *data)
{
        return ((TestPump *)data)->busy;
}

static void test_pump_turn(void *data, int timeout_ms)
{
        TestPump *pump = data;
        Job *job = pump->resumes;
        char byte;

        pump->n_turns++;
        if (job) {
                pump->resumes = NULL;
                job_resume(job);
        } else if (timeout_ms > 0) {
                pump->n_waits++;
                ck_assert_int_eq(read(pump->wakes[0], &byte, 1), 1);
        }
}

static void test_pump_wake(void *data)
{
        ck_assert_int_eq(write(((TestPump *)data)->wakes[1], "w", 1), 1);
}

static void test_pump_begin(Worker *worker, TestPump *pump)
{
        ck_assert_int_eq(pipe(pump->wakes), 0);
        worker_set_pump(worker, &(WorkerPump){ pump, test_pump_busy, test_pump_turn, test_pump_wake });
}

/* A job makes it busy; from then on the thread waits in it. */
static void test_pump_start(Worker *worker, TestPump *pump)
{
        int n_open = 1;
        TestJob job = test_job(1, 0, &n_open);

        pump->busy = true;
        worker_submit(worker, &job.job);
        test_run_until_done(&n_open);
        while (!pump->n_waits)
                (void)sched_yield();
}

static void test_pump_end(TestPump *pump)
{
        close(pump->wakes[0]);
        close(pump->wakes[1]);
}

START_TEST(test_pump_is_woken)
{
        TestPump pump = { 0 };
        int n_open = 1;
        TestJob job = test_job(3, 0, &n_open);
        TestJob parked = test_job_parking(2, &n_open);
        Worker *worker;
        int n_turns;

        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        test_pump_begin(worker, &pump);
        test_pump_start(worker, &pump);
        ck_assert(!worker_is_idle(worker));
        n_turns = pump.n_turns;
        worker_submit(worker, &job.job); /* wakes it; it moves after each step */
        test_run_until_done(&n_open);
        ck_assert_int_ge(pump.n_turns - n_turns, 2);
        n_open = 1;
        worker_submit(worker, &parked.job);
        while (atomic_load(&pump.n_waits) < 3) /* it is parked, and the pump waits again */
                (void)sched_yield();
        job_cancel(&parked.job); /* wakes it */
        test_run_until_done(&n_open);
        ck_assert_int_eq(parked.answer, -ECANCELED);
        ck_assert(worker_stop(worker, 60000)); /* wakes it */
        worker_close(worker);
        test_loop_end();
        test_pump_end(&pump);
}
END_TEST

/* Not asked for turns while it has nothing to move: the thread waits for jobs, and
 * nothing counts as work. */
START_TEST(test_pump_idle)
{
        TestPump pump = { 0 };
        int n_open = 1;
        TestJob job = test_job(2, 0, &n_open);
        TestJob parked = test_job_parking(2, &n_open);
        Worker *worker;

        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        test_pump_begin(worker, &pump);
        worker_submit(worker, &job.job);
        test_run_until_done(&n_open);
        n_open = 1;
        worker_submit(worker, &parked.job);
        test_wait_idle(worker, 3);
        ck_assert_int_eq(pump.n_turns, 0);
        worker_close(worker);
        ck_assert_int_eq(parked.n_done, 1);
        test_loop_end();
        test_pump_end(&pump);
}
END_TEST

/* What a job waits for comes out of a turn. */
START_TEST(test_pump_resumes)
{
        TestPump pump = { 0 };
        int n_open = 1;
        TestJob parked = test_job_parking(2, &n_open);
        Worker *worker;

        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        test_pump_begin(worker, &pump);
        pump.busy = true;
        pump.resumes = &parked.job;
        worker_submit(worker, &parked.job);
        test_run_until_done(&n_open);
        ck_assert_int_eq(parked.n_ran, 2);
        worker_close(worker);
        test_loop_end();
        test_pump_end(&pump);
}
END_TEST

/* Submitting and waiting cross each other a thousand times, and no wake is lost. */
START_TEST(test_pump_race)
{
        TestPump pump = { 0 };
        Worker *worker;

        test_loop_begin();
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        test_pump_begin(worker, &pump);
        test_pump_start(worker, &pump);
        for (int i = 0; i < 1000; i++) {
                int n_open = 1;
                TestJob job = test_job(1 + i % 2, 0, &n_open);

                worker_submit(worker, &job.job);
                test_run_until_done(&n_open);
        }
        worker_close(worker);
        test_loop_end();
        test_pump_end(&pump);
}
END_TEST

START_TEST(test_no_memory)
{
        Worker *worker;

        test_loop_begin();
        alloc_fault_set(0);
        ck_assert_int_eq(worker_new(&loop, &worker), -ENOMEM);
        test_loop_end();
}
END_TEST

FIXTURE_MAIN("daemon/worker", test_result, test_turns, test_stalled, test_cancel, test_cancel_finished, test_close,
             test_stop, test_park, test_resume_early, test_cancel_parked, test_cancel_parking, test_close_parked,
             test_pump_is_woken, test_pump_idle, test_pump_resumes, test_pump_race, test_no_memory)
