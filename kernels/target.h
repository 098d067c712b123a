/* What a kernel is fetched for: an environment and a device. Immutable and
 * counted (atomically: the loop and the file thread hold it). */
#pragma once

#include "kernels/environment.h"
#include "proto/base/arena.h"
#include "proto/base/cleanup.h"

typedef struct Target {
        unsigned n_users;
        Environment environment;
        Device device;
        OptionalInteger capability; /* absent where the device has none, or it is not known */
        char gfx[LIMIT_WORD + 1];   /* "": not known */
} Target;

/* Copies. A gfx name that is too long for any is as good as none. 0, -ENOMEM. */
int target_new(const Environment *environment, Device device, OptionalInteger capability, Text gfx, Target **ret_target);
Target *target_ref(Target *target);
Target *target_unref(Target *target);
DEFINE_CLEANUP(Target *, target_unref)

Text target_gfx(const Target *target); /* absent: not known */

/* Whether both want the same variants, whatever their programs are called. */
bool target_is_same(const Target *a, const Target *b);
bool target_is_among(Target *const *targets, size_t n, const Target *target);
