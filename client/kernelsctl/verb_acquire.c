#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/kernelsctl/answer.h"
#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/params.h"
#include "client/kernelsctl/progress.h"
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

static unsigned flags_from_arguments(const Arguments *arguments)
{
        return (arguments_have(arguments, OPTION_FRESH) ? KD_FRESH : 0) |
               (arguments_have(arguments, OPTION_TRUST) ? KD_TRUST_REMOTE_CODE : 0);
}

/* What is to be acquired: a layer, or where that has none a repository. */
typedef struct Wanted {
        kd_query query;
        kd_repository_query repository;
        int64_t deadline_ms;
} Wanted;

static int repository_from_arguments(const Arguments *arguments, kd_repository_query *repository)
{
        int r = version_from_arguments(arguments, true, &repository->version);

        if (!r)
                r = capability_from_arguments(arguments, &repository->capability);
        repository->repo = arguments->values[OPTION_REPO];
        repository->revision = arguments->values[OPTION_REVISION];
        repository->device = arguments->values[OPTION_DEVICE];
        repository->arch = arguments->values[OPTION_ARCH];
        return r;
}

/* 0, or the exit status after a sentence on stderr. */
static int wanted_from_arguments(const Arguments *arguments, Wanted *wanted)
{
        const char *repo = arguments->values[OPTION_REPO];
        int r = deadline_from_arguments(arguments, &wanted->deadline_ms);

        if (r)
                return r;
        if (!repo == !arguments->n_words) {
                fprintf(stderr, "kernelsctl: either a layer is acquired, or a repository with --repo\n");
                return 2;
        }
        if (repo ? arguments_have(arguments, OPTION_MODE) :
                   arguments_have(arguments, OPTION_VERSION) || arguments_have(arguments, OPTION_REVISION)) {
                fprintf(stderr, "kernelsctl: --mode goes with a layer, --version and --revision with --repo\n");
                return 2;
        }
        return repo ? repository_from_arguments(arguments, &wanted->repository) :
                      query_from_arguments(arguments, arguments->words[0], &wanted->query);
}

static int acquire(kd_client *client, const Arguments *arguments, const Wanted *wanted, kd_kernel **ret_kernel,
                   kd_error *error)
{
        Progress progress = progress_begin(arguments_have(arguments, OPTION_JSON));
        unsigned flags = flags_from_arguments(arguments);
        int r;

        if (wanted->repository.repo)
                r = kd_acquire_repository(client, &wanted->repository, flags, wanted->deadline_ms, progress_draw, &progress,
                                          ret_kernel, error);
        else
                r = kd_acquire(client, KD_VIEW_SESSION, &wanted->query, flags, wanted->deadline_ms, progress_draw, &progress,
                               ret_kernel, error);
        progress_end(&progress);
        return r;
}

int verb_acquire(const Arguments *arguments)
{
        kd_client *client OWNED(kd_closep) = NULL;
        kd_kernel *kernel OWNED(kernel_freep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        Wanted wanted = { .repository = KD_REPOSITORY_QUERY_INIT };
        kd_error error;
        int r = wanted_from_arguments(arguments, &wanted);

        if (r)
                return r;
        r = connect_client(arguments, CONNECT_PLAIN, &client, &error);
        if (!r)
                r = acquire(client, arguments, &wanted, &kernel, &error);
        if (r)
                return output_error("acquire", json, &error);
        if (arguments->command)
                return run_command(kernel, arguments->command);
        if (json)
                return print_json(kernel);
        puts(kd_kernel_path(kernel));
        return 0;
}
