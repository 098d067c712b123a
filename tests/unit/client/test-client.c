/* kd_connect and what goes wrong with it. */
#include "client/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

static int connect_to(Peer *peer, kd_client **ret_client, kd_error *error)
{
        kd_options options = KD_OPTIONS_INIT;

        options.socket = peer->path;
        return kd_connect(&options, ret_client, error);
}

static void script_greet(Peer *peer, unsigned n)
{
        peer_greet(peer);
        ck_assert_str_eq(peer_text(peer, "client"), "libkernelsd " KERNELSD_VERSION);
        ck_assert_str_eq(kd_value_as_string(kd_value_get(kd_value_get(peer->params, "environment"), "os"), NULL),
                         "linux");
        ck_assert(!peer_read(peer));
}

START_TEST(test_connect)
{
        kd_client *client;
        Peer peer;

        peer_start(&peer, fixture_folder(), 1, script_greet, NULL);
        ck_assert_int_eq(connect_to(&peer, &client, NULL), 0);
        ck_assert_str_eq(kd_daemon_version(client), "fake 1");
        ck_assert_int_ge(kd_fd(client), 0);
        ck_assert_ptr_null(kd_close(client));
        peer_join(&peer);
}
END_TEST

START_TEST(test_nobody)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client = NULL;
        kd_error error;

        options.socket = "/nowhere/kernelsd.sock";
        ck_assert_int_eq(kd_connect(&options, &client, &error), -ENOENT);
        ck_assert_ptr_null(client);
        ck_assert_str_eq(error.name, "unreachable");
        ck_assert(error.retry && error.code == -ENOENT);
        ck_assert_ptr_nonnull(strstr(error.message, "/nowhere/kernelsd.sock"));
        ck_assert_int_eq(kd_connect(&options, &client, NULL), -ENOENT);
}
END_TEST

static void script_other_protocol(Peer *peer, unsigned n)
{
        kd_value *result;

        peer_expect(peer, "hello");
        if (n) {
                peer_refuse(peer, peer->id, KD_PROTOCOL, "This daemon speaks protocol 2.");
                return;
        }
        result = peer_map("#protocol", 2, "daemon", "fake 2", "#uid", 0, "instance", "i", "#session", 1, "#generation",
                          1, NULL);
        ck_assert_int_eq(kd_value_set(result, "features", kd_value_list()), 0);
        peer_answer(peer, peer->id, result, -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_other_protocol)
{
        kd_client *client;
        kd_error error;
        Peer peer;

        peer_start(&peer, fixture_folder(), 2, script_other_protocol, NULL);
        ck_assert_int_eq(connect_to(&peer, &client, &error), KD_PROTOCOL);
        ck_assert_ptr_nonnull(strstr(error.message, "install the same version"));
        ck_assert_int_eq(connect_to(&peer, &client, &error), KD_PROTOCOL);
        ck_assert_str_eq(error.message, "This daemon speaks protocol 2.");
        peer_join(&peer);
}
END_TEST

/* Told before hello was read, under an id of the daemon's. */
static void script_turned_away(Peer *peer, unsigned n)
{
        if (n == 0)
                peer_refuse(peer, 0xffffffff, KD_LIMIT, "Too many sessions.");
        (void)shutdown(peer->fd, SHUT_WR);
        while (peer_read(peer))
                ;
}

START_TEST(test_turned_away)
{
        kd_client *client;
        kd_error error;
        Peer peer;

        peer_start(&peer, fixture_folder(), 2, script_turned_away, NULL);
        ck_assert_int_eq(connect_to(&peer, &client, &error), KD_LIMIT);
        ck_assert_str_eq(error.message, "Too many sessions.");
        ck_assert_int_eq(connect_to(&peer, &client, &error), -ECONNRESET);
        ck_assert_str_eq(error.name, "unreachable");
        peer_join(&peer);
}
END_TEST

static void script_garbage(Peer *peer, unsigned n)
{
        static const char *const garbage[] = { "HTTP/1.1 400 Bad Request\r\n\r\n", "\1\0\0\0\0\0\0\0\xc1",
                                               "\1\0\0\0\1\0\0\0\xc0", "\4\0\0\0\0\0\0\0\x94\1\7\xc0" };
        static const size_t sizes[] = { 28, 9, 9, 12 };

        peer_expect(peer, "hello");
        peer_send(peer, garbage[n], sizes[n]);
        ck_assert(!peer_read(peer));
}

START_TEST(test_garbage)
{
        kd_client *client;
        kd_error error;
        Peer peer;

        peer_start(&peer, fixture_folder(), 4, script_garbage, NULL);
        for (int i = 0; i < 4; ++i) {
                ck_assert_int_eq(connect_to(&peer, &client, &error), -EBADMSG);
                ck_assert_str_eq(error.name, "unreachable");
        }
        peer_join(&peer);
}
END_TEST

static int64_t fake_ms;

static int64_t fake_clock(void)
{
        return fake_ms;
}

/* The deadline is over at once; the late answer is swallowed, the next call's
 * is not mistaken for it. */
static void script_late(Peer *peer, unsigned n)
{
        uint32_t first;

        peer_greet(peer);
        peer_expect(peer, "status");
        first = peer->id;
        peer_expect(peer, "clients");
        peer_answer(peer, first, peer_map("#which", 1, NULL), -1, 0);
        peer_answer(peer, peer->id, peer_map("#which", 2, NULL), -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_timeout)
{
        kd_value *result = NULL;
        kd_client *client;
        kd_error error;
        Peer peer;

        peer_start(&peer, fixture_folder(), 1, script_late, NULL);
        ck_assert_int_eq(connect_to(&peer, &client, NULL), 0);
        client->clock_ms = fake_clock;
        client->timeout_ms = 0;
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, &error), -ETIMEDOUT);
        ck_assert_str_eq(error.name, "unreachable");
        ck_assert_ptr_nonnull(strstr(error.message, "status"));
        ck_assert_ptr_null(result);
        client->timeout_ms = 1000000;
        ck_assert_int_eq(kd_call(client, "clients", NULL, &result, &error), 0);
        ck_assert_int_eq(kd_value_as_integer(kd_value_get(result, "which"), 0), 2);
        (void)kd_value_free(result);
        (void)kd_close(client);
        peer_join(&peer);
}
END_TEST

static void script_environment(Peer *peer, unsigned n)
{
        const kd_value *environment;

        peer_greet(peer);
        environment = kd_value_get(peer->params, "environment");
        if (n == 0) {
                ck_assert_int_eq(kd_value_kind(kd_value_get(environment, "torch")), KD_NIL);
                peer_expect(peer, "environment.set");
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
                return;
        }
        ck_assert_str_eq(kd_value_as_string(kd_value_get(environment, "torch"), NULL), "2.7");
        ck_assert(kd_value_as_bool(kd_value_get(environment, "cxx11_abi")));
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

/* What was set last is said in the hello of the next connection. */
START_TEST(test_environment)
{
        kd_environment environment = KD_ENVIRONMENT_INIT;
        kd_value *result;
        kd_client *client;
        Peer peer;

        peer_start(&peer, fixture_folder(), 2, script_environment, NULL);
        ck_assert_int_eq(connect_to(&peer, &client, NULL), 0);
        environment.torch = "2.7";
        environment.cxx11_abi = 1;
        ck_assert_int_eq(kd_set_environment(client, &environment, NULL), 0);
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        (void)kd_close(client);
        peer_join(&peer);
}
END_TEST

/* A method with a deadline of its own waits for that, not for timeout_ms alone. */
static void script_patience(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "versions");
        ck_assert_int_eq(peer_integer(peer, "deadline_ms"), 0);
        peer_expect(peer, "versions");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_patience)
{
        kd_value *result, *params = peer_map("repo", "o/n", "#deadline_ms", 0, NULL);
        kd_client *client;
        Peer peer;

        peer_start(&peer, fixture_folder(), 1, script_patience, NULL);
        ck_assert_int_eq(connect_to(&peer, &client, NULL), 0);
        client->clock_ms = fake_clock;
        client->timeout_ms = 0;
        ck_assert_int_eq(kd_call(client, "versions", params, &result, NULL), -ETIMEDOUT);
        ck_assert_int_eq(kd_value_set(params, "deadline_ms", kd_value_nil()), 0);
        ck_assert_int_eq(kd_call(client, "versions", params, &result, NULL), 0);
        (void)kd_value_free(result);
        (void)kd_value_free(params);
        (void)kd_close(client);
        peer_join(&peer);
}
END_TEST

/* Said again by every connection. */
static void script_job(Peer *peer, unsigned n)
{
        peer_greet(peer);
        ck_assert_str_eq(peer_text(peer, "job"), "training 7");
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "offline")));
        peer_expect(peer, "status");
        if (n == 0)
                return;
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_job)
{
        kd_options options = KD_OPTIONS_INIT;
        char job[] = "training 7";
        kd_value *result;
        kd_client *client;
        Peer peer;

        peer_start(&peer, fixture_folder(), 2, script_job, NULL);
        options.socket = peer.path;
        options.job = job;
        options.offline = 1;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        job[0] = 0; /* it was copied */
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        (void)kd_close(client);
        peer_join(&peer);
}
END_TEST

static void script_offline(Peer *peer, unsigned n)
{
        static const bool expected[] = { false, true, false };

        peer_greet(peer);
        ck_assert_int_eq(kd_value_as_bool(kd_value_get(peer->params, "offline")), expected[n]);
        ck_assert_ptr_null(peer_text(peer, "job"));
        ck_assert(!peer_read(peer));
}

/* The options go before the environment variable. */
START_TEST(test_offline)
{
        static const struct { const char *variable; int option; } cases[] = { { "0", -1 }, { "YES", -1 }, { "YES", 0 } };
        kd_client *client;
        Peer peer;

        peer_start(&peer, fixture_folder(), 3, script_offline, NULL);
        for (size_t i = 0; i < ARRAY_SIZE(cases); ++i) {
                kd_options options = KD_OPTIONS_INIT;

                ck_assert_int_eq(setenv("HF_HUB_OFFLINE", cases[i].variable, 1), 0);
                ck_assert_int_eq(options.offline, -1);
                options.offline = cases[i].option;
                options.socket = peer.path;
                ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
                (void)kd_close(client);
        }
        peer_join(&peer);
}
END_TEST

/* Without descriptors there is nothing to be woken by: no client. */
START_TEST(test_no_descriptors)
{
        struct rlimit before, none;
        kd_client *client;
        kd_error error;
        Peer peer;

        peer_start(&peer, fixture_folder(), 0, script_greet, NULL);
        ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
        none = (struct rlimit){ .rlim_cur = 0, .rlim_max = before.rlim_max };
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
        ck_assert_int_eq(connect_to(&peer, &client, &error), -EMFILE);
        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
        ck_assert_str_eq(error.name, "EMFILE");
        ck_assert_ptr_nonnull(strstr(error.message, "raise the limit"));
        peer_join(&peer);
}
END_TEST

FIXTURE_MAIN("client/client", test_connect, test_nobody, test_other_protocol, test_turned_away, test_garbage,
             test_timeout, test_environment, test_patience, test_job, test_offline, test_no_descriptors)
