#include <errno.h>
#include <stddef.h>

#include "client/answer.h"
#include "client/failure.h"
#include "client/view.h"
#include "proto/base/alloc.h"

struct kd_answers {
        Arena arena;
        kd_answer *items;
        size_t n;
        uint64_t generation;
};

DEFINE_CLEANUP(kd_answers *, kd_answers_free)

/* What all parts of one resolve share. */
typedef struct Resolving {
        kd_client *client;
        uint32_t view;
        bool fresh;
        MsgQuery *queries;
        kd_answers *answers;
} Resolving;

/* The encoded call; under the lock, since it holds the daemon's number of the view. */
static int resolve_call(const Resolving *resolving, size_t n, Call **ret_call, kd_error *error)
{
        MsgResolve message = { .queries = { resolving->queries + resolving->answers->n, n }, .fresh = resolving->fresh };
        uint32_t remote;
        int r;

        r = view_remote(resolving->client, resolving->view, &remote, error);
        if (r)
                return r;
        message.view = remote;
        return call_new(resolving->client, METHOD_RESOLVE, &message, ret_call, error);
}

static int resolve_refuse(kd_error *error, size_t n_answers, size_t n)
{
        return failure_unreachable(error, -EBADMSG, "kernelsd gave %zu answers to %zu queries: install the same version "
                                                    "of library and daemon", n_answers, n);
}

static int resolve_read(kd_client *client, const Call *call, kd_answers *answers, size_t n, kd_error *error)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgResolveResult result;
        Fault fault = FAULT_NULL;
        int r;

        r = codec_decode(&schema_ResolveResult, call->body, call->body_size, &arena, &result, &fault);
        if (r < 0)
                return failure_memory(error);
        if (r > 0)
                return failure_fault(error, &fault);
        if (result.answers.n != n)
                return resolve_refuse(error, result.answers.n, n);
        for (size_t i = 0; i < n; ++i) {
                r = answer_fill(client, call->epoch, &result.answers.items[i], &answers->arena,
                                &answers->items[answers->n + i], error);
                if (r)
                        return r;
        }
        answers->n += n;
        answers->generation = (uint64_t)result.generation;
        return 0;
}

/* The next n queries. */
static int resolve_part(const Resolving *resolving, size_t n, kd_error *error)
{
        CLEANUP(call_freep) Call *call = NULL;
        int r;

        r = client_lock(resolving->client, error);
        if (r < 0)
                return r;
        r = resolve_call(resolving, n, &call, error);
        if (!r)
                r = call_run(&call, error);
        client_unlock(resolving->client);
        return r ? r : resolve_read(resolving->client, call, resolving->answers, n, error);
}

static int answers_new(size_t n, kd_answers **ret_answers)
{
        CLEANUP(kd_answers_freep) kd_answers *answers = alloc_zeroed(1, sizeof(*answers));

        if (!answers)
                return -ENOMEM;
        answers->items = arena_zeroed(&answers->arena, n, sizeof(*answers->items));
        if (!answers->items)
                return -ENOMEM;
        *ret_answers = STEAL(answers);
        return 0;
}

/* As many at once as the protocol takes; where the answers would not fit into
 * one message, half as many. */
static int resolve_all(const Resolving *resolving, size_t n, kd_error *error)
{
        const kd_answers *answers = resolving->answers;
        size_t most = LIMIT_QUERIES;

        while (answers->n < n) {
                size_t take = n - answers->n < most ? n - answers->n : most;
                int r = resolve_part(resolving, take, error);

                if (r == KD_TOO_LARGE && take > 1)
                        most = take / 2;
                else if (r)
                        return r;
        }
        return 0;
}

int kd_resolve(kd_client *client, uint32_t view, const kd_query *queries, size_t n_queries, unsigned flags,
               kd_answers **ret_answers, kd_error *error)
{
        CLEANUP(kd_answers_freep) kd_answers *answers = NULL;
        CLEANUP_ALLOC MsgQuery *messages = alloc_zeroed(n_queries, sizeof(*messages));
        Resolving resolving = { .client = client, .view = view, .fresh = flags & KD_FRESH, .queries = messages };
        kd_error inner;
        int r;

        r = flags_check(flags, KD_FRESH, error);
        if (r)
                return r;
        if (!messages || answers_new(n_queries, &answers) < 0)
                return failure_memory(error);
        for (size_t i = 0; i < n_queries; ++i) {
                r = query_check(&queries[i], error);
                if (r)
                        return r;
                messages[i] = query_message(&queries[i]);
        }
        resolving.answers = answers;
        r = resolve_all(&resolving, n_queries, &inner);
        if (r)
                return failure_copy(error, &inner);
        *ret_answers = STEAL(answers);
        return 0;
}

size_t kd_answers_count(const kd_answers *answers)
{
        return answers->n;
}

const kd_answer *kd_answers_get(const kd_answers *answers, size_t number)
{
        return number < answers->n ? &answers->items[number] : NULL;
}

uint64_t kd_answers_generation(const kd_answers *answers)
{
        return answers->generation;
}

kd_answers *kd_answers_free(kd_answers *answers)
{
        if (answers)
                arena_deinit(&answers->arena);
        alloc_free(answers);
        return NULL;
}
