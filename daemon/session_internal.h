/* What session.c, session_input.c and session_output.c share. */
#pragma once

#include "daemon/session.h"

/* One read takes at most so much; facts: larger reads gain nothing. */
#define READ_MAX 65536

/* A part of a frame that is no longer than this is copied to the front of the
 * shared buffer and read on behind; of longer frames the rest is read in place. */
#define COPY_MAX 4096

/* What a session may hold unhandled: the rest of a read behind a small part. */
typedef struct SessionInput {
        Charge charge;
        size_t capacity;
        size_t start;  /* handled up to here */
        size_t size;   /* filled up to here */
        size_t wanted; /* bytes from `start` that the first frame needs; 0: it is whole, and waits for its turn */
        uint8_t bytes[];
} SessionInput;

struct SessionOutput {
        SessionOutput *next;
        Charge charge;
        size_t size;
        size_t sent;
        int fd; /* goes with the first byte; -1: none */
        uint8_t bytes[];
};

typedef struct SessionList {
        Session *first;
        Session *last;
} SessionList;

struct Sessions {
        Loop *loop;
        Accounts *accounts;
        SessionOwner owner;
        SessionLimits limits;
        SessionList greeting; /* before hello, by age */
        SessionList greeted;  /* by number */
        Session *first_turn;
        Session *last_turn;
        LoopItem turns;
        uv_timer_t hello_timer;
        Session *unread; /* ended, kept for descriptors that were not taken; by `next` */
        uv_timer_t unread_timer;
        Session *handling; /* whose frames are handled now: its answers are gathered */
        Buffer output;     /* of one session at a time */
        size_t n_sessions;
        size_t n_handles; /* not closed: sessions' and the timers */
        uint64_t n_requests;
        uint64_t n_refused;
        uint32_t last_number;
        bool closing;
        uint8_t input[COPY_MAX + READ_MAX];
};

static inline Sessions *session_set(const Session *session)
{
        return session->poll.data;
}

/* --- session.c --- */

/* Puts the session in the list of turns: to go on, or to end. */
void session_defer(Session *session);

/* Asks the loop for what the session waits for now. */
void session_arm(Session *session);

/* After anything that may have been the last thing to wait for: goes on with
 * waiting frames, reads again, or ends a session that is done. */
void session_settle(Session *session);

/* The end of all: closes the descriptor and frees. */
void session_free(Session *session);

/* --- session_unread.c --- */

/* The session ends: keeps what descriptors on their way cost. */
void session_charge_unread(Session *session);

/* Keeps the socket of an ended session until they are taken. */
void session_keep_unread(Session *session);

void sessions_unread_due(uv_timer_t *timer);

/* Gives up all that are kept. */
void sessions_drop_unread(Sessions *set);

/* --- session_input.c --- */

void session_read(Session *session);

/* Goes on with frames that wait. */
void session_resume(Session *session);

static inline bool session_has_whole_frame(const Session *session)
{
        return session->input && session->input->wanted == 0;
}

void session_input_free(Session *session);

/* --- session_output.c --- */

/* Sends what was gathered, keeps what the socket does not take. */
void session_flush(Session *session);

/* The socket takes bytes again. */
void session_drain(Session *session);

void session_output_free(Session *session);
