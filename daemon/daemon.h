/* The daemon as a whole: it owns everything, starts and stops it in order, and
 * swaps configuration and host mapping between two frames. main.c runs it once
 * the configuration is good. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "daemon/account.h"
#include "daemon/config.h"
#include "daemon/environment_loader.h"
#include "daemon/front.h"
#include "daemon/http.h"
#include "daemon/kernel_features.h"
#include "daemon/loop.h"
#include "daemon/mapping_loader.h"
#include "daemon/service.h"
#include "daemon/session.h"
#include "daemon/worker.h"
#include "proto/base/arena.h"
#include "proto/schema.h"

typedef struct Acquires Acquires;
typedef struct Daemon Daemon;
typedef struct Hub Hub;
typedef struct LeaseLocks LeaseLocks;
typedef struct Reload Reload;
typedef struct State State;

/* Serves until SIGTERM or SIGINT. Owns `config` from the call on, also where
 * it fails; `arguments` is what config_load took, for a reload. Returns an
 * exit status: EXIT_SUCCESS or EXIT_FAILURE. */
int daemon_run(Config *config, char *const *arguments);

/* The hub knows what there is: clients may be let in. `r` negative: it failed. */
void daemon_hub_ready(Daemon *daemon, int r);

#define DAEMON_SIGNALS 3

struct Daemon {
        Loop loop;
        Config *config;
        KernelFeatures features;
        Accounts *accounts;
        Sessions *sessions;
        Worker *worker;
        Http *http; /* of the file thread */
        MappingLoader *loader;
        EnvironmentLoader *environment_loader;
        Reload *reload;
        Watchdog *watchdog;
        LeaseLocks *locks;
        Acquires *acquires;
        Hub *hub;
        State *state;
        int state_fd;         /* the folder that is kept in, under our flock; -1: none */
        HostMapping *mapping; /* the current generation; NULL until the first load, before which nobody is let in */
        NamedEnvironments *environments; /* the last good ones of environment.d */
        Front front;
        uv_signal_t signals[DAEMON_SIGNALS];
        size_t n_signals;
        Arena arena;       /* of the request that is handled */
        MsgQuery *queries; /* of the resolve that is handled: LIMIT_QUERIES of them */
        size_t n_views;    /* of all sessions, beyond view 1 */
        size_t n_leases;   /* of all sessions */
        uint64_t started_ms;
        char instance[17]; /* 16 hexadecimal digits */
        bool failed;       /* the exit status */
};
