#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/kernelsctl/answer.h"
#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/query.h"

static void kernel_freep(kd_kernel **kernel)
{
        kd_kernel_free(*kernel);
}

/* Becomes the command, which holds the lease through the descriptor that it
 * inherits. Returns only on failure. */
static int run_command(const kd_kernel *kernel, char **command)
{
        int fd = kd_kernel_fd(kernel), status;

        if (fd < 0 || fcntl(fd, F_SETFD, 0) < 0 || setenv("KERNELSD_KERNEL", kd_kernel_path(kernel), 1) < 0) {
                fprintf(stderr, "kernelsctl: the lease cannot be handed to the command: %s\n", strerror(errno));
                return 1;
        }
        (void)execvp(command[0], command);
        status = errno == ENOENT ? 127 : 126; /* as shells have it */
        fprintf(stderr, "kernelsctl: %s cannot be run: %s\n", command[0], strerror(errno));
        return status;
}

static int print_json(const kd_kernel *kernel)
{
        kd_value *map OWNED(kd_value_freep) = answer_to_value(kd_kernel_answer(kernel));

        if (!map || kd_value_set(map, "folder", kd_value_string(kd_kernel_path(kernel))) < 0)
                return 1;
        return output_json("acquire", map);
}

static int64_t deadline_ms(const Arguments *arguments)
{
        const char *text = arguments->values[OPTION_DEADLINE];
        char *end;
        long seconds;

        if (!text)
                return 0;
        seconds = strtol(text, &end, 10);
        return *end || end == text || seconds < 1 || seconds > 86400 ? -1 : seconds * 1000;
}

int verb_acquire(const Arguments *arguments)
{
        kd_client *client OWNED(kd_closep) = NULL;
        kd_kernel *kernel OWNED(kernel_freep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        int64_t deadline = deadline_ms(arguments);
        kd_query query;
        kd_error error;
        int r = query_from_arguments(arguments, arguments->words[0], &query);

        if (r)
                return r;
        if (deadline < 0) {
                fprintf(stderr, "kernelsctl: --deadline takes 1 to 86400 seconds; not \"%s\"\n",
                        arguments->values[OPTION_DEADLINE]);
                return 2;
        }
        r = connect_client(arguments, CONNECT_PLAIN, &client, &error);
        if (!r)
                r = kd_acquire(client, KD_VIEW_SESSION, &query, 0, deadline, NULL, NULL, &kernel, &error);
        if (r)
                return output_error("acquire", json, &error);
        if (arguments->command)
                return run_command(kernel, arguments->command);
        if (json)
                return print_json(kernel);
        puts(kd_kernel_path(kernel));
        return 0;
}
