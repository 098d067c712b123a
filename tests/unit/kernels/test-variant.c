#include "tests/lib/fixture.h"

#include <stdio.h>
#include <string.h>

#include "kernels/json.h"
#include "kernels/variant.h"

static Text member(const JsonValue *object, const char *key)
{
        const JsonValue *value = json_value_get(object, key);

        return value && json_value_kind(value) == JSON_KIND_TEXT ? json_value_text(value) : TEXT_NULL;
}

static bool has_tag(const JsonValue *item, const char *tag)
{
        const JsonValue *tags = json_value_get(item, "tags");

        for (size_t i = 0; i < json_value_size(tags); i++)
                if (text_equal(json_value_text(json_value_at(tags, i)), text_of(tag)))
                        return true;
        return false;
}

static JsonDocument *load(void)
{
        JsonDocument *document;
        JsonError error;
        size_t size;
        char *bytes = fixture_read("vectors/variants.json", &size);

        ck_assert_int_eq(json_document_new((Text){ bytes, size }, 0, NULL, &document, &error), 0);
        alloc_free(bytes);
        return document;
}

static void assert_text(Text is, Text expected, Text about)
{
        ck_assert_msg(text_equal(is, expected), "%.*s: \"%.*s\", not \"%.*s\"", TEXT_PRINT(about), TEXT_PRINT(is),
                      TEXT_PRINT(expected));
}

static void check_parsed(const JsonValue *item, Text name, const Variant *variant)
{
        static const char *const frameworks[] = { "", "torch", "torch-stable-abi", "tvm-ffi", "torch" };
        const JsonValue *abi = json_value_get(item, "cxx11_abi");
        char buffer[LIMIT_VARIANT + 1];
        size_t n;

        assert_text(text_of(frameworks[variant->framework]), member(item, "framework"), name);
        ck_assert_int_eq(variant->framework == VARIANT_NOARCH, text_equal(member(item, "kind"), TEXT("noarch")));
        variant_print_framework_version(variant, buffer);
        assert_text(buffer[0] ? text_of(buffer) : TEXT_NULL, member(item, "framework_version"), name);
        variant_print_backend_version(variant, buffer);
        assert_text(buffer[0] ? text_of(buffer) : TEXT_NULL, member(item, "backend_version"), name);
        assert_text(variant->framework == VARIANT_NOARCH ? variant->backend_name :
                                                           text_of(backend_spelling(variant->backend)),
                    member(item, "backend"), name);
        assert_text(variant->cpu, member(item, "cpu"), name);
        assert_text(variant->os, member(item, "os"), name);
        ck_assert_int_eq(variant->cxx11_abi,
                         json_value_kind(abi) == JSON_KIND_NULL ? -1 : json_value_boolean(abi));
        n = variant_print(variant, buffer);
        assert_text((Text){ buffer, n }, member(item, "canonical"), name);
}

START_TEST(test_parse_vectors)
{
        CLEANUP(json_document_freep) JsonDocument *document = load();
        const JsonValue *list = json_value_get(json_document_root(document), "parse");
        size_t n_stricter = 0;

        ck_assert_uint_gt(json_value_size(list), 200);
        for (size_t i = 0; i < json_value_size(list); i++) {
                const JsonValue *item = json_value_at(list, i);
                Text name = member(item, "variant");
                Variant variant;
                bool ok = json_value_boolean(json_value_get(item, "ok"));
                bool strict = has_tag(item, "overlong") || has_tag(item, "beyond_int64") || has_tag(item, "path_separator");

                if (!variant_parse(name, &variant)) {
                        ck_assert_msg(!ok || strict, "refused: %.*s", TEXT_PRINT(name));
                        n_stricter += ok;
                        continue;
                }
                ck_assert_msg(ok, "taken: %.*s", TEXT_PRINT(name));
                check_parsed(item, name, &variant);
        }
        ck_assert_uint_gt(n_stricter, 0);
}
END_TEST

/* --- resolve --- */

static Version2 version_of(Text text)
{
        Version2 version = { 0 };
        char buffer[32] = "";

        if (!text.data)
                return version;
        (void)snprintf(buffer, sizeof(buffer), "%.*s", TEXT_PRINT(text));
        version.present = sscanf(buffer, "%ld.%ld", &version.major, &version.minor) >= 1;
        return version;
}

static void make_environment(const JsonValue *system, Environment *environment)
{
        const JsonValue *abi = json_value_get(system, "cxx11_abi");
        MsgEnvironment message = {
                .torch = member(system, "torch"),     .tvm_ffi = member(system, "tvm_ffi"),
                .backend = member(system, "backend"), .cpu = member(system, "cpu"), .os = member(system, "os"),
                .cxx11_abi = json_value_kind(abi) == JSON_KIND_NULL ? -1 : json_value_boolean(abi), .free_threaded = -1,
        };
        Fault fault = FAULT_NULL;

        ck_assert_msg(environment_init(environment, &message, false, &fault) == 0, "%s", fault.message);
        environment->macos = version_of(member(system, "macos"));
}

static Text name_at(const JsonValue *names, size_t i)
{
        return json_value_text(json_value_at(names, i));
}

static void check_order(const JsonValue *item, const JsonValue *names, const size_t *order, size_t n)
{
        const JsonValue *expected = json_value_get(json_value_get(item, "expect"), "accepted_in_order");

        ck_assert_uint_eq(n, json_value_size(expected));
        for (size_t i = 0; i < n; i++) {
                if (!has_tag(item, "tie_input_order"))
                        assert_text(name_at(names, order[i]), name_at(expected, i), member(item, "name"));
        }
}

static void check_reasons(const JsonValue *item, const JsonValue *names, const VariantReason *reasons)
{
        const JsonValue *expect = json_value_get(item, "expect");
        const JsonValue *rejected = json_value_get(expect, "rejected"), *invalid = json_value_get(expect, "invalid");
        size_t n_rejected = 0, n_invalid = 0;

        for (size_t i = 0; i < json_value_size(names); i++) {
                if (reasons[i] == VARIANT_REASON_INVALID) {
                        n_invalid++;
                } else if (reasons[i] != VARIANT_REASON_ACCEPTED) {
                        char key[300];

                        n_rejected++;
                        (void)snprintf(key, sizeof(key), "%.*s", TEXT_PRINT(name_at(names, i)));
                        assert_text(text_of(variant_reason_spelling(reasons[i])), member(rejected, key),
                                    member(item, "name"));
                }
        }
        ck_assert_msg(n_rejected == json_value_size(rejected), "%.*s", TEXT_PRINT(member(item, "name")));
        ck_assert_uint_eq(n_invalid, json_value_size(invalid));
}

static void check_resolve(const JsonValue *item)
{
        const JsonValue *names = json_value_get(item, "variants");
        size_t n = json_value_size(names);
        Variant *variants = alloc_zeroed(n, sizeof(*variants));
        size_t *order = alloc_zeroed(n, sizeof(*order));
        VariantReason *reasons = alloc_zeroed(n, sizeof(*reasons));
        Environment environment;
        VariantTarget target;

        make_environment(json_value_get(item, "system"), &environment);
        target = variant_target_of_environment(&environment);
        for (size_t i = 0; i < n; i++)
                (void)variant_parse(name_at(names, i), &variants[i]);
        check_order(item, names, order, variant_select(variants, n, &target, order, reasons));
        check_reasons(item, names, reasons);
        alloc_free(variants);
        alloc_free(order);
        alloc_free(reasons);
}

START_TEST(test_resolve_vectors)
{
        CLEANUP(json_document_freep) JsonDocument *document = load();
        const JsonValue *list = json_value_get(json_document_root(document), "resolve");

        ck_assert_uint_gt(json_value_size(list), 200);
        for (size_t i = 0; i < json_value_size(list); i++)
                check_resolve(json_value_at(list, i));
}
END_TEST

/* --- what no vector has --- */

static size_t select_two(const char *first, const char *second, MsgEnvironment message, size_t *ret_order,
                         VariantReason *ret_reasons)
{
        Environment environment;
        Fault fault = FAULT_NULL;
        Variant variants[2] = { 0 };
        VariantTarget target;

        message.cpu = TEXT("x86_64");
        message.os = TEXT("linux");
        ck_assert_int_eq(environment_init(&environment, &message, false, &fault), 0);
        target = variant_target_of_environment(&environment);
        (void)variant_parse(text_of(first), &variants[0]);
        (void)variant_parse(text_of(second), &variants[1]);
        return variant_select(variants, 2, &target, ret_order, ret_reasons);
}

START_TEST(test_tvm_ffi_goes_before_noarch)
{
        MsgEnvironment message = { .backend = TEXT("cu130"), .tvm_ffi = TEXT("0.1"), .cxx11_abi = -1, .free_threaded = -1 };
        size_t order[2];
        VariantReason reasons[2];

        ck_assert_uint_eq(select_two("torch-cuda", "tvm-ffi01-cu130-x86_64-linux", message, order, reasons), 2);
        ck_assert_uint_eq(order[0], 1);
        ck_assert_uint_eq(select_two("tvm-ffi01-cu130-x86_64-linux", "torch-cuda", message, order, reasons), 2);
        ck_assert_uint_eq(order[0], 0);
}
END_TEST

START_TEST(test_free_threaded)
{
        static const struct { const char *python; int8_t free_threaded; bool fits; } cases[] = {
                { "3.14", 1, false }, { "3.15", 1, true }, { "3.14", 0, true }, { "3.9", -1, true }, { NULL, 1, false },
                { "4.0", 1, true },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                MsgEnvironment message = { .backend = TEXT("cpu"), .torch = TEXT("2.7"), .cxx11_abi = 1,
                                           .python = text_of(cases[i].python), .free_threaded = cases[i].free_threaded };
                size_t order[2];
                VariantReason reasons[2];

                (void)select_two("torch27-cpu-x86_64-linux", "torch-cpu", message, order, reasons);
                ck_assert_int_eq(reasons[0], cases[i].fits ? VARIANT_REASON_ACCEPTED : VARIANT_REASON_FREE_THREADED);
                ck_assert_int_eq(reasons[1], VARIANT_REASON_ACCEPTED);
        }
}
END_TEST

START_TEST(test_target)
{
        MsgEnvironment message = { .backend = TEXT("cu128"), .cxx11_abi = -1, .free_threaded = -1 };
        Environment environment;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(environment_init(&environment, &message, false, &fault), 0);
        ck_assert_int_eq(variant_target(&environment, DEVICE_CPU).backend, BACKEND_CPU);
        ck_assert_int_eq(variant_target(&environment, DEVICE_CUDA).backend, BACKEND_CUDA);
        ck_assert_int_eq(variant_target(&environment, DEVICE_CUDA).backend_version.minor, 8);
        ck_assert_int_eq(environment_init(&environment, NULL, false, &fault), 0);
        ck_assert_int_eq(variant_target(&environment, DEVICE_CUDA).backend, BACKEND_NONE);
}
END_TEST

/* Every reason has a sentence that names both sides. */
START_TEST(test_explain)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgEnvironment message = { .backend = TEXT("cu128"), .torch = TEXT("2.8"), .cxx11_abi = 0, .free_threaded = -1 };
        Environment environment;
        VariantTarget target;
        Variant variant;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(environment_init(&environment, &message, false, &fault), 0);
        target = variant_target_of_environment(&environment);
        ck_assert(variant_parse(TEXT("torch27-cxx11-cu118-x86_64-linux"), &variant));
        for (VariantReason reason = 0; reason < _VARIANT_REASON_MAX; reason++) {
                Text text = variant_explain(&variant, reason, &target, &arena);

                ck_assert_ptr_nonnull(text.data);
                ck_assert_uint_gt(text.size, 3);
        }
        assert_text(variant_explain(&variant, VARIANT_REASON_TORCH_VERSION, &target, &arena),
                    TEXT("is for torch 2.7, the environment has 2.8"), TEXT("torch"));
        assert_text(variant_explain(&variant, VARIANT_REASON_CUDA_VERSION, &target, &arena),
                    TEXT("is for backend cu118, the environment has cu128"), TEXT("cuda"));
        assert_text(variant_explain(&variant, VARIANT_REASON_CPU, &target, &arena),
                    TEXT("is for cpu x86_64, the environment has none"), TEXT("cpu"));
}
END_TEST

START_TEST(test_device_of_backend)
{
        static const Device expected[] = {
                [BACKEND_CANN] = DEVICE_NPU, [BACKEND_CPU] = DEVICE_CPU, [BACKEND_CUDA] = DEVICE_CUDA,
                [BACKEND_METAL] = DEVICE_MPS, [BACKEND_NEURON] = DEVICE_NEURON, [BACKEND_ROCM] = DEVICE_ROCM,
                [BACKEND_TPU] = DEVICE_TPU, [BACKEND_XPU] = DEVICE_XPU, [BACKEND_NONE] = DEVICE_NONE,
        };

        for (Backend b = 0; b <= BACKEND_NONE; b++)
                ck_assert_int_eq(device_of_backend(b), expected[b]);
}
END_TEST

FIXTURE_MAIN("kernels/variant", test_parse_vectors, test_resolve_vectors, test_tvm_ffi_goes_before_noarch,
             test_free_threaded, test_target, test_explain, test_device_of_backend)
