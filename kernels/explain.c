#include "kernels/explain.h"

#include <errno.h>

#include "kernels/explain_hub.h"
#include "kernels/found.h"
#include "kernels/range_steps.h"

typedef struct Explanation {
        const Asker *asker;
        const MsgQuery *query;
        IndexQuery asked;
        int64_t now_s;
        Arena *arena;
        Trace trace;
        Found found;    /* what the lookup led to, */
        bool is_of_hub; /* if it is a repository of the Hub */
} Explanation;

/* Where a candidate comes from, and how long ago that was read. */
typedef struct Origin {
        Text source;
        OptionalInteger age_s;
} Origin;

static const HostMapping *explain_ground(const Explanation *explanation)
{
        const View *view = explanation->asker->view;

        return !view || view_on_host(view) ? explanation->asker->host : NULL;
}

static const IndexEntry *candidate_entry(const Explanation *explanation, const ViewCandidate *candidate,
                                         IndexLayer *ret_layer)
{
        if (!index_layer(&explanation->asker->host->index, candidate->record, ret_layer))
                return NULL;
        return &ret_layer->entries[candidate->host_entry];
}

static Origin candidate_origin(const Explanation *explanation, const ViewCandidate *candidate)
{
        const HostMapping *host = explanation->asker->host;
        Origin origin = { .source = TEXT("view") };
        const IndexEntry *entry;
        IndexLayer layer;

        if (candidate->entry)
                return origin;
        entry = candidate_entry(explanation, candidate, &layer);
        if (!entry || entry->source >= host->n_sources ||
            !index_source(&host->index, entry->source, &origin.source, NULL))
                return (Origin){ 0 };
        origin.age_s = INTEGER_PRESENT(explanation->now_s - host->read_at_s[entry->source]);
        return origin;
}

/* Bit n: mode n is registered there. */
static unsigned candidate_modes(const Explanation *explanation, const ViewCandidate *candidate)
{
        const IndexEntry *entry;
        unsigned modes = 0;
        IndexLayer layer;

        for (size_t i = 0; candidate->entry && i < candidate->entry->n_modes; i++)
                modes |= 1u << candidate->entry->modes[i].mode;
        if (candidate->entry)
                return modes;
        entry = candidate_entry(explanation, candidate, &layer);
        for (unsigned i = 0; entry && index_entry_is_sound(&layer, entry) && i < entry->n_modes; i++)
                modes |= 1u << (layer.rows[entry->first_row + i].mode % _MODE_MAX);
        return modes;
}

/* --- the steps --- */

static void explain_layer(Explanation *explanation)
{
        const HostMapping *ground = explain_ground(explanation);
        Text layer = explanation->asked.layer;
        bool own = explanation->asker->view && view_names(explanation->asker->view, layer);
        bool host = ground && index_find_layer(&ground->index, layer) != INDEX_RECORD_NONE;

        if (own)
                trace_add(&explanation->trace, "layer", layer, true, TEXT("view"), INTEGER_ABSENT,
                          "the view's own entries name it");
        if (host)
                trace_add(&explanation->trace, "layer", layer, true, TEXT_NULL, INTEGER_ABSENT,
                          "the host mapping names it");
        if (!own && !host)
                trace_add(&explanation->trace, "layer", layer, false, TEXT_NULL, INTEGER_ABSENT, "%s",
                          ground ? "neither the view nor the host mapping names it" :
                                   "the view does not name it, and does not stand on the host mapping");
}

static void explain_device(Explanation *explanation)
{
        Device asked = explanation->asked.device;

        for (unsigned device = 0; device < _DEVICE_MAX; device++) {
                Text name = text_of(device_spelling((Device)device));

                if (!view_has_device(explanation->asker->view, explanation->asker->host, explanation->asked.layer,
                                     (Device)device)) {
                        if (device == asked)
                                trace_add(&explanation->trace, "device", name, false, TEXT_NULL, INTEGER_ABSENT,
                                          "the layer has nothing for it");
                        continue;
                }
                trace_add(&explanation->trace, "device", name, device == asked, TEXT_NULL, INTEGER_ABSENT, "%s",
                          device == asked ? "asked for" : "not asked for");
        }
}

static Text range_describe(CapabilityRange range, Device device, Arena *arena)
{
        if (!device_has_capability(device))
                return TEXT("any");
        if (range.max == CAPABILITY_MAX)
                return arena_format(arena, "%lld and above", (long long)range.min);
        return arena_format(arena, "%lld to %lld", (long long)range.min, (long long)range.max);
}

static const char *range_reason(const Explanation *explanation, const ViewCandidate *candidate,
                                const ViewCandidate *chosen)
{
        const IndexQuery *asked = &explanation->asked;

        if (!device_has_capability(asked->device))
                return "this device type has no capabilities";
        if (!explanation->query->capability.present)
                return "the query names no capability";
        if (!range_holds(candidate->range, asked->capability))
                return "does not hold the capability";
        if (candidate == chosen)
                return "the narrowest that holds the capability";
        return candidate->range.max - candidate->range.min == chosen->range.max - chosen->range.min ?
                       "as narrow as the one taken, with a lower minimum" : "wider than the one taken";
}

/* 0 or -ENOMEM; *ret_chosen may be NULL. */
static int explain_capability(Explanation *explanation, const ViewCandidate **ret_chosen)
{
        const ViewCandidate *chosen = NULL;
        ViewCandidate *candidates;
        size_t n;
        int r;

        r = view_candidates(explanation->asker->view, explanation->asker->host, &explanation->asked,
                            explanation->arena, &candidates, &n);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n; i++)
                if (candidates[i].chosen)
                        chosen = &candidates[i];
        for (size_t i = 0; i < n; i++) {
                Origin origin = candidate_origin(explanation, &candidates[i]);

                trace_add(&explanation->trace, "capability",
                          range_describe(candidates[i].range, explanation->asked.device, explanation->arena),
                          &candidates[i] == chosen, origin.source, origin.age_s, "%s",
                          range_reason(explanation, &candidates[i], chosen));
        }
        *ret_chosen = chosen;
        return 0;
}

static void explain_mode(Explanation *explanation, const ViewCandidate *chosen)
{
        unsigned modes = candidate_modes(explanation, chosen);
        Origin origin = candidate_origin(explanation, chosen);
        bool found = false;
        const Mode *chain;
        size_t n = mode_chain(mode_of_request_number(explanation->asked.request), &chain);

        for (size_t i = 0; i < n; i++) {
                bool there = modes >> chain[i] & 1, taken = there && !found;

                trace_add(&explanation->trace, "mode", mode_text(chain[i]), taken, origin.source, origin.age_s, "%s",
                          taken   ? (i ? "the first of the chain that the entry has" : "the mode that is asked for") :
                          there   ? "comes later in the chain than the one taken" :
                                    "the entry has nothing for it");
                found |= there;
        }
}

static const char *reference_reason(const Found *found)
{
        if (found->pinned)
                return "an administrator pinned it to this commit on this host";
        switch (found->reference.kind) {
        case REFERENCE_VERSION:
                return "a version: what the Hub's branch of that number is";
        case REFERENCE_REVISION:
                return found->reference.commit.data ? "the revision is a commit" :
                                                      "what the Hub's branch or tag of that name is";
        case REFERENCE_LOCKED:
                return "the lock file names the commit";
        case REFERENCE_PATH:
                return found->repository ? "a directory of this host" : "the directory could not be read";
        case REFERENCE_LOCAL:
                return "a directory that the client has read";
        }
        return "";
}

/* 0 or -ENOMEM. */
static int explain_reference(Explanation *explanation)
{
        const Asker *asker = explanation->asker;
        Found found;
        ViewHit hit;
        Text source;
        int r;

        r = view_lookup(asker->view, asker->host, &explanation->asked, &hit);
        if (r < 0)
                return r;
        if (hit.answer != INDEX_FOUND || !found_of_hit(asker->host, &hit, &found))
                return 0;
        source = found.source;
        if (found.reference.kind == REFERENCE_PATH)
                source = arena_format(explanation->arena, "path:%.*s", TEXT_PRINT(found.reference.path));
        else if (found.pinned)
                source = arena_format(explanation->arena, "pin:%.*s", TEXT_PRINT(found.reference.commit));
        trace_add(&explanation->trace, "reference", reference_describe(&found.reference, explanation->arena), true,
                  source, INTEGER_ABSENT, "%s", reference_reason(&found));
        explanation->found = found;
        explanation->is_of_hub = asker->catalog && found.reference.kind != REFERENCE_PATH &&
                                 found.reference.kind != REFERENCE_LOCAL;
        return explanation->is_of_hub ? explain_commit(asker, &found, explanation->query, explanation->asked.device,
                                                       &explanation->trace) : 0;
}

static int explain_lookup(Explanation *explanation)
{
        const ViewCandidate *chosen;
        int r;

        explain_layer(explanation);
        if (!view_has_layer(explanation->asker->view, explanation->asker->host, explanation->asked.layer))
                return 0;
        explain_device(explanation);
        r = explain_capability(explanation, &chosen);
        if (r < 0 || !chosen)
                return r;
        explain_mode(explanation, chosen);
        return explain_reference(explanation);
}

/* --- the answer --- */

static int answer_error(const Fault *fault, Arena *arena, MsgAnswer *answer)
{
        *answer = (MsgAnswer){ .name = text_of(fault_spelling(fault->name)) };
        return arena_copy(arena, text_cut(text_of(fault->message), LIMIT_ANSWER_MESSAGE), &answer->message);
}

static int explain_answer(Explanation *explanation, MsgAnswer **ret_answer)
{
        Resolution *resolution = arena_zeroed(explanation->arena, 1, sizeof(*resolution));
        Fault fault;
        int r;

        if (!resolution)
                return -ENOMEM;
        r = resolve_answer(explanation->asker, explanation->query, &explanation->trace, explanation->arena, resolution,
                           &fault);
        if (r > 0)
                r = answer_error(&fault, explanation->arena, &resolution->answer);
        *ret_answer = &resolution->answer;
        return r;
}

int explain(const Asker *asker, const MsgQuery *query, int64_t now_s, Arena *arena, MsgExplainResult *ret_result)
{
        Explanation explanation = {
                .asker = asker,
                .query = query,
                .now_s = now_s,
                .arena = arena,
                .trace = TRACE_NULL(arena),
        };
        MsgAnswer *answer = NULL;
        Fault fault;
        int r = 0;

        if (!query_parse(query, &explanation.asked, &fault))
                r = explain_lookup(&explanation);
        if (!r)
                r = explain_answer(&explanation, &answer);
        if (!r && explanation.is_of_hub)
                r = explain_trust(asker, &explanation.found, query, explanation.asked.device, &explanation.trace);
        if (r < 0)
                return r;
        if (explanation.trace.failed)
                return -ENOMEM;
        *ret_result = (MsgExplainResult){
                .generation = (int64_t)asker_generation(asker),
                .answer = answer,
                .trace = { explanation.trace.items, explanation.trace.n },
        };
        return 0;
}
