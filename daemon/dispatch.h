/* From a frame's payload to an answer: the checker, the envelope, the method
 * table, what the socket offers, typed parameters, the handler. */
#pragma once

#include "daemon/session.h"
#include "proto/base/arena.h"
#include "proto/method.h"

typedef struct Daemon Daemon;

/* A request while it is handled. */
typedef struct Request {
        Daemon *daemon;
        Session *session;
        Holdings *holdings; /* NULL in hello */
        MethodNumber method;
        uint32_t id;
        Text body;          /* bytes of the params */
        const void *params; /* Msg… of the method's schema */
        void *result;       /* zeroed Msg… of the method's schema, to be filled in */
        Arena *arena;       /* until the answer is written */
        Fault fault;
} Request;

/* What a handler returns, beside a negative errno. */
enum {
        REQUEST_DONE = 0,  /* `result` is the answer */
        REQUEST_FAULT = 1, /* `fault` is */
        REQUEST_LATER = 2, /* it is or will be answered by other means */
};

typedef int (*RequestHandler)(Request *request);

/* SessionOwner.frame: `data` is the Daemon. */
FrameVerdict dispatch_frame(void *data, Session *session, Text payload, const char **ret_reason);

/* Writes an answer frame; fd >= 0 goes with it and is closed here in any case.
 * 0; 1: the result is over the limit or lacks a key that must be there, and the
 * asker is told so instead; negative, after which the session is closing. */
int answer_result(Session *session, uint32_t id, MethodNumber method, const void *result, int fd);
int answer_fault(Session *session, uint32_t id, const Fault *fault);
