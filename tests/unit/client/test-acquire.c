/* Acquire: the lease and its folder, progress, giving up; native kernels. */
#include "client/acquire.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/kernel.h"
#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

static const kd_query query = { "SiluAndMul", "cpu", -1, "inference", NULL };

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

/* An answer whose folder is `path`. */
static kd_value *kernel_result(const char *path, const char *library)
{
        kd_value *result = peer_map("layer", "SiluAndMul", "mode", "fallback", "source", "file:x.json", "variant",
                                    "tvm-ffi01-cpu-x86_64-linux", "arch", "ok", "state", "local", "#generation", 3,
                                    "path", path, "#lease", 17, NULL);
        kd_value *layers = kd_value_map(), *native = peer_map("library", library, NULL), *one;

        ck_assert_int_eq(kd_value_set(result, "metadata", kd_value_binary("{}", 2)), 0);
        ck_assert_int_eq(kd_value_set(result, "reference", peer_map("path", "/opt/x", "layer", "Silu", NULL)), 0);
        one = peer_map("function", "add_one", NULL);
        ck_assert_int_eq(kd_value_set(one, "has_backward", kd_value_bool(false)), 0);
        ck_assert_int_eq(kd_value_set(layers, "Silu", one), 0);
        ck_assert_int_eq(kd_value_set(layers, "Other", peer_map("function", "nothing_there", NULL)), 0);
        ck_assert_int_eq(kd_value_set(native, "layers", layers), 0);
        ck_assert_int_eq(kd_value_set(result, "native", native), 0);
        return result;
}

static void answer_kernel(Peer *peer, const char *folder, const char *path, const char *library, size_t piece)
{
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_int_ge(fd, 0);
        peer_answer(peer, peer->id, kernel_result(path, library), fd, piece);
        close(fd);
}

static void script_kernel(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "acquire");
        ck_assert_int_eq(peer_integer(peer, "view"), 1);
        ck_assert_int_eq(peer_integer(peer, "deadline_ms"), LIMIT_ACQUIRE_MS);
        answer_kernel(peer, "/usr", "/usr", "x.so", 5);
        peer_expect(peer, "acquire");
        ck_assert_int_eq(peer_integer(peer, "deadline_ms"), 1234);
        answer_kernel(peer, "/usr", "/var", "x.so", 0);
        peer_expect(peer, "release");
        ck_assert_int_eq(peer_integer(peer, "lease"), 17);
        ck_assert(!peer_read(peer)); /* the second one's goes with the session */
}

START_TEST(test_kernel)
{
        kd_kernel *here, *elsewhere;
        char path[64];
        size_t size;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_kernel);

        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, NULL, NULL, &here, NULL), 0);
        ck_assert_str_eq(kd_kernel_path(here), "/usr");
        ck_assert_str_eq(kd_kernel_answer(here)->variant, "tvm-ffi01-cpu-x86_64-linux");
        ck_assert_str_eq(kd_kernel_answer(here)->path, "/opt/x");
        ck_assert_str_eq(kd_kernel_answer(here)->reference_layer, "Silu");
        ck_assert_str_eq(kd_kernel_metadata(here, &size), "{}");
        ck_assert_uint_eq(size, 2);
        ck_assert_int_eq(fcntl(kd_kernel_fd(here), F_GETFD), FD_CLOEXEC);
        /* The daemon's path is another folder here: by the descriptor then. */
        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 1234, NULL, NULL, &elsewhere, NULL), 0);
        (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", kd_kernel_fd(elsewhere));
        ck_assert_str_eq(kd_kernel_path(elsewhere), path);
        ck_assert_ptr_null(kd_kernel_free(here));
        (void)kd_close(client);
        ck_assert_int_ge(fcntl(kd_kernel_fd(elsewhere), F_GETFD), 0);
        (void)kd_kernel_free(elsewhere);
        peer_join(&peer);
}
END_TEST

/* An answer that came with the giving back of a lease is told. */
static void script_told(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "acquire");
        answer_kernel(peer, "/usr", "/usr", "x.so", 0);
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        peer_expect(peer, "release");
        ck_assert(!peer_read(peer));
}

static void told_done(void *data, int code, const kd_value *result, const kd_error *error)
{
        ++*(int *)data;
}

START_TEST(test_free_tells)
{
        struct pollfd item = { .events = POLLIN };
        kd_pending *pending;
        kd_kernel *kernel;
        int n_told = 0;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_told);

        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, NULL, NULL, &kernel, NULL), 0);
        ck_assert_int_eq(kd_start(client, "status", NULL, told_done, &n_told, &pending, NULL), 0);
        item.fd = kd_fd(client);
        ck_assert_int_eq(poll(&item, 1, -1), 1);
        (void)kd_kernel_free(kernel);
        ck_assert_int_eq(n_told, 1);
        end(&peer, client);
}
END_TEST

/* --- progress, and giving up --- */

static int progress_seen[4];

static int progress_twice(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        int *n = data;

        progress_seen[*n] = (int)files;
        ck_assert_int_eq(files_total, -1);
        ck_assert_int_eq(bytes_total, 500);
        return ++*n == 2;
}

static void notify(Peer *peer, int files)
{
        peer_notify(peer, "progress", peer_map("#id", (int)peer->id, "#files", files, "files_total", NULL, "#bytes",
                                               100, "#bytes_total", 500, NULL));
}

static void script_progress(Peer *peer, unsigned n)
{
        struct pollfd readable = { .fd = peer->fd, .events = POLLIN };
        uint32_t acquire;

        peer_greet(peer);
        peer_expect(peer, "acquire");
        acquire = peer->id;
        notify(peer, 1);
        peer_notify(peer, "weather", peer_map("#rain", 1, NULL));
        do {
                notify(peer, 2);
                peer->id = acquire;
        } while (poll(&readable, 1, 1) == 0);
        peer_expect(peer, "cancel");
        ck_assert_int_eq(peer_integer(peer, "id"), acquire);
        /* It was too late to cancel: the lease comes all the same and goes back. */
        peer->id = acquire;
        answer_kernel(peer, "/usr", "/usr", "x.so", 0);
        peer_expect(peer, "status");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        peer_expect(peer, "release");
        ck_assert_int_eq(peer_integer(peer, "lease"), 17);
        ck_assert(!peer_read(peer));
}

START_TEST(test_given_up)
{
        kd_value *result;
        kd_kernel *kernel;
        kd_error error;
        int n = 0;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_progress);

        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, progress_twice, &n, &kernel, &error),
                         KD_CANCELLED);
        ck_assert_str_eq(error.name, "cancelled");
        ck_assert_int_eq(n, 2);
        ck_assert_int_ge(progress_seen[1], progress_seen[0]);
        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        end(&peer, client);
}
END_TEST

static void script_answered(Peer *peer, unsigned n)
{
        uint32_t acquire;

        peer_greet(peer);
        peer_expect(peer, "acquire");
        acquire = peer->id;
        notify(peer, 1);
        peer_expect(peer, "status");
        n = peer->id;
        peer->id = acquire;
        answer_kernel(peer, "/usr", "/usr", "x.so", 0);
        peer_answer(peer, n, kd_value_map(), -1, 0);
        peer_expect(peer, "release");
        ck_assert_int_eq(peer_integer(peer, "lease"), 17);
        ck_assert(!peer_read(peer));
}

static int progress_asks(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total)
{
        kd_value *result;

        ck_assert_int_eq(kd_call(data, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
        return 1;
}

/* The answer came while the caller made up its mind: its lease goes back. */
START_TEST(test_given_up_with_answer)
{
        kd_kernel *kernel;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_answered);

        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, progress_asks, client, &kernel, NULL),
                         KD_CANCELLED);
        end(&peer, client);
}
END_TEST

static int64_t fake_ms;

static int64_t fake_clock(void)
{
        return fake_ms += 1000000; /* every look is later than any deadline */
}

static void script_silent(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "acquire");
        peer_expect(peer, "cancel");
        ck_assert(!peer_read(peer));
}

START_TEST(test_timeout)
{
        kd_kernel *kernel;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_silent);

        client->clock_ms = fake_clock;
        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 1, NULL, NULL, &kernel, &error), -ETIMEDOUT);
        end(&peer, client);
}
END_TEST

static void script_nothing(Peer *peer, unsigned n)
{
        kd_value *result;

        peer_greet(peer);
        peer_expect(peer, "acquire");
        result = kernel_result("/usr", "x.so");
        peer_answer(peer, peer->id, result, -1, 0);
        peer_expect(peer, "release");
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
        peer_expect(peer, "acquire");
        peer_refuse(peer, peer->id, KD_NO_VARIANT, "None fits.");
        ck_assert(!peer_read(peer));
}

START_TEST(test_refused)
{
        kd_kernel *kernel;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_nothing);

        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, NULL, NULL, &kernel, &error), -EBADMSG);
        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, NULL, NULL, &kernel, &error), KD_NO_VARIANT);
        end(&peer, client);
}
END_TEST

/* --- a local repository of the caller's --- */

static void answer_variant(Peer *peer, const char *variant)
{
        kd_value *result = peer_map("layer", "SiluAndMul", "mode", "fallback", "source", "view", "variant", variant,
                                    "state", "local", "#generation", 3, NULL);

        ck_assert_int_eq(kd_value_set(result, "reference", peer_map("#local", 4, "layer", "SiluAndMul", NULL)), 0);
        peer_answer(peer, peer->id, result, -1, 0);
}

static void script_local(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "view.extend");
        peer_answer(peer, peer->id, peer_map("#entries", 1, "#first_local", 4, NULL), -1, 0);
        peer_expect(peer, "acquire");
        answer_variant(peer, "torch-cpu");
        ck_assert(!peer_read(peer));
}

START_TEST(test_local)
{
        char path[256], folder[300];
        kd_reference local = { "fallback", NULL, -1, NULL, path, NULL };
        kd_entry entry = { "SiluAndMul", "cpu", -1, -1, &local, 1 };
        kd_kernel *kernel;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_local);

        (void)snprintf(path, sizeof(path), "%s", fixture_folder());
        (void)snprintf(folder, sizeof(folder), "%s/torch-cpu", path);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        ck_assert_int_eq(kd_view_extend(client, KD_VIEW_SESSION, true, &entry, 1, NULL), 0);
        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, NULL, NULL, &kernel, NULL), 0);
        ck_assert_str_eq(kd_kernel_path(kernel), folder);
        ck_assert_str_eq(kd_kernel_answer(kernel)->path, path);
        ck_assert_int_ge(kd_kernel_fd(kernel), 0);
        ck_assert_ptr_null(kd_kernel_metadata(kernel, NULL));
        (void)kd_kernel_free(kernel);
        end(&peer, client);
}
END_TEST

/* Names that are no folder of the repository that was read. */
static const char *const no_variants[] = { "..", ".", "", "torch-cpu/", "../other", "/", "torch-cpu/../../other", "late", NULL };

static void script_local_elsewhere(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "view.extend");
        peer_answer(peer, peer->id, peer_map("#entries", 1, "#first_local", 4, NULL), -1, 0);
        for (size_t i = 0; i < ARRAY_SIZE(no_variants); ++i) {
                peer_expect(peer, "acquire");
                answer_variant(peer, no_variants[i]);
        }
        ck_assert(!peer_read(peer));
}

START_TEST(test_local_elsewhere)
{
        char path[256], folder[300];
        kd_reference local = { "fallback", NULL, -1, NULL, path, NULL };
        kd_entry entry = { "SiluAndMul", "cpu", -1, -1, &local, 1 };
        kd_kernel *kernel;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_local_elsewhere);

        (void)snprintf(path, sizeof(path), "%s/mine", fixture_folder());
        (void)snprintf(folder, sizeof(folder), "%s/torch-cpu", path);
        ck_assert(mkdir(path, 0755) == 0 && mkdir(folder, 0755) == 0);
        ck_assert_int_eq(kd_view_extend(client, KD_VIEW_SESSION, true, &entry, 1, NULL), 0);
        (void)snprintf(folder, sizeof(folder), "%s/other", fixture_folder());
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        (void)snprintf(folder, sizeof(folder), "%s/late", path);
        ck_assert_int_eq(mkdir(folder, 0755), 0); /* the daemon was never told of it */
        for (size_t i = 0; i < ARRAY_SIZE(no_variants); ++i)
                ck_assert_msg(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, NULL, NULL, &kernel, NULL) == -EBADMSG,
                              "\"%s\"", no_variants[i] ? no_variants[i] : "nil");
        end(&peer, client);
}
END_TEST

/* --- flags, and by repository --- */

static bool peer_truth(Peer *peer, const char *key)
{
        return kd_value_as_bool(kd_value_get(peer->params, key));
}

static void script_flags(Peer *peer, unsigned n)
{
        peer_greet(peer);
        for (unsigned flags = 0; flags < 4; ++flags) {
                peer_expect(peer, "acquire");
                ck_assert_int_eq(peer_truth(peer, "fresh"), flags & KD_FRESH);
                ck_assert_int_eq(peer_truth(peer, "trust_remote_code"), !!(flags & KD_TRUST_REMOTE_CODE));
                peer_refuse(peer, peer->id, KD_UNTRUSTED, "nobody trusts o");
        }
        peer_expect(peer, "resolve");
        ck_assert(!peer_truth(peer, "fresh"));
        peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
        peer_expect(peer, "resolve");
        ck_assert(peer_truth(peer, "fresh"));
        peer_answer(peer, peer->id, peer_answers(peer), -1, 0);
        ck_assert(!peer_read(peer));
}

START_TEST(test_flags)
{
        const kd_repository_query repository = KD_REPOSITORY_QUERY_INIT;
        kd_answers *answers;
        kd_kernel *kernel;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_flags);

        for (unsigned flags = 0; flags < 4; ++flags)
                ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, flags, 0, NULL, NULL, &kernel, NULL), KD_UNTRUSTED);
        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 4, 0, NULL, NULL, &kernel, &error), -EINVAL);
        ck_assert_ptr_nonnull(strstr(error.message, "0x4"));
        for (unsigned flags = 0; flags < 2; ++flags) {
                ck_assert_int_eq(kd_resolve(client, KD_VIEW_SESSION, &query, 1, flags, &answers, NULL), 0);
                (void)kd_answers_free(answers);
        }
        ck_assert_int_eq(kd_resolve(client, KD_VIEW_SESSION, &query, 1, KD_TRUST_REMOTE_CODE, &answers, NULL), -EINVAL);
        ck_assert_int_eq(kd_acquire_repository(client, &repository, 0, 0, NULL, NULL, &kernel, &error), KD_BAD_REQUEST);
        end(&peer, client);
}
END_TEST

/* A kernel of a repository: no layer, no mode. */
static kd_value *repository_result(void)
{
        kd_value *result = peer_map("redirect", "p/n", "commit", "0123456789abcdef0123456789abcdef01234567", "#commit_age_s",
                                    5, "variant", "torch-cpu", "arch", "unknown", "state", "ready", "#generation", 3, "path",
                                    "/usr", "#lease", 18, "digest", "missing", NULL);

        ck_assert_int_eq(kd_value_set(result, "reference", peer_map("repo", "o/n", "#version", 1, NULL)), 0);
        return result;
}

static void answer_repository(Peer *peer)
{
        int fd = open("/usr", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        peer_answer(peer, peer->id, repository_result(), fd, 0);
        close(fd);
}

/* The first connection ends under the acquire, which is asked for once more. */
static void script_repository(Peer *peer, unsigned n)
{
        peer_greet(peer);
        peer_expect(peer, "acquire");
        ck_assert_str_eq(peer_text(peer, "repo"), "o/n");
        ck_assert_int_eq(peer_integer(peer, "version"), 1);
        ck_assert_int_eq(peer_integer(peer, "capability"), 90);
        ck_assert_str_eq(peer_text(peer, "device"), "cuda");
        ck_assert_int_eq(peer_integer(peer, "deadline_ms"), 77);
        ck_assert(peer_truth(peer, "fresh") && !peer_truth(peer, "trust_remote_code"));
        for (size_t i = 0; i < 4; ++i) {
                static const char *const absent[] = { "view", "query", "revision", "arch" };

                ck_assert_int_eq(kd_value_kind(kd_value_get(peer->params, absent[i])), KD_NIL);
        }
        if (n == 0)
                return;
        answer_repository(peer);
        peer_expect(peer, "release");
        ck_assert_int_eq(peer_integer(peer, "lease"), 18);
        ck_assert(!peer_read(peer));
}

START_TEST(test_repository)
{
        kd_repository_query repository = KD_REPOSITORY_QUERY_INIT;
        const kd_answer *answer;
        kd_forward function;
        kd_kernel *kernel;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_repository);

        repository.repo = "o/n";
        repository.version = 1;
        repository.device = "cuda";
        repository.capability = 90;
        ck_assert_int_eq(kd_acquire_repository(client, &repository, KD_FRESH, 77, NULL, NULL, &kernel, NULL), 0);
        answer = kd_kernel_answer(kernel);
        ck_assert(!answer->layer && !answer->mode && !answer->source && answer->min_capability == -1);
        ck_assert_str_eq(answer->repo, "o/n");
        ck_assert_int_eq(answer->version, 1);
        ck_assert_str_eq(answer->redirect, "p/n");
        ck_assert_int_eq(answer->commit_age_s, 5);
        ck_assert_str_eq(answer->state, "ready");
        ck_assert_str_eq(answer->digest, "missing");
        ck_assert_str_eq(kd_kernel_path(kernel), "/usr");
        ck_assert_int_eq(kd_native(kernel, NULL, &function, NULL), -ENOENT);
        (void)kd_kernel_free(kernel);
        end(&peer, client);
}
END_TEST

/* --- native --- */

static void script_native(Peer *peer, unsigned n)
{
        static const char *const libraries[] = { KERNEL_NAME, KERNEL_NAME, "../x.so", "missing.so" };

        peer_greet(peer);
        for (size_t i = 0; i < ARRAY_SIZE(libraries); ++i) {
                peer_expect(peer, "acquire");
                answer_kernel(peer, KERNEL_FOLDER, i == 1 ? "/not/here" : KERNEL_FOLDER, libraries[i], 0);
                peer_expect(peer, "release");
        }
        ck_assert(!peer_read(peer));
}

static kd_kernel *acquire_next(kd_client *client)
{
        kd_kernel *kernel;

        ck_assert_int_eq(kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, NULL, NULL, &kernel, NULL), 0);
        return kernel;
}

START_TEST(test_native)
{
        kd_any argument = { .type = 1, .integer = 41 }, result = { 0 };
        int has_backward, can_torch_compile, r;
        kd_forward function, again;
        kd_kernel *kernel;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_native);

        for (int i = 0; i < 2; ++i) {
                kernel = acquire_next(client);
                r = kd_native(kernel, NULL, &function, &error);
                ck_assert_msg(!r, "%s", r ? error.message : "");
                ck_assert_int_eq(function(NULL, &argument, 1, &result), 0);
                ck_assert_int_eq(result.integer, 42);
                ck_assert_int_eq(kd_native(kernel, "Silu", &again, NULL), 0);
                ck_assert_ptr_eq((void *)(uintptr_t)function, (void *)(uintptr_t)again);
                ck_assert_int_eq(kd_native(kernel, "Gelu", &again, &error), -ENOENT);
                ck_assert_int_eq(kd_native(kernel, "Other", &again, &error), -ELIBBAD);
                ck_assert_int_eq(kd_native_states(kernel, NULL, &has_backward, &can_torch_compile, NULL), 0);
                ck_assert(has_backward == 0 && can_torch_compile == -1);
                (void)kd_kernel_free(kernel);
        }
        for (int i = 0; i < 2; ++i) {
                kernel = acquire_next(client);
                ck_assert_int_eq(kd_native(kernel, NULL, &function, &error), -ELIBBAD);
                (void)kd_kernel_free(kernel);
        }
        end(&peer, client);
}
END_TEST

/* Two kernels whose libraries have the same name, seen only through their
 * descriptor, which has the same number; the first stays loaded. */
static void script_same_name(Peer *peer, unsigned n)
{
        char folder[300];

        peer_greet(peer);
        for (int i = 0; i < 2; ++i) {
                (void)snprintf(folder, sizeof(folder), "%s/%d", fixture_folder(), i);
                peer_expect(peer, "acquire");
                answer_kernel(peer, folder, "/not/here", "kernel.so", 0);
                peer_expect(peer, "release");
        }
        ck_assert(!peer_read(peer));
}

static void copy_library(int number, const char *name)
{
        char from[300], to[300], bytes[4096];
        FILE *in, *out;
        size_t n;

        (void)snprintf(to, sizeof(to), "%s/%d", fixture_folder(), number);
        ck_assert_int_eq(mkdir(to, 0755), 0);
        (void)snprintf(to, sizeof(to), "%s/%d/kernel.so", fixture_folder(), number);
        (void)snprintf(from, sizeof(from), "%s/%s", KERNEL_FOLDER, name);
        in = fopen(from, "re");
        out = fopen(to, "we");
        ck_assert(in && out);
        while ((n = fread(bytes, 1, sizeof(bytes), in)))
                ck_assert_uint_eq(fwrite(bytes, 1, n, out), n);
        ck_assert(fclose(in) == 0 && fclose(out) == 0);
}

START_TEST(test_same_name)
{
        kd_any argument = { .type = 1, .integer = 40 }, result;
        const int number = 100;
        kd_forward function;
        Peer peer;
        kd_client *client = begin(&peer, 1, script_same_name);

        copy_library(0, KERNEL_KEPT);
        copy_library(1, KERNEL_NAME);
        for (int i = 0; i < 2; ++i) {
                kd_kernel *kernel = acquire_next(client);

                /* The same number both times, whatever the peer has open. */
                ck_assert_int_eq(dup3(kernel->fd, number, O_CLOEXEC), number);
                close(kernel->fd);
                kernel->fd = number;
                ck_assert_int_eq(kd_native(kernel, NULL, &function, NULL), 0);
                ck_assert_int_eq(function(NULL, &argument, 1, &result), 0);
                ck_assert_int_eq(result.integer, i == 0 ? 42 : 41);
                (void)kd_kernel_free(kernel);
        }
        end(&peer, client);
}
END_TEST

/* --- a child --- */

/* The lease belongs to the parent's connection: the child's, which it has for
 * itself, says nothing of it. */
static void script_child(Peer *peer, unsigned n)
{
        peer_greet(peer);
        if (n == 0) {
                peer_expect(peer, "acquire");
                answer_kernel(peer, "/usr", "/usr", "x.so", 0);
                peer_expect(peer, "release");
        } else {
                peer_expect(peer, "acquire");
                answer_repository(peer);
        }
        ck_assert(!peer_read(peer));
}

static int child_frees(kd_client *client, kd_kernel *kernel)
{
        kd_repository_query repository = KD_REPOSITORY_QUERY_INIT;
        kd_kernel *own;

        repository.repo = "o/n";
        repository.revision = "main";
        if (kd_acquire_repository(client, &repository, 0, 0, NULL, NULL, &own, NULL))
                return 1;
        (void)kd_kernel_free(kernel);
        (void)kd_close(client);
        (void)kd_kernel_free(own);
        return 0;
}

START_TEST(test_child)
{
        int gate[2], status;
        kd_kernel *kernel;
        pid_t child;
        Peer peer;
        kd_client *client = begin(&peer, 2, script_child);

        ck_assert_int_eq(pipe2(gate, O_CLOEXEC), 0);
        kernel = acquire_next(client);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child) {
                close(gate[1]);
                _exit(read(gate[0], &(char){ 0 }, 1) ? 9 : child_frees(client, kernel));
        }
        (void)kd_kernel_free(kernel);
        (void)kd_close(client);
        close(gate[0]);
        close(gate[1]);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        peer_join(&peer);
}
END_TEST

FIXTURE_MAIN("client/acquire", test_kernel, test_free_tells, test_given_up, test_given_up_with_answer, test_timeout, test_refused, test_local,
             test_local_elsewhere, test_flags, test_repository, test_native, test_same_name, test_child)
