#include "client/kernelsctl/answer.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/show.h"
#include "client/kernelsctl/table.h"

/* An entry that another one lies on top of stands below that one. */
static void table_row(Table *table, const kd_value *entry, const char *mode, const kd_value *reference)
{
        bool hidden = kd_value_as_bool(kd_value_get(entry, "hidden"));
        char text[ANSWER_TEXT];

        table_cell(table, hidden ? COLOUR_DIM : COLOUR_TITLE, "%s", field_text(entry, "layer", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(entry, "device", "-"));
        table_cell(table, COLOUR_NONE, "%s",
                   answer_range(field_number(entry, "min_capability", -1),
                                field_number(entry, "max_capability", -1), text));
        table_cell(table, COLOUR_NONE, "%s", mode);
        table_cell(table, COLOUR_NONE, "%s", answer_kernel_of_value(reference, text));
        table_cell(table, COLOUR_NONE, "%s", field_text(reference, "layer", "-"));
        table_cell(table, COLOUR_DIM, "%s%s", field_text(entry, "source", "-"),
                   hidden ? ", hidden" : "");
}

static void print_table(const kd_value *result)
{
        const kd_value *entries = kd_value_get(result, "entries");
        static const char *const titles[] = { "LAYER", "DEVICE", "CAPABILITY", "MODE", "KERNEL", "NAME THERE", "SOURCE" };
        Table *table = table_new(titles, 7);

        for (size_t i = 0; i < kd_value_count(entries); i++) {
                const kd_value *entry = kd_value_at(entries, i);
                const kd_value *modes = kd_value_get(entry, "modes");

                for (size_t m = 0; m < kd_value_count(modes); m++)
                        table_row(table, entry, kd_value_key(modes, m), kd_value_at(modes, m));
                if (!kd_value_count(modes))
                        table_row(table, entry, "-", NULL);
        }
        table_print(table);
        table_free(table);
}

int verb_mapping_list(const Arguments *arguments)
{
        static const Show what = { .verb = "mapping-list", .method = "mapping.list", .rows = "entries", .purpose = CONNECT_ADMIN,
                                   .most = SIZE_MAX, .print = print_table };

        return show(arguments, &what, kd_value_map());
}
