#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "daemon/session_internal.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/frame.h"

/* The gathering buffer keeps no more than this between two turns. A full read
 * of single lookups makes about 140 KB of answers. */
#define OUTPUT_KEEP (256u * 1024)

/* --- what the socket did not take --- */

static SessionOutput *output_free(SessionOutput *output)
{
        if (output->fd >= 0)
                (void)close(output->fd);
        charge_clear(&output->charge);
        alloc_free(output);
        return NULL;
}

void session_output_free(Session *session)
{
        while (session->output) {
                SessionOutput *output = session->output;

                session->output = output->next;
                output_free(output);
        }
}

/* Queues bytes as the last, with the descriptor that belongs to their first.
 * Takes over fd in any case. */
static void output_keep(Session *session, const uint8_t *bytes, size_t size, int fd)
{
        CLEANUP_FD int owned = fd;
        SessionOutput *output = alloc_bytes(sizeof(*output) + size);

        if (output)
                *output = (SessionOutput){ .fd = -1 };
        if (!output ||
            charge_set(&output->charge, session->charge.account, ACCOUNT_BYTES, sizeof(*output) + size) != 0) {
                alloc_free(output);
                session_close(session);
                return;
        }
        output->size = size;
        output->fd = STEAL_FD(owned);
        memcpy(output->bytes, bytes, size);
        *(session->output ? &session->last_output->next : &session->output) = output;
        session->last_output = output;
}

/* --- sending --- */

static ssize_t send_with_fd(int socket, const uint8_t *bytes, size_t size, int fd)
{
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { 0 };
        struct iovec part = { .iov_base = (void *)bytes, .iov_len = size };
        struct msghdr message = {
                .msg_iov = &part,
                .msg_iovlen = 1,
                .msg_control = &control,
                .msg_controllen = sizeof(control),
        };

        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
        return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* How many bytes the socket took; the session closes when it takes none ever
 * more. fd -1: none goes along. */
static size_t session_send(Session *session, const uint8_t *bytes, size_t size, int fd)
{
        ssize_t n;

        if (fd >= 0)
                n = send_with_fd(session->fd, bytes, size, fd);
        else
                n = send(session->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0)
                return (size_t)n;
        if (errno != EAGAIN && errno != EINTR)
                session_close(session);
        return 0;
}

/* Sends or queues; fd is closed once it went. */
static void session_put(Session *session, const uint8_t *bytes, size_t size, int fd)
{
        CLEANUP_FD int owned = fd;
        size_t n = 0;

        if (session->closing || !size)
                return;
        if (!session->output)
                n = session_send(session, bytes, size, owned);
        if (n == size || session->closing)
                return;
        output_keep(session, bytes + n, size - n, n ? -1 : STEAL_FD(owned));
}

/* Empties the gathering buffer for whoever is next. */
static void output_reset(Sessions *set)
{
        set->output.size = 0;
        if (set->output.capacity > OUTPUT_KEEP)
                buffer_deinit(&set->output);
}

void session_flush(Session *session)
{
        Sessions *set = session_set(session);

        session_put(session, set->output.data, set->output.size, -1);
        output_reset(set);
}

void session_drain(Session *session)
{
        while (session->output && !session->closing) {
                SessionOutput *output = session->output;
                size_t n = session_send(session, output->bytes + output->sent, output->size - output->sent, output->fd);

                if (!n)
                        return;
                if (output->fd >= 0)
                        (void)close(STEAL_FD(output->fd));
                output->sent += n;
                if (output->sent < output->size)
                        return;
                session->output = output->next;
                output_free(output);
        }
        session_settle(session);
}

/* --- frames --- */

Buffer *session_frame_begin(Session *session, size_t *ret_start)
{
        Sessions *set = session_set(session);
        static const uint8_t room[FRAME_HEADER_SIZE];

        assert(set->handling == session || set->output.size == 0);
        *ret_start = set->output.size;
        return buffer_append(&set->output, room, sizeof(room)) < 0 ? NULL : &set->output;
}

size_t session_frame_size(const Session *session, size_t start)
{
        return session_set(session)->output.size - start - FRAME_HEADER_SIZE;
}

void session_frame_restart(Session *session, size_t start)
{
        session_set(session)->output.size = start + FRAME_HEADER_SIZE;
}

void session_frame_drop(Session *session, size_t start)
{
        session_set(session)->output.size = start;
}

void session_frame_end(Session *session, size_t start, int fd)
{
        Sessions *set = session_set(session);
        size_t size = set->output.size - start - FRAME_HEADER_SIZE;

        frame_write_header(set->output.data + start, (uint32_t)size, fd >= 0);
        if (fd >= 0) {
                session->n_descriptors++;
                /* With the header alone, so that our copy is closed before the
                 * peer has the whole frame: what a lease locks is free as soon
                 * as the peer has closed it. For that it is closed here, not in
                 * the file thread. The message in the socket keeps the folder
                 * open meanwhile: no file system hears of it. */
                session_put(session, set->output.data, start, -1);
                session_put(session, set->output.data + start, FRAME_HEADER_SIZE, fd);
                session_put(session, set->output.data + start + FRAME_HEADER_SIZE, size, -1);
                output_reset(set);
        } else if (set->handling != session) {
                session_flush(session);
        }
        if (set->handling != session)
                session_settle(session);
}
