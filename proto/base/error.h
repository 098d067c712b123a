/* Errors of the three kinds that this code knows (docs/architecture.md):
 *
 * - a negative errno is ours: it ends the caller's whole operation, is never
 *   matched on, and passes up through error_trace, which says where it came by;
 * - a positive value is an answer that the function's contract enumerates and
 *   that its caller must handle; by convention 1 with a Fault filled in is
 *   "the asker is wrong, here is what to tell him";
 * - on the wire there are the names of proto/fault.h. */
#pragma once

#include <errno.h>

/* Passes r through; when it is negative, tells the trace function where. */
#define error_trace(r)                                                                 \
        ({                                                                             \
                int error_r_ = (r);                                                    \
                if (__builtin_expect(error_r_ < 0, 0))                                 \
                        error_report(error_r_, __func__, __FILE__, __LINE__);          \
                error_r_;                                                              \
        })

typedef void (*ErrorTrace)(int error, const char *function, const char *file, int line);

void error_report(int error, const char *function, const char *file, int line);

/* Where traces go; NULL (the start) drops them. The daemon sets its log. */
void error_trace_set(ErrorTrace trace);
