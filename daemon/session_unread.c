/* Descriptors on their way: sent, and not yet received. The kernel counts them
 * for the sender's user, all his sockets together, and once they are more than
 * RLIMIT_NOFILE refuses to send any, to whomever. So that no domain takes what
 * others need, each has a quota of them, that of its leases; what releases a
 * lease or ends a session does not give back what the peer has not received.
 * The socket of an ended session is kept for that: only so can it be seen. */
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "daemon/session_internal.h"

/* What is in flight in a Unix socket is counted in the memory of the messages;
 * one takes at least this, with its head (sk_buff: 232 bytes, skb_shared_info: 320). */
#define MESSAGE_MEMORY 512

#define LOOK_MS 1000

size_t session_unread_descriptors(Session *session)
{
        int size = 0;

        if (!session->n_descriptors || session->output || ioctl(session->fd, SIOCOUTQ, &size) < 0)
                return session->n_descriptors;
        if (session->n_descriptors > (uint32_t)size / MESSAGE_MEMORY)
                session->n_descriptors = (uint32_t)size / MESSAGE_MEMORY;
        return session->n_descriptors;
}

void session_charge_unread(Session *session)
{
        size_t n = session_unread_descriptors(session);

        if (!n || charge_set(&session->unread, session->charge.account, ACCOUNT_LEASES, n) != 0)
                charge_clear(&session->charge);
}

void session_keep_unread(Session *session)
{
        Sessions *set = session_set(session);

        (void)shutdown(session->fd, SHUT_RDWR);
        if (!set->unread)
                (void)uv_timer_start(&set->unread_timer, sessions_unread_due, LOOK_MS, LOOK_MS);
        session->next = set->unread;
        set->unread = session;
}

/* Both who reads and who closes his end takes them out of the socket. */
void sessions_unread_due(uv_timer_t *timer)
{
        Sessions *set = timer->data;
        Session **link = &set->unread;

        while (*link) {
                Session *session = *link;
                size_t n = session_unread_descriptors(session);

                if (n) {
                        (void)charge_set(&session->unread, session->charge.account, ACCOUNT_LEASES, n);
                        link = &session->next;
                } else {
                        *link = session->next;
                        session_free(session);
                }
        }
        if (!set->unread)
                (void)uv_timer_stop(timer);
}

void sessions_drop_unread(Sessions *set)
{
        while (set->unread) {
                Session *session = set->unread;

                set->unread = session->next;
                session_free(session);
        }
}
