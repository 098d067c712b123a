#include "client/kernelsctl/show.h"

#include <errno.h>

#include "client/kernelsctl/change.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/pages.h"

static int show_pages(kd_client *client, const Show *what, kd_value *params, kd_value **ret_result, kd_error *error)
{
        kd_value *rows = NULL, *map;
        int r = pages_collect(client, what->method, what->rows, params, what->most, &rows, error);

        if (r)
                return r;
        map = kd_value_map();
        if (map && kd_value_set(map, what->rows, rows) == 0) {
                *ret_result = map;
                return 0;
        }
        if (!map)
                kd_value_free(rows);
        kd_value_free(map);
        *error = (kd_error){ .code = -ENOMEM, .name = "ENOMEM", .message = "this process has no memory left for the answer" };
        return -ENOMEM;
}

int show(const Arguments *arguments, const Show *what, kd_value *params)
{
        kd_value *owned OWNED(kd_value_freep) = params;
        kd_value *result OWNED(kd_value_freep) = NULL;
        kd_client *client OWNED(kd_closep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        kd_error error;
        int r;

        if (!owned)
                return change_no_memory();
        r = connect_client(arguments, what->purpose, &client, &error);
        if (!r)
                r = what->rows ? show_pages(client, what, owned, &result, &error) :
                                 kd_call(client, what->method, owned, &result, &error);
        if (r)
                return output_error(what->verb, json, &error);
        if (json && output_json(what->verb, result))
                return 1;
        if (!json)
                what->print(result);
        return what->status ? what->status(result) : 0;
}
