/* The lines in which kernelsd --check-config tells faults. */
#pragma once

#include <stddef.h>

#include "client/kernelsd.h"

/* FILE:LINE:COLUMN: MESSAGE, FILE: POINTER: MESSAGE or FILE: MESSAGE as a map
 * with the keys file, line, column, pointer and message; FILE is one of
 * `files`. A line of another form is a message alone. The value is the
 * caller's; NULL without memory. */
kd_value *check_line_parse(const char *line, char *const *files, size_t n_files);
