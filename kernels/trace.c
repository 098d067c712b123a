#include "kernels/trace.h"

#include <stdarg.h>

static bool trace_grow(Trace *trace)
{
        size_t capacity = trace->capacity ? trace->capacity * 2 : 16;
        MsgTraceStep *items = arena_zeroed(trace->arena, capacity, sizeof(*items));

        if (!items)
                return false;
        if (trace->n)
                memcpy(items, trace->items, trace->n * sizeof(*items));
        trace->items = items;
        trace->capacity = capacity;
        return true;
}

void trace_add(Trace *trace, const char *step, Text candidate, bool taken, Text source, OptionalInteger age_s,
               const char *reason, ...)
{
        MsgTraceStep added = { .step = text_of(step), .verdict = taken ? TEXT("taken") : TEXT("refused"), .age_s = age_s };
        va_list arguments;

        if (!trace || trace->failed)
                return;
        va_start(arguments, reason);
        added.reason = text_cut(arena_format_list(trace->arena, reason, arguments), LIMIT_FAULT_MESSAGE - 1);
        va_end(arguments);
        if (!added.reason.data || (trace->n == trace->capacity && !trace_grow(trace)) ||
            arena_copy(trace->arena, candidate.data ? candidate : TEXT(""), &added.candidate) < 0 ||
            arena_copy(trace->arena, source, &added.source) < 0) {
                trace->failed = true;
                return;
        }
        trace->items[trace->n++] = added;
}
