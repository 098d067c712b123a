/* The plan: names are resolved, each kernel is acquired once, its functions are
 * looked up. */
#include <errno.h>
#include <string.h>

#include "client/failure.h"
#include "client/kernel.h"
#include "client/kernelize.h"
#include "proto/base/alloc.h"

/* How often it is tried again when the mapping changes between resolve and
 * acquire; guess: changes are rare, three in a row are a fault. */
#define PLAN_TRIES 3

static const char *or_empty(const char *text)
{
        return text ? text : "";
}

static size_t plan_names(const Plan *plan)
{
        return plan->table.n;
}

static bool plan_fresh(const Plan *plan)
{
        return plan->flags & KD_FRESH;
}

static void why_set(Why *why, const kd_error *error)
{
        *why = (Why){ .code = error->code, .retry = error->retry, .name = error->name, .message = error->message };
}

/* The same, of an error that does not live as long as the plan. */
static int why_keep(Plan *plan, Why *why, const kd_error *error)
{
        Text name, message;

        if (arena_copy(&plan->texts, text_of(error->name), &name) < 0 ||
            arena_copy(&plan->texts, text_of(error->message), &message) < 0)
                return -ENOMEM;
        *why = (Why){ .code = error->code, .retry = error->retry, .name = name.data, .message = message.data };
        return 0;
}

/* --- names --- */

static int plan_number_names(Plan *plan)
{
        if (text_table_init(&plan->table, plan->n) < 0)
                return -ENOMEM;
        plan->numbers = alloc_zeroed(plan->n, sizeof(*plan->numbers));
        plan->names = alloc_zeroed(plan->n, sizeof(*plan->names));
        if (!plan->numbers || !plan->names)
                return -ENOMEM;
        for (size_t i = 0; i < plan->n; ++i) {
                size_t known = plan_names(plan);

                plan->numbers[i] = text_table_number(&plan->table, text_of(plan->layers[i].name));
                if (plan->numbers[i] == known)
                        plan->names[known].first = i;
        }
        return 0;
}

static kd_query plan_query(const Plan *plan, const PlanName *name)
{
        return (kd_query){ .layer = plan->layers[name->first].name, .device = plan->device,
                           .capability = plan->capability, .mode = plan->mode };
}

static int plan_resolve(Plan *plan, kd_error *error)
{
        size_t n = plan_names(plan);
        int r;

        for (size_t i = 0; i < n; ++i)
                plan->queries[i] = plan_query(plan, &plan->names[i]);
        r = kd_resolve(plan->client, plan->view, plan->queries, n, plan->flags & KD_FRESH, &plan->answers, error);
        for (size_t i = 0; !r && i < n; ++i) {
                const kd_answer *answer = kd_answers_get(plan->answers, i);

                plan->names[i].answer = answer;
                if (answer->code)
                        plan->names[i].why = (Why){ .code = answer->code, .retry = fault_may_retry((FaultName)answer->code),
                                                    .name = answer->name, .message = or_empty(answer->message) };
        }
        return r;
}

/* --- kernels --- */

/* Whether the daemon knows which commit and variant it would hand out. Where it
 * is to ask the Hub first, it does not. */
static bool answer_is_fixed(const Plan *plan, const kd_answer *answer)
{
        return !plan_fresh(plan) && answer->repo && answer->commit && answer->variant;
}

/* What names with the same kernel have in common: repository, redirect, commit,
 * variant or, where those are not known yet, the reference. A repository that leads
 * to another one is judged for trust itself, so that it is asked for itself. */
static Text plan_kernel_key(Plan *plan, const kd_answer *answer)
{
        if (answer_is_fixed(plan, answer))
                return arena_format(&plan->texts, "c\n%s\n%s\n%s\n%s", answer->repo, or_empty(answer->redirect),
                                    answer->commit, answer->variant);
        return arena_format(&plan->texts, "r\n%s\n%lld\n%s\n%s\n%s", or_empty(answer->repo), (long long)answer->version,
                            or_empty(answer->revision), or_empty(answer->locked), or_empty(answer->path));
}

static int plan_number_kernels(Plan *plan, TextTable *keys)
{
        if (text_table_init(keys, plan_names(plan)) < 0)
                return -ENOMEM;
        for (size_t i = 0; i < plan_names(plan); ++i) {
                PlanName *name = &plan->names[i];
                Text key;

                if (name->why.code)
                        continue;
                key = plan_kernel_key(plan, name->answer);
                if (!key.data)
                        return -ENOMEM;
                name->kernel = text_table_number(keys, key);
        }
        return 0;
}

/* Each is asked for by the first of its names. */
static int plan_ask_kernels(Plan *plan)
{
        CLEANUP(text_table_deinit) TextTable keys = TEXT_TABLE_NULL;

        if (plan_number_kernels(plan, &keys) < 0)
                return -ENOMEM;
        plan->kernels = alloc_zeroed(keys.n, sizeof(*plan->kernels));
        if (!plan->kernels)
                return -ENOMEM;
        plan->n_kernels = keys.n;
        for (size_t i = plan_names(plan); i-- > 0;) {
                const PlanName *name = &plan->names[i];

                if (name->why.code)
                        continue;
                plan->kernels[name->kernel].query = plan->queries[i];
                plan->kernels[name->kernel].flags = plan->flags & (KD_FRESH | KD_TRUST_REMOTE_CODE);
        }
        return 0;
}

static bool texts_differ(const char *a, const char *b)
{
        return strcmp(or_empty(a), or_empty(b)) != 0;
}

/* Whether the mapping, or the commit on which names were put together, is
 * another one than when the name was resolved. */
static bool answer_changed(const Plan *plan, const kd_answer *resolved, const kd_answer *acquired)
{
        return resolved->version != acquired->version || texts_differ(resolved->repo, acquired->repo) ||
               texts_differ(resolved->revision, acquired->revision) || texts_differ(resolved->locked, acquired->locked) ||
               texts_differ(resolved->path, acquired->path) || texts_differ(resolved->mode, acquired->mode) ||
               texts_differ(resolved->reference_layer, acquired->reference_layer) ||
               (answer_is_fixed(plan, resolved) && texts_differ(resolved->commit, acquired->commit));
}

static int plan_acquire(Plan *plan, kd_error *error)
{
        int r;

        if (plan_ask_kernels(plan) < 0)
                return failure_memory(error);
        r = kd_acquire_all(plan->client, plan->view, plan->kernels, plan->n_kernels, 0, NULL, NULL, error);
        for (size_t i = 0; !r && i < plan_names(plan); ++i) {
                const PlanName *name = &plan->names[i];
                const kd_acquisition *kernel = name->why.code ? NULL : &plan->kernels[name->kernel];

                if (!kernel || !kernel->kernel || kernel->query.layer != plan->queries[i].layer)
                        continue;
                if (answer_changed(plan, name->answer, kd_kernel_answer(kernel->kernel)))
                        return failure_set(error, -EAGAIN, "the mapping of layer \"%s\" changes while its kernel is "
                                                           "acquired: try again", kernel->query.layer);
        }
        return r;
}

/* --- functions --- */

static int plan_load_name(Plan *plan, PlanName *name, kd_error *error)
{
        const kd_acquisition *kernel = &plan->kernels[name->kernel];
        const char *layer = name->answer->reference_layer;
        kd_error inner;
        int r;

        if (!kernel->kernel) {
                why_set(&name->why, &kernel->error);
                return 0;
        }
        if (!layer)
                layer = plan->layers[name->first].name;
        r = kd_native(kernel->kernel, layer, &name->function, &inner);
        if (!r)
                r = kd_native_states(kernel->kernel, layer, &name->has_backward, &name->can_torch_compile, &inner);
        if (!r)
                name->n_arguments = native_arguments(kernel->kernel, layer);
        if (r == -ENOMEM || (r && why_keep(plan, &name->why, &inner) < 0))
                return failure_memory(error);
        return 0;
}

static int plan_load(Plan *plan, kd_error *error)
{
        int r = 0;

        for (size_t i = 0; !r && i < plan_names(plan); ++i)
                if (!plan->names[i].why.code)
                        r = plan_load_name(plan, &plan->names[i], error);
        return r;
}

/* --- all of it --- */

static void plan_reset(Plan *plan)
{
        for (size_t i = 0; i < plan->n_kernels; ++i)
                (void)kd_kernel_free(plan->kernels[i].kernel);
        alloc_free(STEAL(plan->kernels));
        plan->n_kernels = 0;
        plan->answers = kd_answers_free(plan->answers);
        arena_reset(&plan->texts);
        for (size_t i = 0; plan->names && i < plan_names(plan); ++i)
                plan->names[i] = (PlanName){ .first = plan->names[i].first };
}

void plan_deinit(Plan *plan)
{
        plan_reset(plan);
        text_table_deinit(&plan->table);
        alloc_free(plan->numbers);
        alloc_free(plan->names);
        alloc_free(plan->queries);
        arena_deinit(&plan->texts);
}

static int plan_try(Plan *plan, kd_error *error)
{
        int r;

        plan_reset(plan);
        if (!plan->client)
                return failure_unreachable(error, -ENOTCONN, "there is no client: see what kd_connect said");
        r = plan_resolve(plan, error);
        if (!r)
                r = plan_acquire(plan, error);
        return r ? r : plan_load(plan, error);
}

/* What failed as a whole is what every name lacks its kernel for. */
static int plan_fail(Plan *plan, const kd_error *failed, kd_error *error)
{
        Why why;

        plan->unreachable = strcmp(failed->name, "unreachable") == 0;
        if (!plan_covers(plan, failed->code, KD_GATE_USE_KERNEL))
                return failure_copy(error, failed);
        if (why_keep(plan, &why, failed) < 0)
                return failure_memory(error);
        for (size_t i = 0; i < plan_names(plan); ++i)
                if (!plan->names[i].why.code)
                        plan->names[i].why = why;
        return 0;
}

int plan_make(Plan *plan, kd_error *error)
{
        kd_error failed;
        int r;

        if (plan_number_names(plan) < 0)
                return failure_memory(error);
        plan->queries = alloc_zeroed(plan_names(plan), sizeof(*plan->queries));
        if (!plan->queries)
                return failure_memory(error);
        for (int i = 0; i < PLAN_TRIES; ++i) {
                r = plan_try(plan, &failed);
                if (r != -EAGAIN)
                        break;
        }
        return r ? plan_fail(plan, &failed, error) : 0;
}
