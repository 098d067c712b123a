/* Whose kernels this host takes: what the configuration allows, denies and
 * lists as private, and what the Hub says of publishers. Pure: what the Hub
 * said and how long ago comes in with the question. A policy is immutable and
 * counted (atomically: the loop and the file thread hold it). */
#pragma once

#include <stdbool.h>

#include "proto/base/arena.h"
#include "proto/fault.h"
#include "proto/schema.h"

typedef struct Policy Policy;

/* What may stand in trust.allow and trust.deny, a publisher or a repository,
 * and in trust.private, a repository. 0; 1 with FAULT_INVALID_NAME. */
int policy_check_publisher(Text item, Fault *fault);
int policy_check_repository(Text item, Fault *fault);

/* Copies. `trust_hub`: a publisher whom the Hub trusts is trusted. 0; 1 with
 * FAULT_INVALID_NAME for an item that cannot stand there; -ENOMEM. */
int policy_new(TextList allow, TextList deny, TextList private, bool trust_hub, Policy **ret_policy, Fault *fault);
Policy *policy_ref(Policy *policy);
Policy *policy_unref(Policy *policy);
DEFINE_CLEANUP(Policy *, policy_unref)

/* What the Hub says of a publisher, its trustedKernelPublisher. */
typedef enum PublisherTrust { PUBLISHER_UNKNOWN, PUBLISHER_TRUSTED, PUBLISHER_UNTRUSTED } PublisherTrust;

typedef struct TrustFacts {
        Text repo;                /* org/name, checked */
        PublisherTrust publisher; /* of org */
        OptionalInteger age_s;    /* since the Hub said so */
} TrustFacts;

enum { POLICY_OK = 0, POLICY_FAULT = 1, POLICY_ASK = 2 };

/* Judges the repository that was asked for and, where the Hub redirects, the
 * final one (NULL: no redirect): neither may be denied, and each must be
 * allowed, or of a publisher whom the Hub trusts, or taken by the asker's own
 * word. `offline`: the Hub cannot be asked.
 *
 * POLICY_OK with the reason, for explain, a literal or in the arena; POLICY_ASK
 * with the publisher whom the Hub must be asked about first; POLICY_FAULT with
 * FAULT_DENIED_BY_POLICY, FAULT_UNTRUSTED or FAULT_OFFLINE; -ENOMEM. */
int policy_judge(const Policy *policy, const TrustFacts *asked, const TrustFacts *final, bool trust_remote_code,
                 bool offline, Text *ret_why, Arena *arena, Fault *fault);

/* Whether it may be asked for with the token: trust.private lists it. */
bool policy_is_private(const Policy *policy, Text repo);

/* Whoever can connect can read what is served: what the Hub does not serve
 * anonymously is only for those that trust.private lists. 0; 1 with
 * FAULT_DENIED_BY_POLICY. */
int policy_judge_private(const Policy *policy, Text repo, bool served_anonymously, Fault *fault);

/* For people: "allowed", "trusted", "untrusted", "denied" or "unknown". */
/* Whether `asked` may be answered with what the Hub calls `renamed` now: not where
 * that is denied, or another publisher's, whom nobody has judged. 0; 1 with a
 * fault; -ENOMEM. */
int policy_judge_renamed(const Policy *policy, Text asked, Text renamed, Fault *fault);

Text policy_trust_word(const Policy *policy, const TrustFacts *facts);

/* The organisation of org/name. */
Text policy_publisher(Text repo);
