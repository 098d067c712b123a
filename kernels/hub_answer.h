/* What the Hub's API answers, from bytes to values. An answer that is not of
 * its form is the Hub's failure (fault `hub`: a proxy's page, say); what a
 * hostile one could do harm with is left out or refused. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernels/json.h"
#include "proto/base/arena.h"
#include "proto/base/text.h"
#include "proto/fault.h"

typedef struct HubRef {
        Text name;
        Text commit;
} HubRef;

typedef struct HubRefs {
        HubRef *branches;
        size_t n_branches;
        HubRef *tags;
        size_t n_tags;
} HubRefs;

/* An answer whose root is of that kind. 0; 1 with the fault; -ENOMEM. */
int hub_answer_json(Text body, JsonKind root, JsonDocument **ret_document, Fault *fault);

/* Refs that break the rule for revisions, since they would become file names,
 * and those without a commit of 40 hex digits are left out. 0; 1; -ENOMEM. */
int hub_refs_parse(Text body, Arena *arena, HubRefs *ret_refs, Fault *fault);

/* The commit of the branch of that name, else of the tag. */
bool hub_refs_find(const HubRefs *refs, Text revision, Text *ret_commit);

/* The version that a branch stands for: "v12" is 12. Upstream also reads "v01"
 * and "v+1"; only the form that it writes is taken here, so that no two
 * branches stand for one version. */
bool hub_ref_version(Text branch, int64_t *ret_version);

/* The commit in an answer to hub_url_revision. 0; 1; -ENOMEM. */
int hub_revision_parse(Text body, Arena *arena, Text *ret_commit, Fault *fault);

/* Whether the Hub trusts the publisher: only `true` is yes. 0; 1; -ENOMEM. */
int hub_overview_parse(Text body, bool *ret_trusted, Fault *fault);
