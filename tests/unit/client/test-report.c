#include <semaphore.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "client/kernelsd.h"
#include "proto/base/cleanup.h"
#include "proto/limits.h"
#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

static atomic_int n_reports, n_used;
static char last_reason[LIMIT_ANSWER_MESSAGE + 1];

static void serve(Peer *peer, unsigned n)
{
        peer_greet(peer);
        while (peer_read(peer)) {
                const kd_value *used = kd_value_get(peer->params, "used");
                size_t n_rows = kd_value_count(used);

                if (!strcmp(peer->method, "report")) {
                        const kd_value *last = kd_value_at(used, n_rows - 1);

                        ++n_reports;
                        n_used += (int)n_rows;
                        ck_assert_uint_le(n_rows, LIMIT_REPORT);
                        (void)snprintf(last_reason, sizeof(last_reason), "%s",
                                       kd_value_as_string(kd_value_get(last, "reason"), NULL));
                }
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        }
}

static kd_client *begin(Peer *peer)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client;

        peer_start(peer, fixture_folder(), 1, serve, NULL);
        options.socket = peer->path;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        return client;
}

/* What was sent before has been read then. */
static void end(Peer *peer, kd_client *client)
{
        kd_value *result;

        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        (void)kd_close(client);
        peer_join(peer);
}

static kd_used used_of(const char *layer, const char *reason)
{
        return (kd_used){ .layer = layer, .device = "cpu", .mode = "inference", .reason = reason };
}

START_TEST(test_parts)
{
        kd_used used[2 * LIMIT_REPORT + 1];
        Peer peer;
        kd_client *client = begin(&peer);

        for (size_t i = 0; i < ARRAY_SIZE(used); ++i)
                used[i] = used_of("Silu", i + 1 < ARRAY_SIZE(used) ? "why" : "the last");
        ck_assert_int_eq(kd_report(client, used, 0, NULL), 0);
        ck_assert_int_eq(kd_report(client, used, ARRAY_SIZE(used), NULL), 0);
        end(&peer, client);
        ck_assert_int_eq(n_reports, 3);
        ck_assert_int_eq(n_used, ARRAY_SIZE(used));
        ck_assert_str_eq(last_reason, "the last");
}
END_TEST

/* A row that the daemon would refuse would take all others with it. */
START_TEST(test_unfit)
{
        kd_used used[] = { used_of("a\nb", "why"), used_of(NULL, "why"), used_of("Silu", ""), used_of("Silu", NULL),
                           used_of("Silu", "two\nlines"), used_of("Silu", "bad repository"),
                           used_of("Silu", "bad variant"), used_of("Silu", "bad device"), used_of("Silu", "bad mode"),
                           used_of("Silu", "bad commit"), used_of("Silu", "no repo"), used_of("Gelu", "good") };
        Peer peer;
        kd_client *client = begin(&peer);

        used[5].repo = "no organisation";
        used[6].repo = "o/n";
        used[6].variant = "a/b";
        used[7].device = "metal";
        used[8].mode = "fallback";
        used[9].repo = "o/n";
        used[9].commit = "abc";
        used[10].variant = "v";
        ck_assert_int_eq(kd_report(client, used, ARRAY_SIZE(used), NULL), 0);
        ck_assert_int_eq(kd_report(client, used, ARRAY_SIZE(used) - 1, NULL), 0);
        end(&peer, client);
        ck_assert_int_eq(n_reports, 1);
        ck_assert_int_eq(n_used, 1);
        ck_assert_str_eq(last_reason, "good");
}
END_TEST

/* --- a daemon that answers late --- */

enum { WAITING = 16 };

static sem_t all_told;

static void serve_late(Peer *peer, unsigned n)
{
        uint32_t ids[LIMIT_IN_FLIGHT];
        char reason[16];

        peer_greet(peer);
        for (int i = 0; i < LIMIT_IN_FLIGHT; ++i) {
                peer_expect(peer, "report");
                ids[i] = peer->id;
        }
        ck_assert_int_eq(sem_wait(&all_told), 0);
        for (int i = 0; i < LIMIT_IN_FLIGHT; ++i)
                peer_answer(peer, ids[i], kd_value_map(), -1, 0);
        for (int i = 0; i < WAITING; ++i) {
                peer_expect(peer, "report");
                (void)snprintf(reason, sizeof(reason), "%d", 200 - WAITING + i);
                ck_assert_str_eq(kd_value_as_string(kd_value_get(kd_value_at(kd_value_get(peer->params, "used"), 0),
                                                                 "reason"), NULL), reason);
                peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        }
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

/* What waits is bounded; the newest is kept. */
START_TEST(test_late)
{
        kd_options options = KD_OPTIONS_INIT;
        char reason[16];
        kd_client *client;
        Peer peer;

        ck_assert_int_eq(sem_init(&all_told, 0, 0), 0);
        peer_start(&peer, fixture_folder(), 1, serve_late, NULL);
        options.socket = peer.path;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        for (int i = 0; i < 200; ++i) {
                kd_used used = used_of("Silu", reason);

                (void)snprintf(reason, sizeof(reason), "%d", i);
                ck_assert_int_eq(kd_report(client, &used, 1, NULL), 0);
        }
        ck_assert_int_eq(sem_post(&all_told), 0);
        end(&peer, client);
}
END_TEST

FIXTURE_MAIN("client/report", test_parts, test_unfit, test_late)
