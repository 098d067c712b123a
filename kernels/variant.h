/* Names of build variants: what a folder under build/ was built for, which of
 * them an environment can run, and which it likes best.
 *
 *   torch<D><M>[-cxx11|-cxx98]-<backend>-<cpu>-<os>
 *   torch-stable-abi<D><M>-<backend>-<cpu>-<os>
 *   tvm-ffi<D><M>-<backend>-<cpu>-<os>
 *   torch-<name>                                    no-arch
 *
 * Stricter than upstream: a name is at most LIMIT_VARIANT bytes without '/' or
 * NUL. A number beyond int64 counts as INT64_MAX, which no environment has, and
 * is printed as it stands. */
#pragma once

#include "kernels/environment.h"
#include "proto/base/arena.h"
#include "proto/base/text.h"
#include "proto/limits.h"

typedef enum VariantFramework {
        VARIANT_INVALID, /* no variant name */
        VARIANT_TORCH,
        VARIANT_TORCH_STABLE_ABI,
        VARIANT_TVM_FFI,
        VARIANT_NOARCH,
} VariantFramework;

#define BACKEND_TABLE(B) B(CANN, "cann", "cann") B(CPU, "cpu", NULL) B(CUDA, "cuda", "cu") B(METAL, "metal", NULL) \
        B(NEURON, "neuron", NULL) B(ROCM, "rocm", "rocm") B(TPU, "tpu", NULL) B(XPU, "xpu", "xpu")

typedef enum Backend {
#define B(name, spelling, prefix) BACKEND_##name,
        BACKEND_TABLE(B)
#undef B
        _BACKEND_MAX,
        BACKEND_NONE = _BACKEND_MAX,
} Backend;

const char *backend_spelling(Backend backend); /* "cuda" */
Backend backend_parse(Text spelling);          /* "cuda"; BACKEND_NONE */

/* The device type that a backend's kernels run on; DEVICE_NONE for BACKEND_NONE. */
Device device_of_backend(Backend backend);

/* The spelling in variant names: "cu128", "cpu". */
bool backend_parse_variant(Text text, Backend *ret_backend, Version2 *ret_version);

/* Texts are parts of the name it was parsed from. */
typedef struct Variant {
        VariantFramework framework;
        Version2 framework_version;
        Text framework_minor;     /* its digits, without leading zeros */
        int8_t cxx11_abi;         /* -1: no tag */
        Backend backend;          /* BACKEND_NONE for no-arch */
        Version2 backend_version; /* of backends that have one */
        Text backend_major;       /* its digits, without leading zeros */
        Text backend_name;        /* no-arch: all behind "torch-" */
        Text cpu;                 /* absent for no-arch */
        Text os;
} Variant;

bool variant_parse(Text name, Variant *ret_variant);

/* Prints the canonical name and a NUL; returns the length, never above that
 * of the name that was parsed. */
size_t variant_print(const Variant *variant, char ret_name[LIMIT_VARIANT + 1]);

/* "2.7" and a NUL, or an empty text where the name has no such version. */
void variant_print_framework_version(const Variant *variant, char ret_version[LIMIT_VARIANT + 1]);
void variant_print_backend_version(const Variant *variant, char ret_version[LIMIT_VARIANT + 1]);

/* Why not; the first check that fails. Spelled as in the conformance cases. */
#define VARIANT_REASON_TABLE(R)                                                                                     \
        R(ACCEPTED, "accepted") R(INVALID, "invalid") R(FREE_THREADED, "free_threaded") R(CPU, "cpu") R(OS, "os")   \
        R(TORCH_VERSION, "torch_version") R(TORCH_ABI, "torch_abi") R(TORCH_STABLE_ABI, "torch_stable_abi")         \
        R(TVM_FFI_VERSION, "tvm_ffi_version") R(CUDA_VERSION, "cuda_version") R(BACKEND, "backend")                 \
        R(METAL_MACOS, "metal_macos") R(NOARCH_BACKEND, "noarch_backend")

typedef enum VariantReason {
#define R(name, spelling) VARIANT_REASON_##name,
        VARIANT_REASON_TABLE(R)
#undef R
        _VARIANT_REASON_MAX,
} VariantReason;

const char *variant_reason_spelling(VariantReason reason);

/* What variants are judged for: an environment, and the backend in question. */
typedef struct VariantTarget {
        const Environment *environment;
        Backend backend; /* BACKEND_NONE: the environment names none that we know */
        Version2 backend_version;
} VariantTarget;

/* Device type cpu asks for backend cpu, any other for the environment's. */
VariantTarget variant_target(const Environment *environment, Device device);

/* The environment's own backend, as the conformance cases ask. */
VariantTarget variant_target_of_environment(const Environment *environment);

VariantReason variant_judge(const Variant *variant, const VariantTarget *target);

/* Judges all; order[0 .. result) are the numbers of the accepted ones, best
 * first, equals in the order given. Both arrays hold n. Pure, no allocation. */
size_t variant_select(const Variant *variants, size_t n, const VariantTarget *target, size_t *ret_order,
                      VariantReason *ret_reasons);

/* For people: "is for torch 2.6, the environment has 2.7". */
Text variant_explain(const Variant *variant, VariantReason reason, const VariantTarget *target, Arena *arena);
