/* Device types, and the capability ranges that cuda and rocm entries carry. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/text.h"
#include "proto/fault.h"

#define DEVICE_TABLE(D) D(CPU, "cpu") D(CUDA, "cuda") D(MPS, "mps") D(NEURON, "neuron") \
        D(NPU, "npu") D(ROCM, "rocm") D(TPU, "tpu") D(XPU, "xpu")

typedef enum Device {
#define D(name, spelling) DEVICE_##name,
        DEVICE_TABLE(D)
#undef D
        _DEVICE_MAX,
        DEVICE_NONE = _DEVICE_MAX, /* of an entry that names a layer without devices */
} Device;

/* Inclusive on both sides; absent means 0 to CAPABILITY_MAX. */
typedef struct CapabilityRange {
        int64_t min;
        int64_t max;
} CapabilityRange;

#define CAPABILITY_MAX INT64_MAX

/* 0, or 1 with FAULT_INVALID_DEVICE; "metal" gets the hint that mps is meant. */
int device_parse(Text text, Device *ret_device, Fault *fault);

/* A literal; "none" for DEVICE_NONE. */
const char *device_spelling(Device device);

/* Whether the type has capability ranges: cuda and rocm. */
bool device_has_capability(Device device);

/* Checks bounds (either may be absent: NULL) against the device: 0 with the
 * range filled in, or 1 with FAULT_INVALID_RANGE: bounds on a device without
 * capabilities, a negative bound, min above max. */
int device_range(Device device, const int64_t *min, const int64_t *max, CapabilityRange *ret_range, Fault *fault);
