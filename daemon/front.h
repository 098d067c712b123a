/* The daemon's front: its listening sockets, passed by systemd or made here,
 * and who is let in through them. */
#pragma once

#include "daemon/account.h"
#include "daemon/config.h"
#include "daemon/kernel_features.h"
#include "daemon/listen_path.h"
#include "daemon/listener.h"
#include "daemon/service.h"
#include "daemon/session.h"
#include "proto/fault.h"

/* One door. Whoever comes through the administrators' may call every method;
 * so may the users of the only door of a user's daemon. */
typedef struct Door {
        struct Front *front;
        ListenPath made; /* if systemd passed none */
        Listener *listener;
        int fd; /* of `made` or passed; -1: there is no such door */
        bool admin;
} Door;

enum { DOOR_PUBLIC, DOOR_ADMIN, _DOOR_MAX };

typedef struct Front {
        Loop *loop;
        Accounts *accounts;
        Sessions *sessions;
        const KernelFeatures *features;
        ServiceSockets passed;
        Door doors[_DOOR_MAX];
        bool private; /* a user's: nobody else but root is let in */
        bool by_cgroup;
} Front;

/* What front_deinit can take. */
void front_prepare(Front *front);

/* Takes over systemd's sockets and makes those that are missing; nobody is
 * accepted yet. 0; 1 with a fault; negative. */
int front_open(Front *front, const Config *config, Fault *fault);

/* Lets peers in. */
int front_accept(Front *front, Loop *loop, Accounts *accounts, Sessions *sessions, const KernelFeatures *features);

/* Accepts no more. */
void front_close(Front *front);

/* After the loop: closes and removes what front_open made. */
void front_deinit(Front *front);

/* For people: where clients find it. */
const char *front_describe(const Front *front);
