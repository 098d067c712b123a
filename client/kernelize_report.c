#include "client/failure.h"
#include "client/kernel.h"
#include "client/kernelize.h"
#include "proto/base/alloc.h"
#include "proto/name.h"

/* A local repository is told by the name of its folder, as elsewhere. */
static Text used_repository(const kd_answer *answer, Arena *arena)
{
        const char *slash;

        if (answer->repo)
                return text_of(answer->repo);
        slash = answer->path ? strrchr(answer->path, '/') : NULL;
        return slash ? arena_format(arena, "local:%s", slash + 1) : TEXT_NULL;
}

/* Whether the daemon would take it: one row that breaks a rule refuses all. */
static bool used_is_fit(const MsgUsed *used)
{
        Fault fault;

        return !name_check_layer(used->layer, &fault) && !name_check_reason(used->reason, &fault) &&
               (!used->repo.data || !name_check_used(used->repo, &fault)) &&
               (!used->variant.data || !name_check_variant(used->variant, &fault));
}

static MsgUsed plan_used(const Plan *plan, const PlanName *name, Arena *arena)
{
        const kd_layer *layer = &plan->layers[name->first];
        MsgUsed used = { .layer = text_of(layer->name), .device = text_of(plan->device), .mode = text_of(plan->mode),
                         .reason = text_of(layer->reason) };
        const kd_answer *kernel;

        if (!layer->kernel)
                return used;
        kernel = kd_kernel_answer(layer->kernel);
        used.repo = used_repository(kernel, arena);
        used.commit = text_of(kernel->commit);
        used.variant = text_of(kernel->variant);
        return used;
}

/* The next LIMIT_REPORT of the names, from `at`; under the lock. */
static void plan_report_part(const Plan *plan, size_t at)
{
        size_t n = plan->table.n - at < LIMIT_REPORT ? plan->table.n - at : LIMIT_REPORT;
        CLEANUP_ALLOC MsgUsed *used = alloc_zeroed(n, sizeof(*used));
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgReport message = { .used.items = used };
        Call *call;

        for (size_t i = 0; used && i < n; ++i) {
                used[message.used.n] = plan_used(plan, &plan->names[at + i], &arena);
                message.used.n += used_is_fit(&used[message.used.n]);
        }
        if (!message.used.n || call_new(plan->client, METHOD_REPORT, &message, &call, NULL))
                return;
        call->abandoned = true;
        call_start(call);
}

void plan_report(const Plan *plan)
{
        kd_client *client = plan->client;

        if (!client || client_lock(client, NULL) < 0)
                return;
        for (size_t at = 0; client->connection.fd >= 0 && !client->broken && at < plan->table.n; at += LIMIT_REPORT)
                plan_report_part(plan, at);
        client_drive(client, false);
        (void)client_dispatch(client);
        client_unlock(client);
}
