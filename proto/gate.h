/* Gates: may the kernel that a lookup found be used for the mode that was
 * asked for? The same function at both ends; upstream's rule. */
#pragma once

#include <stdbool.h>

#include "proto/mode.h"

typedef enum GateAnswer {
        GATE_USE_KERNEL,
        GATE_USE_ORIGINAL,               /* allowed by use_fallback */
        GATE_INVALID_MODE,               /* from here on errors */
        GATE_NO_MAPPING,
        GATE_NO_MODE,
        GATE_REGISTERED_MODE_UNSUPPORTED, /* whatever use_fallback says */
        GATE_REQUESTED_MODE_UNSUPPORTED,
        _GATE_MAX,
} GateAnswer;

/* What a kernel states about itself; an absent statement counts as below. */
typedef struct GateProperties {
        bool has_backward;      /* absent: true */
        bool can_torch_compile; /* absent: false */
} GateProperties;

#define GATE_PROPERTIES_DEFAULT ((GateProperties){ .has_backward = true, .can_torch_compile = false })

/* registered: the mode under which the kernel was found (MODE_FALLBACK too), or
 * for which it stands in the mapping at all; MODE_NONE: there is none. */
GateAnswer gate_judge(Mode requested, Mode registered, GateProperties properties, bool use_fallback);

/* "registered-mode-unsupported" and so on; a literal. */
const char *gate_spelling(GateAnswer answer);
