/* What the configuration and the system let sessions and domains have. */
#pragma once

#include "daemon/account.h"
#include "daemon/config.h"
#include "daemon/session.h"

/* Raises the soft limit on descriptors to the hard one. Returns it. */
size_t descriptors_raise_limit(void);

/* `n_descriptors`: what this process may have open; there are never more
 * sessions than leave some for ourselves. */
void config_limits(const Config *config, size_t n_descriptors, AccountLimits *ret_accounts,
                      SessionLimits *ret_sessions);
