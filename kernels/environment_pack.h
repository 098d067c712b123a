/* An environment as bytes, as it is stored: the map that `hello` carries, only
 * the keys that it has, so that equal environments are equal bytes. */
#pragma once

#include "proto/base/arena.h"
#include "proto/base/buffer.h"
#include "proto/fault.h"
#include "proto/schema.h"

/* Appends. 0, -ENOMEM. */
int environment_pack(const MsgEnvironment *environment, Buffer *buffer);

/* Texts point into the bytes. 0; 1 with FAULT_BAD_REQUEST or FAULT_TOO_LARGE:
 * no such bytes; -ENOMEM. What they say environment_init still has to check. */
int environment_unpack(Text bytes, Arena *arena, MsgEnvironment *ret_environment, Fault *fault);
