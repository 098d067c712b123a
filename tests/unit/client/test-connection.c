#include "client/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/limits.h"
#include "tests/lib/fixture.h"

static Connection connection;
static int other; /* the other end */

static void begin(void)
{
        int pair[2];

        connection = CONNECTION_NULL;
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        ck_assert_int_eq(connection_open(&connection, pair[0]), 0);
        other = pair[1];
}

static void end(void)
{
        connection_close(&connection);
        ck_assert_int_eq(close(other), 0);
}

/* Sends `size` bytes with n copies of descriptor 0. */
static void send_with(const void *bytes, size_t size, int n)
{
        union {
                struct cmsghdr header;
                char bytes[CMSG_SPACE(8 * sizeof(int))];
        } control = { 0 };
        struct iovec vector = { (void *)(uintptr_t)bytes, size };
        struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1 };

        if (n) {
                control.header = (struct cmsghdr){ .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS,
                                                   .cmsg_len = CMSG_LEN((size_t)n * sizeof(int)) };
                message.msg_control = control.bytes;
                message.msg_controllen = CMSG_SPACE((size_t)n * sizeof(int));
        }
        ck_assert_int_eq(sendmsg(other, &message, 0), (ssize_t)size);
}

/* A frame of "abc", announcing n descriptors. */
static void make_frame(uint8_t frame[11], uint16_t n)
{
        frame_write_header(frame, 3, n);
        memcpy(frame + FRAME_HEADER_SIZE, "abc", 3);
}

static void expect_frame(bool with_descriptor)
{
        Frame frame;
        int fd = -1;

        ck_assert_int_eq(connection_next(&connection, &frame, &fd), 0);
        ck_assert_uint_eq(frame.size, 3);
        ck_assert_mem_eq(frame.payload, "abc", 3);
        ck_assert_int_eq(fd >= 0, with_descriptor);
        if (fd >= 0) {
                ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);
                close(fd);
        }
}

START_TEST(test_byte_by_byte)
{
        uint8_t frame[11];
        Frame got;
        int fd;

        begin();
        make_frame(frame, 1);
        for (size_t i = 0; i < sizeof(frame); ++i) {
                send_with(frame + i, 1, i == 0);
                ck_assert_int_eq(connection_next(&connection, &got, &fd), 1);
                ck_assert_int_eq(connection_read(&connection), 0);
        }
        expect_frame(true);
        ck_assert_int_eq(connection_read(&connection), 1);
        end();
}
END_TEST

START_TEST(test_glued)
{
        uint8_t plain[11], with[11];

        begin();
        make_frame(plain, 0);
        make_frame(with, 1);
        send_with(plain, sizeof(plain), 0);
        send_with(with, sizeof(with), 1);
        send_with(plain, sizeof(plain), 0);
        /* The kernel gives the first two at once and stops there. */
        ck_assert_int_eq(connection_read(&connection), 0);
        ck_assert(!connection.drained);
        ck_assert_uint_eq(connection.input.size, 22);
        expect_frame(false);
        expect_frame(true);
        ck_assert_int_eq(connection_read(&connection), 0);
        ck_assert(connection.drained);
        expect_frame(false);
        end();
}
END_TEST

/* Every kind of descriptor that no frame announced, and an announced one that
 * does not come: refused, and closed (the census sees what is not). */
START_TEST(test_unexpected)
{
        static const struct { uint16_t announced; int sent; } cases[] = { { 0, 1 }, { 1, 0 }, { 1, 2 }, { 0, 3 } };

        for (size_t i = 0; i < ARRAY_SIZE(cases); ++i) {
                uint8_t frame[11];
                Frame got;
                int fd, r;

                begin();
                make_frame(frame, cases[i].announced);
                send_with(frame, sizeof(frame), cases[i].sent);
                r = connection_read(&connection);
                if (!r)
                        r = connection_next(&connection, &got, &fd);
                ck_assert_int_eq(r, -EBADMSG);
                end();
        }
}
END_TEST

/* As a daemon's answers come that was given two requests at once: each header
 * with its descriptor is a piece, and so is each payload. The second descriptor
 * comes in one read with the end of the first frame. */
START_TEST(test_next_before_taken)
{
        uint8_t frame[11];

        begin();
        make_frame(frame, 1);
        for (int i = 0; i < 3; ++i) {
                send_with(frame, 8, 1);
                send_with(frame + 8, 3, 0);
        }
        ck_assert_int_eq(connection_read(&connection), 0);
        for (int i = 0; i < 3; ++i) {
                ck_assert_int_eq(connection_read(&connection), 0);
                ck_assert_uint_eq(connection.n_received, i < 2 ? 2 : 1);
                expect_frame(true);
        }
        end();
}
END_TEST

/* A second descriptor inside one frame. */
START_TEST(test_second_in_frame)
{
        uint8_t frame[11];
        Frame got;
        int fd;

        begin();
        make_frame(frame, 1);
        send_with(frame, 4, 1);
        ck_assert_int_eq(connection_read(&connection), 0);
        send_with(frame + 4, 7, 1);
        ck_assert_int_eq(connection_read(&connection), 0);
        ck_assert_int_eq(connection_next(&connection, &got, &fd), -EBADMSG);
        end();
}
END_TEST

START_TEST(test_end)
{
        uint8_t frame[11];
        Frame got;
        int fd;

        begin();
        make_frame(frame, 0);
        send_with(frame, 11, 0);
        send_with(frame, 5, 0);
        ck_assert_int_eq(shutdown(other, SHUT_WR), 0);
        ck_assert_int_eq(connection_read(&connection), 0);
        expect_frame(false);
        ck_assert_int_eq(connection_next(&connection, &got, &fd), 1);
        ck_assert_int_eq(connection_read(&connection), -ECONNRESET);
        end();
}
END_TEST

START_TEST(test_oversized)
{
        uint8_t header[FRAME_HEADER_SIZE];
        Frame got;
        int fd;

        begin();
        frame_write_header(header, LIMIT_MESSAGE_OUT + 1, 0);
        send_with(header, sizeof(header), 0);
        ck_assert_int_eq(connection_read(&connection), 0);
        ck_assert_int_eq(connection_next(&connection, &got, &fd), -EBADMSG);
        end();
}
END_TEST

/* Output that does not fit stays, in order, and no SIGPIPE comes. */
START_TEST(test_output)
{
        static uint8_t bytes[1 << 20], back[1 << 20];
        Buffer frame = BUFFER_NULL;
        size_t n = 0;

        begin();
        for (size_t i = 0; i < sizeof(bytes); ++i)
                bytes[i] = (uint8_t)(i * 7 + i / 256);
        ck_assert_int_eq(fcntl(connection.fd, F_SETFL, O_NONBLOCK), 0);
        ck_assert_int_eq(buffer_append(&frame, bytes, sizeof(bytes)), 0);
        ck_assert_int_eq(connection_queue(&connection, &frame), 0);
        ck_assert_int_eq(connection_write(&connection), 0);
        ck_assert(connection_has_output(&connection));
        while (n < sizeof(back)) {
                ssize_t got = recv(other, back + n, sizeof(back) - n, 0);

                ck_assert_int_gt(got, 0);
                n += (size_t)got;
                ck_assert_int_eq(connection_write(&connection), 0);
        }
        ck_assert_mem_eq(bytes, back, sizeof(back));
        ck_assert(connection.n_written == sizeof(bytes) && !connection_has_output(&connection));
        ck_assert_int_eq(shutdown(other, SHUT_RD), 0);
        ck_assert_int_eq(connection_queue(&connection, &frame), 0);
        ck_assert_int_eq(connection_write(&connection), -EPIPE);
        buffer_deinit(&frame);
        end();
}
END_TEST

/* A child closes its copy, but not what it has since opened at that number. */
START_TEST(test_forget)
{
        int number, pair[2];

        begin();
        number = connection.fd;
        connection_forget(&connection, false);
        ck_assert_int_eq(fcntl(number, F_GETFD), -1);
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        ck_assert_int_eq(connection_open(&connection, pair[0]), 0);
        ck_assert_int_eq(dup2(other, pair[0]), pair[0]);
        connection_forget(&connection, false);
        ck_assert_int_eq(fcntl(pair[0], F_GETFD), 0);
        close(pair[0]);
        close(pair[1]);
        close(other);
}
END_TEST

FIXTURE_MAIN("client/connection", test_byte_by_byte, test_glued, test_unexpected, test_next_before_taken,
             test_second_in_frame, test_end,
             test_oversized, test_output, test_forget)
