/* How far a job of the file thread is, for the loop to read while it runs. */
#pragma once

#include <stdatomic.h>

#include "kernels/step.h"

typedef struct SharedProgress {
        atomic_int_least64_t files;
        atomic_int_least64_t files_total; /* -1: not yet known */
        atomic_int_least64_t bytes;
        atomic_int_least64_t bytes_total;
} SharedProgress;

void shared_progress_clear(SharedProgress *shared);
void shared_progress_set(SharedProgress *shared, const Progress *progress);
Progress shared_progress_get(SharedProgress *shared); /* any thread */
