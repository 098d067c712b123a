/* Who acquired what lately: for each repository and revision, and for each
 * domain, with which environments and devices. A branch that moves takes effect
 * when it is here for all of them. The loop's. */
#pragma once

#include "kernels/facts.h"
#include "kernels/target.h"
#include "kernels/text_table.h"

#define USES_MAX_AGE_S (30 * 24 * 3600) /* design, section 4 */
#define USES_PER_DOMAIN FACT_MAX_USES   /* of a revision: the domain's own least recently seen goes */
#define USES_PER_REVISION 64            /* of all domains: the least recently seen of the one that has the most goes */

typedef struct Use {
        Target *target; /* counted */
        int64_t uid;
        int64_t at_s;
} Use;

typedef struct Uses Uses;

int uses_new(uint64_t key, Uses **ret_uses);
Uses *uses_free(Uses *uses);
DEFINE_CLEANUP(Uses *, uses_free)

/* Notes one, and forgets one of those that are too many then; of uses that are
 * read back, the oldest must come first, so that it is the oldest that go. The
 * target is counted up where it is new. *ret_is_news: it is new,
 * or was last noted over an hour ago, and so is worth writing down. 0, -ENOMEM. */
int uses_note(Uses *uses, Text repo, Text revision, Target *target, int64_t uid, int64_t now_s, bool *ret_is_news);

/* Those of a revision, younger than USES_MAX_AGE_S, different ones only once.
 * In the arena, borrowed. 0, -ENOMEM. */
int uses_of(const Uses *uses, Text repo, Text revision, int64_t now_s, Arena *arena, Target ***ret_targets, size_t *ret_n);

/* What domains were seen with, the latest first, in the arena. 0, -ENOMEM. */
int uses_seen(const Uses *uses, int64_t now_s, Arena *arena, Use **ret_uses, size_t *ret_n);
