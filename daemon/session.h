/* Sessions: one per connection. This is bytes, frames, turns and quotas; what
 * requests mean is the owner's affair.
 *
 * How it is fast and fair: one read a wake-up into a buffer that all sessions
 * share, every whole frame in it handled, one send for all answers; WRITABLE is
 * armed only after EAGAIN, and a session with unsent bytes is not read. Own
 * memory has only the session with part of a frame, frames that must wait for
 * their turn, or unsent bytes; it is charged to the domain as it grows and
 * given back at once. Descriptors sent by a client are dropped by the kernel,
 * since only recv is used. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <uv.h>

#include "daemon/account.h"
#include "daemon/identity.h"
#include "daemon/loop.h"
#include "proto/base/buffer.h"
#include "proto/base/text.h"
#include "proto/fault.h"

typedef struct Session Session;
typedef struct Sessions Sessions;
typedef struct SessionInput SessionInput;
typedef struct SessionOutput SessionOutput;
typedef struct Holdings Holdings; /* daemon/holdings.h */

struct Session {
        uv_poll_t poll; /* first: a callback's handle is the session; its data is the set */
        Session *next;  /* in the set's list: by age */
        Session *previous;
        Session *next_turn; /* waiting to go on or to be closed */
        Charge charge;      /* of one session to its domain */
        Charge unread;      /* of descriptors that the peer of an ended session has not taken */
        SessionInput *input;
        SessionOutput *output; /* unsent, in order */
        SessionOutput *last_output;
        Holdings *holdings;    /* NULL before hello */
        uint64_t opened_ms;
        uint64_t n_requests;
        uint32_t number;
        uint32_t n_descriptors; /* on their way to the peer, at most */
        int fd;
        Identity identity;
        uint16_t n_in_flight;
        bool admin : 1;    /* on a socket that offers every method */
        bool greeted : 1;  /* said hello */
        bool hup_in : 1;   /* the peer sends no more */
        bool in_turn : 1;  /* in the list of turns */
        bool closing : 1;  /* no longer of the set */
        bool reading : 1;  /* READABLE is armed */
        bool writing : 1;  /* WRITABLE is armed */
};

/* What a frame handler returns. */
typedef enum FrameVerdict {
        FRAME_HANDLED,
        FRAME_WORKED, /* handled; may have taken long, so look at the clock */
        FRAME_FAULT, /* the peer breaks the protocol: close it */
        FRAME_FAILED, /* we could not answer: close it */
} FrameVerdict;

typedef struct SessionOwner {
        void *data;
        /* A whole frame. May answer with session_frame_begin and _end; must
         * not close the session. With FRAME_FAULT *ret_reason is a literal. */
        FrameVerdict (*frame)(void *data, Session *session, Text payload, const char **ret_reason);
        /* The session ends: its holdings and its requests go. */
        void (*closed)(void *data, Session *session);
} SessionOwner;

typedef struct SessionLimits {
        uint64_t hello_ms;
} SessionLimits;

/* Totals for `status`. */
typedef struct SessionTotals {
        size_t n_sessions;
        uint64_t n_requests;
        uint64_t n_refused;
} SessionTotals;

int sessions_new(Loop *loop, Accounts *accounts, const SessionLimits *limits, SessionOwner owner,
                 Sessions **ret_sessions);
void sessions_set_limits(Sessions *sessions, const SessionLimits *limits);
void sessions_totals(const Sessions *sessions, SessionTotals *ret_totals);

/* Closes all; freed once their close callbacks have run. NULL is allowed. */
void sessions_close(Sessions *sessions);

/* Takes over a connected descriptor, whatever it returns. `account` is the
 * domain's. 0; 1: refused for a quota or for want of memory, and told so. */
int session_open(Sessions *sessions, int fd, const Identity *identity, Account *account, bool admin);

/* Tells a peer that is not let in why, and closes. */
void session_refuse(Sessions *sessions, int fd, FaultName name, const char *reason);

/* Ends the session: nothing is answered any more; memory and descriptor go in
 * the close callback. Safe at any place, also within its own frame handler. */
void session_close(Session *session);

/* From hello on it has no deadline. */
void session_greeted(Session *session);

/* The first session above the number `after` of those that said hello; the next
 * ones follow by `next`, in rising order of numbers. NULL: no more. */
Session *sessions_after(Sessions *sessions, uint32_t after);

/* Descriptors that are queued for the peer or that he has not received, at
 * most; see session_unread.c. */
size_t session_unread_descriptors(Session *session);

/* Bytes of input that the session holds. */
size_t session_input_bytes(const Session *session);

/* --- answering: begin, append to the buffer, end --- */

/* Begins a frame to this session; the payload is what is appended to the
 * buffer that is returned, until session_frame_end. NULL without memory. */
Buffer *session_frame_begin(Session *session, size_t *ret_start);

/* How many payload bytes the frame has so far. */
size_t session_frame_size(const Session *session, size_t start);

/* Drops what was appended since the frame began, to write something else. */
void session_frame_restart(Session *session, size_t start);

/* Ends it; fd >= 0 is sent with its first byte and closed here, in any case.
 * Outside of the session's own frame handler it is sent at once. What cannot be
 * sent or kept closes the session. */
void session_frame_end(Session *session, size_t start, int fd);

/* Gives the frame up. */
void session_frame_drop(Session *session, size_t start);

/* A request that will be answered later is one in flight; when the last ends,
 * a peer that sends no more is closed. */
void session_request_begins(Session *session);
void session_request_ends(Session *session);

/* Whether bytes wait to be sent: whoever can spare his frame drops it. */
static inline bool session_is_congested(const Session *session)
{
        return session->output;
}
