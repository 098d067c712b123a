/* Filling a kd_error: every function of the library that fails says so here,
 * once, with a sentence that says what to do. */
#pragma once

#include "client/kernelsd.h"
#include "proto/fault.h"

/* All return the code, so that a function ends with `return failure_…`.
 * `error` may be NULL. */

/* A negative errno whose name ("ENOMEM") is the error's name. */
int failure_set(kd_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* A negative errno that means: no daemon, or none any more. `retry` is true. */
int failure_unreachable(kd_error *error, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* What the daemon answered. */
int failure_fault(kd_error *error, const Fault *fault);

/* What the library itself refuses in the daemon's words. */
int failure_refuse(kd_error *error, FaultName name, const char *format, ...) __attribute__((format(printf, 3, 4)));

int failure_memory(kd_error *error);

/* An error of which the parts were kept. */
int failure_as(kd_error *error, int code, bool retry, const char *name, const char *message);

/* Copies an error that was kept; `error` may be NULL. Returns its code. */
int failure_copy(kd_error *error, const kd_error *kept);
