/* Numbers for texts: equal texts have the same number, and numbers count from 0
 * in the order in which the texts came. The texts stay the caller's. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/text.h"

typedef struct TextTable {
        Text *texts;     /* by number */
        size_t n;
        uint32_t *slots; /* number + 1, or 0; a power of two of them */
        size_t n_slots;
} TextTable;

#define TEXT_TABLE_NULL ((TextTable){ 0 })

/* Room for n_max different texts: 0 or -ENOMEM. */
int text_table_init(TextTable *table, size_t n_max);
void text_table_deinit(TextTable *table);

uint32_t text_table_number(TextTable *table, Text text);
