/* From the command line to a query. */
#pragma once

#include "client/kernelsctl/command.h"
#include "client/kernelsd.h"

/* The query that the options describe, for `layer`. 0, or 2 (exit status)
 * after a sentence on stderr. */
int query_from_arguments(const Arguments *arguments, const char *layer, kd_query *ret_query);
