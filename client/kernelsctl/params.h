/* From the command line to the params of methods. What takes `params` sets in
 * that map what the options say; all answer 0, or the exit status after a
 * sentence on stderr. */
#pragma once

#include "client/kernelsctl/command.h"
#include "client/kernelsd.h"

/* --deadline in milliseconds, 0 where it is not given. */
int deadline_from_arguments(const Arguments *arguments, int64_t *ret_deadline_ms);

/* --version, -1 where it is not given. Both --version and --revision are wrong,
 * as is neither where one `must` be. */
int version_from_arguments(const Arguments *arguments, bool must, int64_t *ret_version);

/* repo, version, revision. */
int params_set_repository(kd_value *params, const Arguments *arguments, const char *repo, bool must);

/* device, capability, arch. */
int params_set_device(kd_value *params, const Arguments *arguments);

int params_set_deadline(kd_value *params, const Arguments *arguments);
