/* How fast the example kernel is on one thread: gigabytes read and written a
 * second, best of many runs, in cache and in memory. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "examples/activation/ffi.h"

int __tvm_ffi_silu_and_mul(void *self, const Any *arguments, int32_t n_arguments, Any *result);

typedef struct Case {
        const char *name;
        uint8_t code, bits;
        int64_t n_rows, d;
        int n_runs;
} Case;

static const Case cases[] = {
        { "float32", ELEMENT_FLOAT, 32, 16, 1024, 4000 },
        { "float32", ELEMENT_FLOAT, 32, 4096, 4096, 20 },
        { "bfloat16", ELEMENT_BFLOAT, 16, 16, 1024, 4000 },
        { "bfloat16", ELEMENT_BFLOAT, 16, 4096, 4096, 20 },
};

static double now_s(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Numbers from -2 to 2, the same in both element types. */
static void fill(const Case *c, void *data, size_t n)
{
        for (size_t i = 0; i < n; i++) {
                float value = (float)(i % 1025) / 256 - 2;
                uint32_t bits;
                uint16_t high;

                memcpy(&bits, &value, sizeof(bits));
                high = (uint16_t)(bits >> 16);
                if (c->bits == 32)
                        ((float *)data)[i] = value;
                else
                        ((uint16_t *)data)[i] = high;
        }
}

static double best_s(const Case *c, void *out, void *input)
{
        int64_t out_shape[2] = { c->n_rows, c->d }, input_shape[2] = { c->n_rows, 2 * c->d };
        Tensor to = { .data = out, .device = { DEVICE_CPU, 0 }, .n_dimensions = 2,
                      .element = { c->code, c->bits, 1 }, .shape = out_shape };
        Tensor from = { .data = input, .device = { DEVICE_CPU, 0 }, .n_dimensions = 2,
                        .element = { c->code, c->bits, 1 }, .shape = input_shape };
        Any arguments[2] = { { .type = ANY_TENSOR, .tensor = &to }, { .type = ANY_TENSOR, .tensor = &from } };
        Any result = { 0 };
        double best = 1e9;

        for (int i = 0; i < c->n_runs; i++) {
                double start = now_s(), taken;

                if (__tvm_ffi_silu_and_mul(NULL, arguments, 2, &result) != 0)
                        abort();
                taken = now_s() - start;
                if (taken < best)
                        best = taken;
        }
        return best;
}

int main(void)
{
        for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
                const Case *c = &cases[i];
                size_t n = (size_t)(c->n_rows * c->d), size = c->bits / 8;
                void *out = calloc(n, size), *input = calloc(2 * n, size);

                if (!out || !input)
                        return EXIT_FAILURE;
                fill(c, input, 2 * n);
                printf("%-8s %5lld x %lld: %5.1f GB/s\n", c->name, (long long)c->n_rows, (long long)c->d,
                       (double)(3 * n * size) / best_s(c, out, input) / 1e9);
                free(out);
                free(input);
        }
        return EXIT_SUCCESS;
}
