/* trees/COMMIT.json as the Hub's own client writes it. */
#include <string.h>

#include "kernels/cache_paths.h"
#include "kernels/cache_trees.h"
#include "tests/fuzz/fuzz.h"

static void check_variants(const CacheTrees *trees)
{
        size_t n_in_variants = 0, n_found = 0;

        for (size_t i = 0; i < trees->n_variants; i++) {
                size_t n;

                fuzz_require(cache_trees_find(trees, trees->variants[i], &n) && n > 0);
                n_found += n;
        }
        for (size_t i = 0; i < trees->n_files; i++) {
                Text variant, rest;

                fuzz_require(cache_is_plain_path(trees->files[i].path) && trees->files[i].size >= 0);
                fuzz_require(trees->files[i].path.data[trees->files[i].path.size] == 0);
                fuzz_require(!i || text_compare(trees->files[i - 1].path, trees->files[i].path) < 0);
                n_in_variants += cache_path_variant(trees->files[i].path, &variant, &rest);
        }
        fuzz_require(n_found == n_in_variants);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        Text text = { size ? (const char *)bytes : "", size };
        CLEANUP(cache_trees_freep) CacheTrees *trees = NULL;
        Fault fault = FAULT_NULL;
        int r = cache_trees_parse(text, &trees, &fault);

        fuzz_require(r == 0 || (r == 1 && fault.name == FAULT_CORRUPT && !trees));
        if (r == 0)
                check_variants(trees);
        return 0;
}
