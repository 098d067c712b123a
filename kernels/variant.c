#include "kernels/variant.h"

#include <stdio.h>
#include <string.h>

#include "proto/base/cleanup.h"

#define MACOS_OF_METAL 26      /* upstream builds with Metal 4.0, which no older system loads */
#define PYTHON_OF_FREE_ABI 15  /* 3.15: the first with a stable ABI for free-threaded interpreters */

static const struct {
        const char *spelling;
        const char *prefix; /* in variant names, before a version; NULL: has none */
} backends[] = {
#define B(name, spelling, prefix) [BACKEND_##name] = { spelling, prefix },
        BACKEND_TABLE(B)
#undef B
};

const char *backend_spelling(Backend backend)
{
        return backend < _BACKEND_MAX ? backends[backend].spelling : "none";
}

Backend backend_parse(Text spelling)
{
        for (Backend b = 0; b < _BACKEND_MAX; b++)
                if (text_equal(spelling, text_of(backends[b].spelling)))
                        return b;
        return BACKEND_NONE;
}

Device device_of_backend(Backend backend)
{
        static const Device devices[] = {
                [BACKEND_CANN] = DEVICE_NPU,      [BACKEND_CPU] = DEVICE_CPU,       [BACKEND_CUDA] = DEVICE_CUDA,
                [BACKEND_METAL] = DEVICE_MPS,     [BACKEND_NEURON] = DEVICE_NEURON, [BACKEND_ROCM] = DEVICE_ROCM,
                [BACKEND_TPU] = DEVICE_TPU,       [BACKEND_XPU] = DEVICE_XPU,       [BACKEND_NONE] = DEVICE_NONE,
        };

        return devices[backend];
}

const char *variant_reason_spelling(VariantReason reason)
{
        static const char *const spellings[] = {
#define R(name, spelling) [VARIANT_REASON_##name] = spelling,
                VARIANT_REASON_TABLE(R)
#undef R
        };

        return spellings[reason];
}

/* --- parsing --- */

static Text text_from(Text text, size_t start)
{
        return (Text){ text.data + start, text.size - start };
}

/* One or more ASCII digits; INT64_MAX stands for all that do not fit. */
static bool digits_parse(Text text, int64_t *ret_number, Text *ret_digits)
{
        int64_t number = 0;

        for (size_t i = 0; i < text.size; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                if (__builtin_mul_overflow(number, 10, &number) ||
                    __builtin_add_overflow(number, text.data[i] - '0', &number))
                        number = INT64_MAX;
        }
        if (!text.size)
                return false;
        while (text.size > 1 && text.data[0] == '0')
                text = text_from(text, 1);
        *ret_number = number;
        *ret_digits = text;
        return true;
}

/* Digits of which the first `n_major` are the major version. */
static bool version_split(Text digits, size_t n_major, Version2 *ret_version, Text *ret_major, Text *ret_minor)
{
        Version2 version = { .present = true };

        if (digits.size < 2 || !digits_parse((Text){ digits.data, n_major }, &version.major, ret_major) ||
            !digits_parse(text_from(digits, n_major), &version.minor, ret_minor))
                return false;
        *ret_version = version;
        return true;
}

static bool backend_parse_digits(Text text, Backend *ret_backend, Version2 *ret_version, Text *ret_major)
{
        for (Backend b = 0; b < _BACKEND_MAX; b++) {
                Text prefix = text_of(backends[b].prefix), major = TEXT_NULL, minor;
                Version2 version = { 0 };

                if (!prefix.data) {
                        if (!text_equal(text, text_of(backends[b].spelling)))
                                continue;
                } else {
                        if (!text_starts_with(text, prefix) || text.size < prefix.size + 2 ||
                            !version_split(text_from(text, prefix.size), text.size - prefix.size - 1, &version, &major,
                                           &minor))
                                continue;
                }
                *ret_backend = b;
                *ret_version = version;
                *ret_major = major;
                return true;
        }
        return false;
}

bool backend_parse_variant(Text text, Backend *ret_backend, Version2 *ret_version)
{
        Text major;

        return backend_parse_digits(text, ret_backend, ret_version, &major);
}

/* Cuts the part before the first '-' off; false when nothing is left. */
static bool next_part(Text *rest, Text *ret_part)
{
        const char *dash;

        if (!rest->data)
                return false;
        dash = rest->size ? memchr(rest->data, '-', rest->size) : NULL;
        if (!dash) {
                *ret_part = *rest;
                *rest = TEXT_NULL;
                return true;
        }
        *ret_part = (Text){ rest->data, (size_t)(dash - rest->data) };
        *rest = text_from(*rest, ret_part->size + 1);
        return true;
}

/* <backend>-<cpu>-<os> and nothing more. */
static bool arch_parse(Text rest, Variant *variant)
{
        Text backend;

        return next_part(&rest, &backend) && next_part(&rest, &variant->cpu) && next_part(&rest, &variant->os) &&
               !rest.data && backend_parse_digits(backend, &variant->backend, &variant->backend_version,
                                                      &variant->backend_major);
}

static bool framework_parse(Text part, const char *prefix, VariantFramework framework, Variant *variant)
{
        Text p = text_of(prefix), major;

        variant->framework = framework;
        return text_starts_with(part, p) && version_split(text_from(part, p.size), 1, &variant->framework_version,
                                                          &major, &variant->framework_minor);
}

static bool stable_abi_parse(Text name, Variant *variant)
{
        Text rest = text_from(name, sizeof("torch-stable-") - 1), part;

        return next_part(&rest, &part) && framework_parse(part, "abi", VARIANT_TORCH_STABLE_ABI, variant) &&
               arch_parse(rest, variant);
}

static bool torch_parse(Text name, Variant *variant)
{
        Text rest = name, part, after;

        if (!next_part(&rest, &part) || !framework_parse(part, "torch", VARIANT_TORCH, variant))
                return false;
        after = rest;
        if (next_part(&after, &part) && (text_equal(part, TEXT("cxx11")) || text_equal(part, TEXT("cxx98")))) {
                variant->cxx11_abi = text_equal(part, TEXT("cxx11"));
                rest = after;
        }
        return arch_parse(rest, variant);
}

static bool tvm_ffi_parse(Text name, Variant *variant)
{
        Text rest = text_from(name, sizeof("tvm-") - 1), part;

        return next_part(&rest, &part) && framework_parse(part, "ffi", VARIANT_TVM_FFI, variant) &&
               arch_parse(rest, variant);
}

bool variant_parse(Text name, Variant *ret_variant)
{
        Variant variant = { .cxx11_abi = -1, .backend = BACKEND_NONE };
        bool good = false;

        if (!name.size || name.size > LIMIT_VARIANT || memchr(name.data, '/', name.size) ||
            memchr(name.data, 0, name.size) || !text_is_utf8(name))
                return false;
        if (text_starts_with(name, TEXT("torch-stable-abi"))) {
                good = stable_abi_parse(name, &variant);
        } else if (text_starts_with(name, TEXT("torch-")) || text_equal(name, TEXT("torch"))) {
                variant.framework = VARIANT_NOARCH;
                variant.backend_name = name.size > 6 ? text_from(name, 6) : TEXT("");
                good = true;
        } else if (text_starts_with(name, TEXT("torch"))) {
                good = torch_parse(name, &variant);
        } else if (text_starts_with(name, TEXT("tvm-ffi"))) {
                good = tvm_ffi_parse(name, &variant);
        }
        if (good)
                *ret_variant = variant;
        return good;
}

/* --- printing --- */

/* A version as its two numbers, the digits of one of them given. */
static void backend_print(Backend backend, const Version2 *version, Text major, char *buffer, size_t size)
{
        if (!backends[backend].prefix)
                (void)snprintf(buffer, size, "%s", backends[backend].spelling);
        else if (major.data)
                (void)snprintf(buffer, size, "%s%.*s%lld", backends[backend].prefix, TEXT_PRINT(major),
                               (long long)version->minor);
        else
                (void)snprintf(buffer, size, "%s%lld%lld", backends[backend].prefix, (long long)version->major,
                               (long long)version->minor);
}

static const char *framework_prefix(VariantFramework framework)
{
        static const char *const prefixes[] = {
                [VARIANT_INVALID] = "", [VARIANT_TORCH] = "torch", [VARIANT_TORCH_STABLE_ABI] = "torch-stable-abi",
                [VARIANT_TVM_FFI] = "tvm-ffi", [VARIANT_NOARCH] = "torch-",
        };

        return prefixes[framework];
}

size_t variant_print(const Variant *variant, char ret_name[LIMIT_VARIANT + 1])
{
        const char *tag = variant->cxx11_abi < 0 ? "" : variant->cxx11_abi ? "-cxx11" : "-cxx98";
        char backend[LIMIT_VARIANT + 1];
        int n;

        if (variant->framework == VARIANT_NOARCH) {
                n = snprintf(ret_name, LIMIT_VARIANT + 1, "torch-%.*s", TEXT_PRINT(variant->backend_name));
        } else {
                backend_print(variant->backend, &variant->backend_version, variant->backend_major, backend,
                              sizeof(backend));
                n = snprintf(ret_name, LIMIT_VARIANT + 1, "%s%lld%.*s%s-%s-%.*s-%.*s",
                             framework_prefix(variant->framework), (long long)variant->framework_version.major,
                             TEXT_PRINT(variant->framework_minor), tag, backend, TEXT_PRINT(variant->cpu),
                             TEXT_PRINT(variant->os));
        }
        return n > LIMIT_VARIANT ? LIMIT_VARIANT : (size_t)n;
}

void variant_print_framework_version(const Variant *variant, char ret_version[LIMIT_VARIANT + 1])
{
        ret_version[0] = 0;
        if (variant->framework_version.present)
                (void)snprintf(ret_version, LIMIT_VARIANT + 1, "%lld.%.*s",
                               (long long)variant->framework_version.major, TEXT_PRINT(variant->framework_minor));
}

void variant_print_backend_version(const Variant *variant, char ret_version[LIMIT_VARIANT + 1])
{
        ret_version[0] = 0;
        if (variant->backend_version.present)
                (void)snprintf(ret_version, LIMIT_VARIANT + 1, "%.*s.%lld", TEXT_PRINT(variant->backend_major),
                               (long long)variant->backend_version.minor);
}

/* --- judging --- */

VariantTarget variant_target_of_environment(const Environment *environment)
{
        VariantTarget target = { .environment = environment, .backend = BACKEND_NONE };

        if (environment->message.backend.data)
                (void)backend_parse_variant(environment->message.backend, &target.backend, &target.backend_version);
        return target;
}

VariantTarget variant_target(const Environment *environment, Device device)
{
        if (device == DEVICE_CPU)
                return (VariantTarget){ .environment = environment, .backend = BACKEND_CPU };
        return variant_target_of_environment(environment);
}

static int version_compare(Version2 a, Version2 b)
{
        if (a.major != b.major)
                return a.major < b.major ? -1 : 1;
        return (a.minor > b.minor) - (a.minor < b.minor);
}

/* Absent is equal to absent only. */
static bool version_equal(Version2 a, Version2 b)
{
        return a.present == b.present && (!a.present || version_compare(a, b) == 0);
}

/* No stable ABI for such an interpreter, so nothing compiled fits it. */
static bool is_free_threaded(const Environment *environment)
{
        Version2 python = environment->python;

        return environment->message.free_threaded == 1 &&
               (!python.present || python.major < 3 || (python.major == 3 && python.minor < PYTHON_OF_FREE_ABI));
}

static VariantReason judge_framework(const Variant *variant, const Environment *environment)
{
        switch (variant->framework) {
        case VARIANT_TORCH:
                if (!version_equal(variant->framework_version, environment->torch))
                        return VARIANT_REASON_TORCH_VERSION;
                if (variant->cxx11_abi >= 0 && variant->cxx11_abi != environment->message.cxx11_abi)
                        return VARIANT_REASON_TORCH_ABI;
                return VARIANT_REASON_ACCEPTED;
        case VARIANT_TORCH_STABLE_ABI:
                if (!environment->torch.present || version_compare(variant->framework_version, environment->torch) > 0)
                        return VARIANT_REASON_TORCH_STABLE_ABI;
                return VARIANT_REASON_ACCEPTED;
        default:
                return version_equal(variant->framework_version, environment->tvm_ffi) ?
                               VARIANT_REASON_ACCEPTED : VARIANT_REASON_TVM_FFI_VERSION;
        }
}

static VariantReason judge_backend(const Variant *variant, const VariantTarget *target)
{
        Version2 macos = target->environment->macos;

        if (variant->backend != target->backend)
                return VARIANT_REASON_BACKEND;
        if (variant->backend == BACKEND_CUDA)
                return variant->backend_version.major == target->backend_version.major &&
                                       variant->backend_version.minor <= target->backend_version.minor ?
                               VARIANT_REASON_ACCEPTED : VARIANT_REASON_CUDA_VERSION;
        if (!version_equal(variant->backend_version, target->backend_version))
                return VARIANT_REASON_BACKEND;
        if (variant->backend == BACKEND_METAL && (!macos.present || macos.major < MACOS_OF_METAL))
                return VARIANT_REASON_METAL_MACOS;
        return VARIANT_REASON_ACCEPTED;
}

/* Upstream's name for a backend without version: the device's, where they differ. */
static Text noarch_name(const VariantTarget *target)
{
        return target->backend == BACKEND_CANN ? TEXT("npu") : text_of(backend_spelling(target->backend));
}

static bool is_universal(const Variant *variant)
{
        return text_equal(variant->backend_name, TEXT("universal"));
}

VariantReason variant_judge(const Variant *variant, const VariantTarget *target)
{
        const Environment *environment = target->environment;
        VariantReason reason;

        if (variant->framework == VARIANT_INVALID)
                return VARIANT_REASON_INVALID;
        if (variant->framework == VARIANT_NOARCH) {
                bool same = target->backend != BACKEND_NONE && text_equal(variant->backend_name, noarch_name(target));

                return same || is_universal(variant) ? VARIANT_REASON_ACCEPTED : VARIANT_REASON_NOARCH_BACKEND;
        }
        if (is_free_threaded(environment))
                return VARIANT_REASON_FREE_THREADED;
        if (!text_equal(variant->cpu, environment->message.cpu))
                return VARIANT_REASON_CPU;
        if (!text_equal(variant->os, environment->message.os))
                return VARIANT_REASON_OS;
        reason = judge_framework(variant, environment);
        return reason == VARIANT_REASON_ACCEPTED ? judge_backend(variant, target) : reason;
}

/* --- preferring --- */

/* Lower is better, first number first. tvm-ffi stands before no-arch, where
 * upstream lets chance decide. */
typedef struct Rank {
        int64_t keys[4];
} Rank;

static Rank rank_of(const Variant *variant)
{
        int64_t minor = variant->backend_version.present ? -variant->backend_version.minor : 0;

        switch (variant->framework) {
        case VARIANT_TORCH_STABLE_ABI:
                return (Rank){ { 0, -variant->framework_version.major, -variant->framework_version.minor, minor } };
        case VARIANT_TORCH:
                return (Rank){ { 1, 0, variant->cxx11_abi >= 0, minor } };
        case VARIANT_TVM_FFI:
                return (Rank){ { 2, 0, 0, minor } };
        default:
                return (Rank){ { 3, 0, 0, is_universal(variant) } };
        }
}

static bool is_better(const Variant *a, const Variant *b)
{
        Rank x = rank_of(a), y = rank_of(b);

        for (size_t i = 0; i < ARRAY_SIZE(x.keys); i++)
                if (x.keys[i] != y.keys[i])
                        return x.keys[i] < y.keys[i];
        return false;
}

size_t variant_select(const Variant *variants, size_t n, const VariantTarget *target, size_t *ret_order,
                      VariantReason *ret_reasons)
{
        size_t n_accepted = 0;

        for (size_t i = 0; i < n; i++) {
                size_t at = n_accepted;

                ret_reasons[i] = variant_judge(&variants[i], target);
                if (ret_reasons[i] != VARIANT_REASON_ACCEPTED)
                        continue;
                for (; at > 0 && is_better(&variants[i], &variants[ret_order[at - 1]]); at--)
                        ret_order[at] = ret_order[at - 1];
                ret_order[at] = i;
                n_accepted++;
        }
        return n_accepted;
}

/* --- explaining --- */

static Text version_print(Version2 version, Arena *arena)
{
        if (!version.present)
                return TEXT("none");
        return arena_format(arena, "%lld.%lld", (long long)version.major, (long long)version.minor);
}

static Text say(Arena *arena, const char *what, Text wants, Text has)
{
        return arena_format(arena, "is for %s %.*s, the environment has %.*s", what, TEXT_PRINT(wants),
                            has.data ? (int)has.size : 4, has.data ? has.data : "none");
}

static Text say_backend(const Variant *variant, const VariantTarget *target, Arena *arena)
{
        char wants[LIMIT_VARIANT + 1], has[64] = "none";

        backend_print(variant->backend, &variant->backend_version, variant->backend_major, wants, sizeof(wants));
        if (target->backend != BACKEND_NONE)
                backend_print(target->backend, &target->backend_version, TEXT_NULL, has, sizeof(has));
        return say(arena, "backend", text_of(wants), text_of(has));
}

Text variant_explain(const Variant *variant, VariantReason reason, const VariantTarget *target, Arena *arena)
{
        const Environment *environment = target->environment;
        char version[LIMIT_VARIANT + 1];
        Text wants;

        variant_print_framework_version(variant, version);
        wants = text_of(version);
        switch (reason) {
        case VARIANT_REASON_INVALID:
                return TEXT("is not the name of a build variant");
        case VARIANT_REASON_FREE_THREADED:
                return TEXT("is compiled, which a free-threaded interpreter before 3.15 cannot load");
        case VARIANT_REASON_CPU:
                return say(arena, "cpu", variant->cpu, environment->message.cpu);
        case VARIANT_REASON_OS:
                return say(arena, "os", variant->os, environment->message.os);
        case VARIANT_REASON_TORCH_VERSION:
                return say(arena, "torch", wants, version_print(environment->torch, arena));
        case VARIANT_REASON_TORCH_ABI:
                return say(arena, "C++ ABI", variant->cxx11_abi ? TEXT("cxx11") : TEXT("cxx98"),
                           environment->message.cxx11_abi < 0 ? TEXT_NULL :
                           environment->message.cxx11_abi ? TEXT("cxx11") : TEXT("cxx98"));
        case VARIANT_REASON_TORCH_STABLE_ABI:
                return say(arena, "torch from", wants, version_print(environment->torch, arena));
        case VARIANT_REASON_TVM_FFI_VERSION:
                return say(arena, "tvm-ffi", wants, version_print(environment->tvm_ffi, arena));
        case VARIANT_REASON_CUDA_VERSION:
        case VARIANT_REASON_BACKEND:
                return say_backend(variant, target, arena);
        case VARIANT_REASON_METAL_MACOS:
                return say(arena, "macOS from", TEXT("26"), version_print(environment->macos, arena));
        case VARIANT_REASON_NOARCH_BACKEND:
                return say(arena, "backend", variant->backend_name,
                           target->backend == BACKEND_NONE ? TEXT_NULL : noarch_name(target));
        default:
                return TEXT("fits");
        }
}
