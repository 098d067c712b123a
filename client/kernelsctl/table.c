#include "client/kernelsctl/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct Cell {
        char *text;
        Colour colour;
} Cell;

struct Table {
        const char *const *titles;
        size_t n_columns;
        Cell *cells;
        size_t n_cells;
        size_t capacity;
};

/* Columns that the text takes, as code points: wide characters are rare here. */
static size_t text_width(const char *text)
{
        size_t width = 0;

        for (; *text; text++)
                width += ((unsigned char)*text & 0xc0) != 0x80;
        return width;
}

Table *table_new(const char *const *titles, size_t n_columns)
{
        Table *table = calloc(1, sizeof(*table));

        if (!table)
                abort();
        table->titles = titles;
        table->n_columns = n_columns;
        return table;
}

static void table_add(Table *table, Colour colour, char *text)
{
        if (table->n_cells == table->capacity) {
                size_t capacity = table->capacity ? table->capacity * 2 : 64;
                Cell *cells = realloc(table->cells, capacity * sizeof(*cells));

                if (!cells)
                        abort();
                table->cells = cells;
                table->capacity = capacity;
        }
        output_clean(text);
        table->cells[table->n_cells++] = (Cell){ .text = text, .colour = colour };
}

void table_cell(Table *table, Colour colour, const char *format, ...)
{
        va_list arguments;
        char *text;
        int n;

        va_start(arguments, format);
        n = vasprintf(&text, format, arguments);
        va_end(arguments);
        if (n < 0)
                abort();
        table_add(table, colour, text);
}

static size_t column_width(const Table *table, size_t column, bool titled)
{
        size_t width = titled ? text_width(table->titles[column]) : 0;

        for (size_t i = column; i < table->n_cells; i += table->n_columns) {
                size_t n = text_width(table->cells[i].text);

                width = n > width ? n : width;
        }
        return width;
}

/* The last column is not padded, so that no line ends in blanks. */
static void print_cell(Colour colour, const char *text, size_t width, bool last)
{
        output_text(colour, text);
        if (!last)
                printf("%*s", (int)(width - text_width(text)) + 2, "");
        else
                putchar('\n');
}

void table_print(const Table *table)
{
        bool titled = isatty(STDOUT_FILENO);
        size_t *widths = calloc(table->n_columns, sizeof(*widths));

        if (!widths)
                abort();
        for (size_t c = 0; c < table->n_columns; c++)
                widths[c] = column_width(table, c, titled);
        for (size_t c = 0; titled && c < table->n_columns; c++)
                print_cell(COLOUR_TITLE, table->titles[c], widths[c], c + 1 == table->n_columns);
        for (size_t i = 0; i < table->n_cells; i++) {
                size_t c = i % table->n_columns;

                print_cell(table->cells[i].colour, table->cells[i].text, widths[c], c + 1 == table->n_columns);
        }
        free(widths);
}

Table *table_free(Table *table)
{
        if (!table)
                return NULL;
        for (size_t i = 0; i < table->n_cells; i++)
                free(table->cells[i].text);
        free(table->cells);
        free(table);
        return NULL;
}
