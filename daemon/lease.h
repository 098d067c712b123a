/* Leases: the open directory of a variant folder, one open file description
 * for each acquire, under a shared flock that the daemon takes before it sends
 * the descriptor and closes its own copy. From then on the lease is the
 * client's and that of whoever inherits it; here are only the facts for
 * `clients` and the quota.
 *
 * Where a foreign process holds the folder's exclusive lock, the lease is
 * handed out all the same; a copy stays here and tries again every second. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "daemon/loop.h"
#include "proto/base/text.h"

/* One that a living session has not released. */
typedef struct Lease Lease;
struct Lease {
        Lease *next;
        uint32_t number; /* of the session */
        Text layer;      /* texts lie behind the struct */
        Text kernel;
        Text commit;     /* absent for a path */
        Text variant;
};

int lease_new(uint32_t number, Text layer, Text kernel, Text commit, Text variant, Lease **ret_lease);
Lease *lease_free(Lease *lease);

/* --- the locks --- */

typedef struct LeaseLocks LeaseLocks; /* copies that wait for their lock */

int lease_locks_new(Loop *loop, LeaseLocks **ret_locks);
void lease_locks_close(LeaseLocks *locks);
size_t lease_locks_n_waiting(const LeaseLocks *locks);

/* Opens the folder anew, as an open file description of its own, and locks it
 * or keeps a copy until that is possible. 0 with the descriptor to send;
 * negative (descriptors or memory ran out). */
int lease_open(LeaseLocks *locks, int folder_fd, int *ret_fd);
