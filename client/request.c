/* Any method, by name; and calls that are driven by the program's own loop. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "client/client.h"
#include "client/failure.h"
#include "client/value.h"
#include "client/view.h"
#include "proto/base/alloc.h"

/* What belongs to the library's own record of the session, or comes with a
 * descriptor, has functions of its own. */
static const char *request_function(MethodNumber method)
{
        switch (method) {
        case METHOD_HELLO:
                return "kd_connect";
        case METHOD_ENVIRONMENT_SET:
                return "kd_set_environment";
        case METHOD_VIEW_CREATE:
                return "kd_view_create";
        case METHOD_VIEW_EXTEND:
                return "kd_view_extend";
        case METHOD_VIEW_DROP:
                return "kd_view_drop";
        case METHOD_ACQUIRE:
                return "kd_acquire";
        case METHOD_RELEASE:
                return "kd_kernel_free";
        default:
                return NULL;
        }
}

static int request_method(const char *name, MethodNumber *ret_method, kd_error *error)
{
        MethodNumber method = method_find(text_of(name));

        if (method == _METHOD_MAX)
                return failure_refuse(error, FAULT_UNKNOWN_METHOD, "protocol 1 has no method \"%.64s\"", name);
        if (request_function(method))
                return failure_set(error, -EINVAL, "%s is not called by name: use %s", name, request_function(method));
        *ret_method = method;
        return 0;
}

/* The caller's number of a view becomes the daemon's, in a copy of the map's
 * own array. */
static int request_translate(kd_client *client, const Value *params, Value *ret_params, kd_error *error)
{
        Value *items;
        uint32_t remote;
        int r;

        items = alloc_zeroed(params->map.n, sizeof(*items));
        if (!items)
                return failure_memory(error);
        for (size_t i = 0; i < params->map.n; ++i) {
                items[i] = params->map.items[i];
                if (!text_equal(params->map.keys[i], TEXT("view")) || items[i].kind != VALUE_INTEGER ||
                    items[i].integer < 0 || items[i].integer > UINT32_MAX)
                        continue;
                r = view_remote(client, (uint32_t)items[i].integer, &remote, error);
                if (r) {
                        alloc_free(items);
                        return r;
                }
                items[i].integer = remote;
        }
        *ret_params = *params;
        ret_params->map.items = items;
        return 0;
}

static int request_new(kd_client *client, MethodNumber method, const kd_value *params, Call **ret_call, kd_error *error)
{
        Value translated;
        int r;

        if (!params)
                return call_new_value(client, method, NULL, ret_call, error);
        if (kd_value_kind(params) != KD_MAP)
                return failure_set(error, -EINVAL, "the params of a method are a map");
        r = request_translate(client, &params->value, &translated, error);
        if (r)
                return r;
        r = call_new_value(client, method, &translated, ret_call, error);
        alloc_free(translated.map.items);
        return r;
}

/* How long the answer may take: a method that asks the Hub says it itself. */
static int64_t request_patience(const kd_client *client, MethodNumber method, const kd_value *params)
{
        const SchemaStruct *schema = method_table[method].params;
        int64_t deadline_ms = 0;

        for (size_t i = 0; i < schema->n_keys; ++i)
                if (!strcmp(schema->keys[i].name, "deadline_ms"))
                        deadline_ms = kd_value_as_integer(kd_value_get(params, "deadline_ms"), LIMIT_ACQUIRE_MS);
        if (deadline_ms < 0)
                return client->timeout_ms;
        return deadline_ms > INT64_MAX - client->timeout_ms ? INT64_MAX : deadline_ms + client->timeout_ms;
}

int kd_call(kd_client *client, const char *method, const kd_value *params, kd_value **ret_result, kd_error *error)
{
        CLEANUP(call_freep) Call *call = NULL;
        MethodNumber number;
        int r;

        r = request_method(method, &number, error);
        if (!r)
                r = client_lock(client, error);
        if (r)
                return r;
        r = request_new(client, number, params, &call, error);
        if (!r)
                r = call_run_for(&call, request_patience(client, number, params), error);
        client_unlock(client);
        return r ? r : value_decode(call->body, call->body_size, ret_result, error);
}

/* --- with a loop of one's own --- */

int kd_start(kd_client *client, const char *method, const kd_value *params, kd_done done, void *data,
             kd_pending **ret_pending, kd_error *error)
{
        MethodNumber number;
        Call *call = NULL;
        int r;

        r = request_method(method, &number, error);
        if (!r)
                r = client_lock(client, error);
        if (r)
                return r;
        r = request_new(client, number, params, &call, error);
        if (!r) {
                call->done = done;
                call->data = data;
                call_start(call);
                client_drive(client, false);
                if (call->over) {
                        call_unlist(call);
                        r = failure_copy(error, &call->error);
                        (void)call_free(call);
                } else {
                        *ret_pending = call;
                }
                (void)client_dispatch(client);
        }
        client_unlock(client);
        return r;
}

void kd_pending_cancel(kd_pending *pending)
{
        kd_client *client;

        if (!pending)
                return;
        client = pending->client;
        if (client_lock(client, NULL) < 0)
                return;
        call_abandon(pending);
        client_unlock(client);
}

int kd_fd(kd_client *client)
{
        int fd;

        if (client_lock(client, NULL) < 0)
                return -1;
        /* A broken one too: it polls as ended, so nobody waits for its successor. */
        fd = client->connection.fd;
        client_unlock(client);
        return fd;
}

short kd_events(kd_client *client)
{
        short events = POLLIN;

        if (client_lock(client, NULL) < 0)
                return 0;
        if (connection_has_output(&client->connection))
                events |= POLLOUT;
        client_unlock(client);
        return events;
}

int kd_process(kd_client *client, kd_error *error)
{
        int r = client_lock(client, error);

        if (r < 0)
                return r;
        client_drive(client, true);
        (void)client_dispatch(client);
        (void)pthread_cond_broadcast(&client->changed);
        client_unlock(client);
        return 0;
}
