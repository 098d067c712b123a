/* A mapping file: it gives entries of which an index can be made, or faults
 * that say where, never both. */
#include "kernels/index_builder.h"
#include "kernels/mapping_file.h"
#include "tests/fuzz/fuzz.h"

static int read_lock(void *userdata, const char *path, Arena *arena, Text *ret_bytes, Fault *fault)
{
        if (path[1] == 'x')
                return fault_set(fault, FAULT_INTERNAL, "not there");
        *ret_bytes = TEXT("[{\"repo_id\": \"o/n\", \"sha\": \"0123456789abcdef0123456789abcdef01234567\", \"variants\": {}}]");
        return 0;
}

static void check_faults(const MappingSet *set)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        fuzz_require(set->n_entries == 0 && set->n_faults <= LIMIT_MAPPING_FAULTS);
        for (size_t i = 0; i < set->n_faults; i++) {
                fuzz_require(set->faults[i].message.size > 0);
                fuzz_require(set->faults[i].line.present == !set->faults[i].pointer.data);
                fuzz_require(text_is_utf8(set->faults[i].message) && text_is_utf8(set->faults[i].pointer));
                fuzz_require(mapping_fault_describe(&set->faults[i], &arena).data != NULL);
        }
}

static void check_entries(const MappingSet *set)
{
        Text source = TEXT("file:a.json");
        void *block = NULL;
        size_t size;
        Fault fault = FAULT_NULL;
        int r = index_build(set->entries, set->n_entries, &source, 1, 1, 1, &block, &size, NULL, &fault);

        fuzz_require(r == 0 || (r == 1 && fault.name == FAULT_LIMIT));
        index_block_free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        static const MappingReader reader = { .read = read_lock };
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;

        fuzz_require(mapping_set_new(&set) == 0);
        fuzz_require(mapping_set_add_file(set, TEXT("a.json"), TEXT("/a.json"), (Text){ (const char *)bytes, size }, 0,
                                          &reader) == 0);
        if (set->n_faults)
                check_faults(set);
        else
                check_entries(set);
        return 0;
}
