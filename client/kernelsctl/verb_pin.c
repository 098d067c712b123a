#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/kernelsctl/change.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/show.h"
#include "client/kernelsctl/table.h"

/* Digits alone are a version, anything else a branch. NULL without memory. */
static kd_value *pin_params(const Arguments *arguments, const char *commit)
{
        const char *which = arguments->words[1];
        kd_value *params = kd_value_map();
        bool version = *which && strspn(which, "0123456789") == strlen(which);
        int r = params ? field_set_text(params, "repo", arguments->words[0]) : -ENOMEM;

        if (!r && version)
                r = field_set_number(params, "version", strtoll(which, NULL, 10));
        else if (!r)
                r = field_set_text(params, "revision", which);
        if (!r)
                r = field_set_text(params, "commit", commit);
        return r ? kd_value_free(params) : params;
}

int verb_pin(const Arguments *arguments)
{
        return change_make(arguments, "pin", "pin.set", pin_params(arguments, arguments->words[2]));
}

int verb_unpin(const Arguments *arguments)
{
        return change_make(arguments, "unpin", "pin.drop", pin_params(arguments, NULL));
}

static void print_pins(const kd_value *result)
{
        const kd_value *pins = kd_value_get(result, "pins");
        static const char *const titles[] = { "REPOSITORY", "REVISION", "COMMIT" };
        Table *table = table_new(titles, 3);

        for (size_t i = 0; i < kd_value_count(pins); i++) {
                const kd_value *pin = kd_value_at(pins, i);

                table_cell(table, COLOUR_TITLE, "%s", field_text(pin, "repo", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(pin, "revision", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(pin, "commit", "-"));
        }
        table_print(table);
        table_free(table);
}

int verb_pins(const Arguments *arguments)
{
        static const Show what = { .verb = "pins", .method = "pin.list", .rows = "pins", .purpose = CONNECT_ADMIN,
                                   .most = SIZE_MAX, .print = print_pins };

        return show(arguments, &what, kd_value_map());
}
