/* What the headers of an answer say, taken line by line. No libcurl here. */
#pragma once

#include <stdint.h>

#include "kernels/hub_reply.h"
#include "proto/base/text.h"

typedef struct HttpHeaders {
        HubReply *reply;
        int64_t from;     /* where the range in the answer begins; -1: it does not say */
        bool link_is_cut; /* an address that is not whole leads elsewhere */
} HttpHeaders;

/* Bytes of a peer as text: control characters become blanks, what is not UTF-8
 * becomes question marks, cut to `size` with the NUL. Whether all fits. */
bool http_clean(Text bytes, char *ret_text, size_t size);

/* A line with its end: a status line begins a new answer and drops all that the
 * one before said. */
void http_headers_take(HttpHeaders *headers, Text line);
