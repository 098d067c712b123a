/* Lists that the daemon gives in pages. */
#pragma once

#include <stddef.h>

#include "client/kernelsd.h"

/* Calls `method` page after page and collects the rows under `key` in one
 * list, at most `most` of them. What changes meanwhile makes it begin again, ten
 * times at most (randomly picked: what changes faster is nothing to show).
 * `params`, the caller's map, is given each page's place. 0 with a list to be
 * freed by kd_value_free, or what the library returned. */
int pages_collect(kd_client *client, const char *method, const char *key, kd_value *params, size_t most,
                  kd_value **ret_rows, kd_error *error);
