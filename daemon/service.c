#include "daemon/service.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <time.h>

#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

static void names_freep(char ***names)
{
        for (char **name = *names; name && *name; name++)
                free(*name);
        free(*names);
}

static int *service_socket_of_name(ServiceSockets *sockets, const char *name)
{
        if (!strcmp(name, "public"))
                return &sockets->public;
        if (!strcmp(name, "admin"))
                return &sockets->admin;
        return NULL;
}

/* A socket of an older or newer version's unit may be among them: what is not
 * known must not stay open. */
static void service_drop_socket(int fd, const char *name, const char *why)
{
        log_warning(SERVICE, NULL, "closing descriptor '%s' that systemd passed: %s", name, why);
        (void)close(fd);
}

static int service_take_socket(ServiceSockets *sockets, int fd, const char *name)
{
        int *slot = service_socket_of_name(sockets, name);
        int flags;

        if (!slot || *slot >= 0) {
                service_drop_socket(fd, name, slot ? "there is one of that name already" : "no such name is known");
                return 0;
        }
        if (sd_is_socket_unix(fd, SOCK_STREAM, 1, NULL, 0) <= 0) {
                service_drop_socket(fd, name, "it is not a listening Unix stream socket");
                return 0;
        }
        flags = fcntl(fd, F_GETFL);
        if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
                return error_trace(-errno);
        *slot = fd;
        return 0;
}

int service_take_sockets(ServiceSockets *ret_sockets)
{
        CLEANUP(service_sockets_deinit) ServiceSockets sockets = SERVICE_SOCKETS_NULL;
        CLEANUP(names_freep) char **names = NULL;
        int r, n;

        n = sd_listen_fds_with_names(1, &names);
        if (n < 0)
                return error_trace(n);
        for (int i = 0; i < n; i++) {
                r = service_take_socket(&sockets, SD_LISTEN_FDS_START + i, names && names[i] ? names[i] : "");
                if (r < 0)
                        return r;
        }
        *ret_sockets = sockets;
        sockets = SERVICE_SOCKETS_NULL;
        return 0;
}

void service_sockets_deinit(ServiceSockets *sockets)
{
        fd_closep(&sockets->public);
        fd_closep(&sockets->admin);
        *sockets = SERVICE_SOCKETS_NULL;
}

void service_ready(void)
{
        (void)sd_notify(0, "READY=1");
}

void service_status(const char *format, ...)
{
        char status[256];
        va_list arguments;

        va_start(arguments, format);
        (void)vsnprintf(status, sizeof(status), format, arguments);
        va_end(arguments);
        (void)sd_notifyf(0, "STATUS=%s", status);
}

void service_reload_begin(ServiceReload *reload)
{
        struct timespec now;

        if (reload->active)
                return;
        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRIu64,
                         (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u);
        reload->active = true;
}

void service_reload_end(ServiceReload *reload)
{
        if (reload->active)
                (void)sd_notify(0, "READY=1");
        reload->active = false;
}

void service_stopping(void)
{
        (void)sd_notify(0, "STOPPING=1");
}

typedef struct WatchedWorker {
        Worker *worker;
        uint64_t n_steps; /* the last time */
        bool was_busy;
} WatchedWorker;

struct Watchdog {
        uv_timer_t timer;
        WatchedWorker watched[WATCHDOG_WORKERS];
};

/* A job that came just now is not yet stuck: it must have been there the last
 * time too. */
static bool watched_is_stuck(WatchedWorker *watched)
{
        uint64_t n_steps = worker_n_steps(watched->worker);
        bool busy = !worker_is_idle(watched->worker);
        bool stuck = busy && watched->was_busy && n_steps == watched->n_steps;

        watched->n_steps = n_steps;
        watched->was_busy = busy;
        return stuck;
}

/* That the loop turns says nothing of the threads: with one stuck in a step there
 * is no ping, and systemd restarts us. */
static void watchdog_on_timer(uv_timer_t *timer)
{
        Watchdog *watchdog = timer->data;
        bool stuck = false;

        for (size_t i = 0; i < WATCHDOG_WORKERS; i++)
                stuck |= watched_is_stuck(&watchdog->watched[i]);
        if (!stuck)
                (void)sd_notify(0, "WATCHDOG=1");
}

static void watchdog_on_closed(uv_handle_t *handle)
{
        alloc_free(handle->data);
}

int watchdog_new(uv_loop_t *loop, Worker *const workers[WATCHDOG_WORKERS], Watchdog **ret_watchdog)
{
        uint64_t period_us = 0;
        uint64_t quarter_ms;
        Watchdog *watchdog;
        int r;

        r = sd_watchdog_enabled(0, &period_us);
        if (r < 0)
                return error_trace(r);
        if (r == 0) {
                *ret_watchdog = NULL;
                return 0;
        }
        watchdog = alloc_zeroed(1, sizeof(*watchdog));
        if (!watchdog)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < WATCHDOG_WORKERS; i++)
                watchdog->watched[i].worker = workers[i];
        watchdog->timer.data = watchdog;
        (void)uv_timer_init(loop, &watchdog->timer);
        quarter_ms = period_us / 4000 ? period_us / 4000 : 1;
        (void)uv_timer_start(&watchdog->timer, watchdog_on_timer, 0, quarter_ms);
        *ret_watchdog = watchdog;
        return 0;
}

void watchdog_close(Watchdog *watchdog)
{
        if (watchdog)
                uv_close((uv_handle_t *)&watchdog->timer, watchdog_on_closed);
}
