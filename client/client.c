#include "client/client.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "client/failure.h"
#include "client/offline.h"
#include "proto/base/alloc.h"

#define TIMEOUT_MS 5000 /* nscd's default for the same purpose */

static int64_t clock_monotonic_ms(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int client_init_lock(kd_client *client)
{
        pthread_condattr_t attribute;
        int r = pthread_condattr_init(&attribute);

        if (!r) {
                (void)pthread_condattr_setclock(&attribute, CLOCK_MONOTONIC);
                r = pthread_cond_init(&client->changed, &attribute);
                (void)pthread_condattr_destroy(&attribute);
        }
        if (!r)
                r = pthread_mutex_init(&client->lock, NULL);
        return -r;
}

/* In a child: the connection is the parent's. What is inside the lock may have
 * been caught in the middle of a change by another thread; the record of views
 * is whole unless it was that which changed. */
static void client_settle(kd_client *client)
{
        bool torn = client->locked;

        (void)client_init_lock(client);
        connection_forget(&client->connection, torn);
        calls_forget(client, torn);
        if (torn)
                client->locals = LOCAL_NUMBERS_NULL;
        client->torn = client->torn || client->recording;
        client->broken = client->leading = client->locked = client->changing = client->recording = false;
        wake_close(&client->wake);
        client->greeting = GREETING_NONE;
        ++client->epoch;
}

bool client_relock(kd_client *client)
{
        bool forked = fork_guard_strikes(&client->guard);

        if (forked) {
                client_settle(client);
                fork_guard_settle(&client->guard);
        }
        (void)pthread_mutex_lock(&client->lock);
        client->locked = true;
        return !forked;
}

int client_lock(kd_client *client, kd_error *error)
{
        int r = 0;

        (void)client_relock(client);
        if (!client->torn && !wake_is_open(&client->wake))
                r = wake_open(&client->wake);
        if (!client->torn && !r)
                return 0;
        client_unlock(client);
        if (r < 0)
                return failure_set(error, r, "no pipe can be made (%s): raise the limit on open files",
                                   strerrordesc_np(-r));
        return failure_set(error, -ESTALE, "this process was forked while another thread changed views: make a client "
                                           "of its own with kd_connect");
}

void client_unlock(kd_client *client)
{
        client->locked = false;
        (void)pthread_mutex_unlock(&client->lock);
}

kd_client *client_ref(kd_client *client)
{
        (void)__atomic_fetch_add(&client->n_users, 1, __ATOMIC_RELAXED);
        return client;
}

kd_client *client_unref(kd_client *client)
{
        if (!client || __atomic_sub_fetch(&client->n_users, 1, __ATOMIC_ACQ_REL))
                return NULL;
        while (client->views) {
                ViewRecord *view = client->views;

                client->views = view->next;
                (void)view_record_free(view);
        }
        local_numbers_clear(&client->locals);
        client_environment_deinit(&client->environment);
        arena_deinit(&client->texts);
        alloc_free(client->named);
        alloc_free(client->program);
        alloc_free(client->job);
        wake_close(&client->wake);
        fork_guard_deinit(&client->guard);
        (void)pthread_cond_destroy(&client->changed);
        (void)pthread_mutex_destroy(&client->lock);
        alloc_free(client);
        return NULL;
}

/* 0 or -ENOMEM; NULL stays NULL. */
static int option_copy(const char *option, char **ret_copy)
{
        if (!option)
                return 0;
        *ret_copy = alloc_text(option, strlen(option));
        return *ret_copy ? 0 : -ENOMEM;
}

static int client_copy_options(kd_client *client, const kd_options *options)
{
        const char *program = options->client ? options->client : "libkernelsd " KERNELSD_VERSION;

        client->timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS;
        client->native = options->native;
        client->offline = options->offline < 0 ? offline_by_environment() : options->offline > 0;
        if (option_copy(program, &client->program) < 0 || option_copy(options->socket, &client->named) < 0 ||
            option_copy(options->job, &client->job) < 0)
                return -ENOMEM;
        return client_environment_init(&client->environment, options->environment);
}

DEFINE_CLEANUP(kd_client *, client_unref)

static int client_new(const kd_options *options, kd_client **ret_client)
{
        CLEANUP_ALLOC kd_client *fresh = alloc_zeroed(1, sizeof(*fresh));
        CLEANUP(client_unrefp) kd_client *client = NULL;
        int r;

        if (!fresh)
                return -ENOMEM;
        r = client_init_lock(fresh);
        if (r < 0)
                return r;
        client = STEAL(fresh);
        client->n_users = 1;
        client->connection = CONNECTION_NULL;
        client->wake = WAKE_NULL;
        client->clock_ms = clock_monotonic_ms;
        client->next_view = KD_VIEW_SESSION + 1;
        r = fork_guard_init(&client->guard);
        if (!r)
                r = client_copy_options(client, options);
        if (r < 0)
                return r;
        client->views = view_record_new(KD_VIEW_SESSION, true);
        if (!client->views)
                return -ENOMEM;
        *ret_client = STEAL(client);
        return 0;
}

int kd_connect(const kd_options *options, kd_client **ret_client, kd_error *error)
{
        static const kd_options defaults = KD_OPTIONS_INIT;
        kd_client *client;
        int64_t deadline;
        int r;

        r = client_new(options ? options : &defaults, &client);
        if (r < 0)
                return r == -ENOMEM ? failure_memory(error) :
                                      failure_set(error, r, "no client can be made: %s", strerrordesc_np(-r));
        r = client_lock(client, error);
        if (!r) {
                deadline = client_deadline(client, client->timeout_ms);
                r = client_ensure(client, client->timeout_ms, deadline, error);
                client_unlock(client);
        }
        if (r) {
                (void)kd_close(client);
                return r;
        }
        *ret_client = client;
        return 0;
}

/* What is still to be sent is only what gives leases back; the session's end
 * does that too. */
kd_client *kd_close(kd_client *client)
{
        if (!client)
                return NULL;
        if (client_lock(client, NULL) == 0) {
                client->closed = true;
                connection_close(&client->connection);
                calls_forget(client, false);
                client_unlock(client);
        }
        return client_unref(client);
}

const char *kd_daemon_version(kd_client *client)
{
        const char *daemon;

        if (client_lock(client, NULL) < 0)
                return NULL;
        daemon = client->daemon;
        client_unlock(client);
        return daemon;
}

int kd_set_environment(kd_client *client, const kd_environment *environment, kd_error *error)
{
        CLEANUP(client_environment_deinit) ClientEnvironment fresh = CLIENT_ENVIRONMENT_NULL;
        CLEANUP(call_freep) Call *call = NULL;
        MsgEnvironmentSet message;
        int r;

        r = client_environment_init(&fresh, environment);
        if (r < 0)
                return failure_memory(error);
        message = (MsgEnvironmentSet){ .environment = &fresh.message, .native = client->native };
        r = call_new(client, METHOD_ENVIRONMENT_SET, &message, &call, error);
        if (!r)
                r = client_lock(client, error);
        if (r)
                return r;
        r = call_run(&call, error);
        if (!r) {
                ClientEnvironment old = client->environment;

                client->recording = true;
                client->environment = fresh;
                client->recording = false;
                fresh = old;
        }
        client_unlock(client);
        return r;
}
