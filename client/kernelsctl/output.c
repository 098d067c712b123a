#include "client/kernelsctl/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static const char *const colour_codes[] = {
        [COLOUR_NONE] = "", [COLOUR_GOOD] = "\033[32m", [COLOUR_BAD] = "\033[31m",
        [COLOUR_DIM] = "\033[2m", [COLOUR_TITLE] = "\033[1m",
};

static bool colours_wanted(void)
{
        const char *no = getenv("NO_COLOR");

        return isatty(STDOUT_FILENO) && !(no && *no);
}

/* Strangers' texts get here: names of programs, of files. No control character
 * of theirs reaches the terminal, nor one of C1, which is two bytes of UTF-8. */
static void text_clean(char *text)
{
        for (; *text; text++) {
                unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

                if (c < 0x20 || c == 0x7f)
                        text[0] = '?';
                else if (c == 0xc2 && next >= 0x80 && next < 0xa0)
                        text[0] = text[1] = '?';
        }
}

/* Columns that the text takes, as code points: wide characters are rare here. */
static size_t text_width(const char *text)
{
        size_t width = 0;

        for (; *text; text++)
                width += ((unsigned char)*text & 0xc0) != 0x80;
        return width;
}

static void print_coloured(Colour colour, const char *text)
{
        bool on = colour != COLOUR_NONE && colours_wanted();

        printf("%s%s%s", on ? colour_codes[colour] : "", text, on ? "\033[0m" : "");
}

void output_text(Colour colour, const char *text)
{
        char *copy = strdup(text);

        if (!copy)
                return;
        text_clean(copy);
        print_coloured(colour, copy);
        free(copy);
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
        text_clean(text);
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
        print_coloured(colour, text);
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

int output_json(const char *verb, kd_value *map)
{
        char schema[64];
        char *json;

        (void)snprintf(schema, sizeof(schema), "kernelsctl.%s.1", verb);
        if (kd_value_set(map, "schema", kd_value_string(schema)) < 0)
                return 1;
        json = kd_value_to_json(map, isatty(STDOUT_FILENO) ? 2 : 0);
        if (!json)
                return 1;
        puts(json);
        free(json);
        return 0;
}

int output_error(const char *verb, bool json, const kd_error *error)
{
        kd_value *map;

        if (!json) {
                fprintf(stderr, "kernelsctl: %s\n", error->message);
                return kd_exit_status(error->code);
        }
        map = kd_value_map();
        if (map) {
                (void)kd_value_set(map, "error", kd_value_string(error->name));
                (void)kd_value_set(map, "message", kd_value_string(error->message));
                (void)kd_value_set(map, "retry", kd_value_bool(error->retry));
                (void)output_json(verb, map);
        }
        kd_value_free(map);
        return kd_exit_status(error->code);
}

const char *output_age(int64_t seconds, char *buffer, size_t size)
{
        if (seconds < 120)
                (void)snprintf(buffer, size, "%lld s", (long long)seconds);
        else if (seconds < 7200)
                (void)snprintf(buffer, size, "%lld min", (long long)(seconds / 60));
        else if (seconds < 172800)
                (void)snprintf(buffer, size, "%lld h", (long long)(seconds / 3600));
        else
                (void)snprintf(buffer, size, "%lld d", (long long)(seconds / 86400));
        return buffer;
}
