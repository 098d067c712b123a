#include "kernels/resolve.h"

#include <errno.h>

#include "kernels/found.h"

static void resolution_fill(const MsgQuery *query, const Found *found, Resolution *resolution)
{
        *resolution = (Resolution){
                .answer = {
                        .layer = query->layer,
                        .mode = mode_text(found->mode),
                        .source = found->source,
                        .min = found->has_range ? INTEGER_PRESENT(found->range.min) : INTEGER_ABSENT,
                        .max = found->has_range && found->range.max != CAPABILITY_MAX ?
                                       INTEGER_PRESENT(found->range.max) : INTEGER_ABSENT,
                        .reference = &resolution->reference,
                        .redirect = found->redirect,
                        .commit = found->commit,
                        .commit_age_s = found->commit_age_s,
                        .variant = found->variant,
                        .state = found->state,
                },
                .kind = found->reference.kind,
                .hub = found->reference,
                .repository = found->repository,
                .variant = found->variant_number,
                .arch = found->arch,
        };
        if (found->repository)
                resolution->answer.arch = found->arch == ARCH_OK ? TEXT("ok") : TEXT("unknown");
        reference_to_message(&found->reference, &resolution->reference);
}

int resolve_answer(const Asker *asker, const MsgQuery *query, Trace *trace, Arena *arena, Resolution *ret_resolution,
                   Fault *fault)
{
        IndexQuery asked;
        ViewHit hit;
        Found found;
        int r;

        if (query_parse(query, &asked, fault))
                return 1;
        r = view_lookup(asker->view, asker->host, &asked, &hit);
        if (r < 0)
                return r;
        if (hit.answer != INDEX_FOUND || !found_of_hit(asker->host, &hit, &found)) {
                Miss miss = miss_of_hit(hit.answer, &asked, query->capability);

                return fault_set(fault, miss.name, "%s", miss.message.data);
        }
        r = found_choose(&found, asker, query, asked.device, trace, fault);
        if (r)
                return r;
        resolution_fill(query, &found, ret_resolution);
        return 0;
}
