#include "daemon/daemon.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/acquire.h"
#include "daemon/dispatch.h"
#include "daemon/holdings.h"
#include "daemon/hub_task.h"
#include "daemon/hub_verify.h"
#include "daemon/lease.h"
#include "daemon/config_limits.h"
#include "daemon/log.h"
#include "daemon/reload.h"
#include "daemon/state.h"
#include "daemon/user_agent.h"
#include "kernels/host_mapping.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Steps take milliseconds, on a slow disk some seconds; our unit's
 * TimeoutStopSec= is 15 s. Guess. */
#define STOP_PATIENCE_MS 5000

/* --- while it runs --- */

static void daemon_fail(Daemon *daemon, const char *what, int r)
{
        LogFields fields = LOG_FIELDS_NULL;

        fields.error = -r;
        log_error(FAILURE, &fields, "%s: %s", what, strerrordesc_np(-r));
        daemon->failed = true;
        loop_stop(&daemon->loop);
}

static void daemon_tell_status(const Daemon *daemon)
{
        const HostMapping *mapping = daemon->mapping;
        uint32_t n_layers = mapping->index.header->n_layers;

        service_status("serving %" PRIu32 " layer%s, generation %" PRIu64 "%s", n_layers, n_layers == 1 ? "" : "s",
                       mapping->generation, mapping->n_faults ? "; the newest mapping files are faulty" : "");
}

/* Once there is a mapping and what the cache holds is known. */
static void daemon_let_in(Daemon *daemon)
{
        int r;

        if (!daemon->mapping || !daemon->hub->ready)
                return;
        r = front_accept(&daemon->front, &daemon->loop, daemon->accounts, daemon->sessions, &daemon->features);
        if (r < 0) {
                daemon_fail(daemon, "cannot accept connections", r);
                return;
        }
        log_notice(START, NULL, "kernelsd " KERNELSD_VERSION " serves %s at %s",
                   daemon->config->system ? "the host" : "its user", front_describe(&daemon->front));
        service_ready();
}

/* MappingLoaderOwner.loaded: a new generation, between two frames. */
static void daemon_adopt_mapping(void *data, HostMapping *mapping)
{
        Daemon *daemon = data;
        bool first = !daemon->mapping;

        host_mapping_unref(daemon->mapping);
        daemon->mapping = mapping;
        if (!first)
                return;
        daemon_let_in(daemon);
}

void daemon_hub_ready(Daemon *daemon, int r)
{
        if (r < 0)
                daemon_fail(daemon, "cannot look through the cache", r);
        else
                daemon_let_in(daemon);
}

/* MappingLoaderOwner.finished. Without even an empty mapping nobody would ever
 * be let in: a new start may have the memory. */
static void daemon_mapping_finished(void *data)
{
        Daemon *daemon = data;

        if (daemon->mapping)
                daemon_tell_status(daemon);
        else
                daemon_fail(daemon, "cannot make the first mapping", -ENOMEM);
        if (daemon->reload)
                reload_mapping_finished(daemon->reload);
        if (daemon->mapping)
                state_mapping_finished(daemon->state);
}

/* EnvironmentLoaderOwner.loaded. */
static void daemon_adopt_environments(void *data, NamedEnvironments *environments)
{
        Daemon *daemon = data;

        named_environments_unref(daemon->environments);
        daemon->environments = environments;
}

/* StateOwner.opened. */
static void daemon_take_facts(void *data, Facts *facts)
{
        Daemon *daemon = data;

        hub_begin(daemon->hub, facts);
}

/* MappingLoaderOwner.keep. */
static void daemon_keep_files(void *data, KeptFiles *files)
{
        Daemon *daemon = data;

        state_keep_files(daemon->state, files);
}

/* A good new configuration: what can change while sessions run does. */
static void daemon_adopt_config(void *data, Config *config)
{
        Daemon *daemon = data;
        AccountLimits accounts;
        SessionLimits sessions;

        config_free(daemon->config);
        daemon->config = config;
        log_level_set(config->log_level);
        config_limits(config, descriptors_raise_limit(), &accounts, &sessions);
        accounts_set_limits(daemon->accounts, &accounts);
        sessions_set_limits(daemon->sessions, &sessions);
}

/* SessionOwner.closed. */
static void daemon_session_closed(void *data, Session *session)
{
        Daemon *daemon = data;

        if (!session->holdings)
                return;
        acquire_forget_session(session);
        hub_task_forget_session(daemon->hub, session);
        hub_verify_forget_session(daemon->hub, session);
        state_forget_session(daemon->state, session);
        daemon->n_views -= holdings_n_views(session->holdings);
        daemon->n_leases -= session->holdings->n_leases;
        hub_forget_memory(daemon->hub, STEAL(session->holdings->memory));
        session->holdings = holdings_free(session->holdings);
}

static void daemon_on_signal(uv_signal_t *handle, int number)
{
        Daemon *daemon = handle->data;

        if (number == SIGHUP) {
                environment_loader_load(daemon->environment_loader);
                reload_start(daemon->reload);
                return;
        }
        service_stopping();
        log_notice(START, NULL, "stopping on signal %d", number);
        loop_stop(&daemon->loop);
}

/* --- start --- */

static int daemon_make_instance(Daemon *daemon)
{
        uint64_t random;

        if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
                return error_trace(-errno);
        (void)snprintf(daemon->instance, sizeof(daemon->instance), "%016" PRIx64, random);
        return 0;
}

static int daemon_watch_signals(Daemon *daemon)
{
        static const int numbers[DAEMON_SIGNALS] = { SIGTERM, SIGINT, SIGHUP };
        int r;

        (void)signal(SIGPIPE, SIG_IGN);
        (void)signal(SIGXFSZ, SIG_IGN); /* a file over RLIMIT_FSIZE is a disk that is full */
        for (; daemon->n_signals < DAEMON_SIGNALS; daemon->n_signals++) {
                uv_signal_t *handle = &daemon->signals[daemon->n_signals];

                r = uv_signal_init(&daemon->loop.uv, handle);
                if (r < 0)
                        return error_trace(r);
                handle->data = daemon;
                (void)uv_signal_start(handle, daemon_on_signal, numbers[daemon->n_signals]);
        }
        return 0;
}

static int daemon_make_sessions(Daemon *daemon)
{
        const SessionOwner owner = { .data = daemon, .frame = dispatch_frame, .closed = daemon_session_closed };
        AccountLimits account_limits;
        SessionLimits session_limits;
        int r;

        config_limits(daemon->config, descriptors_raise_limit(), &account_limits, &session_limits);
        daemon->queries = alloc_bytes(LIMIT_QUERIES * sizeof(*daemon->queries));
        if (!daemon->queries)
                return error_trace(-ENOMEM);
        r = accounts_new(&account_limits, &daemon->accounts);
        if (r == 0)
                r = sessions_new(&daemon->loop, daemon->accounts, &session_limits, owner, &daemon->sessions);
        return r == 0 ? acquires_new(daemon, &daemon->acquires) : r;
}

static int daemon_make_environments(Daemon *daemon)
{
        const EnvironmentLoaderOwner owner = { .data = daemon, .loaded = daemon_adopt_environments };
        int r = named_environments_new(0, &daemon->environments);

        if (r < 0)
                return r;
        return environment_loader_new(&daemon->loop.uv, daemon->worker, &daemon->config->places, owner,
                                      &daemon->environment_loader);
}

static int daemon_make_http(Daemon *daemon)
{
        char user_agent[USER_AGENT_SIZE];

        user_agent_make(user_agent);
        return http_new(daemon->worker, &(HttpOptions){ .user_agent = user_agent, .ca_file = daemon->config->hub_ca_file }, &daemon->http);
}

static int daemon_make_workers(Daemon *daemon, char *const *arguments)
{
        const MappingLoaderOwner owner = {
                .data = daemon, .loaded = daemon_adopt_mapping, .finished = daemon_mapping_finished,
                .keep = daemon->config->state_dir ? daemon_keep_files : NULL,
        };
        const StateOwner state_owner = { .data = daemon, .opened = daemon_take_facts };
        uv_loop_t *loop = &daemon->loop.uv;
        int r;

        r = worker_new(loop, &daemon->worker);
        if (r == 0)
                r = daemon_make_http(daemon);
        if (r == 0)
                r = lease_locks_new(&daemon->loop, daemon->worker, &daemon->locks);
        if (r == 0)
                r = daemon_make_environments(daemon);
        if (r == 0)
                r = state_new(daemon, daemon->config->state_dir, state_owner, &daemon->state);
        if (r == 0)
                r = mapping_loader_new(loop, daemon->worker, &daemon->config->places, owner, &daemon->loader);
        if (r == 0)
                r = reload_new(daemon->worker, daemon->loader, arguments, daemon->config, daemon_adopt_config, daemon,
                               &daemon->reload);
        if (r < 0)
                return r;
        return watchdog_new(loop, (Worker *[]){ daemon->worker, state_worker(daemon->state) }, &daemon->watchdog);
}

static int daemon_take_state_folder(Daemon *daemon, Fault *fault)
{
        const char *folder = daemon->config->state_dir;

        return folder ? state_take_folder(folder, &daemon->state_fd, fault) : 0;
}

static int daemon_start(Daemon *daemon, char *const *arguments, Fault *fault)
{
        int r;

        kernel_features_try(&daemon->features, secure_getenv("KERNELSD_TEST_WITHOUT"));
        daemon->started_ms = loop_now_ms(&daemon->loop);
        r = front_open(&daemon->front, daemon->config, fault);
        if (r == 0)
                r = daemon_take_state_folder(daemon, fault);
        if (r == 0)
                r = hub_new(daemon, &daemon->hub, fault);
        if (r == 0)
                r = daemon_make_instance(daemon);
        if (r == 0)
                r = daemon_make_sessions(daemon);
        if (r == 0)
                r = daemon_make_workers(daemon, arguments);
        if (r == 0)
                r = daemon_watch_signals(daemon);
        if (r != 0)
                return r;
        /* Before the first mapping, with which clients are let in. */
        environment_loader_load(daemon->environment_loader);
        state_begin(daemon->state);
        return 0;
}

/* --- stop: those who use others go first --- */

/* A step that does not end hangs in a system call, of a network file system
 * perhaps, and would keep the process from ending. Everything else is closed;
 * what the step holds goes with the process. */
static void daemon_leave(Daemon *daemon)
{
        log_error(FAILURE, NULL, "the file thread or the store thread hangs in a system call; stopping without it");
        front_deinit(&daemon->front);
        _exit(EXIT_FAILURE);
}

static void daemon_stop(Daemon *daemon)
{
        state_stop(daemon->state);
        front_close(&daemon->front);
        sessions_close(daemon->sessions);
        hub_stop(daemon->hub);
        acquires_close(daemon->acquires);
        reload_close(daemon->reload);
        daemon->reload = NULL;
        if (daemon->loader)
                mapping_loader_close(daemon->loader);
        environment_loader_close(daemon->environment_loader);
        if (daemon->watchdog)
                watchdog_close(daemon->watchdog);
        if (daemon->worker) {
                if (!worker_stop(daemon->worker, STOP_PATIENCE_MS))
                        daemon_leave(daemon);
                worker_close(daemon->worker);
        }
        http_close(daemon->http);
        if (!state_close(daemon->state, STOP_PATIENCE_MS))
                daemon_leave(daemon);
        lease_locks_close(daemon->locks);
        for (size_t i = 0; i < daemon->n_signals; i++)
                uv_close((uv_handle_t *)&daemon->signals[i], NULL);
}

static void daemon_free_values(Daemon *daemon)
{
        accounts_free(daemon->accounts);
        host_mapping_unref(daemon->mapping);
        named_environments_unref(daemon->environments);
        hub_free(daemon->hub);
        alloc_free(daemon->queries);
        arena_deinit(&daemon->arena);
        front_deinit(&daemon->front);
        config_free(daemon->config);
        if (daemon->state_fd >= 0)
                (void)close(daemon->state_fd);
}

static void daemon_not_started(Daemon *daemon, const char *why)
{
        daemon->failed = true;
        log_error(START, NULL, "kernelsd does not start: %s", why);
}

static void daemon_serve(Daemon *daemon, char *const *arguments)
{
        Fault fault = FAULT_NULL;
        int r;

        r = daemon_start(daemon, arguments, &fault);
        if (r == 0)
                loop_run(&daemon->loop);
        else
                daemon_not_started(daemon, r > 0 ? fault.message : strerrordesc_np(-r));
        daemon_stop(daemon);
        loop_deinit(&daemon->loop);
}

int daemon_run(Config *config, char *const *arguments)
{
        static Daemon daemon; /* large, one a process, and loop handles must not move */
        int r;

        daemon = (Daemon){ .config = config, .state_fd = -1 };
        front_prepare(&daemon.front);
        log_open(config->log_level);
        r = loop_init(&daemon.loop);
        if (r == 0)
                daemon_serve(&daemon, arguments);
        else
                daemon_not_started(&daemon, strerrordesc_np(-r));
        daemon_free_values(&daemon);
        log_close();
        return daemon.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
