#include <string.h>

#include "client/kernelsctl/change.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/params.h"
#include "client/kernelsctl/show.h"
#include "client/kernelsctl/table.h"

static bool digest_is_corrupt(const kd_value *row)
{
        return strcmp(field_text(row, "digest", ""), "corrupt") == 0;
}

/* What both verbs show first. */
static void kernel_cells(Table *table, const kd_value *row)
{
        table_cell(table, COLOUR_TITLE, "%s", field_text(row, "repo", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(row, "commit", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(row, "variant", "-"));
        table_cell(table, digest_is_corrupt(row) ? COLOUR_BAD : COLOUR_NONE, "%s", field_text(row, "digest", "-"));
}

static void print_kernels(const kd_value *result)
{
        static const char *const titles[] = { "REPOSITORY", "COMMIT", "VARIANT", "DIGEST", "USED", "REVISIONS" };
        const kd_value *rows = kd_value_get(result, "kernels");
        Table *table = table_new(titles, 6);
        char age[32];

        for (size_t i = 0; i < kd_value_count(rows); i++) {
                const kd_value *row = kd_value_at(rows, i);
                int64_t used_s = field_number(row, "used_s", -1);

                kernel_cells(table, row);
                table_cell(table, COLOUR_NONE, "%s", used_s < 0 ? "-" : output_age(used_s, age, sizeof(age)));
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "revisions", "-"));
        }
        table_print(table);
        table_free(table);
}

int verb_cache_list(const Arguments *arguments)
{
        static const Show what = { .verb = "cache-list", .method = "cache.list", .rows = "kernels",
                                   .purpose = CONNECT_ADMIN, .most = SIZE_MAX, .print = print_kernels };

        return show(arguments, &what, kd_value_map());
}

/* --- verify --- */

static void print_verified(const kd_value *result)
{
        static const char *const titles[] = { "REPOSITORY", "COMMIT", "VARIANT", "DIGEST", "SIGNATURE", "WHY" };
        const kd_value *rows = kd_value_get(result, "kernels");
        Table *table = table_new(titles, 6);

        for (size_t i = 0; i < kd_value_count(rows); i++) {
                const kd_value *row = kd_value_at(rows, i);

                kernel_cells(table, row);
                table_cell(table, COLOUR_DIM, "%s", field_text(row, "signature", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "message", "-"));
        }
        table_print(table);
        table_free(table);
}

static int verified_status(const kd_value *result)
{
        const kd_value *rows = kd_value_get(result, "kernels");

        for (size_t i = 0; i < kd_value_count(rows); i++)
                if (digest_is_corrupt(kd_value_at(rows, i)))
                        return kd_exit_status(KD_CORRUPT);
        return 0;
}

int verb_cache_verify(const Arguments *arguments)
{
        static const Show what = { .verb = "cache-verify", .method = "cache.verify", .rows = "kernels",
                                   .purpose = CONNECT_ADMIN, .most = SIZE_MAX, .print = print_verified,
                                   .status = verified_status };
        kd_value *params = kd_value_map();
        int r = params ? params_set_deadline(params, arguments) : change_no_memory();

        if (!r && arguments->n_words && field_set_text(params, "repo", arguments->words[0]) < 0)
                r = change_no_memory();
        if (!r)
                return show(arguments, &what, params);
        kd_value_free(params);
        return r;
}
