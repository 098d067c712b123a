/* A small feed-forward network on the CPU, of which one layer is replaceable:
 * linear, SiluAndMul, linear. It is run with the function written here, then with
 * the kernel that kernelsd has for SiluAndMul, then with its own again, and the
 * results are compared.
 *
 *         cc feedforward.c $(pkg-config --cflags --libs kernelsd) -lm -o feedforward */
#include <kernelsd.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { ROWS = 32, WIDTH = 64, HIDDEN = 96 };

static float input[ROWS * WIDTH], up[2 * HIDDEN * WIDTH], down[WIDTH * HIDDEN];

/* A tensor of the host's memory: compact, two dimensions, float32. */
static kd_tensor tensor_of(float *data, int64_t *shape)
{
        return (kd_tensor){
                .data = data, .device = { .type = 1 }, .n_dimensions = 2,
                .element = { .code = 2, .bits = 32, .lanes = 1 }, .shape = shape,
        };
}

/* The layer as the program has it, in the convention of kernels: out, input. */
static int silu_and_mul(void *self, const kd_any *arguments, int32_t n_arguments, kd_any *result)
{
        const kd_tensor *out = arguments[0].tensor, *in = arguments[1].tensor;
        int64_t d = out->shape[1];

        (void)self;
        (void)n_arguments;
        (void)result; /* stays none */
        for (int64_t row = 0; row < out->shape[0]; row++) {
                const float *x = (const float *)in->data + row * 2 * d;

                for (int64_t i = 0; i < d; i++)
                        ((float *)out->data)[row * d + i] = x[i] / (1 + expf(-x[i])) * x[d + i];
        }
        return 0;
}

/* out = in · weightsᵀ, for ROWS rows. */
static void linear(float *out, const float *in, const float *weights, int n_out, int n_in)
{
        for (int i = 0; i < ROWS * n_out; i++) {
                const float *row = in + i / n_out * n_in, *column = weights + i % n_out * n_in;
                float sum = 0;

                for (int k = 0; k < n_in; k++)
                        sum += row[k] * column[k];
                out[i] = sum;
        }
}

/* Calls whatever function the layer has at the moment. */
static int layer_run(const kd_layer *layer, float *out, float *in)
{
        int64_t out_shape[] = { ROWS, HIDDEN }, in_shape[] = { ROWS, 2 * HIDDEN };
        kd_tensor out_tensor = tensor_of(out, out_shape), in_tensor = tensor_of(in, in_shape);
        kd_any arguments[] = { { .type = 7, .tensor = &out_tensor }, { .type = 7, .tensor = &in_tensor } };
        kd_any result = { .type = 0 };

        return layer->forward(layer->self, arguments, 2, &result);
}

static int network_run(const kd_layer *activation, float *output)
{
        static float hidden[ROWS * 2 * HIDDEN], activated[ROWS * HIDDEN];

        linear(hidden, input, up, 2 * HIDDEN, WIDTH);
        if (layer_run(activation, activated, hidden) != 0) {
                fprintf(stderr, "feedforward: the layer's function refused its arguments\n");
                return 1;
        }
        linear(output, activated, down, WIDTH, HIDDEN);
        return 0;
}

/* The same numbers in every run, between -1 and 1. */
static void fill(float *numbers, int n)
{
        static uint32_t state = 1;

        for (int i = 0; i < n; i++) {
                state = state * 1664525 + 1013904223;
                numbers[i] = (float)(state >> 8) / (1 << 23) - 1;
        }
}

static double largest_difference(const float *a, const float *b)
{
        double largest = 0;

        for (int i = 0; i < ROWS * WIDTH; i++) {
                double difference = fabs((double)a[i] - b[i]) / fmax(1, fabs(b[i]));

                if (!(difference <= largest)) /* NaN counts too */
                        largest = difference;
        }
        return largest;
}

/* Whether the network gives what it gave with the program's own function. */
static int network_check(const kd_layer *activation, const float *expected, double allowed, const char *with)
{
        float output[ROWS * WIDTH];
        double difference;

        if (network_run(activation, output) != 0)
                return 1;
        difference = largest_difference(output, expected);
        printf("%s: largest difference %.1e, %s\n", with, difference, difference <= allowed ? "correct" : "WRONG");
        return !(difference <= allowed);
}

static int kernelize_and_check(kd_client *client, kd_layer *activation, const float *expected, kd_error *error)
{
        int failed = 0;

        if (kd_kernelize(client, KD_VIEW_HOST, activation, 1, "inference", "cpu", -1, 0, error) != 0)
                return 1;
        printf("%s: %s\n", activation->name, activation->reason);
        failed |= network_check(activation, expected, 1e-5, "with the kernel");
        kd_unkernelize(activation, 1);
        failed |= network_check(activation, expected, 0, "with the original again");
        return failed;
}

int main(void)
{
        float expected[ROWS * WIDTH];
        kd_options options = KD_OPTIONS_INIT;
        kd_layer activation = KD_LAYER_INIT;
        kd_client *client = NULL;
        kd_error error = { 0 };
        int failed;

        fill(input, ROWS * WIDTH);
        fill(up, 2 * HIDDEN * WIDTH);
        fill(down, WIDTH * HIDDEN);
        activation.name = "SiluAndMul";
        activation.forward = silu_and_mul;
        activation.n_arguments = 2;
        options.native = true; /* this program loads kernels */
        failed = network_run(&activation, expected) || kd_connect(&options, &client, &error) ||
                 kernelize_and_check(client, &activation, expected, &error);
        if (error.message[0])
                fprintf(stderr, "feedforward: %s: %s\n", error.name, error.message);
        kd_close(client);
        return failed != 0;
}
