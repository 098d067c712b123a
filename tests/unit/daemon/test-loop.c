#include "tests/lib/fixture.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "daemon/loop.h"

typedef struct Thing {
        LoopItem item; /* first */
        Loop *loop;
        unsigned n_runs;
        unsigned again; /* how often it defers itself */
} Thing;

static void thing_run(LoopItem *item)
{
        Thing *thing = (Thing *)item;

        thing->n_runs++;
        if (thing->again) {
                thing->again--;
                loop_defer(thing->loop, item);
        } else {
                loop_stop(thing->loop);
        }
}

START_TEST(test_an_item_runs_once_however_often_it_is_deferred)
{
        Loop loop;
        Thing thing = { .item = { .run = thing_run }, .loop = &loop };

        ck_assert_int_eq(loop_init(&loop), 0);
        loop_defer(&loop, &thing.item);
        loop_defer(&loop, &thing.item);
        ck_assert_uint_eq(thing.n_runs, 0);
        loop_run(&loop);
        ck_assert_uint_eq(thing.n_runs, 1);
        loop_deinit(&loop);
        uv_library_shutdown();
}
END_TEST

/* The loop does not sleep while an item waits, though nothing else happens. */
START_TEST(test_an_item_that_defers_itself_goes_on)
{
        Loop loop;
        Thing thing = { .item = { .run = thing_run }, .loop = &loop, .again = 5 };

        ck_assert_int_eq(loop_init(&loop), 0);
        loop_defer(&loop, &thing.item);
        loop_run(&loop);
        ck_assert_uint_eq(thing.n_runs, 6);
        loop_deinit(&loop);
        uv_library_shutdown();
}
END_TEST

/* What was deferred before the end is not lost. */
START_TEST(test_the_end_runs_what_waits)
{
        Loop loop;
        Thing thing = { .item = { .run = thing_run }, .loop = &loop, .again = 2 };

        ck_assert_int_eq(loop_init(&loop), 0);
        loop_defer(&loop, &thing.item);
        loop_deinit(&loop);
        ck_assert_uint_eq(thing.n_runs, 3);
        uv_library_shutdown();
}
END_TEST

START_TEST(test_a_forgotten_handle_aborts)
{
        pid_t child = fork();
        int status;

        if (child == 0) {
                const struct rlimit none = { 0, 0 };
                static uv_timer_t timer;
                static Loop loop;

                (void)setrlimit(RLIMIT_CORE, &none);
                (void)signal(SIGABRT, SIG_DFL);
                if (loop_init(&loop) == 0)
                        (void)uv_timer_init(&loop.uv, &timer);
                loop_deinit(&loop);
                _exit(0);
        }
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}
END_TEST

FIXTURE_MAIN("daemon/loop", test_an_item_runs_once_however_often_it_is_deferred,
             test_an_item_that_defers_itself_goes_on, test_the_end_runs_what_waits, test_a_forgotten_handle_aborts)
