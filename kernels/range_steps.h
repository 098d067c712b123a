/* Which of some capability ranges is chosen, as a step function of the
 * capability: the narrowest that holds it, of equally narrow ones that with the
 * higher minimum. The one place where that rule stands. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/device.h"

#define RANGE_STEP_NONE UINT32_MAX

typedef struct RangeStep {
        int64_t start;   /* holds up to the next step's */
        uint32_t chosen; /* number of the range, or RANGE_STEP_NONE */
} RangeStep;

/* The steps, and memory that is used again for the next question. */
typedef struct RangeSteps {
        RangeStep *items;      /* the first starts at 0; neighbours differ */
        size_t n;
        size_t room;      /* ranges that the memory is enough for */
        uint32_t *order;
        uint32_t *next;
} RangeSteps;

#define RANGE_STEPS_NULL ((RangeSteps){ 0 })

/* `ranges` are distinct and within 0 and CAPABILITY_MAX. 0 or -ENOMEM. */
int range_steps_make(RangeSteps *steps, const CapabilityRange *ranges, size_t n_ranges);

void range_steps_deinit(RangeSteps *steps);

/* Whether a goes before b. */
static inline bool range_is_better(CapabilityRange a, CapabilityRange b)
{
        uint64_t width_a = (uint64_t)a.max - (uint64_t)a.min, width_b = (uint64_t)b.max - (uint64_t)b.min;

        return width_a != width_b ? width_a < width_b : a.min > b.min;
}

static inline bool range_holds(CapabilityRange range, int64_t capability)
{
        return capability >= range.min && capability <= range.max;
}

static inline bool range_equal(CapabilityRange a, CapabilityRange b)
{
        return a.min == b.min && a.max == b.max;
}
