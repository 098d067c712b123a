/* A kernel that was acquired. */
#pragma once

#include "client/client.h"

struct kd_kernel {
        kd_client *client;       /* counted: it may be closed before the kernel is freed */
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
