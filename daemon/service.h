/* What systemd gives and wants: listening sockets, readiness, status text,
 * watchdog. Without systemd every call does nothing. The only file that knows
 * sd-daemon.h. */
#pragma once

#include <stdbool.h>
#include <uv.h>

#include "daemon/worker.h"
#include "proto/base/cleanup.h"

/* Listening sockets that were passed; -1 where there is none. Owned. */
typedef struct ServiceSockets {
        int public;
        int admin;
} ServiceSockets;

#define SERVICE_SOCKETS_NULL ((ServiceSockets){ -1, -1 })

/* Takes them out of the environment, by name ("public", "admin"), makes them
 * close-on-exec and non-blocking, closes and logs what it does not know. Before
 * the first thread. 0; negative. */
int service_take_sockets(ServiceSockets *ret_sockets);
void service_sockets_deinit(ServiceSockets *sockets);

/* READY=1, once, when listeners and mapping are live. */
void service_ready(void);

/* "serving 37 layers, 4 clients"; one line. */
void service_status(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* RELOADING=1; whoever holds the guard ends it, on every way out, which sends
 * READY=1. */
typedef struct ServiceReload {
        bool active;
} ServiceReload;

#define SERVICE_RELOAD_NULL ((ServiceReload){ false })

void service_reload_begin(ServiceReload *reload);
void service_reload_end(ServiceReload *reload); /* also of one that never began */

/* STOPPING=1, first thing on SIGTERM. */
void service_stopping(void);

/* Pings four times in the period that systemd asks for, from the loop, unless
 * one of the two threads has been in one and the same step since the time before.
 * NULL where no watchdog is wanted. */
#define WATCHDOG_WORKERS 2
typedef struct Watchdog Watchdog;
int watchdog_new(uv_loop_t *loop, Worker *const workers[WATCHDOG_WORKERS], Watchdog **ret_watchdog);
void watchdog_close(Watchdog *watchdog); /* freed in its close callback */
