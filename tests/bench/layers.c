/* layers SOCKET LAYER…: a process that starts as an inference process does. It
 * connects, says "ready", waits for a line, acquires one layer after the other,
 * and prints the commit of each. */
#include <stdio.h>
#include <stdlib.h>

#include "client/kernelsd.h"

static int acquire(kd_client *client, const char *layer)
{
        kd_query query = { .layer = layer, .device = "cpu", .capability = -1, .mode = "inference" };
        kd_error error = { 0 };
        kd_kernel *kernel;
        int r = kd_acquire(client, KD_VIEW_SESSION, &query, 0, 0, NULL, NULL, &kernel, &error);

        if (r) {
                fprintf(stderr, "%s: %s: %s\n", layer, error.name, error.message);
                return r;
        }
        puts(kd_kernel_answer(kernel)->commit);
        kd_kernel_free(kernel);
        return 0;
}

int main(int argc, char **argv)
{
        kd_environment environment = KD_ENVIRONMENT_INIT;
        kd_options options = KD_OPTIONS_INIT;
        kd_error error = { 0 };
        kd_client *client;
        char line[8];
        int r;

        if (argc < 3) {
                fprintf(stderr, "usage: %s SOCKET LAYER...\n", argv[0]);
                return 2;
        }
        environment.torch = "2.7";
        options.environment = &environment;
        options.socket = argv[1];
        r = kd_connect(&options, &client, &error);
        if (r) {
                fprintf(stderr, "%s: %s: %s\n", argv[1], error.name, error.message);
                return EXIT_FAILURE;
        }
        puts("ready");
        fflush(stdout);
        if (fgets(line, sizeof(line), stdin))
                for (int i = 2; !r && i < argc; i++)
                        r = acquire(client, argv[i]);
        kd_close(client);
        return r ? EXIT_FAILURE : EXIT_SUCCESS;
}
