#include "tests/lib/fixture.h"

#include "kernels/resolve.h"
#include "proto/codec.h"
#include "tests/unit/kernels/mapping_model.h"

static const HostSource source = { { "file:50-site.json", 17 }, 100 };

/* What a session has, over a host mapping. */
typedef struct Scene {
        HostMapping *host;
        View *view;
        Repository *local;
        Environment environment;
        ChoiceMemo *memo;
        Asker asker;
} Scene;

static Entry *entry_with(const char *layer, const char *device, Reference reference, Mode mode)
{
        EntryMode item = { mode, reference };
        EntryDraft draft = { .layer = text_of(layer), .device = text_of(device), .modes = &item, .n_modes = 1 };
        Entry *entry = NULL;
        Fault fault;
        int r = entry_new(&draft, &entry, &fault);

        ck_assert_msg(!r, "%s", r > 0 ? fault.message : "memory");
        return entry;
}

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static const Reference version = { .kind = REFERENCE_VERSION, .repo = { "org/name", 8 }, .version = 70000 };
static const Reference branch = { .kind = REFERENCE_REVISION, .repo = { "org/name", 8 }, .revision = { "main", 4 } };
static const Reference commit = { .kind = REFERENCE_REVISION, .repo = { "org/name", 8 }, .revision = { COMMIT, 40 } };
static const Reference locked = { .kind = REFERENCE_LOCKED, .repo = { "org/name", 8 }, .locked = { "/etc/k.lock", 11 },
                                  .commit = { COMMIT, 40 }, .layer = { "Other", 5 } };
static const Reference path = { .kind = REFERENCE_PATH, .path = { "/opt/k", 6 } };

static Repository *repository_of(const char *variant)
{
        MsgLocalVariant item = { .variant = text_of(variant) };
        MsgLocal message = { .variants = { &item, 1 } };
        Repository *repository = NULL;
        Fault fault;
        int r = repository_from_message(&message, &repository, &fault);

        ck_assert_msg(!r, "%s", r > 0 ? fault.message : "memory");
        return repository;
}

static void scene_host(Scene *scene)
{
        Entry *entries[] = {
                entry_with("Version", "cpu", version, MODE_FALLBACK), entry_with("Branch", "cpu", branch, MODE_TRAINING),
                entry_with("Commit", "cpu", commit, MODE_INFERENCE), entry_with("Locked", "cpu", locked, MODE_FALLBACK),
                entry_with("Path", "cpu", path, MODE_FALLBACK), mapping_entry("Ranges", "cuda", 75, 89, "training", 1),
                mapping_entry("Ranges", "cuda", 90, -1, "inference|torch_compile", 2),
                mapping_entry("A layer of which the name is longer than thirty-one bytes", "rocm", -1, -1, "fallback", 300),
        };
        Fault fault;

        ck_assert_int_eq(host_mapping_new(entries, ARRAY_SIZE(entries), &source, 1, 5, 1, &scene->host, &fault), 0);
        for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
                entry_unref(entries[i]);
}

static void scene_init(Scene *scene)
{
        MsgEnvironment environment = { .cxx11_abi = 1, .free_threaded = -1, .torch = TEXT("2.7"), .backend = TEXT("cu128"),
                                       .cpu = TEXT("x86_64"), .os = TEXT("linux") };
        Reference local = { .kind = REFERENCE_LOCAL, .number = 3 };
        Entry *own;
        Fault fault;

        *scene = (Scene){ 0 };
        scene_host(scene);
        ck_assert_int_eq(environment_init(&scene->environment, &environment, false, &fault), 0);
        scene->local = repository_of("torch27-cxx11-cpu-x86_64-linux");
        local.local = scene->local;
        own = entry_with("Local", "cpu", local, MODE_FALLBACK);
        ck_assert_int_eq(view_new(true, &scene->view), 0);
        ck_assert_int_eq(view_extend(scene->view, true, &own, 1, 10, &fault), 0);
        entry_unref(own);
        scene->asker = (Asker){ scene->host, scene->view, &scene->environment, &scene->memo };
}

static void scene_deinit(Scene *scene)
{
        choice_memo_forget(&scene->memo);
        view_free(scene->view);
        repository_unref(scene->local);
        host_mapping_unref(scene->host);
}

#define QUERY(l, d, c, m) { .layer = { l, sizeof(l) - 1 }, .device = { d, sizeof(d) - 1 }, .capability = c, \
                            .mode = { m, sizeof(m) - 1 } }
#define AT(n) { .value = (n), .present = true }

static const MsgQuery queries[] = {
        QUERY("Version", "cpu", { 0 }, "inference"),
        QUERY("Branch", "cpu", { 0 }, "inference|torch_compile"),
        QUERY("Branch", "cpu", { 0 }, "inference"),
        QUERY("Commit", "cpu", { 0 }, "inference"),
        QUERY("Locked", "cpu", AT(5), "training"),
        QUERY("Path", "cpu", { 0 }, "training"),
        QUERY("Local", "cpu", { 0 }, "training"),
        QUERY("Local", "cpu", { 0 }, "training"),
        QUERY("Ranges", "cuda", AT(80), "inference"),
        QUERY("Ranges", "cuda", AT(90), "inference"),
        QUERY("Ranges", "cuda", AT(90), "training"),
        QUERY("Ranges", "cuda", AT(74), "training"),
        QUERY("Ranges", "cuda", { 0 }, "training"),
        QUERY("Ranges", "rocm", AT(1), "training"),
        QUERY("nowhere", "cuda", AT(1), "training"),
        QUERY("Ranges", "metal", AT(1), "training"),
        QUERY("Ranges", "vulkan", AT(1), "training"),
        QUERY("Ranges", "cuda", AT(1), "fallback"),
        QUERY("A layer of which the name is longer than thirty-one bytes", "rocm", AT(942), "training|torch_compile"),
};

/* One answer as the codec writes it. */
static void encode_typed(const Scene *scene, const MsgQuery *query, Buffer *buffer)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Resolution resolution;
        MsgAnswer error;
        Fault fault;
        int r;

        r = resolve_answer(&scene->asker, query, NULL, &arena, &resolution, &fault);
        ck_assert_int_ge(r, 0);
        error = (MsgAnswer){ .name = text_of(fault_spelling(fault.name)), .message = text_of(fault.message) };
        if (error.message.size > LIMIT_ANSWER_MESSAGE)
                error.message.size = LIMIT_ANSWER_MESSAGE;
        ck_assert_int_eq(codec_encode(&schema_Answer, r ? &error : &resolution.answer, true, buffer), 0);
}

START_TEST(test_the_hot_way_writes_what_the_codec_writes)
{
        CLEANUP_BUFFER Buffer hot = BUFFER_NULL, plain = BUFFER_NULL;
        Scene scene;

        scene_init(&scene);
        for (int here = 0; here < 2; here++) {
                hot.size = plain.size = 0;
                ck_assert_int_eq(resolve_encode(&scene.asker, queries, ARRAY_SIZE(queries), &hot), 0);
                for (size_t i = 0; i < ARRAY_SIZE(queries); i++)
                        encode_typed(&scene, &queries[i], &plain);
                ck_assert_uint_eq(hot.size, plain.size);
                ck_assert_mem_eq(hot.data, plain.data, hot.size);
                ck_assert_int_eq(host_mapping_set_path(scene.host, 0, scene.local, NULL), 0);
        }
        scene_deinit(&scene);
}
END_TEST

/* More than one batch: the place of each answer is that of its query. */
START_TEST(test_batches)
{
        enum { N = 300 };
        CLEANUP_BUFFER Buffer hot = BUFFER_NULL, plain = BUFFER_NULL;
        MsgQuery many[N];
        Scene scene;

        scene_init(&scene);
        for (size_t i = 0; i < N; i++)
                many[i] = queries[i * 7 % ARRAY_SIZE(queries)];
        ck_assert_int_eq(resolve_encode(&scene.asker, many, N, &hot), 0);
        for (size_t i = 0; i < N; i++)
                encode_typed(&scene, &many[i], &plain);
        ck_assert_uint_eq(hot.size, plain.size);
        ck_assert_mem_eq(hot.data, plain.data, hot.size);
        scene.asker.view = NULL;
        hot.size = plain.size = 0;
        ck_assert_int_eq(resolve_encode(&scene.asker, many, N, &hot), 0);
        for (size_t i = 0; i < N; i++)
                encode_typed(&scene, &many[i], &plain);
        ck_assert_uint_eq(hot.size, plain.size);
        ck_assert_mem_eq(hot.data, plain.data, hot.size);
        scene_deinit(&scene);
}
END_TEST

static FaultName fault_of(const Scene *scene, const MsgQuery *query)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Resolution resolution;
        Fault fault;

        return resolve_answer(&scene->asker, query, NULL, &arena, &resolution, &fault) ? fault.name : FAULT_NONE;
}

START_TEST(test_faults)
{
        static const struct { MsgQuery query; FaultName name; } cases[] = {
                { QUERY("Ranges", "nosuch", AT(1), "nosuch"), FAULT_INVALID_MODE },
                { QUERY("nowhere", "nosuch", AT(1), "training"), FAULT_INVALID_DEVICE },
                { QUERY("nowhere", "cuda", AT(1), "training"), FAULT_NO_MAPPING },
                { QUERY("no\nwhere", "cuda", AT(1), "training"), FAULT_INVALID_NAME },
                { QUERY("no\nwhere", "nosuch", AT(1), "training"), FAULT_INVALID_DEVICE },
                { QUERY("Ranges", "rocm", AT(1), "training"), FAULT_NO_DEVICE },
                { QUERY("Ranges", "cuda", AT(1), "training"), FAULT_NO_CAPABILITY },
                { QUERY("Ranges", "cuda", AT(-1), "training"), FAULT_NO_CAPABILITY },
                { QUERY("Ranges", "cuda", { 0 }, "training"), FAULT_NO_CAPABILITY },
                { QUERY("Ranges", "cuda", AT(95), "training"), FAULT_NO_MODE },
                { QUERY("Path", "cpu", { 0 }, "training"), FAULT_BUSY },
        };
        Fault untrusted = { FAULT_UNTRUSTED, "not root's" };
        Scene scene;

        scene_init(&scene);
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                ck_assert_int_eq(fault_of(&scene, &cases[i].query), cases[i].name);
        ck_assert_int_eq(host_mapping_set_path(scene.host, 0, NULL, &untrusted), 0);
        ck_assert_int_eq(fault_of(&scene, &queries[5]), FAULT_UNTRUSTED);
        scene_deinit(&scene);
}
END_TEST

START_TEST(test_a_resolution_says_where_it_leads)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Resolution resolution;
        Scene scene;
        Fault fault;

        scene_init(&scene);
        ck_assert_int_eq(resolve_answer(&scene.asker, &queries[6], NULL, &arena, &resolution, &fault), 0);
        ck_assert_ptr_eq(resolution.repository, scene.local);
        ck_assert_int_eq(resolution.kind, REFERENCE_LOCAL);
        ck_assert_int_eq(resolution.answer.reference->local.value, 3);
        ck_assert(text_equal(resolution.answer.state, TEXT("local")));
        ck_assert(text_equal(resolution.answer.variant, TEXT("torch27-cxx11-cpu-x86_64-linux")));
        ck_assert_int_eq(resolve_answer(&scene.asker, &queries[4], NULL, &arena, &resolution, &fault), 0);
        ck_assert(text_equal(resolution.answer.commit, TEXT(COMMIT)));
        ck_assert(text_equal(resolution.answer.state, TEXT("unknown")));
        ck_assert(text_equal(resolution.reference.layer, TEXT("Other")));
        ck_assert_ptr_null(resolution.repository);
        scene_deinit(&scene);
}
END_TEST

/* The memo must not outlive what it was made for. */
START_TEST(test_the_memo_is_asked_for_the_same_question_alone)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Resolution resolution;
        Repository *other = repository_of("torch26-cxx11-cpu-x86_64-linux");
        Scene scene;
        Fault fault;

        scene_init(&scene);
        ck_assert_int_eq(host_mapping_set_path(scene.host, 0, scene.local, NULL), 0);
        ck_assert_int_eq(resolve_answer(&scene.asker, &queries[5], NULL, &arena, &resolution, &fault), 0);
        ck_assert_int_eq(host_mapping_set_path(scene.host, 0, other, NULL), 0);
        for (int i = 0; i < 2; i++) {
                ck_assert_int_eq(resolve_answer(&scene.asker, &queries[5], NULL, &arena, &resolution, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_NO_VARIANT);
        }
        repository_unref(other);
        scene_deinit(&scene);
}
END_TEST

static int torture(const Scene *scene)
{
        CLEANUP_BUFFER Buffer hot = BUFFER_NULL;
        ChoiceMemo *memo = NULL;
        Asker asker = scene->asker;
        int r;

        asker.memo = &memo;
        r = resolve_encode(&asker, queries, ARRAY_SIZE(queries), &hot);
        ck_assert(!r || !hot.size);
        choice_memo_forget(&memo);
        return r;
}

START_TEST(test_memory_runs_out)
{
        Scene scene;

        scene_init(&scene);
        FIXTURE_TORTURE(torture(&scene));
        scene_deinit(&scene);
}
END_TEST

FIXTURE_MAIN("kernels/resolve", test_the_hot_way_writes_what_the_codec_writes, test_batches, test_faults,
             test_a_resolution_says_where_it_leads, test_the_memo_is_asked_for_the_same_question_alone,
             test_memory_runs_out)
