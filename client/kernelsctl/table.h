/* A table: cells are collected, then printed with columns aligned and, where
 * stdout is a terminal, under its titles. Without memory the program aborts. */
#pragma once

#include <stddef.h>

#include "client/kernelsctl/output.h"

typedef struct Table Table;

Table *table_new(const char *const *titles, size_t n_columns);
/* Adds the next cell of the row; text is copied. */
void table_cell(Table *table, Colour colour, const char *format, ...) __attribute__((format(printf, 3, 4)));
void table_print(const Table *table);
Table *table_free(Table *table);
