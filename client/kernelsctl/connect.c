#include "client/kernelsctl/connect.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/kernelsctl/environment.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/pages.h"

#define SYSTEM_SOCKET "/run/kernelsd/kernelsd.sock"
#define ADMIN_SOCKET "/run/kernelsd-admin/admin.sock"

static const char *socket_from_arguments(const Arguments *arguments, ConnectFor purpose)
{
        if (arguments_have(arguments, OPTION_SOCKET))
                return arguments->values[OPTION_SOCKET];
        if (!arguments_have(arguments, OPTION_SYSTEM))
                return NULL;
        return purpose == CONNECT_ADMIN && access(ADMIN_SOCKET, W_OK) == 0 ? ADMIN_SOCKET : SYSTEM_SOCKET;
}

/* Whether the library, left to choose, found the host's daemon. */
static bool client_is_system(kd_client *client)
{
        kd_value *status OWNED(kd_value_freep) = NULL;

        return kd_call(client, "status", NULL, &status, NULL) == 0 &&
               kd_value_as_bool(kd_value_get(status, "system"));
}

/* Where nothing names a socket and the host's daemon is the one that answers,
 * a verb for administrators goes to its admin socket if it may. */
static int connect_to_admin(const kd_options *options, kd_client **client, kd_error *error)
{
        kd_options admin = *options;
        kd_client *better;
        int r;

        if (options->socket || getenv("KERNELSD_SOCKET") || access(ADMIN_SOCKET, W_OK) != 0 ||
            !client_is_system(*client))
                return 0;
        admin.socket = ADMIN_SOCKET;
        r = kd_connect(&admin, &better, error);
        if (r)
                return r;
        kd_close(*client);
        *client = better;
        return 0;
}

/* Asks for the environment of another session and takes it over. */
static int environment_like(kd_client *client, const char *number, kd_error *error)
{
        kd_value *params OWNED(kd_value_freep) = kd_value_map();
        kd_value *clients OWNED(kd_value_freep) = NULL;
        kd_environment environment;
        char *end;
        long long session = strtoll(number, &end, 10);
        int r;

        if (*end || end == number) {
                *error = (kd_error){ .code = KD_INVALID_NAME, .name = "invalid-name" };
                (void)snprintf(error->message, sizeof(error->message),
                               "--like takes the number of a session, as `kernelsctl clients` shows it; not \"%s\"",
                               number);
                return error->code;
        }
        r = pages_collect(client, "clients", "clients", params, SIZE_MAX, &clients, error);
        if (r)
                return r;
        for (size_t i = 0; i < kd_value_count(clients); i++) {
                const kd_value *row = kd_value_at(clients, i);

                if (field_number(row, "session", -1) != session)
                        continue;
                environment_from_value(kd_value_get(row, "environment"), &environment);
                return kd_set_environment(client, &environment, error);
        }
        *error = (kd_error){ .code = KD_INVALID_NAME, .name = "invalid-name" };
        (void)snprintf(error->message, sizeof(error->message),
                       "no session %lld that you may see; `kernelsctl clients` shows those there are", session);
        return error->code;
}

int connect_client(const Arguments *arguments, ConnectFor purpose, kd_client **ret_client, kd_error *error)
{
        kd_client *client OWNED(kd_closep) = NULL;
        EnvironmentTexts texts;
        kd_environment environment;
        kd_options options = KD_OPTIONS_INIT;
        int r = environment_from_arguments(arguments, &texts, &environment, error);

        if (r)
                return r;
        options.socket = socket_from_arguments(arguments, purpose);
        options.client = "kernelsctl " KERNELSD_VERSION;
        options.environment = &environment;
        options.native = arguments_have(arguments, OPTION_NATIVE);
        options.job = arguments->values[OPTION_JOB];
        if (arguments_have(arguments, OPTION_OFFLINE))
                options.offline = 1;
        r = kd_connect(&options, &client, error);
        if (r)
                return r;
        if (purpose == CONNECT_ADMIN)
                r = connect_to_admin(&options, &client, error);
        if (!r && arguments_have(arguments, OPTION_LIKE))
                r = environment_like(client, arguments->values[OPTION_LIKE], error);
        if (r)
                return r;
        *ret_client = client;
        client = NULL;
        return 0;
}
