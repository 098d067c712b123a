#include <stdio.h>

#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/show.h"
#include "client/kernelsctl/table.h"

static void print_clients(const kd_value *clients)
{
        static const char *const titles[] = { "SESSION", "PID", "UID", "PROGRAM", "CLIENT", "AGE",
                                              "REQUESTS", "VIEWS", "ENTRIES", "LEASES" };
        Table *table = table_new(titles, 10);
        char age[32];

        for (size_t i = 0; i < kd_value_count(clients); i++) {
                const kd_value *row = kd_value_at(clients, i);

                table_cell(table, COLOUR_TITLE, "%lld", field_number(row, "session", 0));
                table_cell(table, COLOUR_NONE, "%lld", field_number(row, "pid", 0));
                table_cell(table, COLOUR_NONE, "%lld", field_number(row, "uid", 0));
                table_cell(table, COLOUR_NONE, "%s", field_text(kd_value_get(row, "environment"), "program", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "client", "-"));
                table_cell(table, COLOUR_NONE, "%s", output_age(field_number(row, "age_s", 0), age, sizeof(age)));
                table_cell(table, COLOUR_NONE, "%lld", field_number(row, "requests", 0));
                table_cell(table, COLOUR_NONE, "%lld", field_number(row, "views", 0));
                table_cell(table, COLOUR_NONE, "%lld", field_number(row, "entries", 0));
                table_cell(table, COLOUR_NONE, "%lld", field_number(row, "n_leases", 0));
        }
        table_print(table);
        table_free(table);
}

static void print_leases(const kd_value *clients)
{
        static const char *const titles[] = { "SESSION", "LEASE", "LAYER", "KERNEL", "COMMIT", "VARIANT" };
        Table *table = table_new(titles, 6);
        size_t n = 0;

        for (size_t i = 0; i < kd_value_count(clients); i++) {
                const kd_value *row = kd_value_at(clients, i);
                const kd_value *leases = kd_value_get(row, "leases");

                for (size_t l = 0; l < kd_value_count(leases); l++, n++) {
                        const kd_value *lease = kd_value_at(leases, l);

                        table_cell(table, COLOUR_TITLE, "%lld", field_number(row, "session", 0));
                        table_cell(table, COLOUR_NONE, "%lld", field_number(lease, "lease", 0));
                        table_cell(table, COLOUR_NONE, "%s", field_text(lease, "layer", "-"));
                        table_cell(table, COLOUR_NONE, "%s", field_text(lease, "kernel", "-"));
                        table_cell(table, COLOUR_NONE, "%s", field_text(lease, "commit", "-"));
                        table_cell(table, COLOUR_NONE, "%s", field_text(lease, "variant", "-"));
                }
        }
        if (n) {
                putchar('\n');
                table_print(table);
        }
        table_free(table);
}

static void print_used_row(Table *table, const kd_value *client, const kd_value *used)
{
        table_cell(table, COLOUR_TITLE, "%lld", field_number(client, "session", 0));
        table_cell(table, COLOUR_NONE, "%s", field_text(used, "layer", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(used, "device", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(used, "mode", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(used, "repo", "original"));
        table_cell(table, COLOUR_NONE, "%s", field_text(used, "commit", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(used, "variant", "-"));
        table_cell(table, COLOUR_DIM, "%s", field_text(used, "reason", "-"));
}

/* Says also where there is no terminal whose word it is: the rows are not
 * taken for what the daemon knows. */
static void print_used(const kd_value *clients)
{
        static const char *const titles[] = { "SESSION", "LAYER", "DEVICE", "MODE", "KERNEL", "COMMIT", "VARIANT",
                                              "REASON" };
        Table *table = table_new(titles, 8);
        size_t n = 0;

        for (size_t i = 0; i < kd_value_count(clients); i++) {
                const kd_value *row = kd_value_at(clients, i);
                const kd_value *used = kd_value_get(row, "used");

                for (size_t u = 0; u < kd_value_count(used); u++, n++)
                        print_used_row(table, row, kd_value_at(used, u));
        }
        if (n) {
                puts("\nUsed, as the clients say; the daemon did not check it:");
                table_print(table);
        }
        table_free(table);
}

/* Of a client that says more than an answer has. */
static void print_used_rest(const kd_value *clients)
{
        for (size_t i = 0; i < kd_value_count(clients); i++) {
                const kd_value *row = kd_value_at(clients, i);
                long long n = (long long)kd_value_count(kd_value_get(row, "used"));

                if (field_number(row, "n_used", 0) > n)
                        printf("Session %lld says more: %lld rows, of which the latest %lld are shown.\n",
                               field_number(row, "session", 0), field_number(row, "n_used", 0), n);
        }
}

static void print_all(const kd_value *result)
{
        print_clients(kd_value_get(result, "clients"));
        print_leases(kd_value_get(result, "clients"));
        print_used(kd_value_get(result, "clients"));
        print_used_rest(kd_value_get(result, "clients"));
}

int verb_clients(const Arguments *arguments)
{
        static const Show what = { .verb = "clients", .method = "clients", .rows = "clients", .purpose = CONNECT_ADMIN,
                                   .most = SIZE_MAX, .print = print_all };

        return show(arguments, &what, kd_value_map());
}
