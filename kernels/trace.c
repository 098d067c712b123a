#include "kernels/trace.h"

#include <stdarg.h>
#include <stdio.h>

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
        char text[512];
        va_list arguments;
        MsgTraceStep *item;

        if (!trace || trace->failed)
                return;
        if (trace->n == trace->capacity && !trace_grow(trace)) {
                trace->failed = true;
                return;
        }
        va_start(arguments, reason);
        (void)vsnprintf(text, sizeof(text), reason, arguments);
        va_end(arguments);
        item = &trace->items[trace->n];
        item->step = text_of(step);
        item->verdict = taken ? TEXT("taken") : TEXT("refused");
        item->age_s = age_s;
        if (arena_copy(trace->arena, candidate.data ? candidate : TEXT(""), &item->candidate) < 0 ||
            arena_copy(trace->arena, source, &item->source) < 0 ||
            arena_copy(trace->arena, text_of(text), &item->reason) < 0) {
                trace->failed = true;
                return;
        }
        trace->n++;
}
