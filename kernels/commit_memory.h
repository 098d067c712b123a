/* The commits that a session, or all sessions of one job, have had: a version
 * that moves meanwhile stays what it was for them, so that ranks agree. Counted
 * (plainly: the loop's). */
#pragma once

#include "kernels/catalog.h"

typedef struct CommitMemory CommitMemory;

typedef struct RememberedCommit {
        TableItem item; /* repository, revision */
        Text commit;
        Text final_repo;
        Text final_commit;
} RememberedCommit;

int commit_memory_new(uint64_t key, CommitMemory **ret_memory);
CommitMemory *commit_memory_ref(CommitMemory *memory);
CommitMemory *commit_memory_unref(CommitMemory *memory);
DEFINE_CLEANUP(CommitMemory *, commit_memory_unref)

/* Whether there are more users than the one who asks. */
bool commit_memory_is_shared(const CommitMemory *memory);

/* NULL: none yet. */
const RememberedCommit *commit_memory_find(const CommitMemory *memory, Text repo, Text revision);

/* In the place of what was there. 0, -ENOMEM. */
int commit_memory_put(CommitMemory *memory, const Revision *revision);
