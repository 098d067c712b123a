#include "tests/lib/fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "daemon/session.h"
#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/limits.h"

/* --- the daemon's side: an owner that does what the payload says --- */

typedef struct Bench {
        Loop loop;
        Accounts *accounts;
        Account *account;
        Sessions *sessions;
        unsigned n_frames;
        unsigned n_closed;
} Bench;

static void answer(Session *session, Text payload, int fd)
{
        size_t start;
        Buffer *buffer = session_frame_begin(session, &start);

        ck_assert_ptr_nonnull(buffer);
        ck_assert_int_eq(buffer_append(buffer, payload.data, payload.size), 0);
        ck_assert_uint_eq(session_frame_size(session, start), payload.size);
        session_frame_end(session, start, fd);
}

/* E…: echo. B: a large answer. D: echo with a descriptor. F: fault. L: answer
 * later. H: hello. C: close. W: works for longer than a turn. */
static FrameVerdict owner_frame(void *data, Session *session, Text payload, const char **ret_reason)
{
        static const char large[60000] = "B";
        Bench *bench = data;

        bench->n_frames++;
        switch (payload.data[0]) {
        case 'B':
                answer(session, (Text){ large, sizeof(large) }, -1);
                break;
        case 'D':
                answer(session, payload, open("/dev/null", O_RDONLY | O_CLOEXEC));
                break;
        case 'F':
                *ret_reason = "a test";
                return FRAME_FAULT;
        case 'L':
                session_request_begins(session);
                break;
        case 'H':
                session_greeted(session);
                answer(session, payload, -1);
                break;
        case 'C':
                session_close(session);
                break;
        case 'W':
                for (uint64_t begin = uv_hrtime(); uv_hrtime() - begin < 2000000;)
                        ;
                answer(session, payload, -1);
                return FRAME_WORKED;
        default:
                answer(session, payload, -1);
        }
        return FRAME_HANDLED;
}

static void owner_closed(void *data, Session *session)
{
        Bench *bench = data;

        (void)session;
        bench->n_closed++;
}

static void bench_begin(Bench *bench, uint64_t hello_ms)
{
        const AccountLimits limits = {
                .domain = { [ACCOUNT_SESSIONS] = 3, [ACCOUNT_BYTES] = 8 * 1024 * 1024 },
        };

        *bench = (Bench){ 0 };
        ck_assert_int_eq(loop_init(&bench->loop), 0);
        ck_assert_int_eq(accounts_new(&limits, &bench->accounts), 0);
        ck_assert_int_eq(account_find(bench->accounts, 1000, TEXT_NULL, &bench->account), 0);
        ck_assert_int_eq(sessions_new(&bench->loop, bench->accounts, &(SessionLimits){ hello_ms },
                                      (SessionOwner){ bench, owner_frame, owner_closed }, &bench->sessions), 0);
}

static void bench_end(Bench *bench)
{
        sessions_close(bench->sessions);
        loop_deinit(&bench->loop);
        uv_library_shutdown(); /* its pipe for signals */
        account_unref(bench->account);
        accounts_free(bench->accounts);
}

/* What can be done now is done; nothing waits. */
static void bench_run(Bench *bench)
{
        for (unsigned i = 0; i < 50; i++)
                (void)uv_run(&bench->loop.uv, UV_RUN_NOWAIT);
}

static size_t bench_bytes(const Bench *bench)
{
        return accounts_total(bench->accounts, ACCOUNT_BYTES);
}

/* The client's end of a new session. */
static int bench_connect(Bench *bench)
{
        Identity identity = { .pid = 1, .uid = 1000 };
        int pair[2];

        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        ck_assert_int_eq(session_open(bench->sessions, pair[0], &identity, bench->account, true), 0);
        return pair[1];
}

/* --- the client's side --- */

static size_t put_frame(uint8_t *place, const char *payload, size_t size)
{
        frame_write_header(place, (uint32_t)size, 0);
        memcpy(place + FRAME_HEADER_SIZE, payload, size);
        return FRAME_HEADER_SIZE + size;
}

static void send_all(int fd, const void *bytes, size_t size)
{
        ck_assert_int_eq(send(fd, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

static void send_text(int fd, const char *payload)
{
        uint8_t frame[256];

        send_all(fd, frame, put_frame(frame, payload, strlen(payload)));
}

/* One whole frame of text that is there now. */
static void expect_text(int fd, const char *payload)
{
        uint8_t wanted[256], got[256];
        size_t size = put_frame(wanted, payload, strlen(payload));

        ck_assert_int_eq(recv(fd, got, size, 0), (ssize_t)size);
        ck_assert_mem_eq(got, wanted, size);
}

static void expect_nothing(int fd)
{
        char byte;

        ck_assert_int_eq(recv(fd, &byte, 1, 0), -1);
        ck_assert_int_eq(errno, EAGAIN);
}

static void expect_end(int fd)
{
        char byte;
        ssize_t n = recv(fd, &byte, 1, 0);

        ck_assert(n == 0 || (n < 0 && errno == ECONNRESET));
}

/* --- tests --- */

START_TEST(test_all_frames_of_one_read_are_answered_in_order)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        uint8_t frames[256];
        size_t size = 0;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        size += put_frame(frames + size, "E1", 2);
        size += put_frame(frames + size, "E22", 3);
        size += put_frame(frames + size, "E333", 4);
        send_all(fd, frames, size);
        bench_run(&bench);
        expect_text(fd, "E1");
        expect_text(fd, "E22");
        expect_text(fd, "E333");
        expect_nothing(fd);
        bench_end(&bench);
}
END_TEST

START_TEST(test_a_byte_at_a_time)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        uint8_t frames[256];
        size_t size = 0;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        size += put_frame(frames + size, "E1", 2);
        size += put_frame(frames + size, "E2", 2);
        for (size_t i = 0; i < size; i++) {
                ck_assert_uint_eq(bench.n_frames, i / 10);
                ck_assert_int_eq(bench_bytes(&bench) != 0, i % 10 != 0);
                send_all(fd, frames + i, 1);
                bench_run(&bench);
        }
        ck_assert_uint_eq(bench_bytes(&bench), 0);
        expect_text(fd, "E1");
        expect_text(fd, "E2");
        bench_end(&bench);
}
END_TEST

/* A long frame is charged for what came of it, not for what it announces. */
START_TEST(test_a_long_frame_is_charged_as_it_grows)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        static uint8_t frame[FRAME_HEADER_SIZE + LIMIT_MESSAGE_IN];
        size_t sent = 20000;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        frame_write_header(frame, LIMIT_MESSAGE_IN, 0);
        frame[FRAME_HEADER_SIZE] = 'L';
        send_all(fd, frame, sent);
        bench_run(&bench);
        ck_assert_uint_ge(bench_bytes(&bench), sent);
        ck_assert_uint_le(bench_bytes(&bench), 3 * sent);
        while (sent < sizeof(frame)) {
                ssize_t n = send(fd, frame + sent, sizeof(frame) - sent, MSG_NOSIGNAL);

                ck_assert_int_gt(n, 0);
                sent += (size_t)n;
                bench_run(&bench);
                ck_assert_uint_le(bench_bytes(&bench), 2 * sent + 4096);
        }
        ck_assert_uint_eq(bench.n_frames, 1);
        ck_assert_uint_eq(bench_bytes(&bench), 0);
        bench_end(&bench);
}
END_TEST

/* Two long frames behind each other, so that the second begins in a read of
 * its own. */
START_TEST(test_frames_behind_a_long_one)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        static uint8_t frames[2 * (FRAME_HEADER_SIZE + 70000) + 64];
        static char payload[70000] = "E";
        size_t size = 0, sent = 0, got = 0;
        static uint8_t answers[sizeof(frames)];

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        size += put_frame(frames + size, payload, sizeof(payload));
        size += put_frame(frames + size, payload, sizeof(payload));
        size += put_frame(frames + size, "E9", 2);
        for (unsigned i = 0; got < size; i++) {
                ssize_t n;

                ck_assert_uint_lt(i, 10000);
                n = sent < size ? send(fd, frames + sent, size - sent < 7777 ? size - sent : 7777, MSG_NOSIGNAL) : 0;
                sent += n > 0 ? (size_t)n : 0;
                bench_run(&bench);
                n = recv(fd, answers + got, sizeof(answers) - got, 0);
                got += n > 0 ? (size_t)n : 0;
        }
        ck_assert_mem_eq(answers, frames, size);
        ck_assert_uint_eq(bench_bytes(&bench), 0);
        bench_end(&bench);
}
END_TEST

/* Faults of framing close; what was asked before is answered. */
START_TEST(test_framing_faults_close)
{
        static const struct {
                uint32_t size;
                uint16_t n_descriptors;
                uint8_t reserved;
        } faults[] = { { 0, 0, 0 }, { LIMIT_MESSAGE_IN + 1, 0, 0 }, { 4, 1, 0 }, { 4, 0, 1 } };
        Bench bench;

        bench_begin(&bench, 5000);
        for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
                CLEANUP_FD int fd = bench_connect(&bench);
                uint8_t frames[64];
                size_t size = put_frame(frames, "E1", 2);

                frame_write_header(frames + size, faults[i].size, faults[i].n_descriptors);
                frames[size + 6] |= faults[i].reserved;
                size += FRAME_HEADER_SIZE;
                send_all(fd, frames, size);
                bench_run(&bench);
                expect_text(fd, "E1");
                expect_end(fd);
                ck_assert_uint_eq(bench.n_closed, i + 1);
        }
        bench_end(&bench);
}
END_TEST

START_TEST(test_the_owner_can_close)
{
        Bench bench;
        CLEANUP_FD int one = -1, two = -1;

        bench_begin(&bench, 5000);
        one = bench_connect(&bench);
        two = bench_connect(&bench);
        send_text(one, "F");
        send_text(two, "C");
        bench_run(&bench);
        ck_assert_uint_eq(bench.n_closed, 2);
        expect_end(one);
        expect_end(two);
        bench_end(&bench);
}
END_TEST

/* Who never reads stops being read, costs little, and disturbs nobody. */
START_TEST(test_who_does_not_read)
{
        Bench bench;
        CLEANUP_FD int greedy = -1, other = -1;
        uint8_t frame[16];
        size_t size = put_frame(frame, "B", 1), got = 0, n_asked = 0;
        static uint8_t answers[1 << 20];
        const Session *session;

        bench_begin(&bench, 5000);
        greedy = bench_connect(&bench);
        other = bench_connect(&bench);
        send_text(greedy, "H");
        bench_run(&bench);
        expect_text(greedy, "H");
        session = sessions_after(bench.sessions, 0);
        ck_assert(session->reading);
        while (send(greedy, frame, size, MSG_NOSIGNAL) == (ssize_t)size) {
                n_asked++;
                bench_run(&bench);
                ck_assert_uint_le(bench_bytes(&bench), 256 * 1024);
        }
        ck_assert_uint_lt(bench.n_frames, n_asked);
        ck_assert(session->writing && !session->reading);
        send_text(other, "E1");
        bench_run(&bench);
        expect_text(other, "E1");
        for (unsigned i = 0; got < n_asked * (FRAME_HEADER_SIZE + 60000); i++) {
                ssize_t n = recv(greedy, answers, sizeof(answers), 0);

                ck_assert_uint_lt(i, 1000000);
                got += n > 0 ? (size_t)n : 0;
                bench_run(&bench);
        }
        ck_assert_uint_eq(bench.n_frames, n_asked + 2);
        ck_assert(session->reading && !session->writing);
        ck_assert_uint_eq(bench_bytes(&bench), 0);
        bench_end(&bench);
}
END_TEST

/* More frames in one read than a turn handles: all are answered, and another
 * session is answered before the last of them. */
START_TEST(test_a_flood_takes_turns)
{
        Bench bench;
        CLEANUP_FD int flood = -1, other = -1;
        static uint8_t frames[4000 * 10], answers[sizeof(frames)];
        size_t size = 0, got = 0;
        bool seen = false;

        bench_begin(&bench, 5000);
        flood = bench_connect(&bench);
        other = bench_connect(&bench);
        for (unsigned i = 0; i < 4000; i++)
                size += put_frame(frames + size, "E1", 2);
        send_all(flood, frames, size);
        send_text(other, "E2");
        for (unsigned i = 0; got < size; i++) {
                char text[10];
                ssize_t n;

                ck_assert_uint_lt(i, 10000);
                (void)uv_run(&bench.loop.uv, UV_RUN_NOWAIT);
                if (!seen && recv(other, text, sizeof(text), 0) == 10) {
                        seen = true;
                        ck_assert_uint_lt(bench.n_frames, 4001);
                }
                n = recv(flood, answers + got, sizeof(answers) - got, 0);
                got += n > 0 ? (size_t)n : 0;
        }
        ck_assert(seen);
        ck_assert_mem_eq(answers, frames, size);
        ck_assert_uint_eq(bench_bytes(&bench), 0);
        bench_end(&bench);
}
END_TEST

/* Receives what is there, and the descriptor that came with its first byte. */
static size_t receive_with_fd(int fd, uint8_t *bytes, size_t size, int *ret_fd)
{
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(4 * sizeof(int))];
        } control;
        struct iovec part = { bytes, size };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                                  .msg_controllen = sizeof(control) };
        ssize_t n = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);

        ck_assert_int_gt(n, 0);
        *ret_fd = -1;
        if (header) {
                ck_assert_uint_eq(header->cmsg_len, CMSG_LEN(sizeof(int)));
                memcpy(ret_fd, CMSG_DATA(header), sizeof(int));
        }
        return (size_t)n;
}

/* The kernel glues plain bytes to those with a descriptor that follow, and
 * stops behind them: so the descriptor belongs to the last frame that was read,
 * which says so. */
/* Frames that take long are a turn each: others come in between. */
START_TEST(test_costly_frames_end_a_turn)
{
        Bench bench;
        CLEANUP_FD int costly = -1, cheap = -1;
        uint8_t frames[256];
        size_t size = 0;

        bench_begin(&bench, 5000);
        costly = bench_connect(&bench);
        cheap = bench_connect(&bench);
        for (unsigned i = 0; i < 20; i++)
                size += put_frame(frames + size, "W", 1);
        send_all(costly, frames, size);
        send_text(cheap, "E");
        while (recv(cheap, frames, 1, MSG_PEEK) < 0)
                (void)uv_run(&bench.loop.uv, UV_RUN_NOWAIT);
        ck_assert_uint_le(bench.n_frames, 3);
        bench_run(&bench);
        ck_assert_uint_eq(bench.n_frames, 21);
        for (unsigned i = 0; i < 20; i++)
                expect_text(costly, "W");
        bench_end(&bench);
}
END_TEST

START_TEST(test_a_descriptor_comes_with_its_frame)
{
        Bench bench;
        CLEANUP_FD int fd = -1, got_fd = -1, none = -1;
        uint8_t frames[64], got[64];
        size_t size = 0, n;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        size += put_frame(frames + size, "E1", 2);
        size += put_frame(frames + size, "D2", 2);
        size += put_frame(frames + size, "E3", 2);
        send_all(fd, frames, size);
        bench_run(&bench);
        n = receive_with_fd(fd, got, sizeof(got), &got_fd);
        ck_assert_uint_eq(n, 18);
        ck_assert_int_ge(got_fd, 0);
        ck_assert_uint_eq(got[10 + 4], 1);
        ck_assert_uint_eq(got[4], 0);
        n = receive_with_fd(fd, got, sizeof(got), &none);
        ck_assert_uint_eq(n, 12);
        ck_assert_int_eq(none, -1);
        ck_assert_mem_eq(got, frames + 18, 12);
        bench_end(&bench);
}
END_TEST

/* The same behind bytes that the socket did not take at once. */
START_TEST(test_a_descriptor_waits_with_its_frame)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        static uint8_t bytes[1 << 20];
        size_t got = 0, wanted = 8 * (FRAME_HEADER_SIZE + 60000) + 8 * 10;
        unsigned n_fds = 0;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        for (unsigned i = 0; i < 8; i++) {
                send_text(fd, "B");
                send_text(fd, "D2");
        }
        bench_run(&bench);
        while (got < wanted) {
                CLEANUP_FD int got_fd = -1;

                got += receive_with_fd(fd, bytes, sizeof(bytes), &got_fd);
                n_fds += got_fd >= 0;
                if (got_fd >= 0)
                        ck_assert_uint_eq((got + 2) % (FRAME_HEADER_SIZE + 60000 + 10), 0);
                bench_run(&bench);
        }
        ck_assert_uint_eq(n_fds, 8);
        ck_assert_uint_eq(got, wanted);
        bench_end(&bench);
}
END_TEST

/* Sent in parts: the descriptor goes with the first of them alone. */
START_TEST(test_a_descriptor_goes_once)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        static uint8_t frame[FRAME_HEADER_SIZE + 1000000], bytes[100000];
        static char payload[1000000] = "D";
        size_t size = put_frame(frame, payload, sizeof(payload)), sent = 0, got = 0;
        unsigned n_fds = 0;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        while (sent < size) {
                ssize_t n = send(fd, frame + sent, size - sent, MSG_NOSIGNAL);

                ck_assert_int_gt(n, 0);
                sent += (size_t)n;
                bench_run(&bench);
        }
        while (got < size) {
                CLEANUP_FD int got_fd = -1;

                ck_assert(got == 0 || bench_bytes(&bench) <= size);
                got += receive_with_fd(fd, bytes, sizeof(bytes), &got_fd);
                n_fds += got_fd >= 0;
                bench_run(&bench);
        }
        ck_assert_uint_eq(got, size);
        ck_assert_uint_eq(n_fds, 1);
        ck_assert_uint_eq(bench_bytes(&bench), 0);
        bench_end(&bench);
}
END_TEST

/* recv drops what a client sends along: the census at the end sees none. */
START_TEST(test_descriptors_of_clients_are_dropped)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        uint8_t frame[16];
        struct iovec part = { frame, put_frame(frame, "E1", 2) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control,
                                  .msg_controllen = sizeof(control) };

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        control.header = (struct cmsghdr){ CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS };
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
        ck_assert_int_eq(sendmsg(fd, &message, 0), 10);
        bench_run(&bench);
        expect_text(fd, "E1");
        bench_end(&bench);
}
END_TEST

START_TEST(test_hello_has_a_deadline)
{
        Bench bench;
        CLEANUP_FD int greeted = -1, silent = -1;

        bench_begin(&bench, 20);
        greeted = bench_connect(&bench);
        silent = bench_connect(&bench);
        send_text(greeted, "H");
        while (bench.n_closed == 0)
                (void)uv_run(&bench.loop.uv, UV_RUN_ONCE);
        bench_run(&bench);
        ck_assert_uint_eq(bench.n_closed, 1);
        expect_end(silent);
        expect_text(greeted, "H");
        send_text(greeted, "E1");
        bench_run(&bench);
        expect_text(greeted, "E1");
        bench_end(&bench);
}
END_TEST

/* Numbers rise with age, whoever says hello first. */
START_TEST(test_sessions_by_number)
{
        Bench bench;
        int fds[3];
        const Session *session;

        bench_begin(&bench, 5000);
        for (size_t i = 0; i < 3; i++)
                fds[i] = bench_connect(&bench);
        for (size_t i = 3; i-- > 0;) {
                send_text(fds[i], "H");
                bench_run(&bench);
        }
        session = sessions_after(bench.sessions, 1);
        ck_assert_uint_eq(session->number, 2);
        ck_assert_uint_eq(session->next->number, 3);
        ck_assert_ptr_null(session->next->next);
        ck_assert_ptr_null(sessions_after(bench.sessions, 3));
        ck_assert_uint_eq(sessions_after(bench.sessions, 0)->number, 1);
        for (size_t i = 0; i < 3; i++)
                (void)close(fds[i]);
        bench_end(&bench);
}
END_TEST

/* Who sends no more still gets his answers, those that come later too. */
START_TEST(test_half_open)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        Session *session;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        send_text(fd, "H");
        bench_run(&bench);
        expect_text(fd, "H");
        send_text(fd, "L");
        send_text(fd, "E1");
        ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        bench_run(&bench);
        expect_text(fd, "E1");
        expect_nothing(fd);
        session = sessions_after(bench.sessions, 0);
        answer(session, TEXT("late"), -1);
        session_request_ends(session);
        bench_run(&bench);
        expect_text(fd, "late");
        expect_end(fd);
        ck_assert_uint_eq(bench.n_closed, 1);
        bench_end(&bench);
}
END_TEST

/* Whoever is gone altogether is not waited for, however long his request takes. */
START_TEST(test_who_goes_while_he_is_served)
{
        Bench bench;
        int fd;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        send_text(fd, "L");
        bench_run(&bench);
        ck_assert_uint_eq(bench.n_frames, 1);
        (void)close(fd);
        bench_run(&bench);
        ck_assert_uint_eq(bench.n_closed, 1);
        bench_end(&bench);
}
END_TEST

START_TEST(test_who_goes_leaves_nothing)
{
        Bench bench;
        SessionTotals totals;
        int fd;

        bench_begin(&bench, 5000);
        fd = bench_connect(&bench);
        send_all(fd, "\x10\0\0\0\0\0\0\0half", 12);
        bench_run(&bench);
        ck_assert_uint_gt(bench_bytes(&bench), 0);
        (void)close(fd);
        bench_run(&bench);
        sessions_totals(bench.sessions, &totals);
        ck_assert_uint_eq(totals.n_sessions, 0);
        ck_assert_uint_eq(bench_bytes(&bench), 0);
        ck_assert_uint_eq(accounts_total(bench.accounts, ACCOUNT_SESSIONS), 0);
        bench_end(&bench);
}
END_TEST

/* One session too many is told so, in a frame, before it says anything. */
START_TEST(test_over_the_limit)
{
        Bench bench;
        CLEANUP_FD int fd = -1;
        int fds[3];
        Identity identity = { .pid = 1, .uid = 1000 };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        uint8_t bytes[2048];
        Envelope envelope;
        SessionTotals totals;
        int pair[2];
        bool known;
        Fault fault;
        Frame frame;
        size_t wanted;
        ssize_t n;

        bench_begin(&bench, 5000);
        for (size_t i = 0; i < 3; i++)
                fds[i] = bench_connect(&bench);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        fd = pair[1];
        ck_assert_int_eq(session_open(bench.sessions, pair[0], &identity, bench.account, true), 1);
        n = recv(fd, bytes, sizeof(bytes), 0);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(frame_parse(bytes, (size_t)n, LIMIT_MESSAGE_OUT, 0, &frame, &wanted), FRAME_COMPLETE);
        ck_assert_int_eq(envelope_parse(frame.payload, frame.size, &envelope, &known), 0);
        ck_assert_int_eq(envelope.type, 1);
        ck_assert_int_eq(envelope_parse_error(envelope.error, &arena, &fault), 0);
        ck_assert_int_eq(fault.name, FAULT_LIMIT);
        expect_end(fd);
        sessions_totals(bench.sessions, &totals);
        ck_assert_uint_eq(totals.n_refused, 1);
        ck_assert_uint_eq(totals.n_sessions, 3);
        for (size_t i = 0; i < 3; i++)
                (void)close(fds[i]);
        bench_end(&bench);
}
END_TEST

/* Memory for input that the domain may not have more of ends the session. */
START_TEST(test_input_over_the_quota)
{
        Bench bench;
        const AccountLimits small = { .domain = { [ACCOUNT_SESSIONS] = 3, [ACCOUNT_BYTES] = 100000 } };
        CLEANUP_FD int fd = -1, other = -1;
        static uint8_t frame[FRAME_HEADER_SIZE + 1000000];
        size_t sent = 0;

        bench_begin(&bench, 5000);
        accounts_set_limits(bench.accounts, &small);
        fd = bench_connect(&bench);
        other = bench_connect(&bench);
        frame_write_header(frame, 1000000, 0);
        for (unsigned i = 0; !bench.n_closed; i++) {
                ssize_t n = send(fd, frame + sent, 10000, MSG_NOSIGNAL);

                ck_assert_uint_lt(i, 100);
                sent += n > 0 ? (size_t)n : 0;
                bench_run(&bench);
                ck_assert_uint_le(bench_bytes(&bench), 100000);
        }
        ck_assert_uint_eq(bench_bytes(&bench), 0);
        send_text(other, "E1");
        bench_run(&bench);
        expect_text(other, "E1");
        bench_end(&bench);
}
END_TEST

FIXTURE_MAIN("daemon/session", test_all_frames_of_one_read_are_answered_in_order, test_a_byte_at_a_time,
             test_a_long_frame_is_charged_as_it_grows, test_frames_behind_a_long_one, test_framing_faults_close,
             test_the_owner_can_close, test_who_does_not_read, test_a_flood_takes_turns, test_costly_frames_end_a_turn,
             test_a_descriptor_comes_with_its_frame, test_a_descriptor_waits_with_its_frame, test_a_descriptor_goes_once,
             test_descriptors_of_clients_are_dropped, test_hello_has_a_deadline, test_sessions_by_number,
             test_half_open, test_who_goes_while_he_is_served, test_who_goes_leaves_nothing, test_over_the_limit,
             test_input_over_the_quota)
