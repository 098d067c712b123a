/* The errors that travel: a name from one table, a sentence that says what to
 * do, whether trying again may help. Sentences begin in lower case and end
 * without a full stop: names and places are put before them. The table also has the exit status of
 * kernelsctl for each name, so that scripts and protocol cannot drift apart. */
#pragma once

#include <stdbool.h>

#include "proto/base/text.h"
#include "proto/limits.h"

/* name, wire spelling, kernelsctl's exit status, retry, meaning (docs/protocol.md) */
#define FAULT_TABLE(F)                                                                                         \
        F(BAD_REQUEST, "bad-request", 1, false, "The request does not have the form that its method takes.")  \
        F(UNKNOWN_METHOD, "unknown-method", 1, false, "No method of that name.")                              \
        F(TOO_LARGE, "too-large", 1, false, "The request or its answer would pass a limit on size.")          \
        F(LIMIT, "limit", 1, false, "A quota of the session or of its domain is used up.")                    \
        F(DENIED, "denied", 1, false, "This socket does not offer the method.")                               \
        F(PROTOCOL, "protocol", 1, false, "The two ends do not speak the same protocol.")                     \
        F(INVALID_MODE, "invalid-mode", 2, false, "Not a mode, or not one that can be asked for.")            \
        F(INVALID_DEVICE, "invalid-device", 2, false, "Not a device type.")                                   \
        F(INVALID_RANGE, "invalid-range", 2, false, "A capability range that cannot be.")                     \
        F(INVALID_NAME, "invalid-name", 2, false, "A name that breaks the rules for such names.")             \
        F(NO_MAPPING, "no-mapping", 4, false, "The view does not know the layer.")                            \
        F(NO_DEVICE, "no-device", 4, false, "The layer has nothing for the device type.")                     \
        F(NO_CAPABILITY, "no-capability", 4, false, "No range holds the capability.")                         \
        F(NO_MODE, "no-mode", 4, false, "The range that was chosen has nothing for the mode.")                \
        F(NO_VARIANT, "no-variant", 5, false, "No build variant fits the environment.")                       \
        F(ARCH, "arch", 5, false, "The variants that fit were not built for the device.")                     \
        F(UNTRUSTED, "untrusted", 6, false, "Neither policy nor ownership vouches for the kernel.")           \
        F(DENIED_BY_POLICY, "denied-by-policy", 6, false, "Policy forbids the kernel.")                       \
        F(OFFLINE, "offline", 7, false, "The kernel is not on this host and nothing may be fetched.")         \
        F(CORRUPT, "corrupt", 8, false, "Files are not what their metadata says.")                            \
        F(NO_REPOSITORY, "no-repository", 1, false, "No such repository.")                                    \
        F(NO_REVISION, "no-revision", 1, false, "The repository has no such revision.")                       \
        F(AUTH, "auth", 1, false, "The Hub wants a token, or refuses the one it got.")                        \
        F(GONE, "gone", 1, false, "What was asked for was there and is no more.")                             \
        F(CANCELLED, "cancelled", 1, false, "The asker cancelled it, or its session is closing.")             \
        F(INTERNAL, "internal", 1, false, "A fault of the daemon; its log has more.")                         \
        F(HUB, "hub", 75, true, "The Hub failed.")                                                            \
        F(RATE_LIMITED, "rate-limited", 75, true, "The Hub asks to slow down.")                               \
        F(NO_SPACE, "no-space", 75, true, "The disk is full.")                                                \
        F(BUSY, "busy", 75, true, "The daemon has too much to do for this domain.")                           \
        F(TIMEOUT, "timeout", 75, true, "The deadline passed.")

typedef enum FaultName {
        FAULT_NONE,
#define F(name, spelling, status, retry, meaning) FAULT_##name,
        FAULT_TABLE(F)
#undef F
        _FAULT_MAX,
} FaultName;

/* An answer that is an error. */
typedef struct Fault {
        FaultName name;
        char message[LIMIT_FAULT_MESSAGE]; /* NUL-terminated UTF-8 that says what to do */
} Fault;

#define FAULT_NULL ((Fault){ 0 })

/* Fills the fault (cutting the message at the limit, never inside a UTF-8
 * sequence, and turning control characters into '?') and returns 1, so that a
 * domain function ends with `return fault_set(fault, …)`. */
int fault_set(Fault *fault, FaultName name, const char *format, ...) __attribute__((format(printf, 3, 4)));

const char *fault_spelling(FaultName name);  /* "no-mapping" */
const char *fault_meaning(FaultName name);
int fault_exit_status(FaultName name);       /* of kernelsctl */
bool fault_may_retry(FaultName name);
FaultName fault_parse(Text spelling);        /* FAULT_NONE if there is none */
