#include "tests/lib/fixture.h"

#include "kernels/explain.h"
#include "tests/unit/kernels/mapping_model.h"

static const HostSource source = { { "file:50-site.json", 17 }, 100 };

typedef struct Scene {
        HostMapping *host;
        View *view;
        Environment environment;
        Asker asker;
} Scene;

static void scene_init(Scene *scene)
{
        Entry *entries[] = { mapping_entry("A", "cuda", 75, -1, "fallback training", 1),
                             mapping_entry("A", "cuda", 80, 89, "training|torch_compile fallback", 2),
                             mapping_entry("A", "cpu", -1, -1, "fallback", 3) };
        Entry *own = mapping_entry("A", "cuda", 81, 90, "fallback", 4);
        Fault fault;

        *scene = (Scene){ 0 };
        ck_assert_int_eq(host_mapping_new(entries, 3, &source, 1, 5, 1, &scene->host, &fault), 0);
        ck_assert_int_eq(view_new(true, &scene->view), 0);
        ck_assert_int_eq(view_extend(scene->view, true, &own, 1, 10, &fault), 0);
        ck_assert_int_eq(environment_init(&scene->environment, NULL, false, &fault), 0);
        scene->asker = (Asker){ scene->host, scene->view, &scene->environment, NULL };
        for (size_t i = 0; i < 3; i++)
                entry_unref(entries[i]);
        entry_unref(own);
}

static void scene_deinit(Scene *scene)
{
        view_free(scene->view);
        host_mapping_unref(scene->host);
}

static void check_step(const MsgTraceStep *step, const char *name, const char *candidate, bool taken, const char *from,
                       int64_t age_s)
{
        ck_assert_msg(text_equal(step->step, text_of(name)) && text_equal(step->candidate, text_of(candidate)) &&
                      text_equal(step->verdict, taken ? TEXT("taken") : TEXT("refused")), "%.*s %.*s %.*s (%.*s)",
                      TEXT_PRINT(step->step), TEXT_PRINT(step->candidate), TEXT_PRINT(step->verdict),
                      TEXT_PRINT(step->reason));
        ck_assert(text_equal(step->source, text_of(from)));
        ck_assert_int_eq(step->age_s.present, age_s >= 0);
        if (age_s >= 0)
                ck_assert_int_eq(step->age_s.value, age_s);
}

START_TEST(test_every_candidate_with_its_verdict)
{
        static const char site[] = "file:50-site.json";
        MsgQuery query = { .layer = TEXT("A"), .device = TEXT("cuda"), .capability = INTEGER_PRESENT(85),
                           .mode = TEXT("training") };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgExplainResult result;
        Scene scene;

        scene_init(&scene);
        ck_assert_int_eq(explain(&scene.asker, &query, 130, &arena, &result), 0);
        ck_assert_int_eq(result.generation, 5);
        ck_assert_uint_eq(result.trace.n, 11);
        check_step(&result.trace.items[0], "layer", "A", true, "view", -1);
        check_step(&result.trace.items[1], "layer", "A", true, NULL, -1);
        check_step(&result.trace.items[2], "device", "cpu", false, NULL, -1);
        check_step(&result.trace.items[3], "device", "cuda", true, NULL, -1);
        /* Equally narrow: the higher minimum goes first. */
        check_step(&result.trace.items[4], "capability", "81 to 90", true, "view", -1);
        check_step(&result.trace.items[5], "capability", "80 to 89", false, site, 30);
        check_step(&result.trace.items[6], "capability", "75 and above", false, site, 30);
        check_step(&result.trace.items[7], "mode", "training", false, "view", -1);
        check_step(&result.trace.items[8], "mode", "training|torch_compile", false, "view", -1);
        check_step(&result.trace.items[9], "mode", "fallback", true, "view", -1);
        check_step(&result.trace.items[10], "reference", "org/name version 4", true, "view", -1);
        ck_assert(text_equal(result.answer->mode, TEXT("fallback")));
        ck_assert_int_eq(result.answer->reference->version.value, 4);
        scene_deinit(&scene);
}
END_TEST

static void check_error(const Scene *scene, const char *layer, const char *device, int64_t capability, const char *mode,
                        const char *name, size_t n_steps)
{
        MsgQuery query = { .layer = text_of(layer), .device = text_of(device),
                           .capability = capability < 0 ? INTEGER_ABSENT : INTEGER_PRESENT(capability),
                           .mode = text_of(mode) };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgExplainResult result;

        ck_assert_int_eq(explain(&scene->asker, &query, 130, &arena, &result), 0);
        ck_assert(text_equal(result.answer->name, text_of(name)));
        ck_assert(result.answer->message.size && !result.answer->layer.data);
        ck_assert_uint_eq(result.trace.n, n_steps);
}

START_TEST(test_errors_have_their_trace_too)
{
        Scene scene;

        scene_init(&scene);
        check_error(&scene, "B", "cuda", 85, "training", "no-mapping", 1);
        check_error(&scene, "A", "xpu", 85, "training", "no-device", 5);
        check_error(&scene, "A", "cuda", 74, "training", "no-capability", 7);
        check_error(&scene, "A", "cuda", -1, "training", "no-capability", 7);
        check_error(&scene, "A", "cuda", 85, "fallback", "invalid-mode", 0);
        scene_deinit(&scene);
}
END_TEST

static int torture(const Scene *scene)
{
        MsgQuery query = { .layer = TEXT("A"), .device = TEXT("cuda"), .capability = INTEGER_PRESENT(85),
                           .mode = TEXT("training") };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgExplainResult result;

        return explain(&scene->asker, &query, 130, &arena, &result);
}

START_TEST(test_memory_runs_out)
{
        Scene scene;

        scene_init(&scene);
        FIXTURE_TORTURE(torture(&scene));
        scene_deinit(&scene);
}
END_TEST

FIXTURE_MAIN("kernels/explain", test_every_candidate_with_its_verdict, test_errors_have_their_trace_too,
             test_memory_runs_out)
