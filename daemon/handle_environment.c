#include <errno.h>
#include <inttypes.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/state.h"
#include "daemon/hub.h"
#include "kernels/environment_pack.h"
#include "proto/base/error.h"
#include "proto/name.h"

/* As bytes, in the arena. */
static int pack_environment(const MsgEnvironment *message, Arena *arena, Text *ret_bytes)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        int r = environment_pack(message, &buffer);

        return r < 0 ? r : arena_copy(arena, buffer_text(&buffer), ret_bytes);
}

static int check_device(const MsgEnvironmentAdd *params, Text *ret_device, Fault *fault)
{
        const int64_t *capability = params->capability.present ? &params->capability.value : NULL;
        Device device;
        CapabilityRange range;

        *ret_device = TEXT_NULL;
        if (capability && *capability < 0)
                return fault_set(fault, FAULT_INVALID_RANGE, "capability: not below 0, as %" PRId64 " is", *capability);
        if (!params->device.data)
                return 0;
        if (device_parse(params->device, &device, fault))
                return 1;
        *ret_device = text_of(device_spelling(device));
        return device_range(device, capability, capability, &range, fault);
}

/* Only what a client could say in `hello` is kept. */
static int fill_in(const MsgEnvironmentAdd *params, Arena *arena, StoredEnvironment *named, Fault *fault)
{
        Environment environment;
        int r = environment_init(&environment, params->environment, false, fault);

        if (r == 0)
                r = check_device(params, &named->device, fault);
        if (r == 0 && params->arch.data)
                r = name_check_word(params->arch, "arch", fault);
        if (r == 0)
                r = pack_environment(&environment.message, arena, &named->environment);
        named->capability = params->capability.present ? params->capability.value : -1;
        return r != 0 ? r : arena_copy(arena, params->arch, &named->arch);
}

int handle_environment_add(Request *request)
{
        const MsgEnvironmentAdd *params = request->params;
        StoreChangeKind kind = params->environment ? STORE_ENVIRONMENT_SET : STORE_ENVIRONMENT_DROP;
        CLEANUP(state_change_freep) Change *change = NULL;
        int r = state_change_new(request, kind, &change, &request->fault);

        if (r == 0)
                r = name_check_word(params->name, "name", &request->fault);
        if (r == 0 && !params->name.size)
                r = fault_set(&request->fault, FAULT_INVALID_NAME, "name: at least one character");
        if (r == 0 && params->environment)
                r = fill_in(params, &change->arena, &change->store.environment, &request->fault);
        if (r == 0)
                r = arena_copy(&change->arena, params->name, &change->store.environment.name);
        if (r != 0)
                return r;
        state_submit(request->daemon->state, STEAL(change));
        return REQUEST_LATER;
}

/* --- environment.list --- */

static void list_named(const NamedEnvironments *named, MsgEnvironmentListResult *result)
{
        for (size_t i = 0; i < named->n; i++) {
                NamedEnvironment *environment = &named->items[i];

                result->environments.items[result->environments.n++] = (MsgNamedEnvironment){
                        .name = environment->name, .source = environment->source,
                        .environment = &environment->environment.message,
                        .device = text_of(device_spelling(environment->device)),
                        .capability = environment->capability, .arch = environment->arch,
                };
        }
}

static int list_stored(const StoredEnvironment *stored, Arena *arena, MsgEnvironmentListResult *result)
{
        MsgNamedEnvironment *item = &result->environments.items[result->environments.n];
        Fault fault;
        int r;

        item->environment = arena_zeroed(arena, 1, sizeof(*item->environment));
        if (!item->environment)
                return error_trace(-ENOMEM);
        r = environment_unpack(stored->environment, arena, item->environment, &fault);
        if (r != 0)
                return r < 0 ? r : 0; /* of another version: it cannot be shown */
        item->name = stored->name;
        item->source = TEXT("stored");
        item->device = stored->device;
        item->arch = stored->arch;
        if (stored->capability >= 0)
                item->capability = INTEGER_PRESENT(stored->capability);
        result->environments.n++;
        return 0;
}

static void list_seen(const Use *use, int64_t now_s, MsgEnvironmentListResult *result)
{
        result->environments.items[result->environments.n++] = (MsgNamedEnvironment){
                .source = TEXT("seen"), .environment = &use->target->environment.message,
                .device = text_of(device_spelling(use->target->device)), .capability = use->target->capability,
                .arch = target_gfx(use->target), .uid = INTEGER_PRESENT(use->uid),
                .seen_s = INTEGER_PRESENT(now_s > use->at_s ? now_s - use->at_s : 0),
        };
}

/* All of them, of which a page is cut out: there are some hundreds at most. */
static int list_all(const Daemon *daemon, Arena *arena, MsgEnvironmentListResult *result)
{
        const StoredEnvironment *stored;
        size_t n_stored, n_seen;
        int64_t now_s = hub_now_s();
        Use *seen;
        int r = uses_seen(daemon->hub->uses, now_s, arena, &seen, &n_seen);

        if (r < 0)
                return r;
        state_named_environments(daemon->state, &stored, &n_stored);
        result->environments.items = arena_zeroed(arena, daemon->environments->n + n_stored + n_seen + 1,
                                                  sizeof(*result->environments.items));
        if (!result->environments.items)
                return error_trace(-ENOMEM);
        list_named(daemon->environments, result);
        for (size_t i = 0; r == 0 && i < n_stored; i++)
                r = list_stored(&stored[i], arena, result);
        for (size_t i = 0; r == 0 && i < n_seen; i++)
                list_seen(&seen[i], now_s, result);
        return r;
}

int handle_environment_list(Request *request)
{
        const MsgPage *params = request->params;
        MsgEnvironmentListResult *result = request->result;
        size_t first = params->after.present && params->after.value > 0 ? (size_t)params->after.value : 0;
        size_t limit = params->limit.present && params->limit.value < LIMIT_PAGE ? (size_t)params->limit.value : LIMIT_PAGE;
        int r;

        if (params->limit.present && params->limit.value < 1)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "limit: at least 1, not %" PRId64, params->limit.value);
        r = list_all(request->daemon, request->arena, result);
        if (r < 0)
                return r;
        if (first > result->environments.n)
                first = result->environments.n;
        result->environments.items += first;
        result->environments.n -= first;
        if (result->environments.n > limit) {
                result->environments.n = limit;
                result->next = INTEGER_PRESENT((int64_t)(first + limit));
        }
        return REQUEST_DONE;
}
