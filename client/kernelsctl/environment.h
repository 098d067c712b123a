/* The environment that the command line describes. */
#pragma once

#include "client/kernelsctl/command.h"
#include "client/kernelsd.h"

/* Room for texts that are put together, such as "cu128". */
typedef struct EnvironmentTexts {
        char backend[64];
} EnvironmentTexts;

/* Fills the environment from the options. 0, or KD_INVALID_NAME with an error
 * that says which option is wrong. */
int environment_from_arguments(const Arguments *arguments, EnvironmentTexts *texts, kd_environment *ret_environment,
                               kd_error *error);

/* The same as the protocol's map, machine and system filled in: NULL without
 * memory. */
kd_value *environment_to_value(const kd_environment *environment);

/* The environment that `clients` shows for a session; texts are the value's. */
void environment_from_value(const kd_value *value, kd_environment *ret_environment);
