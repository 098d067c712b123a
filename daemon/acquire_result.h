/* The answer to an acquire, filled in from what is known. */
#pragma once

#include "kernels/metadata.h"
#include "kernels/resolve.h"
#include "proto/base/arena.h"

/* Copies all that resolve knows, so that it outlives view and mapping. 0, -ENOMEM. */
int acquire_result_copy(const Resolution *resolution, uint64_t generation, Arena *arena, MsgAcquireResult *ret_result);

/* The variant folder's path. 0, -ENOMEM. */
int acquire_result_set_path(const Resolution *resolution, Arena *arena, MsgAcquireResult *result);

/* Points into the metadata; NULL: the folder has none. */
void acquire_result_set_metadata(MsgAcquireResult *result, const Metadata *metadata);
