#include "proto/device.h"

#include <assert.h>

static const Text device_spellings[_DEVICE_MAX + 1] = {
#define D(name, spelling) [DEVICE_##name] = { spelling, sizeof(spelling) - 1 },
        DEVICE_TABLE(D)
#undef D
        [DEVICE_NONE] = { "none", 4 },
};

int device_parse(Text text, Device *ret_device, Fault *fault)
{
        for (unsigned i = 0; i < _DEVICE_MAX; i++)
                if (text_equal(text, device_spellings[i])) {
                        *ret_device = (Device)i;
                        return 0;
                }
        if (text_equal(text, TEXT("metal")))
                return fault_set(fault, FAULT_INVALID_DEVICE,
                                 "\"metal\" is a build backend, not a device type: use mps");
        return fault_set(fault, FAULT_INVALID_DEVICE, "\"%.*s\" is not a device type: use one of cpu, cuda, mps, "
                         "neuron, npu, rocm, tpu, xpu", (int)(text.size < LIMIT_DEVICE ? text.size : LIMIT_DEVICE),
                         text.data ? text.data : "");
}

const char *device_spelling(Device device)
{
        assert(device <= DEVICE_NONE);
        return device_spellings[device].data;
}

bool device_has_capability(Device device)
{
        return device == DEVICE_CUDA || device == DEVICE_ROCM;
}

int device_range(Device device, const int64_t *min, const int64_t *max, CapabilityRange *ret_range, Fault *fault)
{
        CapabilityRange range = { min ? *min : 0, max ? *max : CAPABILITY_MAX };

        if ((min || max) && !device_has_capability(device))
                return fault_set(fault, FAULT_INVALID_RANGE, "device type %s has no capabilities: leave "
                                 "min_capability and max_capability out", device_spelling(device));
        if (range.min < 0 || range.max < 0)
                return fault_set(fault, FAULT_INVALID_RANGE, "capability %lld is negative: capabilities are 0 or more",
                                 (long long)(range.min < 0 ? range.min : range.max));
        if (range.min > range.max)
                return fault_set(fault, FAULT_INVALID_RANGE, "min_capability %lld is above max_capability %lld: "
                                 "swap them", (long long)range.min, (long long)range.max);
        *ret_range = range;
        return 0;
}
