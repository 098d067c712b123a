/* Verbs that change what the daemon keeps. */
#pragma once

#include "client/kernelsctl/command.h"
#include "client/kernelsd.h"

/* Connects, calls the method, frees the params and tells what changed: the exit
 * status. params NULL: there was no memory for them. */
int change_make(const Arguments *arguments, const char *verb, const char *method, kd_value *params);

/* The same on a connection; params stay the caller's. */
int change_call(kd_client *client, const Arguments *arguments, const char *verb, const char *method,
                const kd_value *params);

/* No memory: says so and answers the exit status. */
int change_no_memory(void);
