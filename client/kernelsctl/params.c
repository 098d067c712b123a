#include "client/kernelsctl/params.h"

#include <stdio.h>

#include "client/kernelsctl/change.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/query.h"

#define EXIT_USAGE 2
#define DEADLINE_MAX_S 86400 /* a day: longer nobody watches */

int deadline_from_arguments(const Arguments *arguments, int64_t *ret_deadline_ms)
{
        const char *text = arguments->values[OPTION_DEADLINE];
        int64_t seconds = 0;

        if (text && (number_parse(text, &seconds) < 0 || seconds < 1 || seconds > DEADLINE_MAX_S)) {
                fprintf(stderr, "kernelsctl: --deadline takes 1 to %d seconds; not \"%s\"\n", DEADLINE_MAX_S, text);
                return EXIT_USAGE;
        }
        *ret_deadline_ms = seconds * 1000;
        return 0;
}

int version_from_arguments(const Arguments *arguments, bool must, int64_t *ret_version)
{
        const char *text = arguments->values[OPTION_VERSION];
        bool revision = arguments_have(arguments, OPTION_REVISION);
        int64_t version = -1;

        if (text && number_parse(text, &version) < 0) {
                fprintf(stderr, "kernelsctl: --version takes a whole number; not \"%s\". Branches, tags and commits go "
                                "with --revision\n", text);
                return EXIT_USAGE;
        }
        if ((text && revision) || (must && !text && !revision)) {
                fprintf(stderr, "kernelsctl: a repository goes with one of --version and --revision\n");
                return EXIT_USAGE;
        }
        *ret_version = version;
        return 0;
}

int params_set_repository(kd_value *params, const Arguments *arguments, const char *repo, bool must)
{
        int64_t version;
        int r = version_from_arguments(arguments, must, &version);

        if (r)
                return r;
        if (field_set_text(params, "repo", repo) < 0 || field_set_number(params, "version", version) < 0 ||
            field_set_text(params, "revision", arguments->values[OPTION_REVISION]) < 0)
                return change_no_memory();
        return 0;
}

int params_set_device(kd_value *params, const Arguments *arguments)
{
        int64_t capability;
        int r = capability_from_arguments(arguments, &capability);

        if (r)
                return r;
        if (field_set_text(params, "device", arguments->values[OPTION_DEVICE]) < 0 ||
            field_set_number(params, "capability", capability) < 0 ||
            field_set_text(params, "arch", arguments->values[OPTION_ARCH]) < 0)
                return change_no_memory();
        return 0;
}

int params_set_deadline(kd_value *params, const Arguments *arguments)
{
        int64_t deadline_ms;
        int r = deadline_from_arguments(arguments, &deadline_ms);

        if (!r && deadline_ms && field_set_number(params, "deadline_ms", deadline_ms) < 0)
                r = change_no_memory();
        return r;
}
