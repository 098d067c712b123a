#include "tests/lib/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/acquire.h"
#include "daemon/daemon.h"
#include "daemon/holdings.h"
#include "kernels/host_mapping.h"

/* A daemon of which acquires need no more: one session, a file thread that a
 * first job holds up until the gate opens. */
typedef struct Bench {
        Daemon daemon;
        Account *account;
        Session *session;
        Job first;
        Job second;
        int gate[2];
        int client;
        bool first_done;
} Bench;

static Bench bench; /* handles of the loop must not move */

static int first_step(Job *job)
{
        char byte;

        (void)job;
        return read(bench.gate[0], &byte, 1) == 1 ? 0 : -EIO;
}

static void first_done(Job *job, int result)
{
        (void)job;
        (void)result;
        bench.first_done = true;
}

/* Any frame is a hello here. */
static FrameVerdict on_frame(void *data, Session *session, Text payload, const char **ret_reason)
{
        MsgHello hello = { .client = TEXT("test") };
        Fault fault;

        (void)data;
        (void)payload;
        (void)ret_reason;
        ck_assert_int_eq(holdings_new(&hello, &session->holdings, &fault), 0);
        session_greeted(session);
        bench.session = session;
        return FRAME_HANDLED;
}

static void on_closed(void *data, Session *session)
{
        (void)data;
        acquire_forget_session(session);
        session->holdings = holdings_free(session->holdings);
}

static void bench_begin(void)
{
        const AccountLimits limits = { .domain = { 1, 1 << 20, 1, 1 << 20, 8, 8 } };
        const SessionOwner owner = { &bench, on_frame, on_closed };
        Identity identity = { .pid = 1, .uid = 7 };
        Daemon *daemon = &bench.daemon;
        Fault fault;
        int pair[2];

        bench = (Bench){ .first = { .step = first_step, .done = first_done },
                         .second = { .step = first_step, .done = first_done } };
        ck_assert_int_eq(pipe2(bench.gate, O_CLOEXEC), 0);
        ck_assert_int_eq(loop_init(&daemon->loop), 0);
        ck_assert_int_eq(accounts_new(&limits, &daemon->accounts), 0);
        ck_assert_int_eq(account_find(daemon->accounts, 7, TEXT_NULL, &bench.account), 0);
        ck_assert_int_eq(sessions_new(&daemon->loop, daemon->accounts, &(SessionLimits){ 60000 }, owner,
                                      &daemon->sessions), 0);
        ck_assert_int_eq(worker_new(&daemon->loop.uv, &daemon->worker), 0);
        ck_assert_int_eq(lease_locks_new(&daemon->loop, daemon->worker, &daemon->locks), 0);
        ck_assert_int_eq(acquires_new(daemon, &daemon->acquires), 0);
        ck_assert_int_eq(host_mapping_new(NULL, 0, NULL, 0, 1, 1, &daemon->mapping, &fault), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        ck_assert_int_eq(session_open(daemon->sessions, pair[0], &identity, bench.account, true), 0);
        bench.client = pair[1];
        ck_assert_int_eq(write(bench.client, "\1\0\0\0\0\0\0\0h", 9), 9);
        while (!bench.session)
                (void)uv_run(&daemon->loop.uv, UV_RUN_ONCE);
        worker_submit(daemon->worker, &bench.first);
}

static void bench_end(void)
{
        Daemon *daemon = &bench.daemon;

        sessions_close(daemon->sessions);
        acquires_close(daemon->acquires);
        worker_close(daemon->worker);
        lease_locks_close(daemon->locks);
        loop_deinit(&daemon->loop);
        uv_library_shutdown(); /* its pipe for signals */
        account_unref(bench.account);
        accounts_free(daemon->accounts);
        host_mapping_unref(daemon->mapping);
        (void)close(bench.client);
        (void)close(bench.gate[0]);
        (void)close(bench.gate[1]);
}

static void ask(uint32_t id, const char *repository)
{
        Request request = { .daemon = &bench.daemon, .session = bench.session, .holdings = bench.session->holdings,
                            .id = id };
        Resolution resolution = { .kind = REFERENCE_PATH, .reference = { .path = text_of(repository) },
                                  .answer = { .layer = TEXT("L"), .variant = TEXT("torch-cpu") } };
        Fault fault;

        ck_assert_int_eq(acquire_begin(bench.daemon.acquires, &request, &resolution, &(AcquireOptions){ .deadline_ms = 60000 }, &fault), 0);
}

static void open_gate(void)
{
        ck_assert_int_eq(write(bench.gate[1], "x", 1), 1);
        while (!bench.first_done || !worker_is_idle(bench.daemon.worker) || bench.session->n_in_flight)
                (void)uv_run(&bench.daemon.loop.uv, UV_RUN_ONCE);
}

/* Lets the check end, but holds the file thread up again before it opens leases
 * for those who wait. */
static void hold_before_opening(void)
{
        ck_assert_int_eq(write(bench.gate[1], "x", 1), 1);
        while (!worker_is_idle(bench.daemon.worker))
                (void)sched_yield(); /* the loop does not hear of the end yet */
        worker_submit(bench.daemon.worker, &bench.second);
        while (!bench.first_done)
                (void)uv_run(&bench.daemon.loop.uv, UV_RUN_ONCE);
        bench.first_done = false;
}

static size_t n_leases_charged(void)
{
        return accounts_total(bench.daemon.accounts, ACCOUNT_LEASES);
}

/* The id of the next answer frame, whether it is an error, and what descriptor
 * came along. All of them are sent by now. */
static uint32_t next_answer(bool *ret_error, int *ret_fd)
{
        uint8_t header[8], payload[4096];
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec part = { header, sizeof(header) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                                  .msg_controllen = sizeof(control) };

        ck_assert_int_eq(recvmsg(bench.client, &message, MSG_CMSG_CLOEXEC), sizeof(header));
        *ret_fd = -1;
        if (CMSG_FIRSTHDR(&message))
                memcpy(ret_fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(int));
        ck_assert_uint_lt(header[0] + 256u * header[1], sizeof(payload));
        ck_assert_int_eq(recv(bench.client, payload, header[0] + 256u * header[1], 0), header[0] + 256 * header[1]);
        ck_assert_uint_eq(payload[0], 0x94); /* [1, id, error, result] */
        ck_assert_uint_eq(payload[1], 1);
        *ret_error = payload[3] != 0xc0;
        return payload[2];
}

static void make_repository(char *path, size_t size)
{
        char folder[600];

        (void)snprintf(path, size, "%s/kernel", fixture_folder());
        ck_assert_int_eq(mkdir(path, 0755), 0);
        (void)snprintf(folder, sizeof(folder), "%s/build", path);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        (void)snprintf(folder, sizeof(folder), "%s/build/torch-cpu", path);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
}

/* While the file thread is held up, asking and leaving piles up nothing. */
START_TEST(test_asked_and_left)
{
        bool error;
        int fd;

        bench_begin();
        for (unsigned i = 0; i < 1000; i++) {
                uint32_t id = i % 100; /* small ones are one byte in an answer */

                ask(id, "/nowhere");
                acquire_cancel(bench.session, id);
                ck_assert_uint_eq(next_answer(&error, &fd), id);
                ck_assert(error);
        }
        ck_assert_uint_eq(acquires_n_waiting(bench.daemon.acquires), 0);
        ck_assert_uint_eq(accounts_total(bench.daemon.accounts, ACCOUNT_ACQUIRES), 0);
        open_gate();
        ck_assert_uint_eq(worker_n_steps(bench.daemon.worker), 2); /* the first job's, and one check's end */
        bench_end();
}
END_TEST

/* Whoever comes after the last has left, and before the file thread knows, is
 * not taken for one who left. */
START_TEST(test_asked_left_and_asked)
{
        char path[512];
        bool error;
        int fd;

        make_repository(path, sizeof(path));
        bench_begin();
        ask(1, path);
        acquire_cancel(bench.session, 1);
        ck_assert_uint_eq(next_answer(&error, &fd), 1);
        ask(2, path);
        ask(3, path);
        open_gate();
        for (unsigned i = 0; i < 2; i++) {
                (void)next_answer(&error, &fd);
                ck_assert(!error);
                ck_assert_int_ge(fd, 0);
                (void)close(fd);
        }
        ck_assert_uint_eq(bench.session->holdings->n_leases, 2);
        bench_end();
}
END_TEST

/* Two wait for one check; each gets a lease of its own, or the same reason. */
START_TEST(test_one_check_for_two)
{
        bool error;
        int fd;

        bench_begin();
        ask(1, "/nowhere");
        ask(2, "/nowhere");
        ck_assert_uint_eq(acquires_n_waiting(bench.daemon.acquires), 2);
        ck_assert(acquire_is_in_flight(bench.session, 2));
        open_gate();
        for (unsigned i = 0; i < 2; i++) {
                (void)next_answer(&error, &fd);
                ck_assert(error);
                ck_assert_int_eq(fd, -1);
        }
        ck_assert(!acquire_is_in_flight(bench.session, 2));
        bench_end();
}
END_TEST

/* The session ends while it waits: nothing is answered, nothing is kept. */
START_TEST(test_forgotten)
{
        bench_begin();
        ask(1, "/nowhere");
        session_close(bench.session);
        (void)uv_run(&bench.daemon.loop.uv, UV_RUN_NOWAIT);
        ck_assert_uint_eq(acquires_n_waiting(bench.daemon.acquires), 0);
        ck_assert_int_eq(write(bench.gate[1], "x", 1), 1);
        bench_end();
}
END_TEST

/* One leaves before his lease is opened: it takes nothing, and the other gets
 * his. */
START_TEST(test_left_before_it_is_opened)
{
        char path[512];
        bool error;
        int fd;

        make_repository(path, sizeof(path));
        bench_begin();
        ask(1, path);
        ask(2, path);
        hold_before_opening();
        ck_assert_uint_eq(n_leases_charged(), 2);
        ck_assert_uint_eq(acquires_n_waiting(bench.daemon.acquires), 2);
        acquire_cancel(bench.session, 1);
        ck_assert_uint_eq(next_answer(&error, &fd), 1);
        ck_assert(error);
        ck_assert_uint_eq(acquires_n_waiting(bench.daemon.acquires), 1);
        open_gate();
        ck_assert_uint_eq(next_answer(&error, &fd), 2);
        ck_assert(!error);
        ck_assert_int_ge(fd, 0);
        (void)close(fd);
        ck_assert_uint_eq(bench.session->holdings->n_leases, 1);
        ck_assert_uint_eq(n_leases_charged(), 1);
        bench_end();
}
END_TEST

/* All leave after the leases were opened and before the loop knows: they are
 * closed, unsent. */
START_TEST(test_left_after_it_was_opened)
{
        char path[512];

        make_repository(path, sizeof(path));
        bench_begin();
        ask(1, path);
        ask(2, path);
        hold_before_opening();
        ck_assert_int_eq(write(bench.gate[1], "x", 1), 1);
        while (!worker_is_idle(bench.daemon.worker))
                (void)sched_yield();
        acquire_cancel(bench.session, 1);
        session_close(bench.session);
        while (n_leases_charged())
                (void)uv_run(&bench.daemon.loop.uv, UV_RUN_ONCE);
        ck_assert_uint_eq(acquires_n_waiting(bench.daemon.acquires), 0);
        ck_assert_uint_eq(accounts_total(bench.daemon.accounts, ACCOUNT_ACQUIRES), 0);
        bench_end();
}
END_TEST

/* Who asks while leases of an earlier check are opened has a check of his own. */
START_TEST(test_asked_while_it_is_opened)
{
        char path[512];
        bool error;
        int fd;

        make_repository(path, sizeof(path));
        bench_begin();
        ask(1, path);
        hold_before_opening();
        ask(2, path);
        acquire_cancel(bench.session, 1);
        ck_assert_uint_eq(next_answer(&error, &fd), 1);
        ck_assert(error);
        open_gate();
        ck_assert_uint_eq(next_answer(&error, &fd), 2);
        ck_assert(!error);
        (void)close(fd);
        bench_end();
}
END_TEST

/* The daemon stops with leases not yet opened. */
START_TEST(test_stopped_before_it_is_opened)
{
        char path[512];

        make_repository(path, sizeof(path));
        bench_begin();
        ask(1, path);
        ask(2, path);
        hold_before_opening();
        ck_assert_int_eq(write(bench.gate[1], "x", 1), 1);
        bench_end();
}
END_TEST

FIXTURE_MAIN("daemon/acquire", test_asked_and_left, test_asked_left_and_asked, test_one_check_for_two, test_forgotten,
             test_left_before_it_is_opened, test_left_after_it_was_opened, test_asked_while_it_is_opened,
             test_stopped_before_it_is_opened)
