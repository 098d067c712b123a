/* Verbs against a scripted daemon: what they ask, what they print, and their
 * exit status. */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/kernelsctl/command.h"
#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

/* What the last verb wrote. */
static char out[65536], errors[65536];

static int redirect(int fd, const char *name)
{
        char path[300];
        int kept = fcntl(fd, F_DUPFD_CLOEXEC, 3), file;

        (void)snprintf(path, sizeof(path), "%s/%s", fixture_folder(), name);
        file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        ck_assert(kept >= 0 && file >= 0);
        ck_assert_int_eq(dup2(file, fd), fd);
        close(file);
        return kept;
}

static void restore(int fd, int kept, char *text)
{
        ssize_t n = pread(fd, text, sizeof(out) - 1, 0);

        ck_assert_int_ge(n, 0);
        text[n] = 0;
        ck_assert_int_eq(dup2(kept, fd), fd);
        close(kept);
}

static int run(const char *socket, const char *line)
{
        char copy[512];
        char *argv[32] = { 0 };
        int argc = 0, kept_out, kept_errors, status;

        (void)snprintf(copy, sizeof(copy), "kernelsctl %s --socket=%s", line, socket);
        for (char *word = strtok(copy, " "); word && argc < 31; word = strtok(NULL, " "))
                argv[argc++] = word;
        (void)fflush(NULL);
        kept_out = redirect(STDOUT_FILENO, "out");
        kept_errors = redirect(STDERR_FILENO, "errors");
        status = command_run(argc, argv);
        (void)fflush(NULL);
        restore(STDOUT_FILENO, kept_out, out);
        restore(STDERR_FILENO, kept_errors, errors);
        return status;
}

/* Runs the verb while the script is played once. */
static int verb(PeerScript script, void *data, const char *line)
{
        Peer peer;
        int status;

        peer_start(&peer, fixture_folder(), 1, script, data);
        status = run(peer.path, line);
        peer_join(&peer);
        return status;
}

#define SHOWS(text, what) ck_assert_msg(strstr(text, what), "no \"%s\" in: %s", what, text)

/* A map with a list of rows, which ends with NULL. */
static kd_value *rows(kd_value *map, const char *key, ...)
{
        kd_value *list = kd_value_list(), *row;
        va_list arguments;

        va_start(arguments, key);
        while ((row = va_arg(arguments, kd_value *)))
                ck_assert_int_eq(kd_value_append(list, row), 0);
        va_end(arguments);
        ck_assert_int_eq(kd_value_set(map, key, list), 0);
        return map;
}

static kd_value *with(kd_value *map, const char *key, kd_value *item)
{
        ck_assert_int_eq(kd_value_set(map, key, item), 0);
        return map;
}

static bool peer_absent(Peer *peer, const char *key)
{
        return kd_value_kind(kd_value_get(peer->params, key)) == KD_NIL;
}

static void reply(Peer *peer, kd_value *result)
{
        peer_answer(peer, peer->id, result, -1, 0);
}

/* --- versions and info --- */

static kd_value *versions_result(void)
{
        kd_value *asked = kd_value_map();

        ck_assert_int_eq(kd_value_set(asked, "asked", kd_value_bool(true)), 0);
        return rows(asked, "revisions", peer_map("revision", "v1", "#version", 1, "commit", COMMIT, NULL),
                    peer_map("revision", "v12", "#version", 12, "commit", COMMIT, NULL),
                    peer_map("revision", "main", "commit", COMMIT, NULL),
                    with(peer_map("revision", "first", "commit", COMMIT, NULL), "tag", kd_value_bool(true)), NULL);
}

static void script_versions(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "versions");
        ck_assert_str_eq(peer_text(peer, "repo"), "o/n");
        ck_assert_int_eq(peer_integer(peer, "deadline_ms"), 7000);
        reply(peer, versions_result());
        ck_assert(!peer_read(peer));
}

START_TEST(test_versions)
{
        ck_assert_int_eq(verb(script_versions, NULL, "versions o/n --deadline 7"), 0);
        SHOWS(out, "12  v12    branch  " COMMIT "\n");
        SHOWS(out, "-   first  tag     " COMMIT "\n");
        ck_assert_str_eq(errors, "");
        ck_assert_int_eq(verb(script_versions, NULL, "versions o/n --json --deadline=7"), 0);
        SHOWS(out, "\"schema\": \"kernelsctl.versions.1\"");
        SHOWS(out, "\"revision\": \"v12\"");
}
END_TEST

/* `data`: the revision that is asked for, or NULL: version 12. */
static void script_info(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "versions");
        ck_assert_str_eq(peer_text(peer, "repo"), "o/n");
        reply(peer, versions_result());
        peer_expect(peer, "variants");
        ck_assert_str_eq(peer_text(peer, "device"), "cuda");
        ck_assert_int_eq(peer_integer(peer, "capability"), 90);
        ck_assert_int_eq(peer_integer(peer, "version"), peer->data ? -1 : 12);
        if (peer->data)
                ck_assert_str_eq(peer_text(peer, "revision"), peer->data);
        else
                ck_assert(peer_absent(peer, "revision"));
        reply(peer, rows(peer_map("commit", COMMIT, "#commit_age_s", 7200, "redirect", "p/n", "trust", "untrusted",
                                  "#trust_age_s", 30, NULL),
                         "variants", peer_map("variant", "torch-cpu", "state", "ready", "verdict", "taken", NULL),
                         peer_map("variant", "torch-rocm", "state", "absent", "verdict", "refused", "reason", "no rocm", NULL),
                         NULL));
        ck_assert(!peer_read(peer));
}

START_TEST(test_info)
{
        char revision[] = "main";

        ck_assert_int_eq(verb(script_info, NULL, "info o/n --device=cuda --capability=9.0"), 0);
        SHOWS(out, "repository  o/n, redirected to p/n\nversion     12\ncommit      " COMMIT ", told by the Hub 2 h ago\n"
                   "publisher   untrusted, told by the Hub 30 s ago\nsignature   not checked\n");
        SHOWS(out, "12  v12    branch");
        SHOWS(out, "torch-rocm  absent  refused  no rocm\n");
        ck_assert_int_eq(verb(script_info, revision, "info o/n --device=cuda --capability=90 --revision main"), 0);
        SHOWS(out, "\nrevision    main\n");
        ck_assert_int_eq(verb(script_info, NULL, "info o/n --device=cuda --capability=90 --version 12 --json"), 0);
        SHOWS(out, "\"schema\": \"kernelsctl.info.1\"");
        SHOWS(out, "\"signature\": \"not checked\"");
        SHOWS(out, "\"trust\": \"untrusted\"");
}
END_TEST

static void script_info_main(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "versions");
        reply(peer, rows(kd_value_map(), "revisions", NULL));
        peer_expect(peer, "variants");
        ck_assert_str_eq(peer_text(peer, "revision"), "main");
        ck_assert(peer_absent(peer, "version"));
        peer_refuse(peer, peer->id, KD_NO_REVISION, "o/n has no branch main");
        ck_assert(!peer_read(peer));
}

START_TEST(test_info_of_a_repository_without_versions)
{
        ck_assert_int_eq(verb(script_info_main, NULL, "info o/n"), 1);
        ck_assert_str_eq(errors, "kernelsctl: o/n has no branch main\n");
}
END_TEST

/* --- refresh and prefetch --- */

static kd_value *fetched_result(int failed)
{
        kd_value *good = peer_map("repo", "o/n", "revision", "v1", "environment", "gpu", "commit", COMMIT, "variant", "torch-cpu",
                                  NULL);
        kd_value *bad = failed ? peer_map("repo", "p/m", "revision", "main", "name", "untrusted", "message", "nobody trusts p", NULL) :
                                 NULL;
        kd_value *worse = failed ? peer_map("repo", "q/m", "revision", "v2", "environment", "gpu", "name", "corrupt", "message",
                                            "x.so differs", NULL) : NULL;

        return rows(peer_map("#failed", failed, NULL), "fetched", good, bad, worse, NULL);
}

static void script_refresh(Peer *peer, unsigned n)
{
        const int *failed = peer->data;

        peer_greet(peer);
        peer_expect(peer, "refresh");
        ck_assert(peer_absent(peer, "repo") && peer_absent(peer, "version") && peer_absent(peer, "deadline_ms"));
        reply(peer, fetched_result(*failed));
        ck_assert(!peer_read(peer));
}

START_TEST(test_refresh)
{
        int none = 0, two = 2;

        ck_assert_int_eq(verb(script_refresh, &none, "refresh"), 0);
        ck_assert_str_eq(out, "o/n  v1  gpu  " COMMIT "  torch-cpu\n");
        ck_assert_str_eq(errors, "");
        /* The status is the first one's. */
        ck_assert_int_eq(verb(script_refresh, &two, "refresh"), 6);
        SHOWS(errors, "kernelsctl: p/m at main: untrusted: nobody trusts p\n");
        SHOWS(errors, "kernelsctl: q/m at v2 for gpu: corrupt: x.so differs\n");
        ck_assert_int_eq(verb(script_refresh, &two, "refresh --json"), 6);
        SHOWS(out, "\"schema\": \"kernelsctl.refresh.1\"");
}
END_TEST

/* More failed than the answer holds. */
static void script_failed(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "refresh");
        ck_assert_str_eq(peer_text(peer, "repo"), "o/n");
        ck_assert_str_eq(peer_text(peer, "revision"), "main");
        reply(peer, rows(peer_map("#failed", 3, NULL), "fetched", NULL));
        ck_assert(!peer_read(peer));
}

START_TEST(test_failed_ones_that_are_not_shown)
{
        ck_assert_int_eq(verb(script_failed, NULL, "refresh o/n --revision=main"), 1);
}
END_TEST

static void script_prefetch(Peer *peer, unsigned n)
{
        size_t size;

        peer_greet(peer);
        peer_expect(peer, "prefetch");
        ck_assert_str_eq(kd_value_as_string(kd_value_get(peer->params, "lock"), &size), "[{}]\n");
        ck_assert_uint_eq(size, 5);
        ck_assert_int_eq(kd_value_kind(kd_value_get(peer->params, "lock")), KD_BINARY);
        ck_assert_str_eq(peer_text(peer, "environment"), "gpu");
        ck_assert_str_eq(peer_text(peer, "device"), "cuda");
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "trust_remote_code")));
        ck_assert(peer_absent(peer, "repo"));
        reply(peer, fetched_result(0));
        ck_assert(!peer_read(peer));
}

static void script_prefetch_one(Peer *peer, unsigned n)
{
        peer_greet(peer);
        ck_assert_str_eq(kd_value_as_string(kd_value_get(kd_value_get(peer->params, "environment"), "torch"), NULL), "2.7");
        peer_expect(peer, "prefetch");
        ck_assert_str_eq(peer_text(peer, "repo"), "o/n");
        ck_assert_int_eq(peer_integer(peer, "version"), 1);
        ck_assert(peer_absent(peer, "trust_remote_code") && peer_absent(peer, "lock") && peer_absent(peer, "environment"));
        reply(peer, fetched_result(0));
        ck_assert(!peer_read(peer));
}

START_TEST(test_prefetch)
{
        char line[400];
        FILE *file;

        (void)snprintf(line, sizeof(line), "%s/kernels.lock", fixture_folder());
        file = fopen(line, "we");
        ck_assert(file && fputs("[{}]\n", file) >= 0 && !fclose(file));
        (void)snprintf(line, sizeof(line), "prefetch --lock %s/kernels.lock --environment gpu --device cuda --trust-remote-code",
                       fixture_folder());
        ck_assert_int_eq(verb(script_prefetch, NULL, line), 0);
        ck_assert_int_eq(verb(script_prefetch_one, NULL, "prefetch o/n --version=1 --torch=2.7"), 0);
        SHOWS(out, "torch-cpu");
}
END_TEST

/* --- environments --- */

static void script_environments(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "environment.list");
        ck_assert(peer_absent(peer, "after") && peer_absent(peer, "limit"));
        reply(peer, rows(peer_map("#next", 1, NULL), "environments",
                         with(peer_map("name", "gpu", "source", "file:gpu.json", "device", "cuda", "#capability", 90, NULL),
                              "environment", with(peer_map("torch", "2.7", "backend", "cu128", NULL), "cxx11_abi",
                                                  kd_value_bool(true))), NULL));
        peer_expect(peer, "environment.list");
        ck_assert_int_eq(peer_integer(peer, "after"), 1);
        reply(peer, rows(kd_value_map(), "environments",
                         with(peer_map("source", "seen", "#uid", 1000, "#seen_s", 3, NULL), "environment",
                              peer_map("program", "train", NULL)), NULL));
        ck_assert(!peer_read(peer));
}

START_TEST(test_environment_list)
{
        ck_assert_int_eq(verb(script_environments, NULL, "environment list"), 0);
        SHOWS(out, "gpu  cuda  90  2.7  cxx11  cu128  -  -  -  -  -      -     -    file:gpu.json\n");
        SHOWS(out, "-    -     -   -    -      -      -  -  -  -  train  1000  3 s  seen\n");
}
END_TEST

static void script_add(Peer *peer, unsigned n)
{
        const kd_value *environment;

        peer_greet(peer);
        peer_expect(peer, "environment.add");
        ck_assert_str_eq(peer_text(peer, "name"), "gpu");
        environment = kd_value_get(peer->params, "environment");
        if (peer->data) {
                ck_assert_uint_eq(kd_value_count(peer->params), 1);
        } else {
                static const char *const facts[][2] = { { "torch", "2.7" }, { "backend", "cu128" }, { "tvm_ffi", "0.1" },
                                                        { "os", "linux" } };

                for (size_t i = 0; i < ARRAY_SIZE(facts); i++)
                        ck_assert_str_eq(kd_value_as_string(kd_value_get(environment, facts[i][0]), NULL), facts[i][1]);
                ck_assert_ptr_nonnull(kd_value_as_string(kd_value_get(environment, "cpu"), NULL));
                ck_assert_int_eq(kd_value_kind(kd_value_get(environment, "free_threaded")), KD_NIL);
                ck_assert_int_eq(kd_value_kind(kd_value_get(environment, "program")), KD_NIL);
                ck_assert_int_eq(peer_integer(peer, "capability"), 90);
        }
        reply(peer, with(peer_map("#changed", 1, "#generation", 4, NULL), "in_force", kd_value_bool(true)));
        ck_assert(!peer_read(peer));
}

START_TEST(test_environment_add)
{
        int removes;

        ck_assert_int_eq(verb(script_add, NULL, "environment add gpu --torch 2.7 --cuda=12.8 --native --capability 9.0"), 0);
        ck_assert_str_eq(out, "changed 1, generation 4\n");
        ck_assert_int_eq(verb(script_add, &removes, "environment add gpu --remove"), 0);
}
END_TEST

/* --- the cache --- */

static kd_value *cached(int generation, int next, const char *digest)
{
        kd_value *result = peer_map("#generation", generation, NULL);

        if (next)
                result = with(result, "next", kd_value_integer(next));
        return rows(result, "kernels", peer_map("repo", "o/n", "commit", COMMIT, "variant", "torch-cpu", "digest", digest,
                                                "revisions", "main, v1", "#used_s", 9, NULL), NULL);
}

/* The cache changes between two pages: from the beginning again. */
static void script_cache(Peer *peer, unsigned n)
{
        static const int generations[] = { 1, 2, 3, 3 };

        peer_greet(peer);
        for (size_t i = 0; i < ARRAY_SIZE(generations); i++) {
                peer_expect(peer, "cache.list");
                ck_assert_int_eq(peer_integer(peer, "after"), i % 2 ? 1 : -1);
                reply(peer, cached(generations[i], i % 2 ? 0 : 1, i < 2 ? "missing" : "unchecked"));
        }
        ck_assert(!peer_read(peer));
}

START_TEST(test_cache_list)
{
        static const char line[] = "o/n  " COMMIT "  torch-cpu  unchecked  9 s  main, v1\n";

        ck_assert_int_eq(verb(script_cache, NULL, "cache list"), 0);
        ck_assert_int_eq(strncmp(out, line, strlen(line)), 0);
        ck_assert_str_eq(out + strlen(line), line);
}
END_TEST

static void script_verify(Peer *peer, unsigned n)
{
        peer_greet(peer);
        for (int i = 0; i < 2; i++) {
                peer_expect(peer, "cache.verify");
                ck_assert_str_eq(peer_text(peer, "repo"), "o/n");
                ck_assert_int_eq(peer_integer(peer, "after"), i ? 1 : -1);
                reply(peer, rows(i ? peer_map("#failed", peer->data != NULL, NULL) : peer_map("#failed", 0, "#next", 1, NULL),
                                 "kernels", peer_map("repo", "o/n", "commit", COMMIT, "variant", "torch-cpu", "digest",
                                                     i && peer->data ? "corrupt" : "ok", "message",
                                                     i && peer->data ? "x.so differs" : NULL, "signature", "not checked", NULL),
                                 NULL));
        }
        ck_assert(!peer_read(peer));
}

START_TEST(test_cache_verify)
{
        int corrupt;

        ck_assert_int_eq(verb(script_verify, NULL, "cache verify o/n"), 0);
        ck_assert_int_eq(verb(script_verify, &corrupt, "cache verify o/n"), 8);
        SHOWS(out, "torch-cpu  ok       not checked  -\n");
        SHOWS(out, "torch-cpu  corrupt  not checked  x.so differs\n");
        ck_assert_int_eq(verb(script_verify, &corrupt, "cache verify o/n --json"), 8);
        SHOWS(out, "\"schema\": \"kernelsctl.cache-verify.1\"");
}
END_TEST

/* --- history --- */

/* Two events a page, whatever was asked for. */
static void script_history(Peer *peer, unsigned n)
{
        const int *limits = peer->data;
        int number = 100;

        peer_greet(peer);
        for (; *limits; limits++, number -= 2) {
                peer_expect(peer, "history");
                ck_assert_int_eq(peer_integer(peer, "limit"), *limits);
                ck_assert_int_eq(peer_integer(peer, "after"), number == 100 ? -1 : number);
                reply(peer, rows(limits[1] ? peer_map("#next", number - 2, NULL) : kd_value_map(), "events",
                                 peer_map("#number", number, "#time_s", 0, "#uid", 7, "#pid", 8, "what", "acquire", "layer", "L",
                                          "repo", "o/n", "commit", COMMIT, "variant", "torch-cpu", "outcome", "ok", NULL),
                                 peer_map("#number", number - 1, "#time_s", 1, "#uid", 0, "#pid", 9, "what",
                                          number == 100 ? "pin.set" : "report", "outcome", number == 100 ? "denied" : "ok",
                                          number == 100 ? NULL : "reason", "no \x1b[1m kernel", NULL), NULL));
        }
        ck_assert(!peer_read(peer));
}

static size_t count_lines(const char *text)
{
        size_t n = 0;

        for (; *text; text++)
                n += *text == '\n';
        return n;
}

START_TEST(test_history)
{
        int some[] = { 5, 3, 1, 0 }, all[] = { 100, 98, 0 };

        ck_assert_int_eq(setenv("TZ", "UTC", 1), 0);
        ck_assert_int_eq(verb(script_history, some, "history -n 5"), 0);
        ck_assert_uint_eq(count_lines(out), 5);
        SHOWS(out, "1970-01-01 00:00:00  7  8  acquire  ok      L  o/n       " COMMIT "  torch-cpu  -\n");
        SHOWS(out, "1970-01-01 00:00:01  0  9  pin.set  denied  -  -         -");
        SHOWS(out, "1970-01-01 00:00:01  0  9  report   ok      -  original  -");
        SHOWS(out, "  no ?[1m kernel\n");
        ck_assert_int_eq(verb(script_history, all, "history"), 0);
        ck_assert_uint_eq(count_lines(out), 4);
}
END_TEST

/* --- clients --- */

/* The first has a lease and says what it uses if so asked, the second nothing. */
static void script_clients(Peer *peer, unsigned n)
{
        const bool *says = peer->data;
        kd_value *first = peer_map("#session", 4, "#pid", 8, "#uid", 7, "client", "c", "#age_s", 5, "#n_leases", 1,
                                   "#n_used", *says ? 70 : 0, NULL);

        peer_greet(peer);
        peer_expect(peer, "clients");
        first = rows(first, "leases", peer_map("#lease", 1, "layer", "L", "kernel", "o/n", "commit", COMMIT, "variant", "v",
                                               NULL), NULL);
        if (*says)
                first = rows(first, "used",
                             peer_map("layer", "L", "device", "cuda", "mode", "inference", "repo", "o/n", "commit", COMMIT,
                                      "variant", "v", "reason", "as mapped", NULL),
                             peer_map("layer", "Other", "reason", "no \x1b[1m backward", NULL), NULL);
        reply(peer, rows(kd_value_map(), "clients", first, peer_map("#session", 5, "#pid", 9, "#uid", 7, NULL), NULL));
        ck_assert(!peer_read(peer));
}

START_TEST(test_clients)
{
        bool yes = true, no = false;

        ck_assert_int_eq(verb(script_clients, &yes, "clients"), 0);
        SHOWS(out, "\n\n4  1  L  o/n  " COMMIT "  v\n"
                   "\nUsed, as the clients say; the daemon did not check it:\n"
                   "4  L      cuda  inference  o/n       " COMMIT "  v  as mapped\n"
                   "4  Other  -     -          original  -");
        SHOWS(out, "  -  no ?[1m backward\nSession 4 says more: 70 rows, of which the latest 2 are shown.\n");
        ck_assert_int_eq(verb(script_clients, &no, "clients"), 0);
        ck_assert_ptr_null(strstr(out, "say"));
        ck_assert_int_eq(verb(script_clients, &yes, "clients --json"), 0);
        SHOWS(out, "\"reason\": \"as mapped\"");
}
END_TEST

/* --- acquire --- */

static void script_acquire(Peer *peer, unsigned n)
{
        int fd = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        peer_greet(peer);
        ck_assert_str_eq(peer_text(peer, "job"), "seven");
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "offline")));
        peer_expect(peer, "acquire");
        ck_assert_str_eq(peer_text(peer, "repo"), "o/n");
        ck_assert_str_eq(peer_text(peer, "revision"), "main");
        ck_assert(peer_absent(peer, "device") && peer_absent(peer, "query"));
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "fresh")));
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "trust_remote_code")));
        ck_assert_int_eq(peer_integer(peer, "deadline_ms"), 2000);
        peer_notify(peer, "progress", peer_map("#id", (int)peer->id, "#files", 1, "#bytes", 2, NULL));
        peer_answer(peer, peer->id, peer_map("redirect", "p/n", "variant", "torch-cpu", "state", "ready", "digest", "ok",
                                             "#generation", 1, "path", "/usr", "#lease", 1, NULL), fd, 0);
        close(fd);
        peer_expect(peer, "release");
        ck_assert(!peer_read(peer));
}

START_TEST(test_acquire)
{
        static const char line[] = "acquire --repo o/n --revision main --job=seven --offline --fresh --trust-remote-code --deadline 2";
        char json[200];

        ck_assert_int_eq(verb(script_acquire, NULL, line), 0);
        ck_assert_str_eq(out, "/usr\n");
        ck_assert_str_eq(errors, ""); /* no terminal: no progress */
        (void)snprintf(json, sizeof(json), "%s --json", line);
        ck_assert_int_eq(verb(script_acquire, NULL, json), 0);
        SHOWS(out, "\"digest\": \"ok\"");
        SHOWS(out, "\"redirect\": \"p/n\"");
}
END_TEST

static void script_untrusted(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "acquire");
        peer_refuse(peer, peer->id, KD_UNTRUSTED, "nobody trusts o");
        ck_assert(!peer_read(peer));
}

START_TEST(test_untrusted_is_6)
{
        ck_assert_int_eq(verb(script_untrusted, NULL, "acquire --repo o/n --version 1"), 6);
}
END_TEST

/* --- resolve --- */

static void script_fresh(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "resolve");
        ck_assert(kd_value_as_bool(kd_value_get(peer->params, "fresh")));
        reply(peer, peer_answers(peer));
        ck_assert(!peer_read(peer));
}

START_TEST(test_resolve_fresh)
{
        ck_assert_int_eq(verb(script_fresh, NULL, "resolve L --fresh"), 0);
}
END_TEST

/* --- status --- */

/* What is wrong with Hub or cache is said; it does not make the status 1. */
static void script_status(Peer *peer, unsigned n)
{
        kd_value *status = peer_map("daemon", "fake 1", "hub", "https://hub", "hub_message", "no answer", "cache", "/c",
                                    "cache_message", "others may write there", "#kernels", 3, "#fetches", 1, NULL);

        peer_greet(peer);
        peer_expect(peer, "status");
        status = with(with(status, "mapping_ok", kd_value_bool(true)), "state_ok", kd_value_bool(true));
        reply(peer, peer->data ? with(status, "offline", kd_value_bool(true)) : status);
        ck_assert(!peer_read(peer));
}

START_TEST(test_status)
{
        int offline;

        ck_assert_int_eq(verb(script_status, NULL, "status"), 0);
        SHOWS(out, "hub          https://hub; fetches running 1\n             no answer\n"
                   "cache        /c; kernels 3\n             others may write there\n");
        ck_assert_int_eq(verb(script_status, &offline, "status"), 0);
        SHOWS(out, "hub          https://hub, offline; fetches running 1\n");
}
END_TEST

FIXTURE_MAIN("kernelsctl/verbs", test_versions, test_info, test_info_of_a_repository_without_versions, test_refresh,
             test_failed_ones_that_are_not_shown, test_prefetch, test_environment_list, test_environment_add, test_cache_list,
             test_cache_verify, test_history, test_clients, test_acquire, test_untrusted_is_6, test_resolve_fresh, test_status)
