#include <errno.h>
#include <inttypes.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/state.h"
#include "kernels/environment.h"
#include "proto/codec.h"
#include "proto/name.h"

/* As bytes, in the arena. */
static int pack_environment(const MsgEnvironment *message, Arena *arena, Text *ret_bytes)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        int r = codec_encode(&schema_Environment, message, true, &buffer);

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
