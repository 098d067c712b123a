/* Names of build variants, one a line: what is taken is printed back in a form
 * that stays; choosing gives every one a reason and each accepted one a place. */
#include <string.h>

#include "kernels/variant.h"
#include "tests/fuzz/fuzz.h"

#define NAMES_MAX 64

static void check_name(Text name, const Variant *variant)
{
        char printed[LIMIT_VARIANT + 1], again[LIMIT_VARIANT + 1];
        size_t n = variant_print(variant, printed), n_again;
        Variant same;

        fuzz_require(n <= name.size || variant->framework == VARIANT_NOARCH);
        fuzz_require(variant_parse((Text){ printed, n }, &same));
        fuzz_require(same.framework == variant->framework && same.backend == variant->backend);
        n_again = variant_print(&same, again);
        fuzz_require(n == n_again && !memcmp(printed, again, n));
}

static void check_choice(const Variant *variants, size_t n, const VariantTarget *target)
{
        size_t order[NAMES_MAX], n_accepted, n_seen = 0;
        VariantReason reasons[NAMES_MAX];

        n_accepted = variant_select(variants, n, target, order, reasons);
        for (size_t i = 0; i < n; i++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;

                n_seen += reasons[i] == VARIANT_REASON_ACCEPTED;
                fuzz_require((reasons[i] == VARIANT_REASON_INVALID) == (variants[i].framework == VARIANT_INVALID));
                fuzz_require(variant_explain(&variants[i], reasons[i], target, &arena).data != NULL);
        }
        fuzz_require(n_seen == n_accepted);
        for (size_t i = 0; i < n_accepted; i++)
                fuzz_require(order[i] < n && reasons[order[i]] == VARIANT_REASON_ACCEPTED);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        static const MsgEnvironment message = { .torch = { "2.10", 4 }, .cxx11_abi = 1, .tvm_ffi = { "0.1", 3 },
                                                .backend = { "cu128", 5 }, .cpu = { "x86_64", 6 }, .os = { "linux", 5 },
                                                .free_threaded = -1 };
        Variant variants[NAMES_MAX] = { 0 };
        Environment environment;
        VariantTarget cuda, cpu;
        Fault fault;
        size_t n = 0;

        fuzz_require(environment_init(&environment, &message, false, &fault) == 0);
        cuda = variant_target(&environment, DEVICE_CUDA);
        cpu = variant_target(&environment, DEVICE_CPU);
        for (const uint8_t *end = bytes + size; n < NAMES_MAX && bytes < end; n++) {
                const uint8_t *newline = memchr(bytes, '\n', (size_t)(end - bytes));
                Text name = { (const char *)bytes, (size_t)((newline ? newline : end) - bytes) };

                if (variant_parse(name, &variants[n]))
                        check_name(name, &variants[n]);
                bytes += name.size + (newline != NULL);
        }
        check_choice(variants, n, &cuda);
        check_choice(variants, n, &cpu);
        return 0;
}
