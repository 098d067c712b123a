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

        if (test->gate >= 0 && read(test->gate, &byte, 1) != 1)
                return -EIO;
        test->n_ran++;
        if (test->order)
                *strchr(test->order, 0) = test->letter;
        return --test->n_steps > 0 ? JOB_AGAIN : test->result;
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
             test_stop, test_no_memory)
