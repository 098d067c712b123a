/* kernelsd --check-config. */
#pragma once

#include "daemon/arguments.h"

/* Checks the files, or without any the whole configuration and mapping in
 * force, printing a line for each fault. Returns main's exit status: 0, or 1
 * with faults. */
int check_run(char *const *arguments, const Arguments *parsed);
