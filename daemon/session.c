#include "daemon/session.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/session_internal.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/codec.h"
#include "proto/frame.h"

/* --- lists --- */

/* Behind `previous`; NULL: as the first. */
static void list_insert(SessionList *list, Session *previous, Session *session)
{
        Session *next = previous ? previous->next : list->first;

        session->previous = previous;
        session->next = next;
        *(previous ? &previous->next : &list->first) = session;
        *(next ? &next->previous : &list->last) = session;
}

static void list_remove(SessionList *list, Session *session)
{
        *(session->previous ? &session->previous->next : &list->first) = session->next;
        *(session->next ? &session->next->previous : &list->last) = session->previous;
        session->next = session->previous = NULL;
}

Session *sessions_after(Sessions *sessions, uint32_t after)
{
        Session *session = sessions->greeted.first;

        while (session && session->number <= after)
                session = session->next;
        return session;
}

/* --- turns --- */

void session_defer(Session *session)
{
        Sessions *set = session_set(session);

        if (session->in_turn)
                return;
        session->in_turn = true;
        session->next_turn = NULL;
        if (set->last_turn)
                set->last_turn->next_turn = session;
        else
                set->first_turn = session;
        set->last_turn = session;
        loop_defer(set->loop, &set->turns);
}

static void session_closed(uv_handle_t *handle);

/* Nobody up the call chain knows the session any more. */
static void session_finish(Session *session)
{
        Sessions *set = session_set(session);

        set->owner.closed(set->owner.data, session);
        list_remove(session->greeted ? &set->greeted : &set->greeting, session);
        session_input_free(session);
        session_output_free(session);
        session_charge_unread(session);
        set->n_sessions--;
        uv_close((uv_handle_t *)&session->poll, session_closed);
}

/* Each that waited gets one turn; who wants another waits for the next round. */
static void sessions_take_turns(LoopItem *item)
{
        Sessions *set = (Sessions *)((char *)item - offsetof(Sessions, turns));
        Session *session = set->first_turn;

        set->first_turn = set->last_turn = NULL;
        while (session) {
                Session *next = session->next_turn;

                session->in_turn = false;
                if (session->closing)
                        session_finish(session);
                else
                        session_resume(session);
                session = next;
        }
}

/* --- the state of one session --- */

static void session_ready(uv_poll_t *poll, int status, int events)
{
        Session *session = (Session *)poll;

        if (status < 0)
                session_close(session);
        else if (events & UV_WRITABLE)
                session_drain(session);
        else if (events & UV_READABLE)
                session_read(session);
}

void session_arm(Session *session)
{
        bool writing = session->output;
        bool reading = !writing && !session->hup_in && !session_has_whole_frame(session);

        if (session->closing)
                reading = writing = false;
        if (reading == session->reading && writing == session->writing)
                return;
        session->reading = reading;
        session->writing = writing;
        if (!reading && !writing)
                (void)uv_poll_stop(&session->poll);
        else
                (void)uv_poll_start(&session->poll, (reading ? UV_READABLE : 0) | (writing ? UV_WRITABLE : 0),
                                    session_ready);
}

void session_settle(Session *session)
{
        if (session->closing)
                return;
        if (!session->output && session_has_whole_frame(session))
                session_defer(session);
        else if (session->hup_in && !session->output && !session->n_in_flight)
                session_close(session);
        session_arm(session);
}

void session_close(Session *session)
{
        if (session->closing)
                return;
        session->closing = true;
        session_arm(session);
        session_defer(session);
}

static void sessions_free(Sessions *set)
{
        buffer_deinit(&set->output);
        alloc_free(set);
}

static void sessions_handle_closed(Sessions *set)
{
        if (--set->n_handles == 0)
                sessions_free(set);
}

void session_free(Session *session)
{
        Sessions *set = session_set(session);

        charge_clear(&session->unread);
        charge_clear(&session->charge);
        (void)close(session->fd);
        alloc_free(session);
        sessions_handle_closed(set);
}

/* The descriptor may only be closed now: the loop's entry belongs to it. */
static void session_closed(uv_handle_t *handle)
{
        Session *session = (Session *)handle;

        if (session->unread.account && !session_set(session)->closing)
                session_keep_unread(session);
        else
                session_free(session);
}

/* --- hello's deadline: one timer, for the oldest that has not said it --- */

static void sessions_hello_due(uv_timer_t *timer);

static void sessions_arm_hello(Sessions *set)
{
        uint64_t now = loop_now_ms(set->loop), due;
        const Session *oldest = set->greeting.first;

        while (oldest && oldest->closing)
                oldest = oldest->next;
        if (!oldest)
                return;
        due = oldest->opened_ms + set->limits.hello_ms;
        (void)uv_timer_start(&set->hello_timer, sessions_hello_due, due > now ? due - now : 0, 0);
}

static void sessions_hello_due(uv_timer_t *timer)
{
        Sessions *set = timer->data;
        uint64_t now = loop_now_ms(set->loop);

        for (Session *session = set->greeting.first; session; session = session->next) {
                LogFields fields = LOG_FIELDS_NULL;

                if (session->opened_ms + set->limits.hello_ms > now)
                        break;
                if (session->closing)
                        continue;
                fields.session = session->number;
                fields.uid = session->identity.uid;
                fields.pid = session->identity.pid;
                fields.peer = true;
                log_info(PEER, &fields, "process %d of uid %u did not say hello in time", session->identity.pid,
                         session->identity.uid);
                session_close(session);
        }
        sessions_arm_hello(set);
}

void session_greeted(Session *session)
{
        Sessions *set = session_set(session);
        Session *previous = set->greeted.last;

        assert(!session->greeted);
        list_remove(&set->greeting, session);
        while (previous && previous->number > session->number)
                previous = previous->previous;
        list_insert(&set->greeted, previous, session);
        session->greeted = true;
        if (set->greeting.first)
                sessions_arm_hello(set);
        else
                (void)uv_timer_stop(&set->hello_timer);
}

/* --- the set --- */

int sessions_new(Loop *loop, Accounts *accounts, const SessionLimits *limits, SessionOwner owner,
                 Sessions **ret_sessions)
{
        Sessions *set = alloc_bytes(sizeof(*set));

        if (!set)
                return error_trace(-ENOMEM);
        /* All but the read buffer, whose pages stay untouched until needed. */
        memset(set, 0, offsetof(Sessions, input));
        set->loop = loop;
        set->accounts = accounts;
        set->owner = owner;
        set->limits = *limits;
        set->turns.run = sessions_take_turns;
        (void)uv_timer_init(&loop->uv, &set->hello_timer);
        (void)uv_timer_init(&loop->uv, &set->unread_timer);
        set->hello_timer.data = set->unread_timer.data = set;
        set->n_handles = 2;
        *ret_sessions = set;
        return 0;
}

void sessions_set_limits(Sessions *sessions, const SessionLimits *limits)
{
        sessions->limits = *limits;
        sessions_arm_hello(sessions);
}

void sessions_totals(const Sessions *sessions, SessionTotals *ret_totals)
{
        *ret_totals = (SessionTotals){
                .n_sessions = sessions->n_sessions,
                .n_requests = sessions->n_requests,
                .n_refused = sessions->n_refused,
        };
}

static void sessions_timer_closed(uv_handle_t *handle)
{
        sessions_handle_closed(handle->data);
}

static void sessions_close_list(SessionList *list)
{
        for (Session *session = list->first, *next; session; session = next) {
                next = session->next;
                session_close(session);
                session_finish(session);
        }
}

void sessions_close(Sessions *sessions)
{
        if (!sessions)
                return;
        sessions->closing = true;
        sessions_drop_unread(sessions);
        sessions_close_list(&sessions->greeting);
        sessions_close_list(&sessions->greeted);
        sessions->first_turn = sessions->last_turn = NULL;
        uv_close((uv_handle_t *)&sessions->hello_timer, sessions_timer_closed);
        uv_close((uv_handle_t *)&sessions->unread_timer, sessions_timer_closed);
}

/* --- opening and refusing --- */

void session_refuse(Sessions *sessions, int fd, FaultName name, const char *reason)
{
        uint8_t header[FRAME_HEADER_SIZE];
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        CLEANUP_FD int owned = fd;
        Fault fault;

        sessions->n_refused++;
        (void)fault_set(&fault, name, "%s", reason);
        if (buffer_append(&buffer, header, sizeof(header)) < 0 || envelope_write_error(&buffer, 0, &fault) < 0)
                return;
        frame_write_header(buffer.data, (uint32_t)(buffer.size - sizeof(header)), 0);
        (void)send(owned, buffer.data, buffer.size, MSG_NOSIGNAL | MSG_DONTWAIT);
}

static uint32_t sessions_next_number(Sessions *set)
{
        if (++set->last_number == 0)
                set->last_number = 1;
        return set->last_number;
}

static int session_refuse_for_memory(Sessions *sessions, int fd)
{
        session_refuse(sessions, fd, FAULT_LIMIT, "the daemon is short of memory: try again later");
        return 1;
}

int session_open(Sessions *sessions, int fd, const Identity *identity, Account *account, bool admin)
{
        CLEANUP_FD int owned = fd;
        Session *session = alloc_zeroed(1, sizeof(*session));

        if (!session)
                return session_refuse_for_memory(sessions, STEAL_FD(owned));
        if (charge_set(&session->charge, account, ACCOUNT_SESSIONS, 1) != 0) {
                session_refuse(sessions, STEAL_FD(owned), FAULT_LIMIT,
                               "there are too many sessions: close some, or have quota.sessions raised");
                alloc_free(session);
                return 1;
        }
        if (uv_poll_init(&sessions->loop->uv, &session->poll, fd) < 0) {
                charge_clear(&session->charge);
                alloc_free(session);
                return session_refuse_for_memory(sessions, STEAL_FD(owned));
        }
        session->poll.data = sessions;
        session->fd = STEAL_FD(owned);
        session->identity = *identity;
        session->admin = admin;
        session->number = sessions_next_number(sessions);
        session->opened_ms = loop_now_ms(sessions->loop);
        list_insert(&sessions->greeting, sessions->greeting.last, session);
        sessions->n_sessions++;
        sessions->n_handles++;
        if (sessions->greeting.first == session)
                sessions_arm_hello(sessions);
        session_arm(session);
        return 0;
}

/* --- requests that are answered later --- */

void session_request_begins(Session *session)
{
        session->n_in_flight++;
}

void session_request_ends(Session *session)
{
        assert(session->n_in_flight > 0);
        session->n_in_flight--;
        if (session != session_set(session)->handling)
                session_settle(session);
}
