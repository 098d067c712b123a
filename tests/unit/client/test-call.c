/* Calls: answers in any order and piece by piece, errors, the program's own
 * loop, and connections that end under them. */
#include "client/call.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/client.h"
#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

static kd_client *begin(Peer *peer, unsigned n, PeerScript script, void *data)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client;

        peer_start(peer, fixture_folder(), n, script, data);
        options.socket = peer->path;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        return client;
}

static void end(Peer *peer, kd_client *client)
{
        (void)kd_close(client);
        peer_join(peer);
}

static void script_pieces(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "status");
        ck_assert_uint_eq(kd_value_count(peer->params), 0);
        peer_answer(peer, peer->id, peer_map("text", "grüße", "#number", -5, "nothing", NULL, NULL), -1, 1);
        peer_expect(peer, "explain");
        ck_assert_int_eq(peer_integer(peer, "view"), 1);
        peer_refuse(peer, peer->id, KD_NO_MAPPING, "No such layer: register it.");
        ck_assert(!peer_read(peer));
}

START_TEST(test_value_and_error)
{
        kd_value *params = peer_map("#view", 1, "layer", "x", NULL), *result = NULL;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_pieces, NULL);

        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        ck_assert_str_eq(kd_value_as_string(kd_value_get(result, "text"), NULL), "grüße");
        ck_assert_int_eq(kd_value_as_integer(kd_value_get(result, "number"), 0), -5);
        ck_assert_int_eq(kd_value_kind(kd_value_get(result, "nothing")), KD_NIL);
        result = kd_value_free(result);
        ck_assert_int_eq(kd_call(client, "explain", params, &result, &error), KD_NO_MAPPING);
        ck_assert_str_eq(error.name, "no-mapping");
        ck_assert_str_eq(error.message, "No such layer: register it.");
        ck_assert(!error.retry && error.code == KD_NO_MAPPING && !result);
        (void)kd_value_free(params);
        end(&peer, client);
}
END_TEST

static void script_greet(Peer *peer, unsigned n)
{
        peer_greet(peer);
        ck_assert(!peer_read(peer));
}

/* That many maps inside each other. */
static kd_value *nested(unsigned depth)
{
        kd_value *map = kd_value_map();

        if (depth > 1)
                ck_assert_int_eq(kd_value_set(map, "inner", nested(depth - 1)), 0);
        return map;
}

START_TEST(test_not_by_name)
{
        static const char *const methods[] = { "hello", "acquire", "release", "view.create", "view.extend", "view.drop",
                                               "environment.set" };
        kd_value *params = kd_value_list(), *result = NULL;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_greet, NULL);

        for (size_t i = 0; i < ARRAY_SIZE(methods); ++i) {
                ck_assert_int_eq(kd_call(client, methods[i], NULL, &result, &error), -EINVAL);
                ck_assert_str_eq(error.name, "EINVAL");
        }
        ck_assert_int_eq(kd_call(client, "teapot", NULL, &result, &error), KD_UNKNOWN_METHOD);
        ck_assert_int_eq(kd_call(client, "status", params, &result, &error), -EINVAL);
        params = kd_value_free(params);
        params = nested(LIMIT_DEPTH);
        ck_assert_int_eq(kd_call(client, "status", params, &result, &error), -EINVAL);
        params = kd_value_free(params);
        params = peer_map("#view", 77, NULL);
        ck_assert_int_eq(kd_call(client, "resolve", params, &result, &error), KD_BAD_REQUEST);
        ck_assert_ptr_nonnull(strstr(error.message, "view 77"));
        (void)kd_value_free(params);
        end(&peer, client);
}
END_TEST

/* Nothing is sent of a struct that lacks what must be there. */
START_TEST(test_incomplete)
{
        MsgEnvironmentSet message = { .environment = NULL };
        Call *call = NULL;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_greet, NULL);

        ck_assert_int_eq(call_new(client, METHOD_ENVIRONMENT_SET, &message, &call, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "environment.set needs environment"));
        ck_assert_ptr_null(call);
        end(&peer, client);
}
END_TEST

/* The first connection ends with a request unanswered; the second answers. */
static void script_ends_once(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "status");
        if (n == 1) {
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
                ck_assert(!peer_read(peer));
        }
}

START_TEST(test_repeated)
{
        kd_value *result;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_ends_once, NULL);

        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        end(&peer, client);
}
END_TEST

static void script_always_ends(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "status");
}

/* Once, and no more. */
START_TEST(test_repeated_once)
{
        kd_value *result;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_always_ends, NULL);

        ck_assert_int_eq(kd_call(client, "status", NULL, &result, &error), -ECONNRESET);
        ck_assert_str_eq(error.name, "unreachable");
        ck_assert(error.retry);
        peer_join(&peer);
        /* Now there is no daemon at all. */
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, &error), -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, peer.path));
        (void)kd_close(client);
}
END_TEST

/* A connection that ended while nobody called is noticed by kd_process, and
 * made again by the next call. */
static void script_idle_end(Peer *peer, unsigned n)
{
        peer_greet(peer);
        if (n == 1) {
                peer_expect(peer, "status");
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        }
}

START_TEST(test_idle_end)
{
        struct pollfd item;
        kd_value *result;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_idle_end, NULL);

        item = (struct pollfd){ .fd = kd_fd(client), .events = kd_events(client) };
        ck_assert_int_eq(poll(&item, 1, -1), 1);
        ck_assert_int_eq(kd_process(client, NULL), 0);
        ck_assert_int_eq(kd_fd(client), -1);
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        end(&peer, client);
}
END_TEST

/* What is not idempotent is repeated only if not a byte of it was sent. */
static void script_not_idempotent(Peer *peer, unsigned n)
{
        peer_greet(peer);
        if (n == 0) {
                peer_expect(peer, "status");
                (void)shutdown(peer->fd, SHUT_RD); /* the next write fails */
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
                return;
        }
        peer_expect(peer, "view.drop");
        if (n == 1)
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        if (n == 1)
                peer_expect(peer, "view.drop");
}

static int run_drop(kd_client *client)
{
        MsgViewDrop message = { .view = 1 };
        Call *call;
        int r;

        ck_assert_int_eq(call_new(client, METHOD_VIEW_DROP, &message, &call, NULL), 0);
        ck_assert_int_eq(client_lock(client, NULL), 0);
        r = call_run(&call, NULL);
        client_unlock(client);
        (void)call_free(call);
        return r;
}

START_TEST(test_not_idempotent)
{
        kd_value *result;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_not_idempotent, NULL);

        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        ck_assert_int_eq(run_drop(client), 0);
        ck_assert_int_eq(run_drop(client), -ECONNRESET);
        end(&peer, client);
}
END_TEST

/* Before the next daemon has taken the hello it is sent nothing else. */
static void script_next_refuses(Peer *peer, unsigned n)
{
        if (n == 0) {
                peer_greet(peer);
                return;
        }
        peer_expect(peer, "hello");
        peer_refuse(peer, peer->id, KD_PROTOCOL, "This daemon speaks protocol 2.");
        ck_assert(!peer_read(peer));
}

START_TEST(test_next_refuses)
{
        struct pollfd item;
        kd_value *result;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_next_refuses, NULL);

        item = (struct pollfd){ .fd = kd_fd(client), .events = POLLIN };
        ck_assert_int_eq(poll(&item, 1, -1), 1);
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, &error), KD_PROTOCOL);
        ck_assert_str_eq(error.message, "This daemon speaks protocol 2.");
        end(&peer, client);
}
END_TEST

/* --- a loop of one's own --- */

typedef struct Seen {
        int n;
        int code;
        int64_t number;
} Seen;

static void seen_done(void *data, int code, const kd_value *result, const kd_error *error)
{
        Seen *seen = data;

        ++seen->n;
        seen->code = code;
        seen->number = kd_value_as_integer(kd_value_get(result, "number"), -1);
        ck_assert(!error == !code);
}

static void script_three(Peer *peer, unsigned n)
{
        uint32_t ids[3];

        peer_greet(peer);
        for (int i = 0; i < 3; ++i) {
                peer_expect(peer, "status");
                ids[i] = peer->id;
        }
        peer_answer(peer, ids[2], peer_map("#number", 2, NULL), -1, 1);
        peer_answer(peer, ids[1], peer_map("#number", 1, NULL), -1, 0);
        peer_refuse(peer, ids[0], KD_BUSY, "Later.");
        ck_assert(!peer_read(peer));
}

START_TEST(test_loop)
{
        Seen seen[3] = { 0 };
        kd_pending *pending[3];
        Peer peer;
        kd_client *client = begin(&peer, 1, script_three, NULL);

        for (int i = 0; i < 3; ++i)
                ck_assert_int_eq(kd_start(client, "status", NULL, seen_done, &seen[i], &pending[i], NULL), 0);
        kd_pending_cancel(pending[1]);
        while (!seen[0].n || !seen[2].n) {
                struct pollfd item = { .fd = kd_fd(client), .events = kd_events(client) };

                ck_assert_int_ge(poll(&item, 1, -1), 0);
                ck_assert_int_eq(kd_process(client, NULL), 0);
        }
        ck_assert_int_eq(seen[0].code, KD_BUSY);
        ck_assert_int_eq(seen[2].number, 2);
        ck_assert(seen[0].n == 1 && seen[1].n == 0 && seen[2].n == 1);
        end(&peer, client);
}
END_TEST

/* Those that are under way when the client is closed are simply gone. */
START_TEST(test_closed_under_way)
{
        Seen seen = { 0 };
        kd_pending *pending;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_always_ends, NULL);

        ck_assert_int_eq(kd_start(client, "status", NULL, seen_done, &seen, &pending, NULL), 0);
        (void)kd_close(client);
        peer_join(&peer);
        ck_assert_int_eq(seen.n, 0);
}
END_TEST

/* 64 are under way, the rest wait in the library. */
static void script_many(Peer *peer, unsigned n)
{
        uint32_t ids[LIMIT_IN_FLIGHT];
        char more;

        peer_greet(peer);
        for (int i = 0; i < LIMIT_IN_FLIGHT; ++i) {
                peer_expect(peer, "status");
                ids[i] = peer->id;
        }
        ck_assert_uint_eq(peer->input.size, 0);
        ck_assert_int_eq(recv(peer->fd, &more, 1, MSG_DONTWAIT | MSG_PEEK), -1);
        for (int i = 0; i < LIMIT_IN_FLIGHT; ++i)
                peer_answer(peer, ids[i], kd_value_map(), -1, 0);
        for (int i = 0; i < 36; ++i) {
                peer_expect(peer, "status");
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        }
        ck_assert(!peer_read(peer));
}

START_TEST(test_in_flight)
{
        Seen seen = { 0 };
        kd_pending *pending;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_many, NULL);

        for (int i = 0; i < 100; ++i)
                ck_assert_int_eq(kd_start(client, "status", NULL, seen_done, &seen, &pending, NULL), 0);
        while (seen.n < 100) {
                struct pollfd item = { .fd = kd_fd(client), .events = kd_events(client) };

                ck_assert_int_ge(poll(&item, 1, -1), 0);
                ck_assert_int_eq(kd_process(client, NULL), 0);
        }
        end(&peer, client);
}
END_TEST

/* --- threads --- */

#define N_THREADS 4
#define N_ROUNDS 200

/* Answers in an order of its own; ends the connection in the midst of it. */
static void script_shuffle(Peer *peer, unsigned n)
{
        peer_greet(peer);
        for (unsigned i = 0; peer_read(peer); ++i) {
                uint32_t first = peer->id;
                kd_value *answers;

                ck_assert_str_eq(peer->method, "resolve");
                answers = peer_answers(peer);
                if (n == 0 && i == 99) {
                        (void)kd_value_free(answers);
                        return;
                }
                /* While input is there somebody waits: hold one answer back. */
                if (peer->input.size && peer_read(peer)) {
                        ck_assert_str_eq(peer->method, "resolve");
                        peer_answer(peer, peer->id, peer_answers(peer), -1, 3);
                }
                peer_answer(peer, first, answers, -1, 0);
        }
}

static void *thread_resolve(void *data)
{
        kd_client *client = data;

        for (int i = 0; i < N_ROUNDS; ++i) {
                char layer[32];
                kd_query query = { layer, "cuda", 90, "inference", NULL };
                kd_answers *answers;
                kd_error error;
                int r;

                (void)snprintf(layer, sizeof(layer), "layer-%lx-%d", (unsigned long)pthread_self(), i);
                r = kd_resolve(client, KD_VIEW_SESSION, &query, 1, 0, &answers, &error);
                ck_assert_msg(r == 0, "%s", r ? error.message : "");
                ck_assert_str_eq(kd_answers_get(answers, 0)->layer, layer);
                (void)kd_answers_free(answers);
        }
        return NULL;
}

START_TEST(test_threads)
{
        pthread_t threads[N_THREADS];
        Peer peer;
        kd_client *client = begin(&peer, 2, script_shuffle, NULL);

        for (int i = 0; i < N_THREADS; ++i)
                ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_resolve, client), 0);
        for (int i = 0; i < N_THREADS; ++i)
                ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
        end(&peer, client);
}
END_TEST

/* The thread that leads gives up: one that waits takes its place. */
typedef struct Followed {
        kd_client *client;
        pthread_barrier_t asked, left;
} Followed;

static void script_leader_leaves(Peer *peer, unsigned n)
{
        Followed *followed = peer->data;

        peer_greet(peer);
        peer_expect(peer, "status");
        pthread_barrier_wait(&followed->asked);
        peer_expect(peer, "clients");
        pthread_barrier_wait(&followed->left);
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

static void *thread_leads(void *data)
{
        Followed *followed = data;
        kd_value *result;
        int r = kd_call(followed->client, "status", NULL, &result, NULL);

        pthread_barrier_wait(&followed->left);
        return (void *)(intptr_t)r;
}

START_TEST(test_leader_leaves)
{
        Followed followed;
        pthread_t leader;
        Call *call;
        void *r;
        Peer peer;

        ck_assert_int_eq(pthread_barrier_init(&followed.asked, NULL, 2), 0);
        ck_assert_int_eq(pthread_barrier_init(&followed.left, NULL, 2), 0);
        followed.client = begin(&peer, 1, script_leader_leaves, &followed);
        followed.client->timeout_ms = 100;
        ck_assert_int_eq(pthread_create(&leader, NULL, thread_leads, &followed), 0);
        pthread_barrier_wait(&followed.asked);
        ck_assert_int_eq(call_new_value(followed.client, METHOD_CLIENTS, NULL, &call, NULL), 0);
        ck_assert_int_eq(client_lock(followed.client, NULL), 0);
        call_start(call);
        client_drive(followed.client, false);
        ck_assert_int_eq(call_await(&call, client_deadline(followed.client, 600000), NULL), 0);
        client_unlock(followed.client);
        (void)call_free(call);
        ck_assert_int_eq(pthread_join(leader, &r), 0);
        ck_assert_int_eq((intptr_t)r, -ETIMEDOUT);
        end(&peer, followed.client);
        pthread_barrier_destroy(&followed.asked);
        pthread_barrier_destroy(&followed.left);
}
END_TEST

static void script_status(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

static void status_done(void *data, int code, const kd_value *result, const kd_error *error)
{
        ++*(int *)data;
}

/* What a thread polls for is left to it. */
START_TEST(test_leader_reads)
{
        struct pollfd readable = { .events = POLLIN };
        kd_pending *pending;
        int n_done = 0;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_status, NULL);

        ck_assert_int_eq(kd_start(client, "status", NULL, status_done, &n_done, &pending, NULL), 0);
        readable.fd = kd_fd(client);
        ck_assert_int_eq(poll(&readable, 1, -1), 1);
        client->leading = true;
        ck_assert_int_eq(kd_process(client, NULL), 0);
        ck_assert_int_eq(n_done, 0);
        client->leading = false;
        ck_assert_int_eq(kd_process(client, NULL), 0);
        ck_assert_int_eq(n_done, 1);
        end(&peer, client);
}
END_TEST

/* --- who polls, and who is woken --- */

enum { N_STUCK = 3 << 20, N_FLOOD = 20000, N_FOLLOWERS = 2 };

/* A peer that reads only when told: `asked`: it has the leader's request and
 * reads no more; `go`: it goes on. */
typedef struct Stalled {
        kd_client *client;
        int n_followers;
        pthread_barrier_t asked, go, told;
        Seen seen;
} Stalled;

static void stalled_begin(Stalled *stalled, Peer *peer, PeerScript script)
{
        *stalled = (Stalled){ 0 };
        ck_assert_int_eq(pthread_barrier_init(&stalled->asked, NULL, 2), 0);
        ck_assert_int_eq(pthread_barrier_init(&stalled->go, NULL, 2), 0);
        ck_assert_int_eq(pthread_barrier_init(&stalled->told, NULL, 2), 0);
        stalled->client = begin(peer, 1, script, stalled);
}

static void stalled_end(Stalled *stalled, Peer *peer)
{
        end(peer, stalled->client);
        pthread_barrier_destroy(&stalled->asked);
        pthread_barrier_destroy(&stalled->go);
        pthread_barrier_destroy(&stalled->told);
}

static void *thread_call(kd_client *client, const char *method)
{
        kd_value *result = NULL;
        int r = kd_call(client, method, NULL, &result, NULL);

        (void)kd_value_free(result);
        return (void *)(intptr_t)r;
}

static void *thread_status(void *data)
{
        return thread_call(data, "status");
}

static void *thread_clients(void *data)
{
        return thread_call(data, "clients");
}

static void expect_good(pthread_t thread)
{
        void *r;

        ck_assert_int_eq(pthread_join(thread, &r), 0);
        ck_assert_int_eq((intptr_t)r, 0);
}

/* Until so many calls are listed and a thread leads: as the lock is free, each
 * that started one waits. */
static void await_listed(kd_client *client, size_t n)
{
        size_t listed;
        bool leading;

        do {
                (void)sched_yield();
                ck_assert_int_eq(client_lock(client, NULL), 0);
                listed = 0;
                for (const Call *call = client->calls.flight.first; call; call = call->next)
                        ++listed;
                for (const Call *call = client->calls.waiting.first; call; call = call->next)
                        ++listed;
                leading = client->leading;
                client_unlock(client);
        } while (listed < n || !leading);
}

/* A request that does not fit into the socket. */
static void start_stuck(Stalled *stalled)
{
        kd_value *params = kd_value_map();
        kd_pending *pending;
        char *bytes = malloc(N_STUCK);

        ck_assert_ptr_nonnull(bytes);
        memset(bytes, 'x', N_STUCK);
        ck_assert_int_eq(kd_value_set(params, "large", kd_value_binary(bytes, N_STUCK)), 0);
        free(bytes);
        ck_assert_int_eq(kd_start(stalled->client, "explain", params, seen_done, &stalled->seen, &pending, NULL), 0);
        (void)kd_value_free(params);
        ck_assert_int_eq(client_lock(stalled->client, NULL), 0);
        ck_assert(connection_has_output(&stalled->client->connection));
        client_unlock(stalled->client);
}

/* Bytes to send appear while a thread polls for input alone. */
static void script_room(Peer *peer, unsigned n)
{
        Stalled *stalled = peer->data;
        uint32_t first;

        peer_greet(peer);
        peer_expect(peer, "status");
        first = peer->id;
        pthread_barrier_wait(&stalled->asked);
        pthread_barrier_wait(&stalled->go);
        peer_expect(peer, "explain");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        peer_answer(peer, first, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_room_for_leader)
{
        Stalled stalled;
        pthread_t leader;
        Peer peer;

        stalled_begin(&stalled, &peer, script_room);
        ck_assert_int_eq(pthread_create(&leader, NULL, thread_status, stalled.client), 0);
        pthread_barrier_wait(&stalled.asked);
        await_listed(stalled.client, 1);
        start_stuck(&stalled);
        pthread_barrier_wait(&stalled.go);
        expect_good(leader);
        ck_assert_int_eq(stalled.seen.n, 1);
        stalled_end(&stalled, &peer);
}
END_TEST

/* The leader's call ends first, while others wait behind what does not fit; and
 * the peer reads on only once what it says is read. */
static void script_hold_back(Peer *peer, unsigned n)
{
        Stalled *stalled = peer->data;
        uint32_t ids[N_FOLLOWERS];

        peer_greet(peer);
        peer_expect(peer, "status");
        pthread_barrier_wait(&stalled->asked);
        pthread_barrier_wait(&stalled->go);
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        pthread_barrier_wait(&stalled->told);
        for (int i = 0; i < N_FLOOD; ++i)
                peer_notify(peer, "news", kd_value_map());
        peer_expect(peer, "explain");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        for (int i = 0; i < stalled->n_followers; ++i) {
                peer_expect(peer, "clients");
                ids[i] = peer->id;
        }
        for (int i = stalled->n_followers; i-- > 0;)
                peer_answer(peer, ids[i], kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_leader_ends_first)
{
        pthread_t leader, followers[N_FOLLOWERS];
        Stalled stalled;
        Peer peer;

        stalled_begin(&stalled, &peer, script_hold_back);
        for (stalled.n_followers = 1; stalled.n_followers <= N_FOLLOWERS; ++stalled.n_followers) {
                if (stalled.n_followers > 1)
                        stalled.client = begin(&peer, 1, script_hold_back, &stalled);
                ck_assert_int_eq(pthread_create(&leader, NULL, thread_status, stalled.client), 0);
                pthread_barrier_wait(&stalled.asked);
                await_listed(stalled.client, 1);
                start_stuck(&stalled);
                for (int i = 0; i < stalled.n_followers; ++i)
                        ck_assert_int_eq(pthread_create(&followers[i], NULL, thread_clients, stalled.client), 0);
                await_listed(stalled.client, 2 + (size_t)stalled.n_followers);
                pthread_barrier_wait(&stalled.go);
                expect_good(leader);
                pthread_barrier_wait(&stalled.told);
                for (int i = 0; i < stalled.n_followers; ++i)
                        expect_good(followers[i]);
                if (stalled.n_followers < N_FOLLOWERS)
                        end(&peer, stalled.client);
        }
        ck_assert_int_eq(stalled.seen.n, N_FOLLOWERS);
        stalled_end(&stalled, &peer);
}
END_TEST

/* What the leader reads for the program's loop is told at once, not when its
 * own call ends. */
static void told_done(void *data, int code, const kd_value *result, const kd_error *error)
{
        Stalled *stalled = data;

        pthread_barrier_wait(&stalled->told);
}

static void script_told(Peer *peer, unsigned n)
{
        Stalled *stalled = peer->data;
        uint32_t first;

        peer_greet(peer);
        peer_expect(peer, "status");
        first = peer->id;
        pthread_barrier_wait(&stalled->asked);
        peer_expect(peer, "clients");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        pthread_barrier_wait(&stalled->told);
        peer_answer(peer, first, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_leader_tells)
{
        kd_pending *pending;
        Stalled stalled;
        pthread_t leader;
        Peer peer;

        stalled_begin(&stalled, &peer, script_told);
        ck_assert_int_eq(pthread_create(&leader, NULL, thread_status, stalled.client), 0);
        pthread_barrier_wait(&stalled.asked);
        await_listed(stalled.client, 1);
        ck_assert_int_eq(kd_start(stalled.client, "clients", NULL, told_done, &stalled, &pending, NULL), 0);
        expect_good(leader);
        stalled_end(&stalled, &peer);
}
END_TEST

/* A connection that ended while a thread leads is polled as ended by the
 * program's loop, which otherwise would wait for nothing. */
START_TEST(test_broken_is_polled)
{
        struct pollfd item = { .events = POLLIN };
        Peer peer;
        kd_client *client = begin(&peer, 1, script_greet, NULL);

        ck_assert_int_eq(client_lock(client, NULL), 0);
        client->leading = true;
        session_lost(client, -ECONNRESET);
        client_unlock(client);
        item.fd = kd_fd(client);
        ck_assert_int_ge(item.fd, 0);
        ck_assert_int_eq(poll(&item, 1, -1), 1);
        ck_assert_int_eq(kd_process(client, NULL), 0);
        ck_assert_int_eq(kd_fd(client), item.fd);
        client->leading = false;
        ck_assert_int_eq(kd_process(client, NULL), 0);
        ck_assert_int_eq(kd_fd(client), -1);
        end(&peer, client);
}
END_TEST

/* An unexpected descriptor ends the connection; the census sees it closed. */
static void script_stray_descriptor(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), n == 0 ? 0 : -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_stray_descriptor)
{
        kd_value *result;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_stray_descriptor, NULL);

        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        end(&peer, client);
}
END_TEST

/* --- resolve in parts --- */

static void script_parts(Peer *peer, unsigned n)
{
        static const size_t sizes[] = { 1024, 512, 512, 6 };

        peer_greet(peer);
        for (size_t i = 0; i < ARRAY_SIZE(sizes); ++i) {
                peer_expect(peer, "resolve");
                ck_assert_uint_eq(kd_value_count(kd_value_get(peer->params, "queries")), sizes[i]);
                if (i == 0)
                        peer_refuse(peer, peer->id, KD_TOO_LARGE, "600 fit.");
                else
                        peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
        }
        ck_assert(!peer_read(peer));
}

START_TEST(test_resolve_parts)
{
        enum { N = 1030 };
        static kd_query queries[N];
        static char names[N][16];
        kd_answers *answers;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_parts, NULL);

        for (int i = 0; i < N; ++i) {
                (void)snprintf(names[i], sizeof(names[i]), "layer-%d", i);
                queries[i] = (kd_query){ names[i], "cuda", 90, "inference", NULL };
        }
        ck_assert_int_eq(kd_resolve(client, KD_VIEW_HOST, queries, N, 0, &answers, NULL), 0);
        ck_assert_uint_eq(kd_answers_count(answers), N);
        ck_assert_uint_eq(kd_answers_generation(answers), 7);
        for (int i = 0; i < N; ++i)
                ck_assert_str_eq(kd_answers_get(answers, (size_t)i)->layer, names[i]);
        ck_assert_int_eq(kd_answers_get(answers, 0)->version, -1);
        ck_assert_ptr_null(kd_answers_get(answers, N));
        (void)kd_answers_free(answers);
        end(&peer, client);
}
END_TEST

FIXTURE_MAIN("client/call", test_value_and_error, test_not_by_name, test_incomplete, test_repeated, test_repeated_once,
             test_idle_end, test_not_idempotent, test_next_refuses, test_loop, test_closed_under_way, test_in_flight,
             test_threads, test_leader_leaves, test_leader_reads, test_room_for_leader,
             test_leader_ends_first, test_leader_tells, test_broken_is_polled, test_stray_descriptor, test_resolve_parts)
