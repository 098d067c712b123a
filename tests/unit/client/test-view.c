/* Views: parts, replacement by a new view, replay on another connection. */
#include "client/view.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/part.h"
#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

enum { N_LARGE = 4500 }; /* three parts */

static kd_reference hub = { "fallback", "org/name", 1, NULL, NULL, NULL };

static kd_client *begin(Peer *peer, unsigned n, PeerScript script)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client;

        peer_start(peer, fixture_folder(), n, script, NULL);
        options.socket = peer->path;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        return client;
}

static void end(Peer *peer, kd_client *client)
{
        (void)kd_close(client);
        peer_join(peer);
}

static void large_entries(kd_entry *entries, char (*names)[16])
{
        for (int i = 0; i < N_LARGE; ++i) {
                (void)snprintf(names[i], sizeof(names[i]), "layer-%d", i);
                entries[i] = (kd_entry){ names[i], "cuda", 75, -1, &hub, 1 };
        }
}

static size_t peer_count(Peer *peer, const char *key)
{
        return kd_value_count(kd_value_get(peer->params, key));
}

static void expect_view(Peer *peer, const char *method, int64_t view, size_t n_entries)
{
        peer_expect(peer, method);
        ck_assert_int_eq(peer_integer(peer, "view"), view);
        ck_assert_uint_eq(peer_count(peer, "entries"), n_entries);
}

static void answer_view(Peer *peer)
{
        peer_answer(peer, peer->id, peer_map("#entries", 0, NULL), -1, 0);
}

static void answer_drop(Peer *peer)
{
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
}

/* --- one part --- */

static void script_small(Peer *peer, unsigned n)
{
        const kd_value *entry, *reference;

        peer_greet(peer);
        expect_view(peer, "view.create", 2, 1);
        ck_assert_int_eq(peer_integer(peer, "parent"), 0);
        entry = kd_value_at(kd_value_get(peer->params, "entries"), 0);
        ck_assert_str_eq(kd_value_as_string(kd_value_get(entry, "layer"), NULL), "SiluAndMul");
        ck_assert_int_eq(kd_value_as_integer(kd_value_get(entry, "min_capability"), -1), 75);
        ck_assert_int_eq(kd_value_kind(kd_value_get(entry, "max_capability")), KD_NIL);
        reference = kd_value_get(kd_value_get(entry, "modes"), "fallback");
        ck_assert_str_eq(kd_value_as_string(kd_value_get(reference, "repo"), NULL), "org/name");
        ck_assert_int_eq(kd_value_as_integer(kd_value_get(reference, "version"), -1), 1);
        answer_view(peer);
        expect_view(peer, "view.extend", 2, 1);
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "inherit")));
        peer_refuse(peer, peer->id, KD_INVALID_DEVICE, "No such device.");
        expect_view(peer, "view.create", 3, 0);
        ck_assert_int_eq(kd_value_kind(kd_value_get(peer->params, "parent")), KD_NIL);
        answer_view(peer);
        expect_view(peer, "view.drop", 2, 0);
        answer_drop(peer);
        ck_assert(!peer_read(peer));
}

START_TEST(test_small)
{
        kd_entry entry = { "SiluAndMul", "cuda", 75, -1, &hub, 1 };
        uint32_t view, other;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_small);

        ck_assert_int_eq(kd_view_create(client, KD_VIEW_HOST, &entry, 1, &view, NULL), 0);
        ck_assert_uint_eq(view, 2);
        ck_assert_int_eq(kd_view_extend(client, view, true, &entry, 1, &error), KD_INVALID_DEVICE);
        ck_assert_str_eq(error.message, "No such device.");
        ck_assert_int_eq(kd_view_create(client, -1, NULL, 0, &other, NULL), 0);
        ck_assert_uint_eq(other, 3);
        ck_assert_int_eq(kd_view_drop(client, view, NULL), 0);
        ck_assert_int_eq(kd_view_drop(client, view, &error), KD_BAD_REQUEST);
        ck_assert_int_eq(kd_view_drop(client, KD_VIEW_HOST, &error), KD_BAD_REQUEST);
        ck_assert_int_eq(kd_view_extend(client, 99, true, &entry, 1, &error), KD_BAD_REQUEST);
        ck_assert_int_eq(kd_view_create(client, 99, NULL, 0, &other, &error), KD_BAD_REQUEST);
        end(&peer, client);
}
END_TEST

/* --- several parts --- */

static void script_parts(Peer *peer, unsigned n)
{
        peer_greet(peer);
        expect_view(peer, "view.create", 2, PART_ENTRIES);
        answer_view(peer);
        expect_view(peer, "view.extend", 2, PART_ENTRIES);
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "inherit")));
        answer_view(peer);
        expect_view(peer, "view.extend", 2, N_LARGE - 2 * PART_ENTRIES);
        answer_view(peer);
        /* Into a new view on the same ground, which takes the place of view 1. */
        expect_view(peer, "view.create", 3, PART_ENTRIES);
        ck_assert_int_eq(peer_integer(peer, "parent"), 1);
        answer_view(peer);
        expect_view(peer, "view.extend", 3, PART_ENTRIES);
        answer_view(peer);
        expect_view(peer, "view.extend", 3, N_LARGE - 2 * PART_ENTRIES);
        answer_view(peer);
        expect_view(peer, "view.drop", 1, 0);
        answer_drop(peer);
        expect_view(peer, "resolve", 3, 0);
        peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
        /* The second part of another is refused: nothing of it stays. */
        expect_view(peer, "view.create", 4, PART_ENTRIES);
        ck_assert_int_eq(kd_value_kind(kd_value_get(peer->params, "parent")), KD_NIL);
        answer_view(peer);
        expect_view(peer, "view.extend", 4, PART_ENTRIES);
        peer_refuse(peer, peer->id, KD_LIMIT, "Too many entries.");
        expect_view(peer, "view.drop", 4, 0);
        answer_drop(peer);
        expect_view(peer, "resolve", 3, 0);
        peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
        ck_assert(!peer_read(peer));
}

static void resolve_one(kd_client *client, uint32_t view, const char *layer)
{
        kd_query query = { layer, "cuda", 90, "inference", NULL };
        kd_answers *answers;
        kd_error error;
        int r = kd_resolve(client, view, &query, 1, 0, &answers, &error);

        ck_assert_msg(!r, "%s", r ? error.message : "");
        (void)kd_answers_free(answers);
}

START_TEST(test_parts)
{
        static kd_entry entries[N_LARGE];
        static char names[N_LARGE][16];
        uint32_t view;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_parts);

        large_entries(entries, names);
        ck_assert_int_eq(kd_view_create(client, KD_VIEW_HOST, entries, N_LARGE, &view, NULL), 0);
        ck_assert_int_eq(kd_view_extend(client, KD_VIEW_SESSION, true, entries, N_LARGE, NULL), 0);
        resolve_one(client, KD_VIEW_SESSION, "x");
        ck_assert_int_eq(kd_view_extend(client, KD_VIEW_SESSION, false, entries, N_LARGE, NULL), KD_LIMIT);
        resolve_one(client, KD_VIEW_SESSION, "x");
        end(&peer, client);
}
END_TEST

/* --- another connection --- */

/* A local repository with two variants in the test's folder. */
static const char *make_local(void)
{
        static char path[256];
        char name[320];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/local", fixture_folder());
        ck_assert_int_eq(mkdir(path, 0755), 0);
        (void)snprintf(name, sizeof(name), "%s/build", path);
        ck_assert_int_eq(mkdir(name, 0755), 0);
        (void)snprintf(name, sizeof(name), "%s/build/torch-cpu", path);
        ck_assert_int_eq(mkdir(name, 0755), 0);
        (void)snprintf(name, sizeof(name), "%s/build/torch-cpu/metadata.json", path);
        file = fopen(name, "we");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(fputs("{}", file) < 0, 0);
        ck_assert_int_eq(fclose(file), 0);
        (void)snprintf(name, sizeof(name), "%s/build/torch-cuda", path);
        ck_assert_int_eq(mkdir(name, 0755), 0);
        return path;
}

static void expect_local(Peer *peer, int first)
{
        const kd_value *locals = kd_value_get(peer->params, "locals"), *variants, *reference;
        size_t size;

        ck_assert_uint_eq(kd_value_count(locals), 1);
        variants = kd_value_get(kd_value_at(locals, 0), "variants");
        ck_assert_uint_eq(kd_value_count(variants), 2);
        ck_assert_str_eq(kd_value_as_string(kd_value_get(kd_value_at(variants, 0), "variant"), NULL), "torch-cpu");
        ck_assert_str_eq(kd_value_as_string(kd_value_get(kd_value_at(variants, 0), "metadata"), &size), "{}");
        ck_assert_uint_eq(size, 2);
        ck_assert_int_eq(kd_value_kind(kd_value_get(kd_value_at(variants, 1), "metadata")), KD_NIL);
        reference = NULL; /* of one of the entries, whose order is open */
        for (size_t i = 0; !reference && i < peer_count(peer, "entries"); ++i)
                reference = kd_value_get(kd_value_get(kd_value_at(kd_value_get(peer->params, "entries"), i), "modes"),
                                         "inference");
        ck_assert_int_eq(kd_value_as_integer(kd_value_get(reference, "local"), -1), 0);
        peer_answer(peer, peer->id, peer_map("#entries", 2, "#first_local", first, NULL), -1, 0);
}

static void answer_local(Peer *peer, int number)
{
        kd_value *answers = kd_value_list(), *answer = peer_map("layer", "L", "mode", "inference", "source", "view",
                                                                "variant", "torch-cpu", "state", "local", NULL);
        kd_value *result = peer_map("#generation", 1, NULL);

        ck_assert_int_eq(kd_value_set(answer, "reference", peer_map("#local", number, "layer", "L", NULL)), 0);
        ck_assert_int_eq(kd_value_append(answers, answer), 0);
        ck_assert_int_eq(kd_value_set(result, "answers", answers), 0);
        peer_answer(peer, peer->id, result, -1, 0);
}

static void script_replay(Peer *peer, unsigned n)
{
        peer_greet(peer);
        if (n == 0) {
                expect_view(peer, "view.create", 2, 1);
                ck_assert_int_eq(peer_integer(peer, "parent"), 0);
                expect_local(peer, 5);
                expect_view(peer, "view.create", 3, 1);
                ck_assert_int_eq(peer_integer(peer, "parent"), 2);
                answer_view(peer);
                expect_view(peer, "view.extend", 1, 1);
                answer_view(peer);
                expect_view(peer, "resolve", 3, 0);
                return; /* unanswered */
        }
        /* The newest first: their order does not matter. */
        expect_view(peer, "view.create", 3, 2);
        ck_assert_int_eq(peer_integer(peer, "parent"), 0);
        expect_local(peer, 9);
        expect_view(peer, "view.create", 2, 1);
        expect_local(peer, 11);
        expect_view(peer, "view.extend", 1, 1);
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "inherit")));
        answer_view(peer);
        expect_view(peer, "resolve", 3, 0);
        answer_local(peer, 9);
        ck_assert(!peer_read(peer));
}

/* An entry that has replaced another is made again alone; a copied one is
 * shared; numbers of local repositories are those of the new connection. */
START_TEST(test_replay)
{
        const char *path = make_local();
        kd_reference local = { "inference", NULL, -1, NULL, path, NULL };
        kd_entry entry = { "L", "cuda", -1, -1, &local, 1 }, other = { "M", "cuda", 0, -1, &hub, 1 };
        kd_query query = { "L", "cuda", 90, "inference", NULL };
        uint32_t first, second;
        kd_answers *answers;
        kd_error error;
        int r;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_replay);

        ck_assert_int_eq(kd_view_create(client, KD_VIEW_HOST, &entry, 1, &first, NULL), 0);
        ck_assert_int_eq(kd_view_create(client, first, &other, 1, &second, NULL), 0);
        ck_assert_int_eq(kd_view_extend(client, KD_VIEW_SESSION, true, &other, 1, NULL), 0);
        r = kd_resolve(client, second, &query, 1, 0, &answers, &error);
        ck_assert_msg(!r, "%s", r ? error.message : "");
        ck_assert_str_eq(kd_answers_get(answers, 0)->path, path);
        ck_assert_str_eq(kd_answers_get(answers, 0)->variant, "torch-cpu");
        ck_assert_uint_eq(client->locals.n, 2); /* none of the first connection */
        (void)kd_answers_free(answers);
        end(&peer, client);
}
END_TEST

static void script_numbers(Peer *peer, unsigned n)
{
        kd_value *result = peer_map("#entries", 1, NULL);

        peer_greet(peer);
        expect_view(peer, "view.extend", 1, 1);
        ck_assert_int_eq(kd_value_set(result, "first_local", kd_value_integer(INT64_MAX)), 0);
        peer_answer(peer, peer->id, result, -1, 0);
        (void)peer_read(peer);
}

/* Numbers that no daemon gives are its fault, not our overflow. */
START_TEST(test_numbers_beyond)
{
        const char *path = make_local();
        kd_reference local = { "inference", NULL, -1, NULL, path, NULL };
        kd_entry entry = { "L", "cuda", -1, -1, &local, 1 };
        Peer peer;
        kd_client *client = begin(&peer, 1, script_numbers);

        ck_assert_int_eq(kd_view_extend(client, KD_VIEW_SESSION, true, &entry, 1, NULL), -EBADMSG);
        ck_assert_uint_eq(client->locals.n, 0);
        end(&peer, client);
}
END_TEST

/* Cut off in the midst of a large change: made again whole on the next
 * connection; and that view 1 was replaced is known on the one after. */
static void script_cut(Peer *peer, unsigned n)
{
        peer_greet(peer);
        if (n == 0) {
                expect_view(peer, "view.create", 2, PART_ENTRIES);
                answer_view(peer);
                expect_view(peer, "view.extend", 2, PART_ENTRIES);
                return;
        }
        if (n == 1) {
                expect_view(peer, "view.create", 3, PART_ENTRIES);
                answer_view(peer);
                expect_view(peer, "view.extend", 3, PART_ENTRIES);
                answer_view(peer);
                expect_view(peer, "view.extend", 3, N_LARGE - 2 * PART_ENTRIES);
                answer_view(peer);
                expect_view(peer, "view.drop", 1, 0);
                answer_drop(peer);
                return;
        }
        expect_view(peer, "view.drop", 1, 0);
        answer_drop(peer);
        expect_view(peer, "view.create", 3, PART_ENTRIES);
        ck_assert_int_eq(kd_value_kind(kd_value_get(peer->params, "parent")), KD_NIL);
        answer_view(peer);
        expect_view(peer, "view.extend", 3, PART_ENTRIES);
        answer_view(peer);
        expect_view(peer, "view.extend", 3, N_LARGE - 2 * PART_ENTRIES);
        answer_view(peer);
        expect_view(peer, "resolve", 3, 0);
        peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_cut)
{
        static kd_entry entries[N_LARGE];
        static char names[N_LARGE][16];
        Peer peer;
        kd_client *client = begin(&peer, 3, script_cut);

        large_entries(entries, names);
        ck_assert_int_eq(kd_view_extend(client, KD_VIEW_SESSION, false, entries, N_LARGE, NULL), 0);
        resolve_one(client, KD_VIEW_SESSION, "x");
        end(&peer, client);
}
END_TEST

/* The connection is gone between two parts, before a byte of the second. */
static void script_between(Peer *peer, unsigned n)
{
        peer_greet(peer);
        expect_view(peer, "view.create", n == 0 ? 2 : 3, PART_ENTRIES);
        if (n == 0)
                (void)shutdown(peer->fd, SHUT_RD);
        answer_view(peer);
        if (n == 0)
                return;
        expect_view(peer, "view.extend", 3, PART_ENTRIES);
        answer_view(peer);
        expect_view(peer, "view.extend", 3, N_LARGE - 2 * PART_ENTRIES);
        answer_view(peer);
        ck_assert(!peer_read(peer));
}

START_TEST(test_between)
{
        static kd_entry entries[N_LARGE];
        static char names[N_LARGE][16];
        uint32_t view;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_between);

        large_entries(entries, names);
        ck_assert_int_eq(kd_view_create(client, KD_VIEW_HOST, entries, N_LARGE, &view, NULL), 0);
        ck_assert_uint_eq(view, 3);
        end(&peer, client);
}
END_TEST

/* View 1 that was taken off the host mapping stays off it. */
static void script_off_host(Peer *peer, unsigned n)
{
        peer_greet(peer);
        expect_view(peer, "view.extend", 1, 1);
        ck_assert(!kd_value_as_bool(kd_value_get(peer->params, "inherit")));
        answer_view(peer);
        peer_expect(peer, "resolve");
        if (n == 1)
                peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
}

START_TEST(test_off_host)
{
        kd_entry entry = { "L", "cuda", -1, -1, &hub, 1 };
        Peer peer;
        kd_client *client = begin(&peer, 2, script_off_host);

        ck_assert_int_eq(kd_view_extend(client, KD_VIEW_SESSION, false, &entry, 1, NULL), 0);
        resolve_one(client, KD_VIEW_SESSION, "L");
        end(&peer, client);
}
END_TEST

static void script_lost(Peer *peer, unsigned n)
{
        peer_greet(peer);
        expect_view(peer, "view.create", 2, 1);
        if (n == 0) {
                answer_view(peer);
                return;
        }
        peer_refuse(peer, peer->id, KD_LIMIT, "Too many entries.");
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        ck_assert(!peer_read(peer));
}

/* A view that cannot be made again says so, and why. */
START_TEST(test_lost)
{
        kd_entry entry = { "L", "cuda", -1, -1, &hub, 1 };
        kd_query query = { "L", "cuda", 90, "inference", NULL };
        kd_answers *answers;
        kd_value *result;
        kd_error error;
        uint32_t view;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_lost);

        ck_assert_int_eq(kd_view_create(client, KD_VIEW_HOST, &entry, 1, &view, NULL), 0);
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        ck_assert_int_eq(kd_resolve(client, view, &query, 1, 0, &answers, &error), KD_LIMIT);
        ck_assert_str_eq(error.message, "Too many entries.");
        ck_assert_int_eq(kd_view_drop(client, view, NULL), 0);
        end(&peer, client);
}
END_TEST

static void script_one(Peer *peer, unsigned n)
{
        peer_greet(peer);
        expect_view(peer, "view.create", 2, 1);
        answer_view(peer);
        ck_assert(!peer_read(peer));
}

START_TEST(test_bad_entries)
{
        kd_reference both = { "fallback", "org/name", 1, NULL, "/x", NULL }, none = { .mode = NULL, .version = -1 };
        kd_reference relative = { "fallback", NULL, -1, NULL, "x", NULL };
        kd_reference missing = { "fallback", NULL, -1, NULL, "/nowhere/at/all", NULL };
        kd_entry entry = { "SiluAndMul", "cuda", 75, -1, &both, 1 };
        uint32_t view;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_one);

        ck_assert_int_eq(kd_view_create(client, 0, &entry, 1, &view, &error), KD_BAD_REQUEST);
        entry.references = &none;
        ck_assert_int_eq(kd_view_create(client, 0, &entry, 1, &view, &error), KD_BAD_REQUEST);
        entry.references = &relative;
        ck_assert_int_eq(kd_view_create(client, 0, &entry, 1, &view, &error), KD_INVALID_NAME);
        entry.references = &missing;
        ck_assert_int_eq(kd_view_create(client, 0, &entry, 1, &view, &error), KD_NO_REPOSITORY);
        entry.layer = NULL;
        ck_assert_int_eq(kd_view_create(client, 0, &entry, 1, &view, &error), KD_BAD_REQUEST);
        entry = (kd_entry){ "L", NULL, -1, -1, &hub, 1 };
        ck_assert_int_eq(kd_view_create(client, 0, &entry, 1, &view, &error), 0);
        end(&peer, client);
}
END_TEST

/* A kd_done may change views, also one that is told by a change of views. */
static void script_change_in_done(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        for (int i = 0; i < 2; ++i) {
                peer_expect(peer, "view.create");
                answer_view(peer);
        }
        ck_assert(!peer_read(peer));
}

typedef struct InDone {
        kd_client *client;
        int r;
} InDone;

static void create_done(void *data, int code, const kd_value *result, const kd_error *error)
{
        InDone *in_done = data;
        uint32_t view;

        in_done->r = kd_view_create(in_done->client, 0, NULL, 0, &view, NULL);
}

START_TEST(test_change_in_done)
{
        InDone in_done = { .r = 1 };
        kd_pending *pending;
        uint32_t view;
        Peer peer;

        in_done.client = begin(&peer, 1, script_change_in_done);
        ck_assert_int_eq(kd_start(in_done.client, "status", NULL, create_done, &in_done, &pending, NULL), 0);
        ck_assert_int_eq(kd_view_create(in_done.client, 0, NULL, 0, &view, NULL), 0);
        ck_assert_int_eq(in_done.r, 0);
        end(&peer, in_done.client);
}
END_TEST

FIXTURE_MAIN("client/view", test_small, test_parts, test_replay, test_numbers_beyond, test_cut, test_between,
             test_off_host, test_lost, test_bad_entries, test_change_in_done)
