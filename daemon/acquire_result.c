#include "daemon/acquire_result.h"

#include <errno.h>

#include "proto/base/error.h"

#define COPY_OPTIONAL(name) to->name = from->name;
#define COPY_STRING(name)                                               \
        if (arena_copy(arena, from->name, &to->name) < 0)               \
                return error_trace(-ENOMEM);
/* The one map among the facts. */
#define COPY_MAP(name)                                                  \
        if (copy_reference(from->name, arena, &to->name) < 0)           \
                return error_trace(-ENOMEM);
#define COPY(kind, name, need, type, limit, meaning) COPY_##kind(name)

static int copy_reference(const MsgAnswerReference *from, Arena *arena, MsgAnswerReference **ret_to)
{
        MsgAnswerReference *to;

        if (!from) {
                *ret_to = NULL;
                return 0;
        }
        to = arena_zeroed(arena, 1, sizeof(*to));
        if (!to)
                return error_trace(-ENOMEM);
        ANSWER_REFERENCE_KEYS(COPY)
        *ret_to = to;
        return 0;
}

static int copy_facts(const MsgAnswer *from, Arena *arena, MsgAcquireResult *to)
{
        ANSWER_FACT_KEYS(COPY)
        return 0;
}

int acquire_result_copy(const Resolution *resolution, uint64_t generation, Arena *arena, MsgAcquireResult *ret_result)
{
        MsgAcquireResult result = { .generation = (int64_t)generation };
        int r;

        r = copy_facts(&resolution->answer, arena, &result);
        if (r < 0)
                return r;
        *ret_result = result;
        return 0;
}

int acquire_result_set_path(const Resolution *resolution, Arena *arena, MsgAcquireResult *result)
{
        result->path = arena_format(arena, "%.*s/build/%.*s", TEXT_PRINT(resolution->reference.path),
                                    TEXT_PRINT(resolution->answer.variant));
        return result->path.data ? 0 : error_trace(-ENOMEM);
}

void acquire_result_set_metadata(MsgAcquireResult *result, const Metadata *metadata)
{
        if (!metadata)
                return;
        result->metadata = metadata->bytes;
        result->native = metadata->native;
}
