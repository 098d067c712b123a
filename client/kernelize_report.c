#include <string.h>

#include "client/kernel.h"
#include "client/kernelize.h"
#include "proto/base/alloc.h"

/* A local repository is told by the name of its folder, as elsewhere. */
static const char *used_repository(const kd_answer *answer, Arena *arena)
{
        const char *slash;

        if (answer->repo)
                return answer->repo;
        slash = answer->path ? strrchr(answer->path, '/') : NULL;
        return slash ? arena_format(arena, "local:%s", slash + 1).data : NULL;
}

static kd_used layer_used(const Plan *plan, const kd_layer *layer, Arena *arena)
{
        kd_used used = { .layer = layer->name, .device = plan->device, .mode = plan->mode, .reason = layer->reason };
        const kd_answer *kernel;

        if (!layer->kernel)
                return used;
        kernel = kd_kernel_answer(layer->kernel);
        used.repo = used_repository(kernel, arena);
        used.commit = kernel->commit;
        used.variant = kernel->variant;
        return used;
}

void plan_report(const Plan *plan)
{
        CLEANUP_ALLOC kd_used *used = alloc_zeroed(plan->table.n, sizeof(*used));
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        if (!plan->client || !used)
                return;
        /* Of layers with one name that keep different originals, one that has a kernel. */
        for (size_t i = 0; i < plan->n; ++i) {
                const kd_layer *layer = &plan->layers[i];
                kd_used *row = &used[plan->numbers[i]];

                if (!row->layer || (!row->repo && layer->kernel))
                        *row = layer_used(plan, layer, &arena);
        }
        (void)kd_report(plan->client, used, plan->table.n, NULL);
}
