#pragma once

#include "client/client.h"

/* The answer to an acquire that nobody waits for any more: its lease goes back.
 * Under the lock. */
void acquire_give_back(Call *call);

/* Tells the daemon that a lease was given back, if the connection that knows
 * it still stands. Queues only. Under the lock. */
void lease_release(kd_client *client, uint64_t epoch, int64_t lease);
