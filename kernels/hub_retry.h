/* Whether what failed is tried again, and when. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kernels/hub_reply.h"

typedef enum HubCall {
        HUB_CALL_FIRST, /* refs, a listing's first page, revision, overview */
        HUB_CALL_PAGE,  /* further pages */
        HUB_CALL_FILE,
} HubCall;

/* Judges attempt number `n_tried`, counted from 1, that ended in `reply`, which
 * is no success; `got_bytes`: it brought some of the file. Who counts attempts
 * at a file may begin anew when bytes came. A file that is refused with 403 is
 * to be resolved anew: the link it was at has run out. */
bool hub_retry(HubCall kind, unsigned n_tried, bool got_bytes, const HubReply *reply, uint64_t *ret_wait_ms);
