/* Leases: the open directory of a variant folder, one open file description
 * for each acquire, under a shared flock that the daemon takes before it sends
 * the descriptor and closes its own copy. From then on the lease is the
 * client's and that of whoever inherits it; here are only the facts for
 * `clients` and the quota.
 *
 * The folder may lie on a network file system, where opening, locking and
 * closing wait for a server: all three happen in the file thread.
 *
 * Where a foreign process holds the folder's exclusive lock, the lease is
 * handed out all the same; a copy stays here and tries again every second. It
 * goes when it has the lock or the lease is given back; the end of the session
 * does not end it, as others may have inherited the lease, unless the quota is
 * full. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/account.h"
#include "daemon/loop.h"
#include "daemon/worker.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "proto/fault.h"

typedef struct LeaseLocks LeaseLocks; /* copies that wait for their lock */
typedef struct LeaseCopy LeaseCopy;

/* One that a living session has not released. */
typedef struct Lease {
        struct Lease *next;
        LeaseCopy *copy; /* waits for its lock; NULL: it is locked */
        uint32_t number; /* of the session */
        Text layer;      /* texts lie behind the struct */
        Text kernel;
        Text commit;     /* absent for a path */
        Text variant;
} Lease;

int lease_new(Text layer, Text kernel, Text commit, Text variant, Lease **ret_lease);

/* Gives it back: its copy goes too. */
void lease_release(Lease *lease);

/* The session ends: a copy stays until it has its lock. */
Lease *lease_free(Lease *lease);
DEFINE_CLEANUP(Lease *, lease_free)

/* --- the locks --- */

int lease_locks_new(Loop *loop, Worker *worker, LeaseLocks **ret_locks);

/* After worker_close. Closes all copies; freed in its close callback. NULL is
 * allowed. */
void lease_locks_close(LeaseLocks *locks);
size_t lease_locks_n_waiting(const LeaseLocks *locks);

/* Gives up the oldest copy of the account's whose session has ended. Whoever
 * may read a kernel's folder can keep its exclusive lock for as long as he
 * likes: what others left behind meanwhile must not fill their quota. False:
 * there is none. */
bool lease_locks_yield(LeaseLocks *locks, const Account *account);

/* Opens the folder anew, as an open file description of its own, and tries to
 * lock it. Embedded in what asks for it. */
typedef struct LeaseOpening {
        Job job;       /* job.done is the submitter's; -errno: it cannot be opened */
        int folder_fd; /* the submitter's, open until done */
        int fd;        /* from done on the submitter's, cancelled or not; -1: none */
        bool locked;
} LeaseOpening;

void lease_open(LeaseLocks *locks, LeaseOpening *opening);

/* Takes over the descriptor of a lease that is not handed out. -1 is allowed. */
void lease_close(LeaseLocks *locks, int fd);

/* Keeps a copy, charged to `account`, of what is handed out without its lock.
 * 0; 1 with a fault (limit, busy); -ENOMEM. */
int lease_keep_copy(LeaseLocks *locks, Lease *lease, Account *account, int fd, Fault *fault);
