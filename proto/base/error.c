#include "proto/base/error.h"

#include <stddef.h>

static ErrorTrace error_sink;

void error_trace_set(ErrorTrace trace)
{
        error_sink = trace;
}

void error_report(int error, const char *function, const char *file, int line)
{
        if (error_sink)
                error_sink(error, function, file, line);
}
