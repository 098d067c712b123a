#include "client/connection.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/limits.h"

#define READ_SIZE (64 * 1024) /* guess: a page of answers; a larger frame takes several reads */

/* SCM_MAX_FD: what the kernel can attach to one piece. */
#define DESCRIPTORS_MAX 253

static void descriptor_drop(int *fd)
{
        if (*fd >= 0)
                (void)close(*fd);
        *fd = -1;
}

static void received_drop(Connection *connection)
{
        while (connection->n_received)
                (void)close(connection->received[--connection->n_received].fd);
}

int connection_open(Connection *connection, int fd)
{
        struct stat status;

        assert(connection->fd < 0);
        if (fstat(fd, &status) < 0) {
                int r = -errno;

                (void)close(fd);
                return r;
        }
        *connection = CONNECTION_NULL;
        connection->fd = fd;
        connection->device = status.st_dev;
        connection->inode = status.st_ino;
        return 0;
}

void connection_close(Connection *connection)
{
        descriptor_drop(&connection->fd);
        received_drop(connection);
        buffer_deinit(&connection->input);
        buffer_deinit(&connection->output);
        *connection = CONNECTION_NULL;
}

void connection_forget(Connection *connection, bool torn)
{
        struct stat status;

        if (connection->fd >= 0 && fstat(connection->fd, &status) == 0 && status.st_dev == connection->device &&
            status.st_ino == connection->inode)
                (void)close(connection->fd);
        connection->fd = -1;
        if (!torn)
                connection_close(connection);
        *connection = CONNECTION_NULL;
}

void connection_shut(Connection *connection)
{
        if (connection->fd >= 0)
                (void)shutdown(connection->fd, SHUT_RDWR);
}

int connection_queue(Connection *connection, const Buffer *frame)
{
        int r = buffer_append(&connection->output, frame->data, frame->size);

        if (r < 0)
                return r;
        connection->n_queued += frame->size;
        return 0;
}

int connection_write(Connection *connection)
{
        while (connection_has_output(connection)) {
                ssize_t n = send(connection->fd, connection->output.data + connection->output_start,
                                 connection->output.size - connection->output_start, MSG_NOSIGNAL | MSG_DONTWAIT);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : -errno;
                connection->output_start += (size_t)n;
                connection->n_written += (uint64_t)n;
        }
        connection->output.size = 0;
        connection->output_start = 0;
        return 0;
}

/* Takes over what a read brought along, one descriptor at most; everything else
 * is closed. 0 or -EBADMSG. */
static int connection_take(Connection *connection, struct msghdr *message, uint64_t position)
{
        size_t most = connection->n_received + 1;
        int r = message->msg_flags & MSG_CTRUNC || most > ARRAY_SIZE(connection->received) ? -EBADMSG : 0;

        for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
                size_t n = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < n; ++i) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof(int));
                        if (connection->n_received < most && !r) {
                                connection->received[connection->n_received++] =
                                        (struct ConnectionReceived){ fd, position };
                        } else {
                                (void)close(fd);
                                r = -EBADMSG;
                        }
                }
        }
        if (r < 0)
                received_drop(connection);
        return r;
}

static void connection_compact(Connection *connection)
{
        connection->input_base += connection->input_start;
        buffer_consume(&connection->input, connection->input_start);
        connection->input_start = 0;
}

int connection_read(Connection *connection)
{
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(DESCRIPTORS_MAX * sizeof(int))];
        } control;
        struct iovec vector;
        struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control.bytes,
                                  .msg_controllen = sizeof(control.bytes) };
        ssize_t n;
        int r;

        connection_compact(connection);
        r = buffer_reserve(&connection->input, READ_SIZE);
        if (r < 0)
                return r;
        vector = (struct iovec){ connection->input.data + connection->input.size, READ_SIZE };
        do {
                n = recvmsg(connection->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        } while (n < 0 && errno == EINTR);
        if (n < 0)
                return errno == EAGAIN || errno == EWOULDBLOCK ? 1 : -errno;
        connection->input.size += (size_t)n;
        connection->drained = n < READ_SIZE && !message.msg_controllen; /* a descriptor cuts a read short */
        r = connection_take(connection, &message, connection->input_base + connection->input.size - 1);
        if (r < 0)
                return r;
        return n == 0 ? -ECONNRESET : 0;
}

/* The descriptor that came with the frame that ends before `end`. (None can have
 * come before that frame: the one of then would have taken or refused it.) */
static int connection_attribute(Connection *connection, uint64_t end, uint16_t announced, int *ret_descriptor)
{
        size_t n = 0;

        while (n < connection->n_received && connection->received[n].at < end)
                n++;
        if (n != announced) {
                received_drop(connection);
                return -EBADMSG;
        }
        *ret_descriptor = -1;
        if (n) {
                *ret_descriptor = connection->received[0].fd;
                connection->received[0] = connection->received[1];
                connection->n_received--;
        }
        return 0;
}

int connection_next(Connection *connection, Frame *ret_frame, int *ret_descriptor)
{
        const uint8_t *bytes = connection->input.data + connection->input_start;
        size_t size = connection->input.size - connection->input_start, wanted, length;
        FrameAnswer answer;
        Frame frame;
        int r;

        if (!size)
                return 1;
        answer = frame_parse(bytes, size, LIMIT_MESSAGE_OUT, LIMIT_DESCRIPTORS, &frame, &wanted);
        if (answer == FRAME_PARTIAL)
                return 1;
        if (answer != FRAME_COMPLETE)
                return -EBADMSG;
        length = FRAME_HEADER_SIZE + (size_t)frame.size;
        r = connection_attribute(connection, connection->input_base + connection->input_start + length,
                                 frame.n_descriptors, ret_descriptor);
        if (r < 0)
                return r;
        connection->input_start += length;
        *ret_frame = frame;
        return 0;
}
