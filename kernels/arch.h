/* The arch gate: whether code built for some archs runs on a device (design,
 * section 4). Judged are cuda, when the query has a capability, and rocm, when
 * it has the gfx name; all else passes as unknown, as do absent archs.
 *
 *   "9.0"      same major, minor at least that
 *   "9.0a"     9.0 only
 *   "10.0f"    its family: same major, minor at least that
 *   "8.0+PTX"  that and everything above
 *
 * For rocm the names must be equal, features behind a ':' aside.
 *
 * An arch that is not of this form is one we do not understand yet: it refuses
 * nothing, so a list in which nothing fits but such a one is there is unknown. */
#pragma once

#include "proto/base/text.h"
#include "proto/device.h"
#include "proto/schema.h"

typedef enum ArchVerdict { ARCH_OK, ARCH_UNKNOWN, ARCH_REFUSED } ArchVerdict;

/* `archs` NULL: none stated. Capability 90 means 9.0. */
ArchVerdict arch_judge(const TextList *archs, Device device, OptionalInteger capability, Text gfx);

/* Why code passes that arch_judge calls unknown, for people; a literal. */
const char *arch_explain_unknown(const TextList *archs, Device device, OptionalInteger capability, Text gfx);
