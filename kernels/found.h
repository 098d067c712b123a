/* What a hit in a view leads to, from the index and from own entries alike.
 * For kernels/resolve*.c and kernels/explain.c. */
#pragma once

#include "kernels/resolve.h"

typedef struct Found {
        Mode mode;
        bool has_range;
        CapabilityRange range;
        Text source;            /* "file:NAME" or "view" */
        Reference reference;    /* texts belong to the index, the entry or the pins */
        bool pinned;            /* its commit is an administrator's */
        Repository *repository; /* of PATH and LOCAL, else what the variant was chosen of; borrowed; NULL: not there */
        const Fault *fault;     /* why not, if known */
        Text variant;           /* of a repository, once it is chosen */
        size_t variant_number;
        ArchVerdict arch;

        Text state;             /* "local", "ready", "absent", "unknown" */
        Text redirect;          /* of the Hub: the repository that it leads to; absent: itself */
        Text commit;            /* of the Hub, where it is known */
        OptionalInteger commit_age_s;
} Found;

/* A query as the index takes it: 0; 1 with invalid-mode or invalid-device. */
int query_parse(const MsgQuery *query, IndexQuery *ret_query, Fault *fault);

/* For a hit that is INDEX_FOUND. False: the index is damaged. */
bool found_of_hit(const HostMapping *host, const ViewHit *hit, Found *ret_found);

/* Says what is known of the kernel and chooses the variant, where the variants
 * are known. A session then remembers the commit. 0; 1 with what stands against
 * it; -ENOMEM. */
int found_choose(Found *found, const Asker *asker, const MsgQuery *query, Device device, Trace *trace, Fault *fault);

/* The name and message for a hit that is none; literals. */
typedef struct Miss {
        FaultName name;
        Text message;
} Miss;

Miss miss_of_hit(IndexAnswer answer, const IndexQuery *query, OptionalInteger capability);
