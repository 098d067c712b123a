/* kd_kernelize against a scripted daemon: every vector of the gates, what each
 * flag keeps the original for, kernels that are shared, all or nothing. */
#include "client/kernelize.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/kernel.h"
#include "proto/mode.h"
#include "tests/lib/fixture.h"
#include "tests/unit/client/peer.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"
#define OTHER_COMMIT "fedcba9876543210fedcba9876543210fedcba98"

/* What the daemon says of a layer. */
typedef struct Row {
        const char *layer;
        const char *mode;          /* that it is registered for; NULL: no-mapping */
        const char *repo;
        const char *commit;        /* that resolve knows; NULL: none */
        const char *library;       /* NULL: no native table */
        const char *function;      /* NULL: the table names another layer */
        int n_arguments;           /* 0: not stated */
        int has_backward;          /* -1: not stated */
        int can_torch_compile;
        int resolve_fault;
        int acquire_fault;
        const char *moves_to;      /* the commit at acquire, the first time */
        const char *redirect;      /* the repository that `repo` leads to */
} Row;

static Row rows[8];

/* What the daemon was asked. */
static atomic_int n_resolves, n_queries, n_acquires, n_releases, n_leases, n_reports, n_used, n_used_kernels;
static atomic_int released_before_last; /* releases when the last acquire came */

static Row good(const char *layer)
{
        return (Row){ layer, "inference", "o/n", COMMIT, KERNEL_NAME, "add_one", 1, -1, -1, 0, 0, NULL, NULL };
}

static Row *row_of(const char *layer)
{
        for (size_t i = 0; i < ARRAY_SIZE(rows); ++i)
                if (rows[i].layer && !strncmp(rows[i].layer, layer, strlen(rows[i].layer)))
                        return &rows[i];
        return NULL;
}

/* --- the daemon --- */

/* The fault that the chain of modes leads to, or 0. */
static int row_fault(const Row *row, const char *requested)
{
        const Mode *chain;
        Mode mode, registered;
        Fault fault;
        size_t n;

        if (!row || row->resolve_fault)
                return row ? row->resolve_fault : KD_NO_MAPPING;
        if (!row->mode)
                return KD_NO_MAPPING;
        ck_assert(!mode_parse_request(text_of(requested), &mode, &fault) &&
                  !mode_parse(text_of(row->mode), &registered, &fault));
        n = mode_chain(mode, &chain);
        for (size_t i = 0; i < n; ++i)
                if (chain[i] == registered)
                        return 0;
        return KD_NO_MODE;
}

static kd_value *answer_of(const kd_value *query)
{
        const char *layer = kd_value_as_string(kd_value_get(query, "layer"), NULL);
        const Row *row = row_of(layer);
        int fault = row_fault(row, kd_value_as_string(kd_value_get(query, "mode"), NULL));
        kd_value *answer;

        if (fault)
                return peer_map("name", kd_fault_name(fault), "message", "It is so: change it.", NULL);
        answer = peer_map("layer", layer, "mode", row->mode, "source", "view", "commit", row->commit, "variant",
                          row->commit ? "tvm-ffi01-cpu-x86_64-linux" : NULL, "state", row->commit ? "ready" : "unknown",
                          NULL);
        if (row->redirect)
                ck_assert_int_eq(kd_value_set(answer, "redirect", kd_value_string(row->redirect)), 0);
        ck_assert_int_eq(kd_value_set(answer, "reference", peer_map("repo", row->repo, "#version", 1, "layer", row->layer,
                                                                    NULL)), 0);
        return answer;
}

static void serve_resolve(Peer *peer)
{
        const kd_value *queries = kd_value_get(peer->params, "queries");
        kd_value *answers = kd_value_list(), *result = peer_map("#generation", 7, NULL);

        ++n_resolves;
        n_queries += (int)kd_value_count(queries);
        for (size_t i = 0; i < kd_value_count(queries); ++i)
                ck_assert_int_eq(kd_value_append(answers, answer_of(kd_value_at(queries, i))), 0);
        ck_assert_int_eq(kd_value_set(result, "answers", answers), 0);
        peer_answer(peer, peer->id, result, -1, 0);
}

static kd_value *native_of(const Row *row)
{
        kd_value *native = peer_map("library", row->library, NULL), *layers = kd_value_map(), *one;
        kd_value *arguments = kd_value_list();

        one = peer_map("function", row->function ? row->function : "add_one", NULL);
        for (int i = 0; i < row->n_arguments; ++i)
                ck_assert_int_eq(kd_value_append(arguments, kd_value_string("x")), 0);
        ck_assert_int_eq(kd_value_set(one, "arguments", arguments), 0);
        if (row->has_backward >= 0)
                ck_assert_int_eq(kd_value_set(one, "has_backward", kd_value_bool(row->has_backward)), 0);
        if (row->can_torch_compile >= 0)
                ck_assert_int_eq(kd_value_set(one, "can_torch_compile", kd_value_bool(row->can_torch_compile)), 0);
        ck_assert_int_eq(kd_value_set(layers, row->function ? row->layer : "Another", one), 0);
        ck_assert_int_eq(kd_value_set(native, "layers", layers), 0);
        return native;
}

/* All layers of the same repository are in the table of its kernel. */
static void serve_acquire(Peer *peer)
{
        const char *layer = kd_value_as_string(kd_value_get(kd_value_get(peer->params, "query"), "layer"), NULL);
        Row *row = row_of(layer);
        kd_value *result, *layers, *native;

        ++n_acquires;
        released_before_last = n_releases;
        if (row->acquire_fault) {
                peer_refuse(peer, peer->id, row->acquire_fault, "It cannot be had: see to it.");
                return;
        }
        result = peer_kernel(row->layer, row->mode, row->repo, KERNEL_FOLDER, ++n_leases);
        if (row->moves_to)
                ck_assert_int_eq(kd_value_set(result, "commit", kd_value_string(row->moves_to)), 0);
        row->moves_to = NULL;
        if (row->library) {
                native = native_of(row);
                layers = (kd_value *)(uintptr_t)kd_value_get(native, "layers");
                for (size_t i = 0; i < ARRAY_SIZE(rows); ++i)
                        if (rows[i].layer && &rows[i] != row && rows[i].repo && !strcmp(rows[i].repo, row->repo))
                                ck_assert_int_eq(kd_value_set(layers, rows[i].layer, peer_map("function", rows[i].function,
                                                                                              NULL)), 0);
                ck_assert_int_eq(kd_value_set(result, "native", native), 0);
        }
        peer_lease(peer, peer->id, result, KERNEL_FOLDER);
}

static void serve_report(Peer *peer)
{
        const kd_value *used = kd_value_get(peer->params, "used");

        ++n_reports;
        ck_assert_uint_le(kd_value_count(used), LIMIT_REPORT);
        for (size_t i = 0; i < kd_value_count(used); ++i) {
                const kd_value *one = kd_value_at(used, i);

                ++n_used;
                n_used_kernels += kd_value_kind(kd_value_get(one, "repo")) == KD_STRING;
                ck_assert_str_eq(kd_value_as_string(kd_value_get(one, "device"), NULL), "cpu");
                ck_assert(*kd_value_as_string(kd_value_get(one, "reason"), NULL));
        }
        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
}

static void serve(Peer *peer, unsigned n)
{
        while (peer_read(peer)) {
                if (!strcmp(peer->method, "hello")) {
                        peer_greet_read(peer);
                } else if (!strcmp(peer->method, "resolve")) {
                        serve_resolve(peer);
                } else if (!strcmp(peer->method, "acquire")) {
                        serve_acquire(peer);
                } else if (!strcmp(peer->method, "report")) {
                        serve_report(peer);
                } else {
                        n_releases += !strcmp(peer->method, "release");
                        peer_answer(peer, peer->id, kd_value_map(), -1, 0);
                }
        }
}

static kd_client *connect_to(Peer *peer)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client;

        options.socket = peer->path;
        options.native = true;
        ck_assert_int_eq(kd_connect(&options, &client, NULL), 0);
        return client;
}

static kd_client *begin(Peer *peer)
{
        peer_start(peer, fixture_folder(), 1, serve, NULL);
        return connect_to(peer);
}

/* All that was sent before has been read then: the peer reads in order. And
 * answered: a client that closes with answers unread ends the peer's reading. */
static void settle(kd_client *client)
{
        kd_value *result;

        ck_assert_int_eq(kd_call(client, "status", NULL, &result, NULL), 0);
        (void)kd_value_free(result);
}

static void end(Peer *peer, kd_client *client)
{
        settle(client);
        (void)kd_close(client);
        peer_join(peer);
}

/* --- layers --- */

static int add_hundred(void *self, const kd_any *arguments, int32_t n_arguments, kd_any *result)
{
        result->type = 1;
        result->integer = arguments[0].integer + *(const int *)self;
        return 0;
}

static int hundred = 100;

static kd_layer layer_of(const char *name)
{
        kd_layer layer = KD_LAYER_INIT;

        layer.name = name;
        layer.forward = add_hundred;
        layer.self = &hundred;
        layer.n_arguments = 1;
        return layer;
}

/* 101: by the original; 2: by the kernel. */
static int64_t layer_run(const kd_layer *layer)
{
        kd_any argument = { .type = 1, .integer = 1 }, result = { 0 };

        ck_assert_int_eq(layer->forward(layer->self, &argument, 1, &result), 0);
        return result.integer;
}

static int count_open(void)
{
        DIR *folder = opendir("/proc/self/fd");
        int n = 0;

        ck_assert_ptr_nonnull(folder);
        while (readdir(folder))
                ++n;
        closedir(folder);
        return n;
}

/* Without those that the peer, a thread of this process, has open for an answer. */
static int count_descriptors(kd_client *client)
{
        settle(client);
        return count_open();
}

static int kernelize(kd_client *client, kd_layer *layers, size_t n, const char *mode, unsigned flags, kd_error *error)
{
        return kd_kernelize(client, KD_VIEW_SESSION, layers, n, mode, "cpu", -1, flags, error);
}

/* --- the gates, as upstream has them --- */

static int tristate(const json_t *value)
{
        return json_is_boolean(value) ? json_is_true(value) : -1;
}

static const char *gate_name(const kd_layer *layer, int r, const kd_error *error)
{
        if (r)
                return error->name;
        return layer->kernel ? "use-kernel" : "use-original";
}

static bool gate_same(const char *file_name, const char *name)
{
        for (; *file_name && *name; ++file_name, ++name)
                if ((*file_name == '_' ? '-' : *file_name) != *name)
                        return false;
        return *file_name == *name;
}

/* The kernel states its properties, or says nothing and the layer does. */
static void check_gate(kd_client *client, const json_t *vector, bool by_layer)
{
        bool use_fallback = json_is_true(json_object_get(vector, "use_fallback"));
        int backward = tristate(json_object_get(vector, "has_backward"));
        int compile = tristate(json_object_get(vector, "can_torch_compile"));
        const char *wanted = json_string_value(json_object_get(vector, "reason"));
        kd_layer layer = layer_of("Silu");
        kd_error error;
        int r;

        rows[0] = good("Silu");
        rows[0].mode = json_string_value(json_object_get(vector, "registered"));
        *(by_layer ? &layer.has_backward : &rows[0].has_backward) = backward;
        *(by_layer ? &layer.can_torch_compile : &rows[0].can_torch_compile) = compile;
        r = kernelize(client, &layer, 1, json_string_value(json_object_get(vector, "requested")),
                      use_fallback ? KD_USE_FALLBACK : 0, &error);
        if (!wanted)
                wanted = json_string_value(json_object_get(vector, "expect"));
        ck_assert_msg(gate_same(wanted, gate_name(&layer, r, &error)), "%s for %s, registered %s: %s, not %s", wanted,
                      json_string_value(json_object_get(vector, "requested")), rows[0].mode,
                      gate_name(&layer, r, &error), wanted);
        ck_assert(!r == !!*layer.reason && (r || !layer.code == !!layer.kernel));
        ck_assert_int_eq(layer_run(&layer), layer.kernel ? 2 : 101);
        kd_unkernelize(&layer, 1);
        ck_assert_int_eq(layer_run(&layer), 101);
}

START_TEST(test_gates)
{
        CLEANUP_ALLOC char *text = NULL;
        json_t *vectors;
        size_t size;
        Peer peer;
        kd_client *client = begin(&peer);

        text = fixture_read("vectors/gates.json", &size);
        vectors = json_loadb(text, size, 0, NULL);
        ck_assert_uint_ge(json_array_size(vectors), 200);
        for (size_t i = 0; i < json_array_size(vectors); ++i) {
                check_gate(client, json_array_get(vectors, i), false);
                check_gate(client, json_array_get(vectors, i), true);
        }
        json_decref(vectors);
        end(&peer, client);
}
END_TEST

/* --- what is refused at once --- */

START_TEST(test_arguments)
{
        kd_layer layer = layer_of("Silu");
        const unsigned all = KD_USE_FALLBACK_ALWAYS;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer);

        ck_assert_int_eq(kernelize(client, &layer, 1, "fallback", all, &error), KD_INVALID_MODE);
        ck_assert_int_eq(kernelize(client, &layer, 1, NULL, all, &error), KD_BAD_REQUEST);
        ck_assert_int_eq(kernelize(client, &layer, 1, "inference", 16, &error), -EINVAL);
        ck_assert_int_eq(kd_kernelize(client, KD_VIEW_SESSION, &layer, 1, "inference", "metal", -1, all, &error),
                         KD_INVALID_DEVICE);
        ck_assert_ptr_nonnull(strstr(error.message, "mps"));
        ck_assert_int_eq(kd_kernelize(client, 77, &layer, 1, "inference", "cpu", -1, all, &error), KD_BAD_REQUEST);
        ck_assert_ptr_nonnull(strstr(error.message, "view 77"));
        layer.forward = NULL;
        ck_assert_int_eq(kernelize(client, &layer, 1, "inference", all, &error), KD_BAD_REQUEST);
        ck_assert_int_eq(kernelize(client, NULL, 0, "inference", 0, &error), 0);
        ck_assert_int_eq(kernelize(client, NULL, 0, "fallback", 0, &error), KD_INVALID_MODE);
        ck_assert_int_eq(n_resolves, 0);
        end(&peer, client);
}
END_TEST

/* --- what each flag covers --- */

typedef struct Failing {
        const char *what;
        Row row;
        int code;
        const char *name;
        unsigned covered_by; /* the weaker of the flags; 0: none */
} Failing;

static void check_failing(kd_client *client, const Failing *failing)
{
        static const unsigned flags[] = { 0, KD_USE_FALLBACK, KD_USE_FALLBACK_ALWAYS };

        for (size_t i = 0; i < ARRAY_SIZE(flags); ++i) {
                bool covered = failing->covered_by && failing->covered_by <= flags[i];
                kd_layer layer = layer_of("Silu");
                kd_error error;
                int r;

                rows[0] = failing->row;
                r = kernelize(client, &layer, 1, "training", flags[i], &error);
                ck_assert_msg(r == (covered ? 0 : failing->code), "%s with flag %u: %d", failing->what, flags[i], r);
                ck_assert_int_eq(layer_run(&layer), 101);
                ck_assert_ptr_null(layer.kernel);
                if (r) {
                        ck_assert_str_eq(error.name, failing->name);
                        ck_assert_ptr_eq(strstr(error.message, "layer \"Silu\": "), error.message);
                        ck_assert(!layer.code && !*layer.reason);
                } else {
                        ck_assert_int_eq(layer.code, failing->code);
                        ck_assert_ptr_eq(strstr(layer.reason, "the original is kept: "), layer.reason);
                }
        }
}

START_TEST(test_fallback)
{
        Failing cases[] = {
                { "no-mapping", good("Silu"), KD_NO_MAPPING, "no-mapping", KD_USE_FALLBACK },
                { "no-device", good("Silu"), KD_NO_DEVICE, "no-device", KD_USE_FALLBACK },
                { "no-capability", good("Silu"), KD_NO_CAPABILITY, "no-capability", KD_USE_FALLBACK },
                { "no-mode", good("Silu"), KD_NO_MODE, "no-mode", KD_USE_FALLBACK },
                { "requested", good("Silu"), -ENOTSUP, "requested-mode-unsupported", KD_USE_FALLBACK },
                { "registered", good("Silu"), -ENOTSUP, "registered-mode-unsupported", 0 },
                { "invalid-name", good("Silu"), KD_INVALID_NAME, "invalid-name", 0 },
                { "no-variant", good("Silu"), KD_NO_VARIANT, "no-variant", KD_USE_FALLBACK_ALWAYS },
                { "untrusted", good("Silu"), KD_UNTRUSTED, "untrusted", KD_USE_FALLBACK_ALWAYS },
                { "offline", good("Silu"), KD_OFFLINE, "offline", KD_USE_FALLBACK_ALWAYS },
                { "corrupt", good("Silu"), KD_CORRUPT, "corrupt", KD_USE_FALLBACK_ALWAYS },
                { "hub", good("Silu"), KD_HUB, "hub", KD_USE_FALLBACK_ALWAYS },
                { "no library", good("Silu"), -ELIBBAD, "ELIBBAD", KD_USE_FALLBACK_ALWAYS },
                { "no symbol", good("Silu"), -ELIBBAD, "ELIBBAD", KD_USE_FALLBACK_ALWAYS },
                { "no table", good("Silu"), -ENOENT, "ENOENT", KD_USE_FALLBACK_ALWAYS },
                { "not in the table", good("Silu"), -ENOENT, "ENOENT", KD_USE_FALLBACK_ALWAYS },
                { "arguments", good("Silu"), -EPROTOTYPE, "EPROTOTYPE", KD_USE_FALLBACK_ALWAYS },
        };
        Peer peer;
        kd_client *client = begin(&peer);

        cases[0].row.mode = NULL;
        for (size_t i = 1; i < 4; ++i)
                cases[i].row.resolve_fault = cases[i].code;
        cases[4].row.mode = "fallback";
        cases[4].row.has_backward = 0;
        cases[5].row.mode = "training";
        cases[5].row.has_backward = 0;
        cases[6].row.resolve_fault = KD_INVALID_NAME;
        cases[7].row.resolve_fault = KD_NO_VARIANT;
        for (size_t i = 7; i < 12; ++i)
                cases[i].row.acquire_fault = cases[i].code;
        cases[12].row.library = "missing.so";
        cases[13].row.function = "nothing_there";
        cases[14].row.library = NULL;
        cases[15].row.function = NULL;
        cases[16].row.n_arguments = 3;
        for (size_t i = 7; i < ARRAY_SIZE(cases); ++i)
                cases[i].row.mode = "training";
        for (size_t i = 0; i < ARRAY_SIZE(cases); ++i)
                check_failing(client, &cases[i]);
        end(&peer, client);
}
END_TEST

/* A layer that checks no number takes any. */
START_TEST(test_arguments_unchecked)
{
        kd_layer layers[] = { layer_of("Silu"), layer_of("Gelu") };
        Peer peer;
        kd_client *client = begin(&peer);

        rows[0] = good("Silu");
        rows[0].n_arguments = 3;
        rows[1] = good("Gelu");
        rows[1].repo = "o/m";
        rows[1].n_arguments = 0;
        layers[0].n_arguments = -1;
        layers[1].n_arguments = 2;
        ck_assert_int_eq(kernelize(client, layers, 2, "inference", 0, NULL), 0);
        ck_assert(layers[0].kernel && layers[1].kernel);
        kd_unkernelize(layers, 2);
        end(&peer, client);
}
END_TEST

/* --- no daemon --- */

static void script_gone(Peer *peer, unsigned n)
{
        peer_greet(peer);
        close(peer->listener);
        (void)unlink(peer->path);
        peer->listener = open("/dev/null", O_RDONLY | O_CLOEXEC); /* for peer_join to close */
}

START_TEST(test_no_daemon)
{
        kd_layer layer = layer_of("Silu");
        kd_error error;
        Peer peer;
        kd_client *client;

        peer_start(&peer, fixture_folder(), 1, script_gone, NULL);
        client = connect_to(&peer);
        ck_assert_int_eq(kernelize(client, &layer, 1, "inference", 0, &error), -ENOENT);
        ck_assert_str_eq(error.name, "unreachable");
        ck_assert_int_eq(kernelize(client, &layer, 1, "inference", KD_USE_FALLBACK_ALWAYS, &error), 0);
        ck_assert_int_eq(kernelize(client, &layer, 1, "inference", KD_USE_FALLBACK, &error), 0);
        ck_assert(layer.code == -ENOENT && !layer.kernel && layer_run(&layer) == 101);
        ck_assert_ptr_nonnull(strstr(layer.reason, peer.path));
        ck_assert_int_eq(kernelize(NULL, &layer, 1, "inference", 0, &error), -ENOTCONN);
        ck_assert_int_eq(kernelize(NULL, &layer, 1, "inference", KD_USE_FALLBACK, &error), 0);
        ck_assert(layer.code == -ENOTCONN && layer_run(&layer) == 101);
        (void)kd_close(client);
        peer_join(&peer);
}
END_TEST

/* --- kernels that are shared --- */

START_TEST(test_shared)
{
        kd_layer layers[] = { layer_of("Silu"), layer_of("Gelu"), layer_of("Silu"), layer_of("Norm"), layer_of("Late"),
                              layer_of("Absent"), layer_of("Later") };
        int descriptors;
        Peer peer;
        kd_client *client = begin(&peer);

        rows[0] = good("Silu");
        rows[1] = good("Gelu"); /* the same kernel */
        rows[2] = good("Norm");
        rows[2].repo = "o/other";
        rows[3] = good("Later");
        rows[4] = good("Late");
        rows[3].commit = rows[4].commit = NULL; /* the Hub must be asked: by their reference */
        rows[3].repo = rows[4].repo = "o/late";
        descriptors = count_descriptors(client);
        ck_assert_int_eq(kernelize(client, layers, 7, "inference", KD_USE_FALLBACK, NULL), 0);
        ck_assert(n_resolves == 1 && n_queries == 6 && n_acquires == 3);
        ck_assert(layers[0].kernel == layers[1].kernel && layers[0].kernel == layers[2].kernel);
        ck_assert(layers[3].kernel != layers[0].kernel && layers[4].kernel == layers[6].kernel && !layers[5].kernel);
        ck_assert_int_eq(count_descriptors(client), descriptors + 3);
        for (int i = 0; i < 7; ++i)
                ck_assert_int_eq(layer_run(&layers[i]), i == 5 ? 101 : 2);
        ck_assert_str_eq(layers[0].reason, "o/n at commit " COMMIT ", variant tvm-ffi01-cpu-x86_64-linux, registered for "
                                           "inference");
        ck_assert_int_eq(layers[5].code, KD_NO_MAPPING);
        ck_assert_str_eq(layers[5].reason, "the original is kept: It is so: change it.");
        kd_unkernelize(layers, 6);
        ck_assert_int_eq(count_descriptors(client), descriptors + 1); /* layer 6 holds its own */
        kd_unkernelize(layers, 7);
        ck_assert_int_eq(count_descriptors(client), descriptors);
        for (int i = 0; i < 7; ++i) {
                ck_assert(layers[i].forward == add_hundred && !layers[i].original && !layers[i].kernel);
                ck_assert(!layers[i].code && !*layers[i].reason);
        }
        kd_unkernelize(layers, 7);
        end(&peer, client);
        ck_assert(n_releases == 3 && n_reports == 1 && n_used == 6 && n_used_kernels == 5);
}
END_TEST

/* A repository that leads to one in use is asked for itself: the daemon judges it. */
START_TEST(test_redirect)
{
        kd_layer layers[] = { layer_of("Silu"), layer_of("Gelu"), layer_of("Norm") };
        Peer peer;
        kd_client *client = begin(&peer);

        rows[0] = good("Silu");
        rows[1] = good("Gelu");
        rows[1].repo = "evil/old";
        rows[1].redirect = "o/n";
        rows[1].acquire_fault = KD_UNTRUSTED;
        rows[2] = rows[1];
        rows[2].layer = "Norm";
        ck_assert_int_eq(kernelize(client, layers, 3, "inference", KD_USE_FALLBACK_ALWAYS, NULL), 0);
        ck_assert_int_eq(n_acquires, 2);
        ck_assert(layers[0].kernel && !layers[1].kernel && !layers[2].kernel);
        ck_assert(layers[1].code == KD_UNTRUSTED && layers[2].code == KD_UNTRUSTED);
        kd_unkernelize(layers, 3);
        end(&peer, client);
}
END_TEST

/* --- all or nothing, again and again --- */

START_TEST(test_two_phases)
{
        kd_layer layers[] = { layer_of("Silu"), layer_of("Gelu"), layer_of("Norm") }, before[3];
        int descriptors, released;
        kd_error error;
        Peer peer;
        kd_client *client = begin(&peer);

        rows[0] = good("Silu");
        rows[1] = good("Gelu");
        rows[1].repo = "o/gelu";
        rows[2] = good("Norm");
        rows[2].mode = NULL;
        ck_assert_int_eq(kernelize(client, layers, 3, "inference", KD_USE_FALLBACK, NULL), 0);
        memcpy(before, layers, sizeof(before));
        descriptors = count_descriptors(client);
        ck_assert_int_eq(kernelize(client, layers, 3, "inference", 0, &error), KD_NO_MAPPING);
        ck_assert_ptr_nonnull(strstr(error.message, "Norm"));
        rows[2] = good("Norm");
        rows[2].library = "missing.so";
        rows[2].repo = "o/norm";
        ck_assert_int_eq(kernelize(client, layers, 3, "inference", KD_USE_FALLBACK, &error), -ELIBBAD);
        ck_assert_int_eq(memcmp(before, layers, sizeof(before)), 0);
        ck_assert_int_eq(count_descriptors(client), descriptors);
        ck_assert(layer_run(&layers[0]) == 2 && layer_run(&layers[1]) == 2 && layer_run(&layers[2]) == 101);

        /* In another mode: from the originals, and the old leases go last. */
        rows[0].mode = "training";
        rows[1].has_backward = 0;
        rows[1].mode = rows[2].mode = "fallback";
        rows[2].library = KERNEL_NAME;
        settle(client);
        released = n_releases;
        ck_assert_int_eq(kernelize(client, layers, 3, "training", KD_USE_FALLBACK, &error), 0);
        ck_assert_int_eq(released_before_last, released);
        ck_assert(layers[0].kernel && layers[0].kernel != before[0].kernel && layers[0].original == add_hundred);
        ck_assert(!layers[1].kernel && layers[1].forward == add_hundred && layers[1].code == -ENOTSUP);
        ck_assert_int_eq(layer_run(&layers[2]), 2);
        ck_assert_int_eq(count_descriptors(client), descriptors);
        kd_unkernelize(layers, 3);
        ck_assert_int_eq(count_descriptors(client), descriptors - 2);
        end(&peer, client);
        ck_assert_int_eq(n_releases, n_leases);
}
END_TEST

/* Layers are put together by a commit that moves meanwhile: begun anew. */
START_TEST(test_moved)
{
        kd_layer layers[] = { layer_of("Silu"), layer_of("Gelu") };
        Peer peer;
        kd_client *client = begin(&peer);

        rows[0] = good("Silu");
        rows[1] = good("Gelu");
        rows[0].moves_to = OTHER_COMMIT;
        ck_assert_int_eq(kernelize(client, layers, 2, "inference", 0, NULL), 0);
        ck_assert(n_resolves == 2 && n_acquires == 2 && layers[0].kernel == layers[1].kernel);
        kd_unkernelize(layers, 2);
        /* With KD_FRESH what resolve knows says nothing. */
        rows[0].moves_to = OTHER_COMMIT;
        ck_assert_int_eq(kernelize(client, layers, 2, "inference", KD_FRESH, NULL), 0);
        ck_assert(n_resolves == 3 && n_acquires == 3 && layers[0].kernel == layers[1].kernel);
        kd_unkernelize(layers, 2);
        end(&peer, client);
}
END_TEST

/* --- many --- */

enum { MANY = 100000, MANY_NAMES = 5000 };

START_TEST(test_many)
{
        kd_layer *layers = calloc(MANY, sizeof(*layers));
        char(*names)[16] = calloc(MANY_NAMES, sizeof(*names));
        Peer peer;
        kd_client *client = begin(&peer);

        rows[0] = good("Silu");
        ck_assert(layers && names);
        for (size_t i = 0; i < MANY_NAMES; ++i)
                (void)snprintf(names[i], sizeof(names[i]), "Silu%zu", i);
        for (size_t i = 0; i < MANY; ++i)
                layers[i] = layer_of(names[i % MANY_NAMES]);
        ck_assert_int_eq(kernelize(client, layers, MANY, "inference", 0, NULL), 0);
        ck_assert(n_acquires == 1 && n_queries == MANY_NAMES);
        ck_assert(layers[MANY - 1].kernel == layers[0].kernel && layer_run(&layers[MANY - 1]) == 2);
        kd_unkernelize(layers, MANY);
        end(&peer, client);
        ck_assert(n_used == MANY_NAMES && n_used_kernels == MANY_NAMES);
        free(layers);
        free(names);
}
END_TEST

/* --- without memory --- */

static int round_trip(kd_client *client)
{
        kd_layer layers[] = { layer_of("Silu"), layer_of("Gelu"), layer_of("Broken"), layer_of("Silu") }, before[4];
        int descriptors = count_open() - (kd_fd(client) >= 0), r;
        kd_error error = { 0 };

        memcpy(before, layers, sizeof(before));
        r = kernelize(client, layers, 4, "inference", KD_USE_FALLBACK_ALWAYS, &error);
        ck_assert_int_eq(error.code, r);
        if (r)
                ck_assert_int_eq(memcmp(before, layers, sizeof(before)), 0);
        kd_unkernelize(layers, 4);
        ck_assert_int_eq(count_open() - (kd_fd(client) >= 0), descriptors);
        return r;
}

START_TEST(test_memory)
{
        kd_client *client;
        Peer peer;

        rows[0] = good("Silu");
        rows[1] = good("Gelu");
        rows[1].commit = NULL;
        rows[2] = good("Broken");
        rows[2].repo = "o/broken";
        rows[2].library = "missing.so";
        peer_start_process(&peer, fixture_folder(), serve, NULL);
        client = connect_to(&peer);
        ck_assert_int_eq(round_trip(client), 0);
        FIXTURE_TORTURE(round_trip(client));
        ck_assert_int_eq(round_trip(client), 0);
        end(&peer, client);
}
END_TEST

/* --- a child --- */

static int child_works(kd_layer *layers)
{
        if (layer_run(&layers[0]) != 2 || layer_run(&layers[1]) != 2)
                return 1;
        kd_unkernelize(layers, 2);
        return layer_run(&layers[0]) == 101 ? 0 : 2;
}

START_TEST(test_child)
{
        kd_layer layers[] = { layer_of("Silu"), layer_of("Silu") };
        int status;
        pid_t child;
        Peer peer;
        kd_client *client = begin(&peer);

        rows[0] = good("Silu");
        ck_assert_int_eq(kernelize(client, layers, 2, "inference", 0, NULL), 0);
        child = fork();
        ck_assert_int_ge(child, 0);
        if (!child)
                _exit(child_works(layers));
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        ck_assert(layer_run(&layers[0]) == 2 && n_releases == 0);
        kd_unkernelize(layers, 2);
        end(&peer, client);
        ck_assert_int_eq(n_releases, 1);
}
END_TEST

FIXTURE_MAIN("client/kernelize", test_gates, test_arguments, test_fallback, test_arguments_unchecked, test_no_daemon,
             test_shared, test_redirect, test_two_phases, test_moved, test_many, test_memory, test_child)
