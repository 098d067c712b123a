/* Requests to the Hub, of the file thread: many at once over few connections,
 * moved by the worker's pump. The only user of libcurl (the http files).
 *
 * Redirects are followed, at most five, never from https to http; a token goes to
 * the host and port that it is given for and no further. There is no limit of
 * time for a whole transfer, but one for a connection and one for a transfer that
 * stands still. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/worker.h"
#include "kernels/hub_reply.h"

typedef struct Http Http;
typedef struct HttpHost HttpHost;
typedef struct HttpList HttpList;
typedef struct HttpRequest HttpRequest;
typedef struct HttpTransfer HttpTransfer;

typedef struct HttpOptions {
        const char *user_agent;
        const char *ca_file; /* NULL: what SSL_CERT_FILE, SSL_CERT_DIR, REQUESTS_CA_BUNDLE
                              * or CURL_CA_BUNDLE say, else the system's */
        unsigned stall_s;    /* so long a transfer may stand still; 0: the default */
} HttpOptions;

/* A GET. The texts stay the caller's and where they are until the request ends. */
struct HttpRequest {
        const char *url;
        const char *token; /* NULL: anonymous */
        const void *group; /* on whose account it is, only compared: places at a host are shared out
                            * between groups. NULL is one, too */
        int64_t from;      /* the first byte wanted, if over 0 */
        int64_t size;      /* about what the body for `write` will have; 0: not known */
        size_t limit;      /* of a gathered body, in bytes */
        uint64_t delay_ms; /* before it begins */

        /* The body of a 200 or 206, piece by piece; non-zero ends the transfer.
         * NULL: it is gathered in the reply. The body of any other answer is
         * gathered always, as far as the first 64 KiB go. */
        int (*write)(HttpRequest *request, const void *bytes, size_t size);
        /* May be NULL. Status and headers are known; before the first write, and
         * before `done` where no byte came. A 200 to a request with `from` means:
         * from the start. */
        void (*started)(HttpRequest *request, const HubReply *reply);
        /* Exactly once, unless cancelled, never from within http_begin or
         * http_cancel. The request is the caller's again and may be freed; the
         * reply lasts as long as the call. */
        void (*done)(HttpRequest *request, const HubReply *reply);
        void *data;

        Http *http; /* private from here on; NULL: not running */
        HttpHost *host;
        HttpTransfer *transfer;
        const char *refusal;
        uint64_t due_ms;
        HttpList *list;
        HttpRequest *next;
        HttpRequest *previous;
};

/* On the loop: copies the options and becomes the worker's pump. libcurl itself
 * is set up by the first request, which an idle daemon saves memory by. */
int http_new(Worker *worker, const HttpOptions *options, Http **ret_http);

/* On the loop, after worker_close. Ends what still runs without a word: requests
 * are not looked at any more. Takes NULL. */
void http_close(Http *http);

/* In the file thread. Never fails: what cannot be begun is told to `done`. */
void http_begin(Http *http, HttpRequest *request);

/* In the file thread, also from within the request's callbacks other than `done`:
 * the request is the caller's again, and there is no `done`. For one that is not
 * running (zeroed, or done) it does nothing. */
void http_cancel(Http *http, HttpRequest *request);
