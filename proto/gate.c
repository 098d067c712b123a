#include "proto/gate.h"

#include <assert.h>

static const char *const gate_spellings[_GATE_MAX] = {
        [GATE_USE_KERNEL] = "use-kernel",
        [GATE_USE_ORIGINAL] = "use-original",
        [GATE_INVALID_MODE] = "invalid-mode",
        [GATE_NO_MAPPING] = "no-mapping",
        [GATE_NO_MODE] = "no-mode",
        [GATE_REGISTERED_MODE_UNSUPPORTED] = "registered-mode-unsupported",
        [GATE_REQUESTED_MODE_UNSUPPORTED] = "requested-mode-unsupported",
};

static bool gate_supports(GateProperties properties, Mode mode)
{
        if ((mode & MODE_TRAINING) && !properties.has_backward)
                return false;
        return !(mode & MODE_TORCH_COMPILE) || properties.can_torch_compile;
}

static bool gate_would_find(Mode requested, Mode registered)
{
        const Mode *chain;
        size_t n = mode_chain(requested, &chain);

        for (size_t i = 0; i < n; i++)
                if (chain[i] == registered)
                        return true;
        return false;
}

GateAnswer gate_judge(Mode requested, Mode registered, GateProperties properties, bool use_fallback)
{
        if (!(requested & (MODE_INFERENCE | MODE_TRAINING)))
                return GATE_INVALID_MODE;
        if (registered == MODE_NONE)
                return use_fallback ? GATE_USE_ORIGINAL : GATE_NO_MAPPING;
        if (!gate_would_find(requested, registered))
                return use_fallback ? GATE_USE_ORIGINAL : GATE_NO_MODE;
        if (!gate_supports(properties, registered))
                return GATE_REGISTERED_MODE_UNSUPPORTED;
        if (!gate_supports(properties, requested))
                return use_fallback ? GATE_USE_ORIGINAL : GATE_REQUESTED_MODE_UNSUPPORTED;
        return GATE_USE_KERNEL;
}

const char *gate_spelling(GateAnswer answer)
{
        assert(answer < _GATE_MAX);
        return gate_spellings[answer];
}
