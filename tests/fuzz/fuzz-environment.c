/* A file of environment.d: it gives one environment that is sound and survives
 * being stored, or faults that say where, never both. */
#include "kernels/environment_pack.h"
#include "kernels/named_environment.h"
#include "tests/fuzz/fuzz.h"

static void check_faults(const MappingSet *files)
{
        fuzz_require(files->n_faults <= LIMIT_MAPPING_FAULTS);
        for (size_t i = 0; i < files->n_faults; i++) {
                fuzz_require(files->faults[i].message.size > 0);
                fuzz_require(files->faults[i].line.present == !files->faults[i].pointer.data);
                fuzz_require(text_is_utf8(files->faults[i].message) && text_is_utf8(files->faults[i].pointer));
        }
}

static void check_environment(const NamedEnvironment *environment)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CLEANUP_BUFFER Buffer bytes = BUFFER_NULL, again = BUFFER_NULL;
        MsgEnvironment message;
        Environment read;
        Fault fault;

        fuzz_require(environment->device < DEVICE_NONE);
        fuzz_require(!environment->capability.present || device_has_capability(environment->device));
        fuzz_require(!environment->arch.data || environment->device == DEVICE_ROCM);
        fuzz_require(environment_pack(&environment->environment.message, &bytes) == 0);
        fuzz_require(environment_unpack(buffer_text(&bytes), &arena, &message, &fault) == 0);
        fuzz_require(environment_init(&read, &message, false, &fault) == 0);
        fuzz_require(environment_pack(&read.message, &again) == 0);
        fuzz_require(text_equal(buffer_text(&bytes), buffer_text(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *environments = NULL;
        CLEANUP(mapping_set_freep) MappingSet *files = NULL;
        Text text = { size ? (const char *)bytes : "", size };

        fuzz_require(mapping_set_new(&files) == 0);
        fuzz_require(named_environments_new(1, &environments) == 0);
        fuzz_require(named_environments_add(environments, TEXT("a.json"), TEXT("/a.json"), text, files) == 0);
        fuzz_require((files->n_faults == 0) == (environments->n == 1));
        if (files->n_faults)
                check_faults(files);
        else
                check_environment(&environments->items[0]);
        return 0;
}
