/* The caller's kd_environment, copied, with what the library can fill in
 * itself: machine and system from uname, the program's name. */
#pragma once

#include "client/kernelsd.h"
#include "proto/base/arena.h"
#include "proto/schema.h"

typedef struct ClientEnvironment {
        Arena arena;
        MsgEnvironment message;
} ClientEnvironment;

#define CLIENT_ENVIRONMENT_NULL ((ClientEnvironment){ 0 })

/* `environment` may be NULL. 0 or -ENOMEM. */
int client_environment_init(ClientEnvironment *ret, const kd_environment *environment);
void client_environment_deinit(ClientEnvironment *environment);
