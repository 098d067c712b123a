#include "tests/bench/mapping.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/bench/sample.h"

#define LAYERS_PER_FILE 5000

void mapping_layer_name(size_t n, char name[LAYER_NAME_MAX])
{
        static const char *const kinds[] = { "SiluAndMul", "RMSNorm", "RotaryEmbedding", "Linear",
                                             "FlashAttention", "MegaBlocksMoeMLP", "LayerNorm", "Gelu" };

        snprintf(name, LAYER_NAME_MAX, "%s%zu", kinds[n % 8], n);
}

static void write_layer(FILE *file, size_t n, const char *separator)
{
        char name[LAYER_NAME_MAX];

        mapping_layer_name(n, name);
        fprintf(file,
                "%s\n\"%s\": ["
                "{\"device\": \"cuda\", \"min_capability\": 75, \"max_capability\": 89,"
                " \"use\": {\"repo\": \"kernels-community/kernel%zu\", \"version\": 1}},\n"
                "  {\"device\": \"cuda\", \"min_capability\": 90,"
                " \"use\": {\"repo\": \"kernels-community/kernel%zu\", \"version\": %zu}}",
                separator, name, n % 97, n % 89, 1 + n % 3);
        if (n % 4 == 0)
                fprintf(file,
                        ",\n  {\"device\": \"rocm\", \"use\": {\"repo\": \"kernels-community/kernel%zu\", \"version\": 1}},"
                        "\n  {\"device\": \"cpu\", \"use\": {\"repo\": \"kernels-community/kernel%zu\", \"version\": 1}}",
                        n % 97, n % 97);
        fputc(']', file);
}

static void write_file(const char *folder, size_t first, size_t end)
{
        char path[256];
        FILE *file;

        snprintf(path, sizeof(path), "%s/config/mapping.d/%06zu.json", folder, first);
        file = fopen(path, "we");
        if (!file)
                bench_die("cannot write %s: %s", path, strerror(errno));
        fputs("{ \"kernelsd\": 1, \"mapping\": {", file);
        for (size_t n = first; n < end; n++)
                write_layer(file, n, n == first ? "" : ",");
        fputs("\n} }\n", file);
        if (fclose(file) != 0)
                bench_die("cannot write %s: %s", path, strerror(errno));
}

void mapping_write(const char *folder, size_t n_layers)
{
        for (size_t first = 0; first < n_layers; first += LAYERS_PER_FILE) {
                size_t end = first + LAYERS_PER_FILE;

                write_file(folder, first, end < n_layers ? end : n_layers);
        }
}
