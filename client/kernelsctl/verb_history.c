#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/kernelsctl/field.h"
#include "client/kernelsctl/query.h"
#include "client/kernelsctl/show.h"
#include "client/kernelsctl/table.h"

#define NUMBER 100 /* some screens; guess */

static void time_text(int64_t seconds, char *buffer, size_t size)
{
        time_t moment = (time_t)seconds;
        struct tm local;

        if (!localtime_r(&moment, &local) || !strftime(buffer, size, "%Y-%m-%d %H:%M:%S", &local))
                (void)snprintf(buffer, size, "%lld", (long long)seconds);
}

/* A report without a repository is about the layer's own code. */
static void print_kernel(Table *table, const kd_value *row)
{
        static const char *const facts[] = { "commit", "variant", "reason" };
        bool report = strcmp(field_text(row, "what", "-"), "report") == 0;

        table_cell(table, COLOUR_NONE, "%s", field_text(row, "layer", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(row, "repo", report ? "original" : "-"));
        for (size_t f = 0; f < sizeof(facts) / sizeof(facts[0]); f++)
                table_cell(table, COLOUR_NONE, "%s", field_text(row, facts[f], "-"));
}

static void print_events(const kd_value *result)
{
        static const char *const titles[] = { "TIME", "UID", "PID", "WHAT", "OUTCOME", "LAYER", "KERNEL", "COMMIT",
                                              "VARIANT", "REASON" };
        const kd_value *rows = kd_value_get(result, "events");
        Table *table = table_new(titles, 10);
        char moment[64];

        for (size_t i = 0; i < kd_value_count(rows); i++) {
                const kd_value *row = kd_value_at(rows, i);
                const char *outcome = field_text(row, "outcome", "-");

                time_text(field_number(row, "time_s", 0), moment, sizeof(moment));
                table_cell(table, COLOUR_DIM, "%s", moment);
                table_cell(table, COLOUR_NONE, "%lld", field_number(row, "uid", 0));
                table_cell(table, COLOUR_NONE, "%lld", field_number(row, "pid", 0));
                table_cell(table, COLOUR_TITLE, "%s", field_text(row, "what", "-"));
                table_cell(table, strcmp(outcome, "ok") == 0 ? COLOUR_GOOD : COLOUR_BAD, "%s", outcome);
                print_kernel(table, row);
        }
        table_print(table);
        table_free(table);
}

int verb_history(const Arguments *arguments)
{
        const char *text = arguments->values[OPTION_NUMBER];
        int64_t number = NUMBER;
        Show what = { .verb = "history", .method = "history", .rows = "events", .purpose = CONNECT_ADMIN,
                      .print = print_events };

        if (text && (number_parse(text, &number) < 0 || !number)) {
                fprintf(stderr, "kernelsctl: -n takes a whole number from 1 on; not \"%s\"\n", text);
                return 2;
        }
        what.most = (size_t)number;
        return show(arguments, &what, kd_value_map());
}
