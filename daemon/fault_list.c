#include "daemon/fault_list.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/alloc.h"

static MsgMappingFault *fault_list_slot(FaultList *list)
{
        size_t capacity = list->capacity ? list->capacity * 2 : 8;
        MsgMappingFault *items;

        if (list->n < list->capacity)
                return &list->items[list->n];
        items = alloc_resize(list->items, capacity, sizeof(*items));
        if (!items)
                return NULL;
        list->items = items;
        list->capacity = capacity;
        return &list->items[list->n];
}

static void fault_list_append(FaultList *list, const MsgMappingFault *fault)
{
        MsgMappingFault copy = *fault;
        MsgMappingFault *slot = fault_list_slot(list);

        if (!slot || arena_copy(&list->arena, fault->file, &copy.file) < 0 ||
            arena_copy(&list->arena, fault->pointer, &copy.pointer) < 0 ||
            arena_copy(&list->arena, fault->message, &copy.message) < 0) {
                list->failed = true;
                return;
        }
        *slot = copy;
        list->n++;
}

void fault_list_add(FaultList *list, Text file, size_t line, size_t column, Text pointer, const char *format, ...)
{
        char message[LIMIT_FAULT_MESSAGE];
        MsgMappingFault fault = { .file = file, .pointer = pointer };
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        fault.message = text_of(message);
        if (line > 0) {
                fault.line = (OptionalInteger){ .present = true, .value = (int64_t)line };
                fault.column = (OptionalInteger){ .present = true, .value = (int64_t)column };
        }
        fault_list_append(list, &fault);
}

void fault_list_copy(FaultList *list, const MsgMappingFault *faults, size_t n_faults)
{
        for (size_t i = 0; i < n_faults; i++)
                fault_list_append(list, &faults[i]);
}

void fault_list_deinit(FaultList *list)
{
        arena_deinit(&list->arena);
        alloc_free(list->items);
        *list = FAULT_LIST_NULL;
}
