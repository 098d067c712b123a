/* make-index FOLDER: writes the seeds of the index's fuzzer. */
#include <stdio.h>

#include "kernels/index_builder.h"
#include "proto/base/cleanup.h"

/* Entry number n of a mapping of n_layers: two modes, a range where it may have one. */
static Entry *entry_number(unsigned n, unsigned n_layers, int64_t min)
{
        static const Text layers[] = {
                { "SiluAndMul", 10 }, { "", 0 }, { "RMSNorm", 7 }, { "layer_norm", 10 },
                { "A name of forty-nine bytes does not fit in a record", 51 },
        };
        static const Text devices[] = { { "cuda", 4 }, { "cpu", 3 }, { "rocm", 4 }, { "xpu", 3 } };
        EntryMode modes[] = {
                { MODE_FALLBACK, { .kind = REFERENCE_VERSION, .repo = TEXT("org/name"), .version = n } },
                { MODE_TRAINING, { .kind = REFERENCE_REVISION, .repo = TEXT("org/other"), .revision = TEXT("main") } },
                { MODE_INFERENCE, { .kind = REFERENCE_PATH, .path = TEXT("/opt/kernels"), .layer = TEXT("Other") } },
        };
        EntryDraft draft = { .layer = layers[n % n_layers], .device = devices[n / n_layers % 4], .modes = modes + n % 2,
                             .n_modes = 2 };
        Entry *entry = NULL;
        Fault fault;

        if (draft.device.data[0] != 'x' && draft.device.size == 4) {
                draft.min = INTEGER_PRESENT(min);
                draft.max = INTEGER_PRESENT(min + 9);
        }
        return entry_new(&draft, &entry, &fault) ? NULL : entry;
}

static int write_seed(const char *folder, const char *name, unsigned n, unsigned n_layers, int64_t min)
{
        static const Text source = { "file:a", 6 };
        Entry *entries[80];
        char path[4096];
        size_t size;
        void *block;
        Fault fault;
        FILE *file;

        for (unsigned i = 0; i < n; i++) {
                entries[i] = entry_number(i, n_layers, min + i);
                if (!entries[i])
                        return 1;
        }
        if (index_build(entries, n, &source, 1, 1, 42, &block, &size, NULL, &fault))
                return 1;
        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "we");
        if (!file || fwrite(block, 1, size, file) != size || fclose(file))
                return 1;
        index_block_free(block);
        for (unsigned i = 0; i < n; i++)
                entry_unref(entries[i]);
        return 0;
}

int main(int argc, char **argv)
{
        if (argc != 2)
                return 2;
        return write_seed(argv[1], "empty", 0, 1, 0) || write_seed(argv[1], "one", 1, 1, 75) ||
               write_seed(argv[1], "few", 12, 5, 75) || write_seed(argv[1], "wide", 80, 1, 70000) ||
               write_seed(argv[1], "many", 80, 5, 0);
}
