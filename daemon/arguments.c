#include "daemon/arguments.h"

#include <string.h>

#include "daemon/option.h"

static bool arguments_take_action(const char *value, Action *action)
{
        static const struct {
                const char *flag;
                Action action;
        } actions[] = {
                { "--help", ACTION_HELP }, { "-h", ACTION_HELP },
                { "--version", ACTION_VERSION }, { "--check-config", ACTION_CHECK },
        };

        for (size_t i = 0; i < ARRAY_SIZE(actions); i++) {
                if (strcmp(value, actions[i].flag) != 0)
                        continue;
                /* --help beside anything else is help. */
                if (*action != ACTION_HELP)
                        *action = actions[i].action;
                return true;
        }
        return false;
}

/* --key=value, --key value, or --key of a BOOL. Steps `values` to the last
 * argument that was used. */
static int arguments_take_option(char *const **values, Config *config, Fault *fault)
{
        const char *argument = **values;
        const char *equals = strchr(argument, '=');
        Text flag = { argument, equals ? (size_t)(equals - argument) : strlen(argument) };
        const Option *option = option_of_flag(flag);

        if (!option)
                return fault_set(fault, FAULT_BAD_REQUEST, "there is no option %.*s; --help lists them", TEXT_PRINT(flag));
        if (equals)
                return option_parse(option, config, text_of(equals + 1), fault);
        if (option->kind == OPTION_BOOL)
                return option_set_boolean(option, config, true, fault);
        if (!(*values)[1])
                return fault_set(fault, FAULT_BAD_REQUEST, "%s wants a value: %s %s", argument, argument, option->argument);
        (*values)++;
        return option_parse(option, config, text_of(**values), fault);
}

int arguments_apply(char *const *values, Config *config, Arguments *ret_arguments, Fault *fault)
{
        Arguments arguments = { .action = ACTION_RUN };
        int r;

        for (; *values && (*values)[0] == '-' && (*values)[1]; values++) {
                if (!strcmp(*values, "--")) {
                        values++;
                        break;
                }
                if (arguments_take_action(*values, &arguments.action))
                        continue;
                r = arguments_take_option(&values, config, fault);
                if (r != 0)
                        return r;
        }
        arguments.files = values;
        while (values[arguments.n_files])
                arguments.n_files++;
        if (arguments.n_files > 0 && arguments.action == ACTION_RUN)
                return fault_set(fault, FAULT_BAD_REQUEST, "'%s' is no option; only --check-config takes files", *values);
        *ret_arguments = arguments;
        return 0;
}
