/* Fetching ahead of time: `refresh` and `prefetch`. */
#include <stdio.h>

#include "client/kernelsctl/bytes.h"
#include "client/kernelsctl/change.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/params.h"
#include "client/kernelsctl/show.h"
#include "client/kernelsctl/table.h"

#define EXIT_USAGE 2
#define LOCK_MAX (1024u * 1024) /* what the daemon takes of a kernels.lock */

static void print_failure(const kd_value *row)
{
        const char *environment = field_text(row, "environment", NULL);
        char line[2048];

        (void)snprintf(line, sizeof(line), "%s at %s%s%s: %s: %s", field_text(row, "repo", "-"),
                       field_text(row, "revision", "-"), environment ? " for " : "", environment ? environment : "",
                       field_text(row, "name", ""), field_text(row, "message", ""));
        output_clean(line);
        fprintf(stderr, "kernelsctl: %s\n", line);
}

static void print_fetched(const kd_value *result)
{
        static const char *const titles[] = { "REPOSITORY", "REVISION", "ENVIRONMENT", "COMMIT", "VARIANT" };
        const kd_value *rows = kd_value_get(result, "fetched");
        Table *table = table_new(titles, 5);

        for (size_t i = 0; i < kd_value_count(rows); i++) {
                const kd_value *row = kd_value_at(rows, i);

                if (field_text(row, "name", NULL)) {
                        print_failure(row);
                        continue;
                }
                table_cell(table, COLOUR_TITLE, "%s", field_text(row, "repo", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "revision", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "environment", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "commit", "-"));
                table_cell(table, COLOUR_NONE, "%s", field_text(row, "variant", "-"));
        }
        table_print(table);
        table_free(table);
}

/* That of the first that failed; of one that is not among the rows 1. */
static int fetched_status(const kd_value *result)
{
        const kd_value *rows = kd_value_get(result, "fetched");

        for (size_t i = 0; i < kd_value_count(rows); i++) {
                const char *name = field_text(kd_value_at(rows, i), "name", NULL);

                if (name)
                        return output_status_of_name(name);
        }
        return field_number(result, "failed", 0) > 0;
}

/* The repository, if the command line names one. */
static int fetch_repository(kd_value *params, const Arguments *arguments, bool must)
{
        if (arguments->n_words)
                return params_set_repository(params, arguments, arguments->words[0], must);
        if (!arguments_have(arguments, OPTION_VERSION) && !arguments_have(arguments, OPTION_REVISION))
                return 0;
        fprintf(stderr, "kernelsctl: --version and --revision go with a repository\n");
        return EXIT_USAGE;
}

int verb_refresh(const Arguments *arguments)
{
        static const Show what = { .verb = "refresh", .method = "refresh", .purpose = CONNECT_ADMIN,
                                   .print = print_fetched, .status = fetched_status };
        kd_value *params = kd_value_map();
        int r = params ? fetch_repository(params, arguments, false) : change_no_memory();

        if (!r)
                r = params_set_deadline(params, arguments);
        if (!r)
                return show(arguments, &what, params);
        kd_value_free(params);
        return r;
}

/* --- prefetch --- */

static int prefetch_lock(kd_value *params, const Arguments *arguments)
{
        const char *path = arguments->values[OPTION_LOCK];
        Bytes bytes OWNED(bytes_freep) = { 0 };
        int r;

        if (!path)
                return 0;
        if (arguments->n_words) {
                fprintf(stderr, "kernelsctl: either a repository is fetched or what a lock names\n");
                return EXIT_USAGE;
        }
        r = bytes_load(path, LOCK_MAX, &bytes);
        if (!r && kd_value_set(params, "lock", kd_value_binary(bytes.data, bytes.size)) < 0)
                r = change_no_memory();
        return r;
}

/* By name, or as the options of the session describe it. */
static int prefetch_environment(kd_value *params, const Arguments *arguments)
{
        const char *name = arguments->values[OPTION_ENVIRONMENT];

        for (unsigned i = 0; name && i < _OPTION_MAX; i++)
                if ((OPTIONS_FACTS | OPTION_BIT(LIKE)) >> i & 1 && arguments->values[i]) {
                        fprintf(stderr, "kernelsctl: an environment is either named or described; leave out "
                                        "--environment or --%s\n", option_table[i].name);
                        return EXIT_USAGE;
                }
        return field_set_text(params, "environment", name) < 0 ? change_no_memory() : 0;
}

static int prefetch_params(kd_value *params, const Arguments *arguments)
{
        int r = fetch_repository(params, arguments, true);

        if (!r)
                r = prefetch_lock(params, arguments);
        if (!r)
                r = prefetch_environment(params, arguments);
        if (!r)
                r = params_set_device(params, arguments);
        if (!r)
                r = params_set_deadline(params, arguments);
        if (!r && arguments_have(arguments, OPTION_TRUST) &&
            kd_value_set(params, "trust_remote_code", kd_value_bool(true)) < 0)
                r = change_no_memory();
        return r;
}

int verb_prefetch(const Arguments *arguments)
{
        static const Show what = { .verb = "prefetch", .method = "prefetch", .purpose = CONNECT_ADMIN,
                                   .print = print_fetched, .status = fetched_status };
        kd_value *params = kd_value_map();
        int r = params ? prefetch_params(params, arguments) : change_no_memory();

        if (!r)
                return show(arguments, &what, params);
        kd_value_free(params);
        return r;
}
