/* Work of the file thread that is done in steps, so that one thread can take
 * several jobs in turn and drop any of them between two steps. */
#pragma once

#include <stdint.h>

#include "proto/schema.h"

/* What a step returns, besides negative errors. */
enum {
        STEP_DONE = 0,
        STEP_FAULT = 1, /* the fault says why; the work can only be freed */
        STEP_MORE = 2,
};

typedef struct Progress {
        int64_t files;
        OptionalInteger files_total; /* absent: not yet known */
        int64_t bytes;
        OptionalInteger bytes_total;
} Progress;
