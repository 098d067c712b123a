/* Many acquires at the same time: their order, sums of progress, giving up,
 * connections that end, memory that runs out. */
#include "client/acquire.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

enum { MANY = 150, FEW = 3, AT_ONCE = LIMIT_IN_FLIGHT - CALL_SPARE };

static kd_acquisition items[MANY];
static char names[MANY][16];

static kd_client *connect_to(Peer *peer)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client;

        for (size_t i = 0; i < MANY; ++i) {
                (void)snprintf(names[i], sizeof(names[i]), "layer%zu", i);
                items[i] = (kd_acquisition){ .query = { names[i], "cpu", -1, "inference", NULL }, .error.code = 99 };
        }
        options.socket = peer->path;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        return client;
}

static kd_client *begin(Peer *peer, unsigned n, PeerScript script)
{
        peer_start(peer, fixture_folder(), n, script, NULL);
        return connect_to(peer);
}

static void end(Peer *peer, kd_client *client)
{
        for (size_t i = 0; i < MANY; ++i)
                items[i].kernel = kd_kernel_free(items[i].kernel);
        (void)kd_close(client);
        peer_join(peer);
}

/* The layer of the acquire that was read last. */
static const char *asked_layer(Peer *peer)
{
        return kd_value_as_string(kd_value_get(kd_value_get(peer->params, "query"), "layer"), NULL);
}

/* Answers as the layer's number says: 0 to MANY - 1 is the lease. */
static void answer(Peer *peer, uint32_t id, int number)
{
        char repo[24];

        (void)snprintf(repo, sizeof(repo), "o/n%d", number);
        peer_lease(peer, id, peer_kernel(names[number], "inference", repo, "/usr", number), "/usr");
}

/* --- more than may be under way --- */

static void script_many(Peer *peer, unsigned n)
{
        struct pollfd readable = { .fd = peer->fd, .events = POLLIN };
        uint32_t ids[AT_ONCE];

        peer_greet(peer);
        for (int first = 0; first < MANY; first += AT_ONCE) {
                int n_part = MANY - first < AT_ONCE ? MANY - first : AT_ONCE;

                for (int i = 0; i < n_part; ++i) {
                        peer_expect(peer, "acquire");
                        ck_assert_str_eq(asked_layer(peer), names[first + i]);
                        ck_assert_int_eq(peer_integer(peer, "deadline_ms"), 1234);
                        ids[i] = peer->id;
                }
                /* No more than may be under way: neither read yet nor to be read. */
                ck_assert(!peer->input.size && poll(&readable, 1, 0) == 0);
                /* The last one first: as it is answered, the next would be sent. */
                for (int i = n_part; i-- > 0;) {
                        if ((first + i) % 3 == 1)
                                peer_refuse(peer, ids[i], KD_NO_VARIANT, "None fits.");
                        else
                                answer(peer, ids[i], first + i);
                }
        }
        for (int i = 0; i <= MANY - MANY / 3; ++i) {
                peer_expect(peer, i < MANY - MANY / 3 ? "release" : "status");
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        }
        ck_assert(!peer_read(peer));
}

START_TEST(test_many)
{
        kd_error error = { 0 };
        kd_value *result;
        char repo[24];
        Peer peer;
        kd_client *client = begin(&peer, 1, script_many);

        ck_assert_msg(!kd_acquire_all(client, KD_VIEW_SESSION, items, MANY, 1234, NULL, NULL, &error), "%s", error.message);
        for (int i = 0; i < MANY; ++i) {
                if (i % 3 == 1) {
                        ck_assert(!items[i].kernel && items[i].error.code == KD_NO_VARIANT);
                        ck_assert_str_eq(items[i].error.message, "None fits.");
                        continue;
                }
                (void)snprintf(repo, sizeof(repo), "o/n%d", i);
                ck_assert(items[i].kernel && items[i].error.code == 0);
                ck_assert_str_eq(kd_kernel_answer(items[i].kernel)->repo, repo);
                items[i].kernel = kd_kernel_free(items[i].kernel);
        }
        /* Behind all releases, of which no more are under way at once either. */
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        end(&peer, client);
}
END_TEST

/* --- other calls do not wait behind acquires --- */

static void script_other(Peer *peer, unsigned n)
{
        uint32_t ids[AT_ONCE];

        peer_greet(peer);
        for (int i = 0; i < AT_ONCE; ++i) {
                peer_expect(peer, "acquire");
                ids[i] = peer->id;
        }
        peer_notify(peer, "progress", peer_map("#id", (int)ids[0], "#files", 1, "#bytes", 1, NULL));
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        for (int i = 0; i < AT_ONCE; ++i)
                peer_refuse(peer, ids[i], KD_OFFLINE, "No Hub.");
        for (int i = AT_ONCE; i < MANY; ++i) {
                peer_expect(peer, "acquire");
                ck_assert_str_eq(asked_layer(peer), names[i]);
                peer_refuse(peer, peer->id, KD_OFFLINE, "No Hub.");
        }
        ck_assert(!peer_read(peer));
}

static int progress_asks(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        kd_value *result;

        ck_assert_int_eq(kd_call(data, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        return 0;
}

START_TEST(test_other)
{
        Peer peer;
        kd_client *client = begin(&peer, 1, script_other);

        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, MANY, 0, progress_asks, client, NULL), 0);
        for (int i = 0; i < MANY; ++i)
                ck_assert_int_eq(items[i].error.code, KD_OFFLINE);
        end(&peer, client);
}
END_TEST

/* --- what fails as a whole --- */

static void script_nothing(Peer *peer, unsigned n)
{
        peer_greet(peer);
        ck_assert(!peer_read(peer));
}

START_TEST(test_refused)
{
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_nothing);

        ck_assert_int_eq(kd_acquire_all(client, 77, items, FEW, 0, NULL, NULL, &error), KD_BAD_REQUEST);
        ck_assert_ptr_nonnull(strstr(error.message, "view 77"));
        items[2].flags = 8;
        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, NULL, NULL, &error), -EINVAL);
        items[1].query.layer = NULL;
        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, NULL, NULL, &error), KD_BAD_REQUEST);
        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, 0, 0, NULL, NULL, &error), 0);
        ck_assert_int_eq(items[0].error.code, 99);
        end(&peer, client);
}
END_TEST

/* --- progress, and giving up --- */

static void notify(Peer *peer, uint32_t id, int files, int files_total)
{
        kd_value *progress = peer_map("#id", (int)id, "#files", files, "#bytes", files * 100, "#bytes_total", 500, NULL);

        ck_assert_int_eq(kd_value_set(progress, "files_total",
                                      files_total < 0 ? kd_value_nil() : kd_value_integer(files_total)), 0);
        peer_notify(peer, "progress", progress);
}

static void read_few(Peer *peer, uint32_t ids[FEW])
{
        peer_greet(peer);
        for (int i = 0; i < FEW; ++i) {
                peer_expect(peer, "acquire");
                ids[i] = peer->id;
        }
}

/* One is served, one never answered, one is answered too late. */
static void script_given_up(Peer *peer, unsigned n)
{
        uint32_t ids[FEW];
        bool cancelled[FEW] = { false };

        read_few(peer, ids);
        notify(peer, ids[0], 1, 4);
        answer(peer, ids[0], 0);
        notify(peer, ids[1], 10, -1);
        notify(peer, ids[2], 30, 32);
        for (int i = 0; i < 2; ++i) {
                peer_expect(peer, "cancel");
                for (int k = 0; k < FEW; ++k)
                        cancelled[k] = cancelled[k] || peer_integer(peer, "id") == ids[k];
        }
        ck_assert(!cancelled[0] && cancelled[1] && cancelled[2]);
        peer_expect(peer, "release");
        ck_assert_int_eq(peer_integer(peer, "lease"), 0);
        answer(peer, ids[2], 2);
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        peer_expect(peer, "release");
        ck_assert_int_eq(peer_integer(peer, "lease"), 2);
        ck_assert(!peer_read(peer));
}

/* Until all three have been told of. */
static int progress_sum(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        ++*(int *)data;
        ck_assert_int_eq(bytes, files * 100);
        if (files == 1)
                ck_assert(files_total == 4 && bytes_total == 500);
        if (files > 1)
                ck_assert_int_eq(files_total, -1);
        if (files < 41)
                return 0;
        ck_assert(files == 41 && bytes_total == 1500);
        return 1;
}

START_TEST(test_given_up)
{
        kd_value *result;
        kd_error error;
        int n_told = 0;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_given_up);

        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, progress_sum, &n_told, &error), KD_CANCELLED);
        ck_assert(n_told >= 1 && n_told <= 3);
        for (int i = 0; i < FEW; ++i)
                ck_assert(!items[i].kernel && items[i].error.code == 99);
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        end(&peer, client);
}
END_TEST

/* A clock that stands still for some looks at it, then goes on. */
static int64_t slow_ms, n_looks;

static int64_t slow_clock(void)
{
        if (++n_looks > 4)
                slow_ms = 1000 + LIMIT_PROGRESS_MS;
        return slow_ms;
}

/* Something new is there as soon as the caller has been told something. */
static void script_hasty(Peer *peer, unsigned n)
{
        uint32_t ids[FEW];

        read_few(peer, ids);
        for (int i = 1; i <= 2; ++i) {
                notify(peer, ids[i], 1, 20);
                if (i == 2)
                        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
                peer_expect(peer, "status");
        }
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        for (int i = 0; i < FEW; ++i)
                answer(peer, ids[i], i);
        while (peer_read(peer))
                ck_assert_str_eq(peer->method, "release");
}

static int64_t told_ms[2];
static int n_told;

static int progress_hasty(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        kd_value *result;

        ck_assert_int_lt(n_told, 2);
        told_ms[n_told++] = slow_ms;
        ck_assert_int_eq(files, n_told);
        ck_assert_int_eq(kd_call(data, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        slow_ms = 1000;
        n_looks = 0;
        return 0;
}

START_TEST(test_hasty)
{
        Peer peer;
        kd_client *client = begin(&peer, 1, script_hasty);

        slow_ms = 1000;
        n_looks = -1000;
        client->clock_ms = slow_clock;
        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, progress_hasty, client, NULL), 0);
        ck_assert(n_told == 2 && told_ms[0] == 1000 && told_ms[1] == 1000 + LIMIT_PROGRESS_MS);
        end(&peer, client);
}
END_TEST

/* --- a caller with something else to do --- */

typedef struct Interrupted {
        pthread_t waiter;
        bool told; /* atomic */
} Interrupted;

static void on_signal(int number)
{
}

/* Signals again and again: one may come before the waiter polls. */
static void script_signal(Peer *peer, unsigned n)
{
        Interrupted *interrupted = peer->data;
        uint32_t ids[FEW];

        read_few(peer, ids);
        while (!__atomic_load_n(&interrupted->told, __ATOMIC_ACQUIRE)) {
                ck_assert_int_eq(pthread_kill(interrupted->waiter, SIGUSR1), 0);
                (void)sched_yield();
        }
        for (int i = 0; i < FEW; ++i)
                peer_expect(peer, "cancel");
        ck_assert(!peer_read(peer));
}

static int progress_give_up(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        Interrupted *interrupted = data;

        ck_assert(files == 0 && files_total == -1 && bytes == 0 && bytes_total == -1);
        __atomic_store_n(&interrupted->told, true, __ATOMIC_RELEASE);
        return 1;
}

static int64_t still_clock(void)
{
        return 1000;
}

/* Time stands still, so that it is the signal that ends the wait. */
START_TEST(test_signal)
{
        Interrupted interrupted = { .waiter = pthread_self() };
        struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
        kd_client *client;
        Peer peer;

        ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
        peer_start(&peer, fixture_folder(), 1, script_signal, &interrupted);
        client = connect_to(&peer);
        client->clock_ms = still_clock;
        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, progress_give_up, &interrupted, NULL),
                         KD_CANCELLED);
        ck_assert(interrupted.told);
        end(&peer, client);
}
END_TEST

static void script_cancelled(Peer *peer, unsigned n)
{
        uint32_t ids[FEW];

        read_few(peer, ids);
        for (int i = 0; i < FEW; ++i)
                peer_expect(peer, "cancel");
        ck_assert(!peer_read(peer));
}

/* Nothing happens at all; but time passes. */
START_TEST(test_idle)
{
        Interrupted interrupted = { 0 };
        Peer peer;
        kd_client *client = begin(&peer, 1, script_cancelled);

        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, progress_give_up, &interrupted, NULL),
                         KD_CANCELLED);
        ck_assert(interrupted.told);
        end(&peer, client);
}
END_TEST

/* --- a fork while the caller is told --- */

static void script_forked(Peer *peer, unsigned n)
{
        uint32_t ids[FEW];

        read_few(peer, ids);
        notify(peer, ids[0], 1, 20);
        peer_expect(peer, "status"); /* when the child has ended */
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        for (int i = 0; i < FEW; ++i)
                answer(peer, ids[i], i);
        while (peer_read(peer))
                ck_assert_str_eq(peer->method, "release");
}

typedef struct Forked {
        kd_client *client;
        pid_t child; /* 0: this is it; -1: not forked yet */
} Forked;

static int progress_forks(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        Forked *forked = data;
        kd_value *result;
        int status;

        if (forked->child > 0)
                return 0;
        forked->child = fork();
        ck_assert_int_ge(forked->child, 0);
        if (!forked->child)
                return 0;
        ck_assert_int_eq(waitpid(forked->child, &status, 0), forked->child);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(kd_call(forked->client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        return 0;
}

START_TEST(test_forked)
{
        Forked forked = { .child = -1 };
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_forked);
        int r;

        forked.client = client;
        r = kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, progress_forks, &forked, &error);
        if (!forked.child)
                _exit(r == -ECANCELED && strstr(error.message, "forked") ? 0 : 1);
        ck_assert_int_eq(r, 0);
        for (int i = 0; i < FEW; ++i)
                ck_assert(items[i].kernel && items[i].error.code == 0);
        end(&peer, client);
}
END_TEST

/* --- too late --- */

static int64_t fake_ms;

static int64_t fake_clock(void)
{
        return fake_ms += 1000000; /* every look is later than any deadline */
}

START_TEST(test_timeout)
{
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_cancelled);

        client->clock_ms = fake_clock;
        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 1, NULL, NULL, &error), -ETIMEDOUT);
        ck_assert_str_eq(error.name, "unreachable");
        end(&peer, client);
}
END_TEST

/* --- connections that end --- */

/* One is answered, then the connection ends: the others are asked for again. */
static void script_lost(Peer *peer, unsigned n)
{
        uint32_t ids[FEW];

        if (n == 0) {
                read_few(peer, ids);
                answer(peer, ids[1], 1);
                return;
        }
        peer_greet(peer);
        for (int i = 0; i < FEW; i += 2) {
                peer_expect(peer, "acquire");
                ck_assert_str_eq(asked_layer(peer), names[i]);
                answer(peer, peer->id, i);
        }
        for (int i = 0; i < FEW; i += 2) {
                peer_expect(peer, "release");
                ck_assert_int_eq(peer_integer(peer, "lease"), i);
        }
        ck_assert(!peer_read(peer));
}

START_TEST(test_lost)
{
        kd_error error = { 0 };
        Peer peer;
        kd_client *client = begin(&peer, 2, script_lost);

        ck_assert_msg(!kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, NULL, NULL, &error), "%s", error.message);
        for (int i = 0; i < FEW; ++i)
                ck_assert_str_eq(kd_kernel_answer(items[i].kernel)->layer, names[i]);
        end(&peer, client);
}
END_TEST

static void script_lost_twice(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "acquire");
        answer(peer, peer->id, n == 0 ? 0 : 1);
        peer_expect(peer, "acquire");
        if (n == 0)
                peer_expect(peer, "acquire");
}

START_TEST(test_lost_twice)
{
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_lost_twice);

        ck_assert_int_eq(kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, NULL, NULL, &error), -ECONNRESET);
        for (int i = 0; i < FEW; ++i)
                ck_assert(!items[i].kernel && items[i].error.code == 99);
        end(&peer, client);
}
END_TEST

/* --- without memory --- */

/* Answers whatever comes. */
static void script_any(Peer *peer, unsigned n)
{
        int number;

        while (peer_read(peer)) {
                if (!strcmp(peer->method, "hello")) {
                        peer_greet_read(peer);
                } else if (!strcmp(peer->method, "acquire")) {
                        ck_assert_int_eq(sscanf(asked_layer(peer), "layer%d", &number), 1);
                        answer(peer, peer->id, number);
                } else {
                        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
                }
        }
}

static int acquire_few(kd_client *client)
{
        kd_error error = { 0 };
        int r = kd_acquire_all(client, KD_VIEW_SESSION, items, FEW, 0, NULL, NULL, &error);

        ck_assert_int_eq(error.code, r);
        for (int i = 0; i < FEW; ++i) {
                ck_assert(!items[i].kernel == !!r);
                items[i].kernel = kd_kernel_free(items[i].kernel);
        }
        return r;
}

START_TEST(test_memory)
{
        kd_client *client;
        Peer peer;

        peer_start_process(&peer, fixture_folder(), script_any, NULL);
        client = connect_to(&peer);
        ck_assert_int_eq(acquire_few(client), 0);
        FIXTURE_TORTURE(acquire_few(client));
        ck_assert_int_eq(acquire_few(client), 0);
        end(&peer, client);
}
END_TEST

FIXTURE_MAIN("client/acquire_wait", test_many, test_other, test_refused, test_given_up, test_hasty, test_signal, test_idle, test_forked,
             test_timeout, test_lost, test_lost_twice, test_memory)
