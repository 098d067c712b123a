/* Which variant of a repository was chosen lately, of one session and for one
 * environment. A few places, each for what its key hashes to. */
#pragma once

#include "kernels/repository.h"
#include "kernels/resolve.h"


/* repository_choose through the memo (NULL: without one, and a fault is
 * written to *fault only). 0; 1 with a fault; -ENOMEM. */
int choice_memo_choose(ChoiceMemo **memo, Repository *repository, const Environment *environment, Device device,
                       OptionalInteger capability, Text gfx, size_t *ret_variant, ArchVerdict *ret_arch,
                       Fault *fault);
