/* A client in a child: a connection of its own, the same views, and none of
 * the parent's business touched. */
#include "client/forked.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/client.h"
#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

START_TEST(test_guard)
{
        ForkGuard guard;
        int status;
        pid_t child;

        ck_assert_int_eq(fork_guard_init(&guard), 0);
        ck_assert(!fork_guard_strikes(&guard));
        for (int wiped = 1; wiped >= 0; --wiped) {
                guard.wiped = guard.wiped && wiped;
                child = fork();
                ck_assert_int_ge(child, 0);
                if (!child) {
                        bool first, second;

                        if (!wiped)
                                *guard.word = 1; /* as if the kernel had not wiped it */
                        first = fork_guard_strikes(&guard);
                        fork_guard_settle(&guard);
                        second = fork_guard_strikes(&guard);
                        _exit(!(first && !second));
                }
                ck_assert_int_eq(waitpid(child, &status, 0), child);
                ck_assert_int_eq(status, 0);
        }
        ck_assert(!fork_guard_strikes(&guard));
        fork_guard_deinit(&guard);
}
END_TEST

/* Connection 0 is the parent's, 1 the child's, played one after the other: the
 * parent's must be at its end before the child's is served. */
static void script(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "view.create");
        ck_assert_int_eq(peer_integer(peer, "view"), 2);
        peer_answer(peer, peer->id, peer_map("#entries", 1, NULL), -1, 0);
        peer_expect(peer, "resolve");
        ck_assert_int_eq(peer_integer(peer, "view"), 2);
        peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
        ck_assert(!peer_read(peer));
}

static int resolve_in(kd_client *client, uint32_t view)
{
        kd_query query = { "L", "cuda", 90, "inference", NULL };
        kd_answers *answers;
        int r = kd_resolve(client, view, &query, 1, 0, &answers, NULL);

        if (!r)
                (void)kd_answers_free(answers);
        return r;
}

/* Open descriptors of a kind: "socket:" or "pipe:". */
static int count_open(const char *kind)
{
        char path[64], target[64];
        int n = 0;

        for (int fd = 3; fd < 64; ++fd) {
                ssize_t size;

                (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
                size = readlink(path, target, sizeof(target));
                n += size > (ssize_t)strlen(kind) && !strncmp(target, kind, strlen(kind));
        }
        return n;
}

static int child_work(kd_client *client, uint32_t view, int n_sockets)
{
        ino_t inode = client->wake.inode;
        int n_pipes = count_open("pipe:");

        /* The parent's connection gives way to the child's own, and so does what
         * its threads are woken by. */
        if (resolve_in(client, view))
                return 1;
        if (count_open("socket:") != n_sockets || count_open("pipe:") != n_pipes)
                return 2;
        if (client->wake.inode == inode)
                return 3;
        (void)kd_close(client);
        return count_open("socket:") == n_sockets - 1 && count_open("pipe:") == n_pipes - 2 ? 0 : 4;
}

START_TEST(test_client)
{
        kd_reference hub = { "fallback", "org/name", 1, NULL, NULL, NULL };
        kd_entry entry = { "L", "cuda", 75, -1, &hub, 1 };
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client;
        int status, n, gate[2];
        uint32_t view;
        pid_t child;
        char byte;
        Peer peer;

        ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
        peer_start(&peer, fixture_folder(), 2, script, NULL);
        options.socket = peer.path;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        ck_assert_int_eq(kd_view_create(client, 0, &entry, 1, &view, NULL), 0);
        n = count_open("socket:");
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
                close(gate[1]);
                if (read(gate[0], &byte, 1) != 0)
                        _exit(9);
                _exit(child_work(client, view, n));
        }
        /* The parent goes on with its own. */
        ck_assert_int_eq(resolve_in(client, view), 0);
        (void)kd_close(client);
        close(gate[0]);
        close(gate[1]);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        peer_join(&peer);
}
END_TEST

/* Forked while another thread was inside the lock, or inside the record. */
static void script_twice(Peer *peer, unsigned n)
{
        peer_greet(peer);
        while (peer_read(peer))
                peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
}

static int child_in(kd_client *client, bool recording)
{
        int status;
        pid_t child;

        (void)pthread_mutex_lock(&client->lock);
        client->locked = true;
        client->recording = recording;
        child = fork();
        if (!child) {
                int r = resolve_in(client, KD_VIEW_SESSION);

                (void)kd_close(client);
                _exit(recording ? r != -ESTALE : r != 0);
        }
        client->recording = false;
        client->locked = false;
        (void)pthread_mutex_unlock(&client->lock);
        (void)kd_close(client);
        return child > 0 && waitpid(child, &status, 0) == child ? status : -1;
}

START_TEST(test_inside_lock)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client;
        Peer peer;

        peer_start(&peer, fixture_folder(), 3, script_twice, NULL);
        options.socket = peer.path;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        ck_assert_int_eq(child_in(client, false), 0);
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        ck_assert_int_eq(child_in(client, true), 0);
        peer_join(&peer);
}
END_TEST

FIXTURE_MAIN("client/forked", test_guard, test_client, test_inside_lock)
