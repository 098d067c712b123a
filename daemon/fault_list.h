/* What is wrong with configuration or mapping files: MsgMappingFault of
 * proto/schema.h, as `status` shows it, in a list that owns its texts. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/schema.h"

typedef struct FaultList {
        Arena arena;
        MsgMappingFault *items;
        size_t n;
        size_t capacity;
        bool failed; /* memory ran out: what is there is not all */
} FaultList;

#define FAULT_LIST_NULL ((FaultList){ 0 })

/* line 0: no position; pointer absent: none. Texts are copied. */
void fault_list_add(FaultList *list, Text file, size_t line, size_t column, Text pointer, const char *format, ...)
        __attribute__((format(printf, 6, 7)));

/* Copies faults of another owner. */
void fault_list_copy(FaultList *list, const MsgMappingFault *faults, size_t n_faults);

void fault_list_deinit(FaultList *list);
#define CLEANUP_FAULT_LIST CLEANUP(fault_list_deinit)
