/* What a configuration says of the Hub beyond its options: what the variables
 * of the Hub's own clients say where no option does, the policy, the token. */
#pragma once

#include "daemon/config.h"

/* Before files and options: whether HF_HUB_OFFLINE, else TRANSFORMERS_OFFLINE,
 * forbids to ask. */
void config_hub_preset(Config *config);

/* After them and with places: endpoint, policy and token. Reads the token's
 * file. 0 (look at faults->n); negative. */
int config_hub_settle(Config *config, FaultList *faults);
