/* The steps of an explanation that speak of the Hub: which commit, whose, and what
 * is known of its files. */
#pragma once

#include "kernels/found.h"

/* Before the variant: which commit of which repository, and who says so. 0, -ENOMEM. */
int explain_commit(const Asker *asker, const Found *found, const MsgQuery *query, Device device, Trace *trace);

/* After it: whether the kernel may be had, and what its files were compared with.
 * 0, -ENOMEM. */
int explain_trust(const Asker *asker, const Found *found, const MsgQuery *query, Device device, Trace *trace);
