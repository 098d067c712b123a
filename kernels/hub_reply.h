/* What came back from the Hub, as the transport fills it in, and what it means. */
#pragma once

#include <stdbool.h>

#include "proto/base/arena.h"
#include "proto/base/text.h"
#include "proto/fault.h"

typedef enum HubTrouble {
        HUB_REPLIED,
        HUB_UNREACHABLE,     /* no address, no connection */
        HUB_BROKEN,          /* the connection ended early, or the body is short */
        HUB_TIMED_OUT,
        HUB_TLS,
        HUB_TOO_LARGE,       /* a body over the limit of its kind */
        HUB_REFUSED_LOCALLY, /* whoever takes the body in would not; why, he knows */
} HubTrouble;

/* Texts are NUL-terminated, those of headers "" where the header was absent. */
typedef struct HubReply {
        HubTrouble trouble;
        char message[256]; /* the transport's words, for people */
        int status;
        char error_code[64];     /* X-Error-Code */
        char error_message[256]; /* X-Error-Message */
        char link[2048];         /* Link; cut where it is longer, which makes it ill-formed */
        char rate_limit[128];    /* RateLimit */
        char retry_after[32];    /* Retry-After */
        char url[1024];          /* where redirects led to; "" without any */
        bool ranged;             /* 206 */
        Text body;
} HubReply;

/* 0: it is what was asked for (2xx). 1 with what the asker is told: the Hub's
 * error code counts, then the status. `what` stands at the front of the
 * message: "kernels-community/activation". */
int hub_reply_judge(const HubReply *reply, Text what, bool with_token, Fault *fault);

/* The Hub says that the repository and revision are there, but no such file or
 * folder. */
bool hub_reply_is_missing(const HubReply *reply);

/* Where the next page is, in the arena; absent: this was the last. 1 with
 * `hub`: the header cannot be read, or leads to another origin than the
 * endpoint's, where a token must not go; -ENOMEM. */
int hub_reply_next(const HubReply *reply, Text endpoint, Arena *arena, Text *ret_url, Fault *fault);
