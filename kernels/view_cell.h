/* The steps of one layer and device type that a view's own entries touch,
 * worked out from own and host entries. For kernels/view.c alone. */
#pragma once

#include "kernels/host_mapping.h"
#include "kernels/view.h"
#include "kernels/view_own.h"

typedef struct ViewStep {
        int64_t start;
        const Entry *entry;               /* own; NULL: the host's, or none */
        uint32_t host_row;                /* the host's: its first row; VIEW_STEP_NONE: no range is here */
        uint8_t modes[MODE_REQUESTS];     /* of the entry, as entry_answers */
} ViewStep;

#define VIEW_STEP_NONE UINT32_MAX

struct ViewCell {
        uint64_t generation;              /* of the host mapping; 0 on nothing */
        uint32_t record;                  /* the host's; INDEX_RECORD_NONE */
        uint32_t n;
        ViewStep steps[];
};

/* host NULL: on nothing. 0 or -ENOMEM. */
int view_cell_new(const ViewGroup *group, const HostMapping *host, ViewCell **ret_cell);
ViewCell *view_cell_free(ViewCell *cell);

/* What the cell answers. */
ViewHit view_cell_lookup(const ViewCell *cell, const IndexQuery *query);

/* Own entries and the host's that they do not replace, unsorted. `n_most`:
 * room in ret_candidates. Returns how many. */
size_t view_cell_collect(const ViewGroup *group, const HostMapping *host, Text layer, Device device,
                         ViewCandidate *ret_candidates, size_t n_most);

/* Room for the above that is always enough. */
size_t view_cell_most(const ViewGroup *group, const HostMapping *host, Text layer);
