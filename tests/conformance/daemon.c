#include "tests/conformance/daemon.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

#include "tests/lib/private_daemon.h"

static struct {
        bool tried;
        kd_client *client;
        PrivateDaemon process;
} the_daemon;

kd_client *daemon_client(void)
{
        kd_options options = KD_OPTIONS_INIT;
        kd_error error = { 0 };
        char program[PATH_MAX];
        int r;

        if (the_daemon.tried)
                return the_daemon.client;

        the_daemon.tried = true;
        r = private_daemon_program(1, program, sizeof(program));
        if (r == 0)
                r = private_daemon_prepare(&the_daemon.process);
        if (r == 0)
                r = private_daemon_start(&the_daemon.process, program, -1, NULL);
        if (r < 0) {
                fprintf(stderr, "cannot start %s: error %d\n", program, -r);
                return NULL;
        }
        options.socket = the_daemon.process.socket;
        options.timeout_ms = 60000;
        if (kd_connect(&options, &the_daemon.client, &error) != 0)
                fprintf(stderr, "the daemon does not answer: %s\n", error.message);
        return the_daemon.client;
}

int daemon_stop(void)
{
        int status;

        the_daemon.client = kd_close(the_daemon.client);
        status = private_daemon_stop(&the_daemon.process);
        if (status == 0)
                return 0;
        fprintf(stderr, "the daemon ended with status %#x\n", (unsigned)status);
        return -EIO;
}
