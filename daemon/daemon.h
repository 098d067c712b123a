/* The daemon as a whole: what main.c runs once the configuration is good. */
#pragma once

#include "daemon/config.h"

/* Serves until SIGTERM or SIGINT. Owns `config` from the call on, also where
 * it fails; `arguments` is what config_load took, for a reload. Returns an
 * exit status: EXIT_SUCCESS or EXIT_FAILURE. */
int daemon_run(Config *config, char *const *arguments);
