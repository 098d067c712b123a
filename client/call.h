/* The table of pending calls: from a frame that waits to be sent to an answer.
 *
 * A call is in exactly one list. `waiting`: not sent; at most LIMIT_IN_FLIGHT
 * are under way, since the daemon would refuse more, and of those CALL_SPARE are
 * for calls other than acquires, which may take minutes: no other call waits
 * behind acquires. `flight`: sent, at least
 * handed to the output. `over`: of kd_start, answered, its kd_done still to be
 * called. A call that somebody waits for leaves the lists when it is over; the
 * waiter frees it.
 *
 * All but call_new and call_free are called under the client's lock. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/kernelsd.h"
#include "proto/base/buffer.h"
#include "proto/codec.h"
#include "proto/method.h"

typedef struct kd_pending Call;

/* For calls of the library's own that nobody waits for: called under the lock
 * when the answer is there or will not come; must free nothing but its context. */
typedef void (*CallEnd)(kd_client *client, Call *call);

struct kd_pending {
        kd_client *client;
        Call *next, *previous;
        struct CallList *list;   /* it is in, or NULL */
        MethodNumber method;
        uint32_t id;
        bool repeatable;         /* may be sent again after the connection was lost */
        bool bound;              /* means something in this connection only: fails when that is lost */
        bool greets;             /* is the hello: goes before all else */
        bool abandoned;          /* nobody waits, or no more; the answer is still to come */
        unsigned n_losses;       /* connections lost since it was started */
        uint64_t begins;         /* in flight: place of its first byte in the output */
        uint64_t epoch;          /* in flight: the connection it was sent on */
        Buffer frame;
        CallEnd end;
        void *context;           /* of end */
        kd_done done;            /* of kd_start */
        void *data;
        bool over;
        int code;
        kd_error error;          /* where code is not 0 */
        uint8_t *body;           /* the result, where code is 0; checked bytes */
        size_t body_size;
        int descriptor;          /* that came with it; -1 */
        bool told;               /* there is a `progress` */
        MsgProgress progress;
        bool *progressed;        /* set when it is new; the waiter's, or NULL */
};

typedef struct CallList {
        Call *first, *last;
} CallList;

typedef struct Calls {
        CallList waiting, flight, over;
        size_t n_flight;
} Calls;

/* Makes a call from a message struct, or from a value (NULL: an empty map). 0,
 * -ENOMEM, -EINVAL: a struct that lacks what must be there, a value that is
 * nested too deeply, or KD_TOO_LARGE: more than a frame holds. */
int call_new(kd_client *client, MethodNumber method, const void *message, Call **ret_call, kd_error *error);
int call_new_value(kd_client *client, MethodNumber method, const Value *params, Call **ret_call, kd_error *error);
Call *call_free(Call *call);
DEFINE_CLEANUP(Call *, call_free)

/* Guess: a program's threads and its progress seldom ask more at once. */
#define CALL_SPARE 8

/* Lists it behind all that wait (what is no acquire, before those that are), or
 * before one of those (NULL: behind all). The list does not own a call that somebody waits for. */
void call_start(Call *call);
void call_start_before(Call *call, Call *before);

/* Takes it out of its list. */
void call_unlist(Call *call);

/* Nobody wants the answer any more: a call in flight is kept until that is
 * there, any other is freed; what the answer holds is given back. */
void call_abandon(Call *call);

/* Hands frames to the output while the daemon takes more: 0 or -ENOMEM. */
int calls_flush(kd_client *client);

/* Digests one payload; the descriptor (or -1) is taken over. 0 or -EBADMSG,
 * -ENOMEM: the connection cannot be used any more. */
int calls_deliver(kd_client *client, const uint8_t *payload, size_t size, int descriptor);

/* The connection is lost: what may be sent again waits again, the first time;
 * all else fails with `error`. */
void calls_lost(kd_client *client, const kd_error *error);

/* All that wait fail. */
void calls_fail(kd_client *client, const kd_error *error);

/* After fork: forgets all; with `torn` the lists are given up as they are. */
void calls_forget(kd_client *client, bool torn);
