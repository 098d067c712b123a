#include <assert.h>

#include "client/kernelsd.h"
#include "proto/gate.h"

static_assert((int)KD_GATE_USE_KERNEL == (int)GATE_USE_KERNEL &&
                      (int)KD_GATE_REQUESTED_MODE_UNSUPPORTED == (int)GATE_REQUESTED_MODE_UNSUPPORTED &&
                      (int)KD_GATE_REQUESTED_MODE_UNSUPPORTED + 1 == (int)_GATE_MAX,
              "kd_gate counts as GateAnswer does");

kd_gate kd_gate_judge(const char *requested, const char *registered, int has_backward, int can_torch_compile,
                      bool use_fallback)
{
        GateProperties properties = GATE_PROPERTIES_DEFAULT;
        Mode request, found;
        Fault fault;

        if (!requested || mode_parse_request(text_of(requested), &request, &fault))
                return KD_GATE_INVALID_MODE;
        if (!registered)
                return use_fallback ? KD_GATE_USE_ORIGINAL : KD_GATE_NO_MAPPING;
        if (mode_parse(text_of(registered), &found, &fault))
                return KD_GATE_INVALID_MODE;
        if (has_backward >= 0)
                properties.has_backward = has_backward;
        if (can_torch_compile >= 0)
                properties.can_torch_compile = can_torch_compile;
        return (kd_gate)gate_judge(request, found, properties, use_fallback);
}
