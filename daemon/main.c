/* kernelsd: argv, exit statuses, nothing else. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "daemon/arguments.h"
#include "daemon/check.h"
#include "daemon/config.h"
#include "daemon/daemon.h"
#include "daemon/memory.h"
#include "daemon/option.h"
#include "kernels/mapping_file.h"

#define EXIT_USAGE 2

static int main_failed(int r)
{
        fprintf(stderr, "kernelsd: %s\n", strerror(-r));
        return EXIT_FAILURE;
}

static void main_print_faults(const FaultList *faults)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        for (size_t i = 0; i < faults->n; i++) {
                Text line = mapping_fault_describe(&faults->items[i], &arena);

                fprintf(stderr, "kernelsd: %.*s\n", TEXT_PRINT(line));
        }
}

static int main_run(char *const *arguments)
{
        CLEANUP(config_freep) Config *config = NULL;
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        int r;

        r = config_load(arguments, &config, &faults);
        if (r < 0)
                return main_failed(r);
        if (r > 0) {
                main_print_faults(&faults);
                fprintf(stderr, "kernelsd: not started: the configuration is faulty\n");
                return EX_CONFIG;
        }
        return daemon_run(STEAL(config), arguments);
}

/* The options are checked on the way, into a configuration that nobody uses. */
static int main_parse(char *const *arguments, Arguments *ret_parsed)
{
        CLEANUP(config_freep) Config *config = NULL;
        Fault fault;
        int r;

        r = config_new(&config);
        if (r < 0)
                return main_failed(r);
        r = arguments_apply(arguments, config, ret_parsed, &fault);
        if (r < 0)
                return main_failed(r);
        if (r > 0) {
                fprintf(stderr, "kernelsd: %s\n", fault.message);
                return EXIT_USAGE;
        }
        return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
        char *const *arguments = argv + (argc > 0);
        Arguments parsed;
        int status;

        memory_tune();
        status = main_parse(arguments, &parsed);
        if (status != EXIT_SUCCESS)
                return status;
        switch (parsed.action) {
        case ACTION_HELP:
                option_print_help(stdout);
                return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        case ACTION_VERSION:
                printf("kernelsd %s\n", KERNELSD_VERSION);
                return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
        case ACTION_CHECK:
                return check_run(arguments, &parsed);
        case ACTION_RUN:
        default:
                return main_run(arguments);
        }
}
