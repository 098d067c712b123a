/* A kernel that was acquired. */
#pragma once

#include "client/client.h"

struct kd_kernel {
        kd_client *client;       /* counted: it may be closed before the kernel is freed */
        unsigned n_users;        /* the caller, or every layer that it replaces; atomic */
        uint64_t epoch;          /* the connection that knows the lease */
        OptionalInteger lease;   /* absent: a local repository of the caller's */
        int fd;                  /* the variant folder; -1 */
        Arena arena;
        uint8_t *body;           /* the result, which the texts of `native` lie in */
        kd_answer answer;
        const char *path;
        const char *metadata;    /* NUL behind it */
        size_t metadata_size;
        const MsgNative *native; /* or NULL */
        void *library;           /* what dlopen gave; atomic */
};

DEFINE_CLEANUP(kd_kernel *, kd_kernel_free)

/* The kernel that an answered acquire hands over; takes the call's descriptor
 * and bytes. Not under the lock. 0 or an error. */
int kernel_new(kd_client *client, Call *call, kd_kernel **ret_kernel, kd_error *error);

/* One more to free it. */
kd_kernel *kernel_ref(kd_kernel *kernel);

/* native.c: how many arguments its metadata states for the layer's function; -1:
 * it does not. */
int native_arguments(const kd_kernel *kernel, const char *layer);

/* The answer to an acquire that nobody waits for any more: its lease goes back.
 * Under the lock. */
void acquire_give_back(Call *call);

/* Tells the daemon that a lease was given back, if the connection that knows
 * it still stands. Queues only. Under the lock. */
void lease_release(kd_client *client, uint64_t epoch, int64_t lease);
