/* connect [SOCKET]: prints what kd_connect answers: "0 VERSION", or the code,
 * the error's name and its sentence. */
#include <stdio.h>

#include "client/kernelsd.h"

int main(int argc, char **argv)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_client *client;
        kd_error error = { 0 };
        int r;

        if (argc > 1)
                options.socket = argv[1];
        r = kd_connect(&options, &client, &error);
        if (r != 0) {
                printf("%d %s %s\n", r, error.name, error.message);
                return 1;
        }
        printf("0 %s\n", kd_daemon_version(client));
        kd_close(client);
        return 0;
}
