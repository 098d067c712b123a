/* What is newer than Linux 6.1, tried once at the start. What is not there is
 * remembered and shown in `status`.
 *
 * For tests KERNELSD_TEST_WITHOUT=peerpidfd,passrights,pidfdinfo makes the
 * named ones count as absent. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/text.h"

typedef enum KernelFeature {
        KERNEL_FEATURE_PEERPIDFD,  /* since Linux 6.5 */
        KERNEL_FEATURE_PASSRIGHTS, /* 6.16 */
        KERNEL_FEATURE_PIDFDINFO,  /* 6.13 */
        _KERNEL_FEATURE_MAX,
} KernelFeature;

typedef struct KernelFeatures {
        bool there[_KERNEL_FEATURE_MAX];
        Text absent[_KERNEL_FEATURE_MAX]; /* the kernel's names of them, for `status` */
        size_t n_absent;
} KernelFeatures;

/* `without`: the variable's value or NULL. Never fails: what cannot be tried is absent. */
void kernel_features_try(KernelFeatures *features, const char *without);
