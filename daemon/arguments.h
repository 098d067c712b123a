/* The command line: what to do, and options. */
#pragma once

#include <stddef.h>

#include "daemon/config.h"
#include "proto/fault.h"

typedef enum Action { ACTION_RUN, ACTION_HELP, ACTION_VERSION, ACTION_CHECK } Action;

typedef struct Arguments {
        Action action;
        char *const *files; /* of --check-config; behind all flags */
        size_t n_files;
} Arguments;

/* `values` is argv from number 1 on, NULL at its end. Sets the options that are
 * named in `config`. 0; 1 with FAULT_BAD_REQUEST; -ENOMEM. */
int arguments_apply(char *const *values, Config *config, Arguments *ret_arguments, Fault *fault);
