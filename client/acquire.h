/* Acquires: what is asked for, and waiting for any number of them. */
#pragma once

#include "client/client.h"

/* One acquire. */
typedef struct Acquire {
        MsgAcquire message;
        MsgQuery query; /* the message's, where that is by query */
        Call *call;     /* once started, until taken; owned */
} Acquire;

/* Acquires that wait at the same time. */
typedef struct Acquires {
        kd_client *client;
        const uint32_t *view; /* the caller's number; NULL: by repository */
        Acquire *items;
        size_t n;
        int64_t deadline_ms;  /* of the messages */
        kd_progress progress;
        void *data;
        bool progressed;      /* one of them told something new */
        int64_t tell_ms;      /* when `progress` may be called again */
        int64_t idle_ms;      /* ... and when it is, whether there is news or not */
} Acquires;

/* Starts all and waits until all are answered. 0: each is to be taken, or all
 * dropped. Else they failed as a whole: no such view, no connection, too late,
 * no memory, or KD_CANCELLED; and what was answered is given back. */
int acquires_run(Acquires *acquires, kd_error *error);

/* Gives back what was answered and is not taken. */
void acquires_drop(Acquires *acquires);

/* The kernel of one that was answered, or its error. */
int acquire_take(kd_client *client, Acquire *one, kd_kernel **ret_kernel, kd_error *error);
