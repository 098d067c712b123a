/* Views as the caller knows them. */
#pragma once

#include "client/client.h"

/* The daemon's number for the caller's. Under the lock. 0; KD_BAD_REQUEST: no
 * such view; or why it was lost in a reconnect. */
int view_remote(kd_client *client, uint32_t view, uint32_t *ret_remote, kd_error *error);
