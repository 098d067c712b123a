#include <stdlib.h>
#include <string.h>

#include "kernels/variant.h"
#include "tests/conformance/case.h"

static json_t *text_or_null(Text text)
{
        return text.data ? json_stringn(text.data, text.size) : json_null();
}

static json_t *version_or_null(const Variant *variant,
                               void (*print)(const Variant *variant, char ret_version[LIMIT_VARIANT + 1]))
{
        char version[LIMIT_VARIANT + 1];

        print(variant, version);
        return version[0] ? json_string(version) : json_null();
}

static const char *framework_spelling(VariantFramework framework)
{
        return framework == VARIANT_TVM_FFI ? "tvm-ffi" :
               framework == VARIANT_TORCH_STABLE_ABI ? "torch-stable-abi" : "torch";
}

/* A variant as the files describe one. */
static json_t *describe(const Variant *variant)
{
        bool noarch = variant->framework == VARIANT_NOARCH;
        char canonical[LIMIT_VARIANT + 1];
        size_t n = variant_print(variant, canonical);

        return json_pack("{s:b,s:s,s:s,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "ok", 1, "kind", noarch ? "noarch" : "arch",
                         "framework", framework_spelling(variant->framework),
                         "framework_version", version_or_null(variant, variant_print_framework_version),
                         "cxx11_abi", variant->cxx11_abi < 0 ? json_null() : json_boolean(variant->cxx11_abi),
                         "backend", noarch ? text_or_null(variant->backend_name) :
                                             json_string(backend_spelling(variant->backend)),
                         "backend_version", version_or_null(variant, variant_print_backend_version),
                         "cpu", text_or_null(variant->cpu), "os", text_or_null(variant->os),
                         "canonical", json_stringn(canonical, n));
}

void run_variant_parse(const json_t *one, Verdict *verdict)
{
        Variant variant;
        json_t *got;
        const char *key;
        json_t *value;

        got = variant_parse(case_bytes(json_object_get(one, "variant")), &variant) ? describe(&variant) :
                                                                                     json_pack("{s:b}", "ok", 0);
        json_object_foreach(got, key, value)
                verdict_equal(verdict, key, json_object_get(one, key), value);
        json_decref(got);
}

/* "26.0.1" and "14" are versions too: what is missing is 0, the rest plays no part. */
static Version2 loose_version(const char *text)
{
        Version2 version = { 0 };
        char *rest;

        if (!text)
                return version;
        version.present = true;
        version.major = strtoll(text, &rest, 10);
        if (*rest == '.')
                version.minor = strtoll(rest + 1, NULL, 10);
        return version;
}

static int environment_of(const json_t *system, Environment *environment, Fault *fault)
{
        const json_t *abi = json_object_get(system, "cxx11_abi");
        MsgEnvironment message = {
                .torch = case_bytes(json_object_get(system, "torch")),
                .cxx11_abi = json_is_boolean(abi) ? (int8_t)json_is_true(abi) : -1,
                .tvm_ffi = case_bytes(json_object_get(system, "tvm_ffi")),
                .backend = case_bytes(json_object_get(system, "backend")),
                .cpu = case_bytes(json_object_get(system, "cpu")),
                .os = case_bytes(json_object_get(system, "os")), .free_threaded = -1,
        };
        int r = environment_init(environment, &message, false, fault);

        if (r == 0)
                environment->macos = loose_version(case_text_or_null(system, "macos"));
        return r;
}

/* What variant_select made of the names, as the files put it. */
static json_t *outcome(const json_t *names, const VariantReason *reasons, const size_t *order, size_t n_accepted)
{
        json_t *accepted = json_array(), *rejected = json_object(), *invalid = json_array();

        for (size_t i = 0; i < n_accepted; i++)
                json_array_append(accepted, json_array_get(names, order[i]));
        for (size_t i = 0; i < json_array_size(names); i++) {
                json_t *name = json_array_get(names, i);

                if (reasons[i] == VARIANT_REASON_INVALID)
                        json_array_append(invalid, name);
                else if (reasons[i] != VARIANT_REASON_ACCEPTED)
                        json_object_set_new(rejected, json_string_value(name),
                                            json_string(variant_reason_spelling(reasons[i])));
        }
        return json_pack("{s:o,s:O?,s:o,s:o}", "accepted_in_order", accepted, "best", json_array_get(accepted, 0),
                         "rejected", rejected, "invalid", invalid);
}

void run_variant_resolve(const json_t *one, Verdict *verdict)
{
        const json_t *names = json_object_get(one, "variants"), *expect = json_object_get(one, "expect");
        size_t n = json_array_size(names), n_accepted;
        Variant *variants = calloc(n + 1, sizeof(*variants));
        VariantReason *reasons = calloc(n + 1, sizeof(*reasons));
        size_t *order = calloc(n + 1, sizeof(*order));
        Environment environment;
        VariantTarget target;
        Fault fault = FAULT_NULL;
        json_t *got, *value;
        const char *key;

        if (environment_of(json_object_get(one, "system"), &environment, &fault)) {
                verdict_fail(verdict, "the system is refused: %s", fault.message);
        } else {
                for (size_t i = 0; i < n; i++)
                        if (!variant_parse(case_bytes(json_array_get(names, i)), &variants[i]))
                                variants[i].framework = VARIANT_INVALID;
                target = variant_target_of_environment(&environment);
                n_accepted = variant_select(variants, n, &target, order, reasons);
                got = outcome(names, reasons, order, n_accepted);
                json_object_foreach(got, key, value)
                        verdict_equal(verdict, key, json_object_get(expect, key), value);
                json_decref(got);
        }
        free(variants);
        free(reasons);
        free(order);
}
