/* lookup, and what is known of the kernel it leads to: from memory alone. */
#pragma once

#include "kernels/catalog.h"
#include "kernels/commit_memory.h"
#include "kernels/environment.h"
#include "kernels/host_mapping.h"
#include "kernels/repository.h"
#include "kernels/trace.h"
#include "kernels/view.h"
#include "proto/base/buffer.h"

/* The variants chosen lately, so that a repeated question does not choose
 * again. Of one session; it holds for one environment: forget when that is
 * replaced. Repositories are counted in it. */
typedef struct ChoiceMemo ChoiceMemo;

void choice_memo_forget(ChoiceMemo **memo); /* frees it; NULL inside is fine */

/* Who asks, and in what. */
typedef struct Asker {
        const HostMapping *host;
        View *view;                     /* NULL: view 0 */
        const Environment *environment;
        ChoiceMemo **memo;              /* of the session, made on first use; NULL: none is kept */
        const Catalog *catalog;         /* NULL: nothing is known of the Hub */
        const Policy *policy;           /* for explain; there where the catalog is */
        CommitMemory *memory;           /* of the session or its job; NULL: none */
        bool fresh;                     /* the commits of now, whatever the memory has */
        bool offline;                   /* what is not here cannot be had */
        bool lookup_only;               /* of a repository of the Hub nothing is chosen: that comes later */
        int64_t now_s;                  /* as the catalog's times */
} Asker;

/* Of what the answers speak: of another host mapping, or other commits, it is another. */
static inline uint64_t asker_generation(const Asker *asker)
{
        return asker->host->generation + (asker->catalog ? catalog_generation(asker->catalog) : 0);
}

/* Where an answer leads, for acquire. */
typedef struct Resolution {
        MsgAnswer answer;               /* texts belong to host, view, query or arena */
        MsgAnswerReference reference;   /* answer.reference points here: not to be copied by value */
        ReferenceKind kind;
        Reference hub;                  /* as it was found, a pin's commit in it */
        Repository *repository;         /* what the variant was chosen of, borrowed; NULL: none was */
        size_t variant;                 /* number in repository->variants */
        ArchVerdict arch;
} Resolution;

/* One query, typed. 0; 1 with the fault that stands in place of an answer
 * (invalid-mode, invalid-device, no-*, what the repository says); -ENOMEM. */
int resolve_answer(const Asker *asker, const MsgQuery *query, Trace *trace, Arena *arena, Resolution *ret_resolution,
                   Fault *fault);

/* The hot way: appends the msgpack of one answer for each query, in order, an
 * error being {name, message}. Answers are sparse: absent keys are left out,
 * as codec_encode(&schema_Answer, …, sparse = true, …) would write them, byte
 * for byte. 0 or -ENOMEM, after which the buffer has its old size. */
int resolve_encode(const Asker *asker, const MsgQuery *queries, size_t n, Buffer *answers);
