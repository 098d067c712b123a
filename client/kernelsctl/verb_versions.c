/* What a repository has: `versions`, and with the variants of one `info`. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "client/kernelsctl/change.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/params.h"
#include "client/kernelsctl/show.h"
#include "client/kernelsctl/table.h"

static void print_versions(const kd_value *result)
{
        static const char *const titles[] = { "VERSION", "REVISION", "KIND", "COMMIT" };
        const kd_value *rows = kd_value_get(result, "revisions");
        Table *table = table_new(titles, 4);

        for (size_t i = 0; i < kd_value_count(rows); i++) {
                const kd_value *row = kd_value_at(rows, i);
                long long version = field_number(row, "version", -1);

                if (version >= 0)
                        table_cell(table, COLOUR_TITLE, "%lld", version);
                else
                        table_cell(table, COLOUR_NONE, "-");
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "revision", "-"));
                table_cell(table, COLOUR_NONE, "%s", kd_value_as_bool(kd_value_get(row, "tag")) ? "tag" : "branch");
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "commit", "-"));
        }
        table_print(table);
        table_free(table);
        if (!kd_value_as_bool(kd_value_get(result, "asked")))
                fprintf(stderr, "kernelsctl: the Hub was not asked: this is what the host knows\n");
}

int verb_versions(const Arguments *arguments)
{
        static const Show what = { .verb = "versions", .method = "versions", .print = print_versions };
        kd_value *params = kd_value_map();
        int r = params ? params_set_deadline(params, arguments) : change_no_memory();

        if (!r && field_set_text(params, "repo", arguments->words[0]) < 0)
                r = change_no_memory();
        if (!r)
                return show(arguments, &what, params);
        kd_value_free(params);
        return r;
}

/* --- info --- */

static void print_variants(const kd_value *variants)
{
        static const char *const titles[] = { "VARIANT", "STATE", "VERDICT", "WHY" };
        Table *table = table_new(titles, 4);

        for (size_t i = 0; i < kd_value_count(variants); i++) {
                const kd_value *row = kd_value_at(variants, i);
                const char *verdict = field_text(row, "verdict", "-");

                table_cell(table, COLOUR_TITLE, "%s", field_text(row, "variant", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "state", "-"));
                table_cell(table, strcmp(verdict, "refused") == 0 ? COLOUR_BAD : COLOUR_GOOD, "%s", verdict);
                table_cell(table, COLOUR_DIM, "%s", field_text(row, "reason", "-"));
        }
        table_print(table);
        table_free(table);
}

/* ", told by the Hub 5 h ago", where a time is known. */
static void print_age(const kd_value *map, const char *key)
{
        int64_t age_s = field_number(map, key, -1);
        char age[32];

        if (age_s >= 0)
                printf(", told by the Hub %s ago", output_age(age_s, age, sizeof(age)));
        putchar('\n');
}

static void print_info(const kd_value *params, const kd_value *versions, const kd_value *kernel)
{
        const char *redirect = field_text(kernel, "redirect", NULL), *revision = field_text(params, "revision", NULL);

        printf("repository  ");
        output_text(COLOUR_TITLE, field_text(params, "repo", "-"));
        if (redirect) {
                printf(", redirected to ");
                output_text(COLOUR_NONE, redirect);
        }
        if (revision) {
                printf("\nrevision    ");
                output_text(COLOUR_NONE, revision);
        } else {
                printf("\nversion     %lld", field_number(params, "version", -1));
        }
        printf("\ncommit      ");
        output_text(COLOUR_NONE, field_text(kernel, "commit", "-"));
        print_age(kernel, "commit_age_s");
        printf("publisher   ");
        output_text(COLOUR_NONE, field_text(kernel, "trust", "-"));
        print_age(kernel, "trust_age_s");
        printf("signature   not checked\n\n");
        print_versions(versions);
        putchar('\n');
        print_variants(kd_value_get(kernel, "variants"));
}

/* Takes the two results over. */
static int info_json(const kd_value *params, kd_value *versions, kd_value *kernel)
{
        kd_value *map OWNED(kd_value_freep) = kd_value_map();
        int r = map ? 0 : -1;

        if (!map) {
                kd_value_free(versions);
                kd_value_free(kernel);
                return change_no_memory();
        }
        r |= kd_value_set(map, "versions", versions);
        r |= kd_value_set(map, "kernel", kernel);
        r |= field_set_text(map, "repo", field_text(params, "repo", NULL));
        r |= field_set_number(map, "version", field_number(params, "version", -1));
        r |= field_set_text(map, "revision", field_text(params, "revision", NULL));
        r |= field_set_text(map, "signature", "not checked");
        return r ? change_no_memory() : output_json("info", map);
}

/* Where the command line names none: the highest version, which comes last, else
 * main. */
static int info_choose(kd_value *params, const kd_value *versions)
{
        const kd_value *rows = kd_value_get(versions, "revisions");
        int64_t highest = -1;

        if (field_number(params, "version", -1) >= 0 || field_text(params, "revision", NULL))
                return 0;
        for (size_t i = 0; i < kd_value_count(rows); i++)
                if (field_number(kd_value_at(rows, i), "version", -1) > highest)
                        highest = field_number(kd_value_at(rows, i), "version", -1);
        return highest >= 0 ? field_set_number(params, "version", highest) : field_set_text(params, "revision", "main");
}

static int info_ask(const Arguments *arguments, kd_value *params, kd_value *asked, kd_value **ret_versions,
                    kd_value **ret_kernel, kd_error *error)
{
        kd_client *client OWNED(kd_closep) = NULL;
        int r = connect_client(arguments, CONNECT_PLAIN, &client, error);

        if (!r)
                r = kd_call(client, "versions", asked, ret_versions, error);
        if (!r && info_choose(params, *ret_versions) < 0) {
                *error = (kd_error){ .code = -ENOMEM, .name = "ENOMEM", .message = "this process has no memory left" };
                r = -ENOMEM;
        }
        return r ? r : kd_call(client, "variants", params, ret_kernel, error);
}

static int info_params(const Arguments *arguments, kd_value *params, kd_value *asked)
{
        int r = params && asked ? 0 : change_no_memory();

        if (!r)
                r = params_set_repository(params, arguments, arguments->words[0], false);
        if (!r)
                r = params_set_device(params, arguments);
        if (!r)
                r = params_set_deadline(params, arguments);
        if (!r)
                r = params_set_deadline(asked, arguments);
        if (!r && field_set_text(asked, "repo", arguments->words[0]) < 0)
                r = change_no_memory();
        return r;
}

int verb_info(const Arguments *arguments)
{
        kd_value *params OWNED(kd_value_freep) = kd_value_map();
        kd_value *asked OWNED(kd_value_freep) = kd_value_map();
        kd_value *versions OWNED(kd_value_freep) = NULL;
        kd_value *kernel OWNED(kd_value_freep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        kd_error error;
        int r = info_params(arguments, params, asked);

        if (r)
                return r;
        if (info_ask(arguments, params, asked, &versions, &kernel, &error))
                return output_error("info", json, &error);
        if (!json) {
                print_info(params, versions, kernel);
                return 0;
        }
        r = info_json(params, versions, kernel);
        versions = kernel = NULL;
        return r;
}
