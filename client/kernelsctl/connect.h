/* From the command line to a connected client. */
#pragma once

#include "client/kernelsctl/command.h"
#include "client/kernelsd.h"

/* What a verb needs of the daemon. */
typedef enum ConnectFor {
        CONNECT_PLAIN,
        CONNECT_ADMIN, /* the host's admin socket, if the host's daemon is meant and it can be opened */
} ConnectFor;

/* Connects as --socket and --system say, with the environment that the options
 * describe. 0, or what the library returned; `error` is filled in. */
int connect_client(const Arguments *arguments, ConnectFor purpose, kd_client **ret_client, kd_error *error);

static inline void kd_closep(kd_client **client)
{
        kd_close(*client);
}

static inline void kd_value_freep(kd_value **value)
{
        kd_value_free(*value);
}

#define OWNED(destroy) __attribute__((cleanup(destroy)))
