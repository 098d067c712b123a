#include "tests/lib/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "daemon/lease.h"

typedef struct Bench {
        Loop loop;
        Accounts *accounts;
        Account *account;
        Worker *worker;
        LeaseLocks *locks;
        int folder;
} Bench;

/* Holds up the file thread until a byte comes. */
typedef struct Gate {
        Job job;
        int pipe[2];
        bool done;
} Gate;

static void bench_begin(Bench *bench)
{
        const AccountLimits limits = { .domain = { [ACCOUNT_LEASES] = 1 } };

        ck_assert_int_eq(loop_init(&bench->loop), 0);
        ck_assert_int_eq(accounts_new(&limits, &bench->accounts), 0);
        ck_assert_int_eq(account_find(bench->accounts, 7, TEXT_NULL, &bench->account), 0);
        ck_assert_int_eq(worker_new(&bench->loop.uv, &bench->worker), 0);
        ck_assert_int_eq(lease_locks_new(&bench->loop, bench->worker, &bench->locks), 0);
        bench->folder = open(fixture_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(bench->folder, 0);
}

static void bench_end(Bench *bench)
{
        (void)close(bench->folder);
        worker_close(bench->worker);
        lease_locks_close(bench->locks);
        loop_deinit(&bench->loop);
        uv_library_shutdown(); /* its pipe for signals */
        account_unref(bench->account);
        accounts_free(bench->accounts);
}

typedef struct Opened {
        LeaseOpening opening;
        int result;
        bool done;
} Opened;

static void on_opened(Job *job, int result)
{
        Opened *opened = (Opened *)((char *)job - offsetof(Opened, opening.job));

        opened->result = result;
        opened->done = true;
}

/* What an asker goes through: opened and locked, or a copy is kept. */
static int take_lease(Bench *bench, Lease *lease, int *ret_fd, Fault *fault)
{
        Opened opened = { .opening = { .job.done = on_opened, .folder_fd = bench->folder } };
        int r = 0;

        lease_open(bench->locks, &opened.opening);
        while (!opened.done)
                (void)uv_run(&bench->loop.uv, UV_RUN_ONCE);
        ck_assert_int_eq(opened.result, 0);
        if (!opened.opening.locked)
                r = lease_keep_copy(bench->locks, lease, bench->account, opened.opening.fd, fault);
        if (r == 0)
                *ret_fd = opened.opening.fd;
        else
                lease_close(bench->locks, opened.opening.fd);
        return r;
}

static Lease *make_lease(void)
{
        Lease *lease;

        ck_assert_int_eq(lease_new(TEXT("L"), TEXT("/k"), TEXT_NULL, TEXT("v"), &lease), 0);
        return lease;
}

static bool can_lock_exclusively(void)
{
        CLEANUP_FD int fd = open(fixture_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        return flock(fd, LOCK_EX | LOCK_NB) == 0;
}

START_TEST(test_facts_are_copied)
{
        char layer[] = "SiluAndMul";
        Lease *lease;

        ck_assert_int_eq(lease_new((Text){ layer, 10 }, TEXT("o/n"), TEXT("c"), TEXT("v"), &lease), 0);
        layer[0] = 'x';
        ck_assert(text_equal(lease->layer, TEXT("SiluAndMul")));
        ck_assert(text_equal(lease->kernel, TEXT("o/n")));
        ck_assert(text_equal(lease->commit, TEXT("c")));
        ck_assert(text_equal(lease->variant, TEXT("v")));
        lease_free(lease);
        lease = make_lease();
        ck_assert_ptr_null(lease->commit.data);
        lease_free(lease);
}
END_TEST

/* Each has an open file description of its own: one's end is not the other's. */
START_TEST(test_leases_are_locked_apart)
{
        Bench bench;
        CLEANUP(lease_freep) Lease *one = make_lease(), *two = make_lease();
        int first = -1, second = -1;
        Fault fault;

        bench_begin(&bench);
        ck_assert_int_eq(take_lease(&bench, one, &first, &fault), 0);
        ck_assert_int_eq(take_lease(&bench, two, &second, &fault), 0);
        ck_assert_uint_eq(lease_locks_n_waiting(bench.locks), 0);
        ck_assert_int_ne(fcntl(first, F_GETFD) & FD_CLOEXEC, 0);
        (void)close(first);
        ck_assert(!can_lock_exclusively());
        (void)close(second);
        ck_assert(can_lock_exclusively());
        bench_end(&bench);
}
END_TEST

/* Under a foreign exclusive lock it is handed out; the lock follows when the
 * other is gone, and then belongs to what was handed out. */
START_TEST(test_a_lock_that_comes_later)
{
        Bench bench;
        CLEANUP(lease_freep) Lease *lease = make_lease();
        int foreign = open(fixture_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
        Fault fault;

        bench_begin(&bench);
        ck_assert_int_eq(flock(foreign, LOCK_EX), 0);
        ck_assert_int_eq(take_lease(&bench, lease, &fd, &fault), 0);
        ck_assert_uint_eq(lease_locks_n_waiting(bench.locks), 1);
        ck_assert_uint_eq(accounts_total(bench.accounts, ACCOUNT_LEASES), 1);
        (void)close(foreign);
        while (lease_locks_n_waiting(bench.locks))
                (void)uv_run(&bench.loop.uv, UV_RUN_ONCE);
        ck_assert(!can_lock_exclusively());
        ck_assert_ptr_null(lease->copy);
        ck_assert_uint_eq(accounts_total(bench.accounts, ACCOUNT_LEASES), 0);
        (void)close(fd);
        ck_assert(can_lock_exclusively());
        bench_end(&bench);
}
END_TEST

/* Given back, the copy goes; at the end of the session it stays, until the quota
 * is full: then it gives way to that of a living one. */
START_TEST(test_the_end_of_a_lease_without_lock)
{
        Bench bench;
        Lease *released = make_lease(), *left = make_lease(), *next = make_lease();
        CLEANUP(lease_freep) Lease *refused = make_lease();
        CLEANUP_FD int foreign = open(fixture_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int fd = -1;
        Fault fault;

        bench_begin(&bench);
        ck_assert_int_eq(flock(foreign, LOCK_EX), 0);
        ck_assert_int_eq(take_lease(&bench, released, &fd, &fault), 0);
        (void)close(fd);
        lease_release(released);
        ck_assert_uint_eq(lease_locks_n_waiting(bench.locks), 0);
        ck_assert_int_eq(take_lease(&bench, left, &fd, &fault), 0);
        (void)close(fd);
        lease_free(left);
        ck_assert_uint_eq(lease_locks_n_waiting(bench.locks), 1);
        ck_assert_int_eq(take_lease(&bench, next, &fd, &fault), 0);
        (void)close(fd);
        ck_assert_uint_eq(lease_locks_n_waiting(bench.locks), 1);
        ck_assert_int_eq(take_lease(&bench, refused, &fd, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_LIMIT);
        lease_release(next);
        ck_assert_uint_eq(lease_locks_n_waiting(bench.locks), 0);
        bench_end(&bench);
}
END_TEST

static int gate_step(Job *job)
{
        char byte;

        return read(((Gate *)job)->pipe[0], &byte, 1) == 1 ? 0 : -EIO;
}

static void gate_done(Job *job, int result)
{
        (void)result;
        ((Gate *)job)->done = true;
}

/* Given back while its lock is being tried: nothing of it counts any more, and
 * the descriptor goes when the file thread lets go of it. */
START_TEST(test_released_while_its_lock_is_tried)
{
        Bench bench;
        Gate gate = { .job = { .step = gate_step, .done = gate_done } };
        Lease *lease = make_lease();
        int foreign = open(fixture_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC), fd = -1;
        Fault fault;

        ck_assert_int_eq(pipe2(gate.pipe, O_CLOEXEC), 0);
        bench_begin(&bench);
        ck_assert_int_eq(flock(foreign, LOCK_EX), 0);
        ck_assert_int_eq(take_lease(&bench, lease, &fd, &fault), 0);
        (void)close(fd);
        worker_submit(bench.worker, &gate.job);
        (void)uv_run(&bench.loop.uv, UV_RUN_ONCE); /* the timer */
        (void)close(foreign);
        lease_release(lease);
        ck_assert_uint_eq(lease_locks_n_waiting(bench.locks), 0);
        ck_assert_uint_eq(accounts_total(bench.accounts, ACCOUNT_LEASES), 0);
        ck_assert_int_eq(write(gate.pipe[1], "x", 1), 1);
        while (!gate.done || !worker_is_idle(bench.worker))
                (void)uv_run(&bench.loop.uv, UV_RUN_NOWAIT);
        ck_assert(can_lock_exclusively());
        (void)close(gate.pipe[0]);
        (void)close(gate.pipe[1]);
        bench_end(&bench);
}
END_TEST

FIXTURE_MAIN("daemon/lease", test_facts_are_copied, test_leases_are_locked_apart, test_a_lock_that_comes_later,
             test_the_end_of_a_lease_without_lock, test_released_while_its_lock_is_tried)
