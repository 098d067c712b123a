/* An answer of the daemon as the public struct: texts copied, NUL-terminated. */
#pragma once

#include "client/client.h"

/* `epoch`: of the connection that answered; says what a local repository's
 * number means. Not under the lock. 0 or an error. */
int answer_fill(kd_client *client, uint64_t epoch, const MsgAnswer *from, Arena *arena, kd_answer *ret_answer,
                kd_error *error);

/* The local repository that an answer refers to: counted, or NULL. */
LocalRepository *answer_local(kd_client *client, uint64_t epoch, const MsgAnswer *answer);

/* A query as the message has it; texts stay the caller's. */
MsgQuery query_message(const kd_query *query);

/* KD_BAD_REQUEST where a text is missing that must be there. */
int query_check(const kd_query *query, kd_error *error);

/* -EINVAL where there are others than `allowed`. */
int flags_check(unsigned flags, unsigned allowed, kd_error *error);
