/* kernelize-rounds SOCKET ROUNDS [MAX_GROWTH]: kernelizes a handful of layers and
 * undoes it, ROUNDS times, in two modes by turns; halfway it forks a child, which
 * calls its layers, undoes them and ends. 0 if every function was what it should
 * be, no descriptor is left and, where MAX_GROWTH is said, memory has not grown by
 * more bytes since the first rounds. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "client/kernelsd.h"

enum { N_LAYERS = 5, WARM = 200, D = 8 };

static int original(void *self, const kd_any *arguments, int32_t n_arguments, kd_any *result)
{
        return 77;
}

static void fail(const char *what, const char *why)
{
        fprintf(stderr, "%s: %s\n", what, why);
        exit(1);
}

static int count_descriptors(void)
{
        DIR *folder = opendir("/proc/self/fd");
        int n = 0;

        if (!folder)
                fail("/proc/self/fd", "cannot be read");
        while (readdir(folder))
                n++;
        closedir(folder);
        return n;
}

static long resident_bytes(void)
{
        char line[256];
        long kib = -1;
        FILE *file = fopen("/proc/self/status", "re");

        while (file && kib < 0 && fgets(line, sizeof(line), file))
                if (!strncmp(line, "VmRSS:", 6))
                        kib = strtol(line + 6, NULL, 10);
        if (!file || kib < 0)
                fail("/proc/self/status", "has no VmRSS");
        fclose(file);
        return kib * 1024;
}

/* What the layer's function returns: 77, or 0 by the kernel. */
static int layer_run(const kd_layer *layer)
{
        float out[D], input[2 * D] = { 0 };
        int64_t out_shape[] = { 1, D }, input_shape[] = { 1, 2 * D };
        kd_tensor tensors[] = {
                { .data = out, .device = { 1, 0 }, .n_dimensions = 2, .element = { 2, 32, 1 }, .shape = out_shape },
                { .data = input, .device = { 1, 0 }, .n_dimensions = 2, .element = { 2, 32, 1 }, .shape = input_shape },
        };
        kd_any arguments[] = { { .type = 7, .tensor = &tensors[0] }, { .type = 7, .tensor = &tensors[1] } };
        kd_any result = { .type = 0 };

        return layer->forward(layer->self, arguments, 2, &result);
}

/* All but the last have kernels where the mode is inference. */
static void check(const kd_layer *layers, int kernelized)
{
        for (int i = 0; i < N_LAYERS; i++)
                if (layer_run(&layers[i]) != (kernelized && i < N_LAYERS - 1 ? 0 : 77))
                        fail(layers[i].name, layers[i].reason);
}

static void child_run(kd_layer *layers)
{
        pid_t child = fork();
        int status;

        if (child == 0) {
                check(layers, 1);
                kd_unkernelize(layers, N_LAYERS);
                check(layers, 0);
                _exit(0);
        }
        if (child < 0 || waitpid(child, &status, 0) != child || status != 0)
                fail("fork", "the child did not end well");
        check(layers, 1);
}

static void run_round(kd_client *client, kd_layer *layers, int with_child)
{
        kd_error error;

        if (kd_kernelize(client, KD_VIEW_HOST, layers, N_LAYERS, "inference", "cpu", -1, KD_USE_FALLBACK, &error))
                fail("inference", error.message);
        check(layers, 1);
        if (with_child)
                child_run(layers);
        /* Its metadata says that it has no backward: the originals, and no lease. */
        if (kd_kernelize(client, KD_VIEW_HOST, layers, N_LAYERS, "training", "cpu", -1, KD_USE_FALLBACK, &error))
                fail("training", error.message);
        check(layers, 0);
        if (kd_kernelize(client, KD_VIEW_HOST, layers, N_LAYERS, "inference", "cpu", -1, KD_USE_FALLBACK, &error))
                fail("inference again", error.message);
        kd_unkernelize(layers, N_LAYERS);
        check(layers, 0);
}

int main(int argc, char **argv)
{
        static const char *const names[N_LAYERS] = { "SiluAndMul", "Other", "SiluAndMul", "Third", "Absent" };
        int rounds = argc > 2 ? atoi(argv[2]) : 0, descriptors = 0;
        long resident = 0, growth;
        kd_options options = KD_OPTIONS_INIT;
        kd_layer layers[N_LAYERS];
        kd_client *client;
        kd_error error;

        for (int i = 0; i < N_LAYERS; i++) {
                layers[i] = (kd_layer)KD_LAYER_INIT;
                layers[i].name = names[i];
                layers[i].forward = original;
                layers[i].n_arguments = 2;
        }
        options.socket = argc > 1 ? argv[1] : NULL;
        options.native = true;
        if (rounds <= WARM)
                fail("usage", "kernelize-rounds SOCKET ROUNDS [MAX_GROWTH], with more than 200 rounds");
        if (kd_connect(&options, &client, &error))
                fail("connect", error.message);
        for (int i = 0; i < rounds; i++) {
                if (i == WARM) {
                        descriptors = count_descriptors();
                        resident = resident_bytes();
                }
                run_round(client, layers, i == rounds / 2);
        }
        growth = resident_bytes() - resident;
        printf("%d rounds: %d descriptors more, %ld KiB more\n", rounds, count_descriptors() - descriptors, growth / 1024);
        if (count_descriptors() != descriptors)
                fail("descriptors", "some were left open");
        if (argc > 3 && growth > atol(argv[3]))
                fail("memory", "it has grown");
        kd_close(client);
        return 0;
}
