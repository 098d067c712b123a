/* From the command line to a query. */
#pragma once

#include "client/kernelsctl/command.h"
#include "client/kernelsd.h"

/* "90" and "9.0" are the same capability: 0, or negative. */
int capability_parse(const char *text, int64_t *ret_capability);

/* A whole number, not negative: 0, or negative. */
int number_parse(const char *text, int64_t *ret_number);

/* --capability, -1 where it is not given: 0, or 2 (exit status) after a sentence on
 * stderr. */
int capability_from_arguments(const Arguments *arguments, int64_t *ret_capability);

/* The query that the options describe, for `layer`. 0, or 2 (exit status)
 * after a sentence on stderr. */
int query_from_arguments(const Arguments *arguments, const char *layer, kd_query *ret_query);
