/* What a client runs with, parsed and owned: decides which build variants fit. */
#pragma once

#include "proto/device.h"
#include "proto/schema.h"

typedef struct Version2 {
        int64_t major;
        int64_t minor;
        bool present;
} Version2;

/* "2.7": two numbers below INT64_MAX, a dot between them, nothing else. */
bool version2_parse(Text text, Version2 *ret_version);

typedef struct Environment {
        char storage[10][LIMIT_WORD + 1]; /* what the texts of `message` point to */
        MsgEnvironment message;           /* as the client said it, for `clients` */
        Version2 torch;
        Version2 tvm_ffi;
        Version2 python;
        Version2 macos;                   /* never set on Linux; conformance cases have it */
        bool present;                     /* the client said something */
} Environment;

/* Checks and copies. `native` sets tvm_ffi to 0.1 where there is none. 0; 1
 * with FAULT_INVALID_NAME or FAULT_BAD_REQUEST naming the key. NULL message:
 * an environment that says nothing. The object must not be moved by value. */
int environment_init(Environment *environment, const MsgEnvironment *message, bool native, Fault *fault);
