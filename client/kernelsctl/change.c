#include "client/kernelsctl/change.h"

#include <stdio.h>

#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"

int change_no_memory(void)
{
        fprintf(stderr, "kernelsctl: this process has no memory left\n");
        return 1;
}

int change_call(kd_client *client, const Arguments *arguments, const char *verb, const char *method,
                const kd_value *params)
{
        kd_value *result OWNED(kd_value_freep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        kd_error error;

        if (kd_call(client, method, params, &result, &error))
                return output_error(verb, json, &error);
        if (json)
                return output_json(verb, result);
        if (!kd_value_as_bool(kd_value_get(result, "in_force")))
                fprintf(stderr, "kernelsctl: it is kept, but not in force yet: mapping files have errors; see "
                                "`kernelsctl status`\n");
        printf("changed %lld, generation %lld\n", field_number(result, "changed", 0),
               field_number(result, "generation", 0));
        return 0;
}

int change_make(const Arguments *arguments, const char *verb, const char *method, kd_value *params)
{
        kd_value *owned OWNED(kd_value_freep) = params;
        kd_client *client OWNED(kd_closep) = NULL;
        kd_error error;

        if (!owned)
                return change_no_memory();
        if (connect_client(arguments, CONNECT_ADMIN, &client, &error))
                return output_error(verb, arguments_have(arguments, OPTION_JSON), &error);
        return change_call(client, arguments, verb, method, owned);
}
