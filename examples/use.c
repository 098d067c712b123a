/* Asks kernelsd for the kernel that implements SiluAndMul on the CPU, runs it,
 * and compares the result with its own.
 *
 *         cc use.c $(pkg-config --cflags --libs kernelsd) -lm -o use
 *
 * With --hold it keeps the kernel until its standard input ends. */
#include <kernelsd.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 64, D = 1000 };

static float input[ROWS * 2 * D];
static float out[ROWS * D];

static void input_fill(void)
{
        for (int i = 0; i < ROWS * 2 * D; i++)
                input[i] = (float)(i * 7919L % 1601) / 100 - 8;
}

/* A tensor of the host's memory: compact, two dimensions, float32. */
static kd_tensor tensor_of(float *data, int64_t *shape)
{
        return (kd_tensor){
                .data = data, .device = { .type = 1 }, .n_dimensions = 2,
                .element = { .code = 2, .bits = 32, .lanes = 1 }, .shape = shape,
        };
}

/* Calls the kernel as its metadata says: arguments out, input. */
static int kernel_run(kd_forward forward)
{
        int64_t out_shape[] = { ROWS, D }, input_shape[] = { ROWS, 2 * D };
        kd_tensor out_tensor = tensor_of(out, out_shape), input_tensor = tensor_of(input, input_shape);
        kd_any arguments[] = { { .type = 7, .tensor = &out_tensor }, { .type = 7, .tensor = &input_tensor } };
        kd_any result = { .type = 0 };

        return forward(NULL, arguments, 2, &result);
}

/* The largest difference from the same computed here in double precision,
 * relative to the value or, for small ones, to one. */
static double largest_difference(void)
{
        double largest = 0;

        for (int i = 0; i < ROWS * D; i++) {
                const float *row = input + i / D * 2 * D;
                double x = row[i % D], y = row[D + i % D], exact = x / (1 + exp(-x)) * y;
                double difference = fabs(out[i] - exact) / fmax(1, fabs(exact));

                if (!(difference <= largest)) /* NaN counts too */
                        largest = difference;
        }
        return largest;
}

static int run_and_check(kd_kernel *kernel, kd_error *error)
{
        const kd_answer *answer = kd_kernel_answer(kernel);
        kd_forward forward;
        double difference;
        int code = kd_native(kernel, NULL, &forward, error);

        if (code != 0)
                return code;
        input_fill();
        if (kernel_run(forward) != 0) {
                fprintf(stderr, "use: the kernel refused its arguments\n");
                return KD_INTERNAL;
        }
        difference = largest_difference();
        printf("process %d: SiluAndMul by %s, registered for %s: %d x %d values, largest difference %.1e, %s\n",
               (int)getpid(), answer->variant, answer->mode, ROWS, D, difference,
               difference < 1e-6 ? "correct" : "WRONG");
        return difference < 1e-6 ? 0 : KD_INTERNAL;
}

static void hold_until_input_ends(void)
{
        char line[64];

        fflush(stdout);
        while (fgets(line, sizeof(line), stdin))
                ;
}

int main(int argc, char **argv)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_query query = { .layer = "SiluAndMul", .device = "cpu", .capability = -1, .mode = "inference" };
        kd_client *client = NULL;
        kd_kernel *kernel = NULL;
        kd_error error = { 0 };
        int code;

        options.native = true; /* this program loads kernels by kd_native */
        code = kd_connect(&options, &client, &error);
        if (code == 0)
                code = kd_acquire(client, KD_VIEW_HOST, &query, 0, 0, NULL, NULL, &kernel, &error);
        if (code == 0)
                code = run_and_check(kernel, &error);
        if (code == 0 && argc > 1 && strcmp(argv[1], "--hold") == 0)
                hold_until_input_ends();
        if (error.message[0])
                fprintf(stderr, "use: %s: %s\n", error.name, error.message);
        kd_kernel_free(kernel);
        kd_close(client);
        return kd_exit_status(code);
}
