#include "kernels/found.h"

#include <errno.h>

#include "kernels/choice_memo.h"
#include "kernels/hub_find.h"
#include "proto/name.h"

int query_parse(const MsgQuery *query, IndexQuery *ret_query, Fault *fault)
{
        IndexQuery parsed = { .layer = query->layer, .capability = -1 };
        Mode mode;

        if (mode_parse_request(query->mode, &mode, fault) || device_parse(query->device, &parsed.device, fault))
                return 1;
        parsed.request = mode_request_number(mode);
        if (query->capability.present)
                parsed.capability = query->capability.value;
        *ret_query = parsed;
        return 0;
}

static bool found_of_row(const HostMapping *host, const IndexHit *hit, Found *found)
{
        const IndexReference *encoded;
        const IndexEntry *entry;
        IndexLayer layer;

        if (!index_layer(&host->index, hit->record, &layer) ||
            !index_row(&layer, hit->row, &found->mode, &entry, &encoded) ||
            !index_range(&host->index, entry, &found->range) ||
            !index_source(&host->index, entry->source, &found->source, NULL) ||
            !host_mapping_reference(host, &layer, encoded, &found->reference))
                return false;
        found->has_range = entry->has_range;
        if (found->reference.kind == REFERENCE_PATH) {
                found->repository = host->paths[found->reference.number].repository;
                found->fault = host->paths[found->reference.number].fault;
        }
        return true;
}

static void found_pin(const HostMapping *host, Found *found)
{
        const Pin *pin = host->pins ? pins_find(host->pins, &found->reference) : NULL;

        found->pinned = pin != NULL;
        if (pin)
                found->reference.commit = pin->commit;
}

bool found_of_hit(const HostMapping *host, const ViewHit *hit, Found *ret_found)
{
        const Entry *entry = hit->entry;

        ret_found->repository = NULL;
        ret_found->fault = NULL;
        ret_found->variant = ret_found->redirect = ret_found->commit = ret_found->state = TEXT_NULL;
        ret_found->commit_age_s = INTEGER_ABSENT;
        if (!entry) {
                if (!found_of_row(host, &hit->host, ret_found))
                        return false;
                found_pin(host, ret_found);
                return true;
        }
        ret_found->mode = entry->modes[hit->mode].mode;
        ret_found->has_range = entry->has_range;
        ret_found->range = entry->range;
        ret_found->source = TEXT("view");
        ret_found->reference = entry->modes[hit->mode].reference;
        ret_found->repository = ret_found->reference.local;
        found_pin(host, ret_found);
        return true;
}

/* A repository in a directory. */
static int choose_local(Found *found, const Asker *asker, const MsgQuery *query, Device device, Trace *trace,
                        Fault *fault)
{
        OptionalInteger capability = device_has_capability(device) ? query->capability : INTEGER_ABSENT;
        int r;

        found->state = TEXT("local");
        if (!found->repository) {
                if (!found->fault)
                        return fault_set(fault, FAULT_BUSY, "the directory of the mapping has not been read yet: try "
                                         "again");
                *fault = *found->fault;
                return 1;
        }
        if (trace)
                r = repository_choose(found->repository, asker->environment, device, capability, query->arch, trace,
                                      &found->variant_number, &found->arch, fault);
        else
                r = choice_memo_choose(asker->memo, found->repository, asker->environment, device, capability,
                                       query->arch, &found->variant_number, &found->arch, fault);
        if (!r)
                found->variant = found->repository->variants[found->variant_number].folder;
        return r;
}

static int choose_of_hub(Found *found, const Asker *asker, const MsgQuery *query, Device device, Trace *trace,
                         Fault *fault)
{
        HubFound hub;
        HubName name;
        int r;

        if (asker->lookup_only)
                return 0;
        hub_name_init(&name, &found->reference);
        r = hub_find(asker, &name, query, device, trace, &hub, fault);
        if (r)
                return r;
        found->state = hub_state_text(hub.state);
        found->redirect = hub.redirect;
        found->commit = hub.commit;
        found->commit_age_s = hub.age_s;
        found->repository = hub.repository;
        found->variant = hub_found_variant(&hub);
        found->variant_number = hub.variant;
        found->arch = hub.arch;
        return hub.revision && asker->memory && !name.fixed ? commit_memory_put(asker->memory, hub.revision) : 0;
}

int found_choose(Found *found, const Asker *asker, const MsgQuery *query, Device device, Trace *trace, Fault *fault)
{
        bool local = found->reference.kind == REFERENCE_PATH || found->reference.kind == REFERENCE_LOCAL;

        return local ? choose_local(found, asker, query, device, trace, fault) :
                       choose_of_hub(found, asker, query, device, trace, fault);
}

Miss miss_of_hit(IndexAnswer answer, const IndexQuery *query, OptionalInteger capability)
{
        Fault fault;

        switch (answer) {
        case INDEX_NO_MAPPING:
                /* Only here, since a name that breaks the rules is never found. */
                if (name_check_layer(query->layer, &fault))
                        return (Miss){ FAULT_INVALID_NAME, TEXT("no layer has such a name: names take at most 256 "
                                                                "bytes and no control characters") };
                return (Miss){ FAULT_NO_MAPPING, TEXT("no mapping has the layer: name it in a mapping file (`mapping list` "
                                                      "shows what they name), or register it in the session") };
        case INDEX_NO_DEVICE:
                return (Miss){ FAULT_NO_DEVICE, TEXT("the layer is mapped, but not for this device type: `explain` "
                                                     "shows what there is") };
        case INDEX_NO_CAPABILITY:
                if (device_has_capability(query->device) && !capability.present)
                        return (Miss){ FAULT_NO_CAPABILITY, TEXT("the query names no capability, and the mapping of "
                                                                 "this device type goes by it: add it") };
                return (Miss){ FAULT_NO_CAPABILITY, TEXT("no range of the mapping holds this capability: `explain` "
                                                         "shows the ranges") };
        case INDEX_NO_MODE:
                return (Miss){ FAULT_NO_MODE, TEXT("the range that holds the capability has nothing for this mode, nor "
                                                   "a fallback: `explain` shows its modes") };
        default:
                return (Miss){ FAULT_INTERNAL, TEXT("the index is damaged: restart kernelsd") };
        }
}
