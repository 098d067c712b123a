#include "daemon/config_hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/hub_variable.h"
#include "daemon/option.h"
#include "daemon/token.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define HUB_ENDPOINT "https://huggingface.co"

static const char *hub_variable(const char *name)
{
        const char *value = getenv(name);

        return value && *value ? value : NULL;
}

void config_hub_preset(Config *config)
{
        const char *offline = hub_variable("HF_HUB_OFFLINE");

        if (!offline)
                offline = hub_variable("TRANSFORMERS_OFFLINE");
        config->offline = hub_variable_is_true(offline);
}

static int hub_settle_endpoint(Config *config, FaultList *faults)
{
        const Option *option = option_of_key(TEXT("hub.endpoint"));
        const char *variable = hub_variable("HF_ENDPOINT");
        Fault fault;
        int r;

        if (config->hub_endpoint)
                return 0;
        r = option_parse(option, config, text_of(variable ? variable : HUB_ENDPOINT), &fault);
        if (r > 0)
                fault_list_add(faults, TEXT("HF_ENDPOINT"), 0, 0, TEXT_NULL, "%s", fault.message);
        return r < 0 ? r : 0;
}

/* The array's texts, which stay its own; give back with alloc_free. */
static int hub_list(const TextArray *array, TextList *ret_list)
{
        Text *items = alloc_zeroed(array->n + 1, sizeof(*items));

        if (!items)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < array->n; i++)
                items[i] = text_of(array->items[i]);
        *ret_list = (TextList){ items, array->n };
        return 0;
}

static void hub_list_deinit(TextList *list)
{
        alloc_free(list->items);
}

/* Every item was checked when it was set. */
static int hub_settle_policy(Config *config, FaultList *faults)
{
        CLEANUP(hub_list_deinit) TextList allow = { 0 }, deny = { 0 }, private = { 0 };
        Fault fault;
        int r;

        r = hub_list(&config->trust_allow, &allow);
        if (r == 0)
                r = hub_list(&config->trust_deny, &deny);
        if (r == 0)
                r = hub_list(&config->trust_private, &private);
        if (r == 0)
                r = policy_new(allow, deny, private, config->trust_hub, &config->policy, &fault);
        if (r > 0)
                fault_list_add(faults, TEXT("trust"), 0, 0, TEXT_NULL, "%s", fault.message);
        return r < 0 ? r : 0;
}

static int hub_settle_token(Config *config, FaultList *faults)
{
        TokenFacts facts;
        Fault fault;
        int r;

        token_facts(config->system, config->hub_token_file, config->places.token, &facts);
        r = token_read(&facts, &config->token, &fault);
        if (r > 0)
                fault_list_add(faults, TEXT("hub.token"), 0, 0, TEXT_NULL, "%s", fault.message);
        return r < 0 ? r : 0;
}

int config_hub_settle(Config *config, FaultList *faults)
{
        int r = hub_settle_endpoint(config, faults);

        if (r == 0)
                r = hub_settle_policy(config, faults);
        return r == 0 ? hub_settle_token(config, faults) : r;
}
