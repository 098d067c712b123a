/* The whole trace of one resolve: every candidate at each step, taken or
 * refused, why, from which source of what age. */
#pragma once

#include "kernels/resolve.h"

/* now_s: on the clock of HostSource.read_at_s. A question without answer has
 * the error in ret_result->answer, as resolve would. 0 or -ENOMEM. */
int explain(const Asker *asker, const MsgQuery *query, int64_t now_s, Arena *arena, MsgExplainResult *ret_result);
