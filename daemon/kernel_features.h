/* What is newer than Linux 6.1, tried once at the start. What is not there is
 * remembered and shown in `status`.
 *
 * For tests KERNELSD_TEST_WITHOUT=peerpidfd,passrights,pidfdinfo makes the
 * named ones count as absent; ignored in a privileged (AT_SECURE) start. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/text.h"

/* constant, spelling; since Linux 6.5, 6.16, 6.13 */
#define KERNEL_FEATURES(F)                        \
        F(PEERPIDFD, "peerpidfd", "SO_PEERPIDFD") \
        F(PASSRIGHTS, "passrights", "SO_PASSRIGHTS") \
        F(PIDFDINFO, "pidfdinfo", "PIDFD_GET_INFO")

typedef enum KernelFeature {
#define F(name, spelling, meaning) KERNEL_FEATURE_##name,
        KERNEL_FEATURES(F)
#undef F
        _KERNEL_FEATURE_MAX,
} KernelFeature;

typedef struct KernelFeatures {
        bool there[_KERNEL_FEATURE_MAX];
        Text absent[_KERNEL_FEATURE_MAX]; /* names of the kernel's interface, for `status` */
        size_t n_absent;
} KernelFeatures;

/* `without`: the variable's value or NULL. Never fails: what cannot be tried is absent. */
void kernel_features_try(KernelFeatures *features, const char *without);
