#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Valkey's default: a flood of connections must not hold up sessions. */
#define ACCEPTS_A_WAKEUP 10

/* While descriptors are short, trying without a pause would only spin. */
#define PAUSE_MS 100

struct Listener {
        uv_poll_t poll;
        uv_timer_t timer;
        ListenerAccepted accepted;
        void *data;
        int fd;
        int spare; /* given up for a moment to tell one peer to go */
        unsigned n_open;
        bool starved; /* was logged; until an accept works again */
};

static int open_spare(void)
{
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void listener_readable(uv_poll_t *poll, int status, int events);

/* Somebody else may have taken the spare's place. */
static void listener_resume(uv_timer_t *timer)
{
        Listener *listener = timer->data;

        if (listener->spare < 0)
                listener->spare = open_spare();
        (void)uv_poll_start(&listener->poll, UV_READABLE, listener_readable);
}

/* Out of descriptors or kernel memory: tells one peer so, then looks away for
 * a while. */
static void listener_starve(Listener *listener, int error)
{
        LogFields fields = LOG_FIELDS_NULL;
        int fd;

        fields.error = error;
        if (!listener->starved)
                log_error(FAILURE, &fields, "cannot accept: %s; connections are turned away for a while",
                          strerrordesc_np(error));
        listener->starved = true;
        (void)uv_poll_stop(&listener->poll);
        (void)uv_timer_start(&listener->timer, listener_resume, PAUSE_MS, 0);
        if (listener->spare < 0)
                return;
        (void)close(STEAL_FD(listener->spare));
        fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0)
                listener->accepted(listener->data, fd, true);
        listener->spare = open_spare();
}

/* Peers that went away before they were accepted are nobody's fault. */
static bool is_peers_error(int error)
{
        return error == EINTR || error == ECONNABORTED || error == EPERM || error == EPROTO;
}

static void listener_readable(uv_poll_t *poll, int status, int events)
{
        Listener *listener = poll->data;

        (void)status;
        (void)events;
        for (unsigned i = 0; i < ACCEPTS_A_WAKEUP; i++) {
                int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

                if (fd >= 0) {
                        listener->starved = false;
                        listener->accepted(listener->data, fd, false);
                } else if (errno == EAGAIN) {
                        return;
                } else if (!is_peers_error(errno)) {
                        listener_starve(listener, errno);
                        return;
                }
        }
}

int listener_new(Loop *loop, int fd, ListenerAccepted accepted, void *data, Listener **ret_listener)
{
        CLEANUP_ALLOC Listener *listener = alloc_zeroed(1, sizeof(*listener));
        int r;

        if (!listener)
                return error_trace(-ENOMEM);
        *listener = (Listener){ .accepted = accepted, .data = data, .fd = fd, .n_open = 2 };
        r = uv_poll_init(&loop->uv, &listener->poll, fd);
        if (r < 0)
                return error_trace(r);
        (void)uv_timer_init(&loop->uv, &listener->timer);
        listener->poll.data = listener->timer.data = listener;
        listener->spare = open_spare();
        (void)uv_poll_start(&listener->poll, UV_READABLE, listener_readable);
        *ret_listener = STEAL(listener);
        return 0;
}

static void listener_closed(uv_handle_t *handle)
{
        Listener *listener = handle->data;

        if (--listener->n_open == 0)
                alloc_free(listener);
}

void listener_close(Listener *listener)
{
        if (!listener)
                return;
        if (listener->spare >= 0)
                (void)close(STEAL_FD(listener->spare));
        uv_close((uv_handle_t *)&listener->poll, listener_closed);
        uv_close((uv_handle_t *)&listener->timer, listener_closed);
}
