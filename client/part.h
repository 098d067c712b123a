/* A mapping in parts: as many entries as one message to the daemon holds. */
#pragma once

#include "client/record.h"
#include "proto/base/arena.h"

/* Well within the daemon's limits: 4 MiB and 65,536 items a message. A part is
 * the work of one turn of the daemon's loop, so not all of that is used. */
#define PART_ENTRIES 2000
#define PART_BYTES (1024u * 1024)
#define PART_ITEMS 60000

typedef struct Part {
        Arena arena;
        MsgViewExtend message; /* only entries and locals are filled in */
        LocalSet locals;       /* those of message.locals */
} Part;

#define PART_NULL ((Part){ 0 })

/* Fills the part from the front of `entries` (NULLs are passed over), at least
 * one; *ret_n says how many slots were used up. 0 or -ENOMEM. */
int part_fill(Part *part, RecordEntry *const *entries, size_t n, size_t *ret_n);
void part_deinit(Part *part);
