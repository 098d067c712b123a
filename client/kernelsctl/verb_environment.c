#include <stdio.h>

#include "client/kernelsctl/change.h"
#include "client/kernelsctl/environment.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/params.h"
#include "client/kernelsctl/show.h"
#include "client/kernelsctl/table.h"

#define EXIT_USAGE 2

static void cell_number(Table *table, const kd_value *row, const char *key)
{
        long long number = field_number(row, key, -1);

        if (number >= 0)
                table_cell(table, COLOUR_NONE, "%lld", number);
        else
                table_cell(table, COLOUR_NONE, "-");
}

static void environment_row(Table *table, const kd_value *row)
{
        static const char *const facts[] = { "backend", "tvm_ffi", "cpu", "os", "python", "program" };
        const kd_value *environment = kd_value_get(row, "environment");
        int64_t seen_s = field_number(row, "seen_s", -1);
        int abi = field_truth(environment, "cxx11_abi");
        char age[32];

        table_cell(table, COLOUR_TITLE, "%s", field_text(row, "name", "-"));
        table_cell(table, COLOUR_NONE, "%s", field_text(row, "device", "-"));
        cell_number(table, row, "capability");
        table_cell(table, COLOUR_NONE, "%s", field_text(environment, "torch", "-"));
        table_cell(table, COLOUR_NONE, "%s", abi < 0 ? "-" : abi ? "cxx11" : "cxx98");
        for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++)
                table_cell(table, COLOUR_NONE, "%s", field_text(environment, facts[i], "-"));
        cell_number(table, row, "uid");
        table_cell(table, COLOUR_NONE, "%s", seen_s < 0 ? "-" : output_age(seen_s, age, sizeof(age)));
        table_cell(table, COLOUR_DIM, "%s", field_text(row, "source", "-"));
}

static void print_environments(const kd_value *result)
{
        static const char *const titles[] = { "NAME", "DEVICE", "CAPABILITY", "TORCH", "ABI", "BACKEND", "TVM-FFI",
                                              "CPU", "OS", "PYTHON", "PROGRAM", "UID", "SEEN", "SOURCE" };
        const kd_value *rows = kd_value_get(result, "environments");
        Table *table = table_new(titles, sizeof(titles) / sizeof(titles[0]));

        for (size_t i = 0; i < kd_value_count(rows); i++)
                environment_row(table, kd_value_at(rows, i));
        table_print(table);
        table_free(table);
}

int verb_environment_list(const Arguments *arguments)
{
        static const Show what = { .verb = "environment-list", .method = "environment.list", .rows = "environments",
                                   .purpose = CONNECT_ADMIN, .most = SIZE_MAX, .print = print_environments };

        return show(arguments, &what, kd_value_map());
}

/* --- add --- */

static bool add_describes(const Arguments *arguments)
{
        for (unsigned i = 0; i < _OPTION_MAX; i++)
                if ((OPTIONS_FACTS | OPTIONS_DEVICE) >> i & 1 && arguments->values[i])
                        return true;
        return false;
}

/* 0, or the exit status after a sentence on stderr. */
static int add_environment(kd_value *params, const Arguments *arguments)
{
        kd_environment environment;
        EnvironmentTexts texts;
        kd_error error;
        int r = environment_from_arguments(arguments, &texts, &environment, &error);

        if (r)
                return output_error("environment-add", arguments_have(arguments, OPTION_JSON), &error);
        if (!environment.tvm_ffi && arguments_have(arguments, OPTION_NATIVE))
                environment.tvm_ffi = "0.1";
        if (kd_value_set(params, "environment", environment_to_value(&environment)) < 0)
                return change_no_memory();
        return params_set_device(params, arguments);
}

int verb_environment_add(const Arguments *arguments)
{
        bool remove = arguments_have(arguments, OPTION_REMOVE);
        kd_value *params;
        int r = 0;

        if (remove == add_describes(arguments)) {
                fprintf(stderr, "kernelsctl: say what the environment is, with --torch and the like, or --remove\n");
                return EXIT_USAGE;
        }
        params = kd_value_map();
        if (!params || field_set_text(params, "name", arguments->words[0]) < 0)
                r = change_no_memory();
        if (!r && !remove)
                r = add_environment(params, arguments);
        if (!r)
                return change_make(arguments, "environment-add", "environment.add", params);
        kd_value_free(params);
        return r;
}
