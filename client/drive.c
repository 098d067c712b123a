/* Waiting for the daemon, in any number of threads.
 *
 * One thread at most leads. It alone polls: the socket for input; for room to
 * write too, while there is output; and `wake`. Every other thread that waits
 * sleeps on `changed`. The lock is open meanwhile. No thread sleeps or polls for
 * something that has already happened:
 *
 * - While a thread waits for an answer and there is a connection, one leads. The
 *   lead is given up by whoever returns from poll, with a broadcast under the
 *   same hold of the lock; each that wakes and still waits leads if nobody does.
 * - While a thread leads, only it reads. So only it can end its own call, save
 *   with the connection. (Whoever cannot write reads the reason, then ends that.)
 * - A call that ends, progress, a greeting: a broadcast. The leader is not
 *   asleep: it is the one who delivers, or the connection ended.
 * - Bytes that do not fit, left by a thread that does not lead, wake a leader
 *   that does not watch for room.
 * - A connection that ends is shut at once, which ends every poll of it, but is
 *   closed, and its number given back, only when nobody leads: `broken` stands
 *   only while one does. The leader then makes the next one for what waits.
 * - What kd_start started and is over is dispatched before the thread that found
 *   that waits again, or leaves: nobody else would be woken for it. (In the midst
 *   of a change of views: when that ends.)
 *
 * kd_process does not lead: the program polls. While a thread leads, kd_process
 * sends and leaves the reading to that thread, which the same bytes wake. */
#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <time.h>

#include "client/client.h"
#include "client/failure.h"
#include "client/value.h"
#include "proto/frame.h"

static int deliver_all(kd_client *client)
{
        for (;;) {
                Frame frame;
                int descriptor = -1;
                int r = connection_next(&client->connection, &frame, &descriptor);

                if (r > 0)
                        return 0;
                if (!r)
                        r = calls_deliver(client, frame.payload, frame.size, descriptor);
                if (r < 0)
                        return r;
        }
}

static int send_all(kd_client *client)
{
        int r = calls_flush(client);

        return r < 0 ? r : connection_write(&client->connection);
}

/* Sends and reads what can be. What the other end said before it went away is
 * still read: it may be the reason. */
static int exchange(kd_client *client, bool readable)
{
        for (;;) {
                int sent = send_all(client);
                int r;

                if (!readable && !sent)
                        return 0;
                r = connection_read(&client->connection);
                if (r > 0)
                        return sent;
                if (!r)
                        r = deliver_all(client);
                if (r < 0 || client->greeting == GREETING_FAILED)
                        return r;
                if (client->connection.drained && !sent)
                        readable = false;
        }
}

/* The daemon does not take us: nothing that waits will be answered. */
static void drive_refused(kd_client *client)
{
        kd_error error = client->greeting_error;

        calls_fail(client, &error);
        session_lost(client, -ECONNRESET);
        client->greeting = GREETING_FAILED;
        client->greeting_error = error;
}

static void drive_on(kd_client *client, bool readable)
{
        for (;;) {
                kd_error error;
                int r;

                if (client->broken && !client->leading) {
                        connection_close(&client->connection);
                        client->broken = false;
                }
                if (client->broken)
                        return;
                if (client->connection.fd < 0) {
                        if (!client->calls.waiting.first)
                                return;
                        if (session_begin(client, 0, &error)) {
                                calls_fail(client, &error);
                                return;
                        }
                }
                r = exchange(client, readable);
                if (!r && client->greeting != GREETING_FAILED)
                        return;
                if (r < 0)
                        session_lost(client, r);
                else
                        drive_refused(client);
        }
}

void client_drive(kd_client *client, bool readable)
{
        drive_on(client, readable && !client->leading);
        if (client->leading && !client->watches_room && connection_has_output(&client->connection))
                wake_set(&client->wake);
}

static void client_sleep(kd_client *client, int64_t left_ms)
{
        struct timespec until;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec += left_ms / 1000;
        until.tv_nsec += left_ms % 1000 * 1000000;
        if (until.tv_nsec >= 1000000000) {
                ++until.tv_sec;
                until.tv_nsec -= 1000000000;
        }
        client->locked = false;
        (void)pthread_cond_timedwait(&client->changed, &client->lock, &until);
        client->locked = true;
}

/* Polls with the lock open. 1: there may be input; 0: there is none; -EINTR: a
 * signal came. */
static int client_poll(kd_client *client, int64_t left_ms)
{
        struct pollfd items[] = {
                { .fd = client->connection.fd, .events = POLLIN },
                { .fd = client->wake.fds[0], .events = POLLIN },
        };
        bool interrupted = false;

        client->leading = true;
        client->watches_room = connection_has_output(&client->connection);
        if (client->watches_room)
                items[0].events |= POLLOUT;
        client_unlock(client);
        if (poll(items, 2, left_ms > INT_MAX ? INT_MAX : (int)left_ms) < 0) {
                interrupted = errno == EINTR;
                items[0].revents = 0;
        }
        (void)pthread_mutex_lock(&client->lock);
        client->locked = true;
        client->leading = false;
        wake_clear(&client->wake);
        return interrupted ? -EINTR : !!(items[0].revents & ~POLLOUT);
}

int client_wait(kd_client *client, int64_t deadline_ms)
{
        int64_t left = deadline_ms - client->clock_ms();
        int polled;

        if (left <= 0)
                return -ETIMEDOUT;
        if (client_dispatch(client))
                return 0;
        assert(!client->broken || client->leading);
        if (client->leading || client->connection.fd < 0) {
                client_sleep(client, left > INT_MAX ? INT_MAX : left);
                return 0;
        }
        polled = client_poll(client, left);
        client_drive(client, polled > 0);
        (void)pthread_cond_broadcast(&client->changed);
        return polled == -EINTR;
}

int client_wait_thread(kd_client *client, int64_t deadline_ms)
{
        int64_t left = deadline_ms - client->clock_ms();

        if (left <= 0)
                return -ETIMEDOUT;
        client_sleep(client, left > INT_MAX ? INT_MAX : left);
        return 0;
}

/* Tells what came of a call, with the lock open. */
static void dispatch_one(kd_client *client, Call *call)
{
        kd_value *result = NULL;
        int code = call->code;

        client_unlock(client);
        if (!code)
                code = value_decode(call->body, call->body_size, &result, &call->error);
        call->done(call->data, code, result, code ? &call->error : NULL);
        (void)kd_value_free(result);
        (void)call_free(call);
        (void)pthread_mutex_lock(&client->lock);
        client->locked = true;
}

bool client_dispatch(kd_client *client)
{
        bool any = false;
        Call *call;

        if (client->changing && pthread_equal(client->changer, pthread_self()))
                return false;
        while ((call = client->calls.over.first)) {
                call_unlist(call);
                dispatch_one(client, call);
                any = true;
        }
        return any;
}

int client_ensure(kd_client *client, int wait_ms, int64_t deadline_ms, kd_error *error)
{
        bool begun = false;
        int r;

        for (;;) {
                client_drive(client, false);
                if (client->greeting == GREETING_DONE && !client->broken)
                        return 0;
                if (begun && client->greeting == GREETING_FAILED)
                        return failure_copy(error, &client->greeting_error);
                if (client->connection.fd < 0) {
                        r = session_begin(client, wait_ms, error);
                        if (r)
                                return r;
                        begun = true;
                        continue;
                }
                r = client_wait(client, deadline_ms);
                if (r < 0)
                        return failure_unreachable(error, r, "kernelsd took the connection but does not greet: see "
                                                             "whether it is stopped or overloaded");
        }
}

static int call_timeout(Call *call, kd_error *error)
{
        return failure_unreachable(error, -ETIMEDOUT,
                                   "kernelsd did not answer `%s` in time: see whether it is stopped or overloaded, or "
                                   "allow more time", method_table[call->method].name);
}

int call_await(Call **call, int64_t deadline_ms, kd_error *error)
{
        kd_client *client = (*call)->client;
        int r;

        while (!(*call)->over) {
                r = client_wait(client, deadline_ms);
                if (r < 0 && !(*call)->over) {
                        r = call_timeout(*call, error);
                        call_abandon(*call);
                        *call = NULL;
                        (void)client_dispatch(client);
                        return r;
                }
        }
        (void)client_dispatch(client);
        return (*call)->code ? failure_copy(error, &(*call)->error) : 0;
}

int call_run_for(Call **call, int64_t wait_ms, kd_error *error)
{
        kd_client *client = (*call)->client;

        call_start(*call);
        client_drive(client, false);
        return call_await(call, client_deadline(client, wait_ms), error);
}

int call_run(Call **call, kd_error *error)
{
        return call_run_for(call, (*call)->client->timeout_ms, error);
}
