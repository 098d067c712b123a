/* The trace of a decision, for `explain` and for the message of a refusal:
 * each candidate at each step, taken or refused, and why. Every function that
 * decides takes a Trace that may be NULL, which costs nothing. */
#pragma once

#include <stdbool.h>

#include "proto/base/arena.h"
#include "proto/schema.h"

typedef struct Trace {
        Arena *arena;           /* where the texts lie */
        MsgTraceStep *items;
        size_t n;
        size_t capacity;
        bool failed;            /* memory ran out: what is there is not all */
} Trace;

#define TRACE_NULL(a) ((Trace){ .arena = (a) })

/* step is a literal ("variant"); source may be absent. */
void trace_add(Trace *trace, const char *step, Text candidate, bool taken, Text source, OptionalInteger age_s,
               const char *reason, ...) __attribute__((format(printf, 7, 8)));
