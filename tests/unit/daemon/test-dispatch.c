#include "daemon/dispatch.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>

#include "daemon/session.h"
#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/limits.h"
#include "tests/lib/fixture.h"

typedef struct Bench {
        Loop loop;
        Accounts *accounts;
        Account *account;
        Sessions *sessions;
        int r;
} Bench;

/* Answers as mapping.list: whole when the payload is W, else without the layer
 * of the second entry, and with a descriptor. */
static FrameVerdict owner_frame(void *data, Session *session, Text payload, const char **ret_reason)
{
        MsgMappingEntry entries[] = {
                { .layer = TEXT("A"), .source = TEXT("stored") }, { .layer = TEXT("B"), .source = TEXT("stored") },
        };
        MsgMappingListResult result = { .generation = 1, .entries = { entries, 2 } };
        bool whole = payload.data[0] == 'W';
        Bench *bench = data;

        (void)ret_reason;
        if (!whole)
                entries[1].layer = TEXT_NULL;
        bench->r = answer_result(session, 7, METHOD_MAPPING_LIST, &result,
                                 whole ? -1 : open("/dev/null", O_RDONLY | O_CLOEXEC));
        return FRAME_HANDLED;
}

static void owner_closed(void *data, Session *session)
{
        (void)data;
        (void)session;
}

static int bench_begin(Bench *bench)
{
        const AccountLimits limits = { .domain = { [ACCOUNT_SESSIONS] = 1, [ACCOUNT_BYTES] = 1024 * 1024 } };
        Identity identity = { .pid = 1, .uid = 1000 };
        int pair[2];

        *bench = (Bench){ .r = -1 };
        ck_assert_int_eq(loop_init(&bench->loop), 0);
        ck_assert_int_eq(accounts_new(&limits, &bench->accounts), 0);
        ck_assert_int_eq(account_find(bench->accounts, 1000, TEXT_NULL, &bench->account), 0);
        ck_assert_int_eq(sessions_new(&bench->loop, bench->accounts, &(SessionLimits){ 5000 },
                                      (SessionOwner){ bench, owner_frame, owner_closed }, &bench->sessions), 0);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        ck_assert_int_eq(session_open(bench->sessions, pair[0], &identity, bench->account, true), 0);
        return pair[1];
}

static void bench_end(Bench *bench)
{
        sessions_close(bench->sessions);
        loop_deinit(&bench->loop);
        uv_library_shutdown(); /* its pipe for signals */
        account_unref(bench->account);
        accounts_free(bench->accounts);
}

/* What comes back for a payload of one byte. */
static Envelope ask(Bench *bench, int fd, char byte, uint8_t *bytes, size_t size)
{
        uint8_t request[FRAME_HEADER_SIZE + 1] = { [FRAME_HEADER_SIZE] = (uint8_t)byte };
        Envelope envelope;
        size_t wanted;
        Frame frame;
        bool id_known;
        ssize_t n;

        frame_write_header(request, 1, 0);
        ck_assert_int_eq(send(fd, request, sizeof(request), MSG_NOSIGNAL), (ssize_t)sizeof(request));
        for (unsigned i = 0; i < 50; i++)
                (void)uv_run(&bench->loop.uv, UV_RUN_NOWAIT);
        n = recv(fd, bytes, size, 0);
        ck_assert_int_gt(n, 0);
        ck_assert_int_eq(frame_parse(bytes, (size_t)n, LIMIT_MESSAGE_OUT, 0, &frame, &wanted), FRAME_COMPLETE);
        ck_assert_uint_eq(FRAME_HEADER_SIZE + frame.size, (size_t)n); /* nothing else */
        ck_assert_int_eq(envelope_parse(frame.payload, frame.size, &envelope, &id_known), 0);
        ck_assert_uint_eq(envelope.id, 7);
        return envelope;
}

/* A result that lacks a key is a fault of ours: the asker is told, and the
 * session goes on. */
START_TEST(test_incomplete_result)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        uint8_t bytes[4096];
        Envelope envelope;
        Bench bench;
        CLEANUP_FD int fd = bench_begin(&bench);

        envelope = ask(&bench, fd, 'M', bytes, sizeof(bytes));
        ck_assert_int_eq(bench.r, 1);
        ck_assert_ptr_null(envelope.body.data);
        ck_assert_int_eq(envelope_parse_error(envelope.error, &arena, &fault), 0);
        ck_assert_int_eq(fault.name, FAULT_INTERNAL);
        envelope = ask(&bench, fd, 'W', bytes, sizeof(bytes));
        ck_assert_int_eq(bench.r, 0);
        ck_assert_ptr_null(envelope.error.data);
        ck_assert_ptr_nonnull(envelope.body.data);
        bench_end(&bench);
}
END_TEST

FIXTURE_MAIN("daemon/dispatch", test_incomplete_result)
