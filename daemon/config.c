#include "daemon/config.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/arguments.h"
#include "daemon/config_file.h"
#include "daemon/config_hub.h"
#include "daemon/option.h"
#include "daemon/token.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

int config_new(Config **ret_config)
{
        Config *config = alloc_zeroed(1, sizeof(*config));

        if (!config)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < option_n(); i++)
                option_set_preset(option_at(i), config);
        *ret_config = config;
        return 0;
}

Config *config_free(Config *config)
{
        if (!config)
                return NULL;
        for (size_t i = 0; i < option_n(); i++)
                option_clear(option_at(i), config);
        places_deinit(&config->places);
        policy_unref(config->policy);
        token_free(config->token);
        alloc_free(config);
        return NULL;
}

/* A variable that is empty counts as not set. */
static int config_apply_environment(Config *config, FaultList *faults)
{
        char name[OPTION_NAME_SIZE];
        const char *value;
        Fault fault;
        int r;

        for (size_t i = 0; i < option_n(); i++) {
                option_environment(option_at(i), name);
                value = getenv(name);
                if (!value || !*value)
                        continue;
                r = option_parse(option_at(i), config, text_of(value), &fault);
                if (r < 0)
                        return r;
                if (r > 0)
                        fault_list_add(faults, text_of(name), 0, 0, TEXT_NULL, "%s", fault.message);
        }
        return 0;
}

static int config_apply_arguments(Config *config, char *const *values, FaultList *faults)
{
        Arguments arguments;
        Fault fault;
        int r;

        r = arguments_apply(values, config, &arguments, &fault);
        if (r > 0)
                fault_list_add(faults, TEXT("command line"), 0, 0, TEXT_NULL, "%s", fault.message);
        return r < 0 ? r : 0;
}

/* What does not come from files, for its own sake and to know where they are. */
static int config_apply_outer(Config *config, char *const *arguments, FaultList *faults)
{
        int r;

        r = config_apply_environment(config, faults);
        if (r < 0)
                return r;
        return config_apply_arguments(config, arguments, faults);
}

static int config_find_places(char *const *arguments, Places *places, FaultList *faults)
{
        CLEANUP(config_freep) Config *outer = NULL;
        PlacesFacts facts;
        int r;

        r = config_new(&outer);
        if (r < 0)
                return r;
        r = config_apply_outer(outer, arguments, faults);
        if (r < 0 || faults->n > 0)
                return r;
        places_facts(outer->system, outer->config_dir, &facts);
        r = places_init(places, &facts);
        if (r == -ENOENT) {
                fault_list_add(faults, TEXT("environment"), 0, 0, TEXT_NULL,
                               "no home is known; set HOME or XDG_CONFIG_HOME, or use --config-dir");
                return 0;
        }
        return r;
}

static int config_copy_text(char **to, const char *from)
{
        if (*to || !from)
                return 0;
        *to = alloc_text(from, strlen(from));
        return *to ? 0 : error_trace(-ENOMEM);
}

/* Options go before the places. */
static int config_settle_places(Config *config)
{
        int r;

        if (config->socket) {
                alloc_free(config->places.runtime);
                config->places.runtime = NULL;
        }
        r = config_copy_text(&config->socket, config->places.socket);
        if (r < 0)
                return r;
        r = config_copy_text(&config->state_dir, config->places.state);
        if (r < 0)
                return r;
        r = config_copy_text(&config->cache_dir, config->places.cache);
        if (r < 0)
                return r;
        return config_copy_text(&config->admin_socket, config->places.admin_socket);
}

/* Files, then what goes over them, then what only the whole shows. */
static int config_apply(char *const *arguments, Config *config, FaultList *faults)
{
        int r;

        config_hub_preset(config);
        r = config_files_apply(&config->places, config, faults);
        if (r == 0)
                r = config_apply_outer(config, arguments, faults);
        if (r == 0)
                r = config_settle_places(config);
        return r == 0 ? config_hub_settle(config, faults) : r;
}

int config_load(char *const *arguments, Config **ret_config, FaultList *faults)
{
        CLEANUP(config_freep) Config *config = NULL;
        int r;

        r = config_new(&config);
        if (r < 0)
                return r;
        r = config_find_places(arguments, &config->places, faults);
        if (r < 0 || faults->n > 0)
                return r < 0 ? r : 1;
        r = config_apply(arguments, config, faults);
        if (r < 0)
                return r;
        if (faults->n > 0)
                return 1;
        if (faults->failed)
                return error_trace(-ENOMEM);
        *ret_config = STEAL(config);
        return 0;
}

int config_keep_start_options(Config *config, const Config *current, Arena *arena, Text *ret_changed)
{
        Text changed = TEXT("");
        int r;

        for (size_t i = 0; i < option_n(); i++) {
                const Option *option = option_at(i);

                if (option->reload == OPTION_LIVE || option_equal(option, config, current))
                        continue;
                r = option_copy(option, config, current);
                if (r < 0)
                        return r;
                changed = arena_format(arena, "%.*s%s%s", TEXT_PRINT(changed), changed.size ? ", " : "", option->key);
                if (!changed.data)
                        return error_trace(-ENOMEM);
        }
        *ret_changed = changed;
        return 0;
}
