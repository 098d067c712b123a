/* One configuration file: JSON by the option table. Reads files: before the
 * loop runs, or in the file thread. */
#pragma once

#include "daemon/config.h"

/* Sets in `config` what the file says; every fault is added to the list, and
 * the rest of the file is looked at all the same. 0 (look at faults->n) or negative. */
int config_file_apply(const char *path, Config *config, FaultList *faults);

/* All that are in force in these folders, kernelsd.json before kernelsd.d. */
int config_files_apply(const Places *places, Config *config, FaultList *faults);

/* Whether the path's last folder is called so. */
bool file_is_in(const char *path, const char *folder);

/* Whether a path names a configuration file: kernelsd.json, or in a kernelsd.d. */
bool config_file_is_one(const char *path);
