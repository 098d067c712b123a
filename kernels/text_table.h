/* Items found by two texts: (repository, revision), (repository, commit). The
 * items are the caller's, a TableItem first in each; the table only links them. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/text.h"

typedef struct TableItem {
        struct TableItem *next;
        uint64_t hash;
        Text a, b; /* the item's own */
} TableItem;

typedef struct TextTable {
        TableItem **buckets;
        size_t n_buckets;
        size_t n;
        uint64_t key; /* random, so that nobody can choose names that collide */
} TextTable;

#define TEXT_TABLE_OF(random) ((TextTable){ .key = (random) })

TableItem *text_table_find(const TextTable *table, Text a, Text b);

/* Links an item that is not there yet. 0, -ENOMEM. */
int text_table_put(TextTable *table, TableItem *item);

/* Unlinks an item that is there. */
void text_table_remove(TextTable *table, TableItem *item);

/* All of them, in no order: NULL begins and ends. */
TableItem *text_table_next(const TextTable *table, const TableItem *item);

/* For items whose texts lie behind them: copies one to *at and moves that on. */
Text table_item_text(char **at, Text text);

/* Empties the table; the items hang together by `next`. */
TableItem *text_table_take_all(TextTable *table);
