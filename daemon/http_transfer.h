/* One request on its way: the libcurl handle, what it was told, and the reply that
 * grows. Of daemon/http.c; libcurl's types are void here. */
#pragma once

#include "daemon/http.h"
#include "proto/base/cleanup.h"

/* What all transfers have in common; owned by Http. */
typedef struct HttpSettings {
        char *user_agent;
        char *ca_file; /* NULL: libcurl's own */
        char *ca_folder;
        unsigned stall_s;
} HttpSettings;

struct HttpTransfer {
        HttpTransfer *next; /* of those that run */
        HttpTransfer *previous;
        HttpHost *host;
        HttpRequest *request; /* NULL: nobody wants it any more */
        const void *group;
        void *easy;
};

/* Ready to be given to libcurl; the request must stay until the transfer is freed
 * or its `request` is set to NULL. 0 or -ENOMEM. */
int http_transfer_new(const HttpSettings *settings, HttpRequest *request, HttpTransfer **ret_transfer);

/* Not while libcurl has it. */
HttpTransfer *http_transfer_free(HttpTransfer *transfer);
DEFINE_CLEANUP(HttpTransfer *, http_transfer_free)

/* The transfer of a libcurl handle. */
HttpTransfer *http_transfer_of(void *easy);

/* libcurl has ended it with this code (a CURLcode): what is to be told. Calls
 * `started` where that is still owed. The reply lasts as long as the transfer. */
const HubReply *http_transfer_end(HttpTransfer *transfer, int code);
