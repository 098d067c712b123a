/* What one session can look things up in: own entries on the host mapping or
 * on nothing. What it costs is what its own entries cost: everything that they
 * do not touch is answered by the host's index.
 *
 * For each (layer, device type) that own entries touch, the steps are worked
 * out from own and host entries on first use, and again when the generation of
 * the host mapping or the view's own entries have changed since. */
#pragma once

#include "kernels/entry.h"
#include "kernels/host_mapping.h"

typedef struct View View;

/* An empty view. */
int view_new(bool on_host, View **ret_view);

/* The parent's own entries, on the same ground. */
int view_copy(const View *parent, View **ret_view);

View *view_free(View *view);
DEFINE_CLEANUP(View *, view_free)

bool view_on_host(const View *view);

/* How many own entries it has: one for each layer, device and range. */
size_t view_n_entries(const View *view);

/* The memory that its own entries take, local repositories aside. */
size_t view_n_bytes(const View *view);

/* Registers entries (counted up here): the same layer, device and range again
 * replaces. Without `inherit` the view first loses its own entries and the
 * host mapping. 0; 1 with FAULT_LIMIT: it would have more than max_entries, or
 * more than LIMIT_RANGES ranges for one layer and device; -ENOMEM. On anything
 * but 0 the view is as before. */
int view_extend(View *view, bool inherit, Entry *const *entries, size_t n_entries, size_t max_entries,
                Fault *fault);

/* What a lookup in a view leads to: an own entry, or a row of the host's. */
typedef struct ViewHit {
        IndexAnswer answer;
        const Entry *entry;  /* own; NULL: the host's */
        unsigned mode;       /* own: number in entry->modes */
        IndexHit host;       /* the host's */
} ViewHit;

/* view may be NULL: the host mapping itself. 0 or -ENOMEM. */
int view_lookup(View *view, const HostMapping *host, const IndexQuery *query, ViewHit *ret_hit);

/* The same for many, fetching ahead. */
int view_lookup_batch(View *view, const HostMapping *host, const IndexQuery *queries, size_t n, ViewHit *ret_hits);

/* One range that a lookup has to choose from. */
typedef struct ViewCandidate {
        CapabilityRange range;
        const Entry *entry;   /* own; NULL: the host's */
        uint32_t record;      /* the host's: layer, and entry in it */
        unsigned host_entry;
        bool chosen;
} ViewCandidate;

/* All ranges for the query's layer and device, best first (narrowest, then
 * highest minimum), hidden ones left out; for explain. */
int view_candidates(const View *view, const HostMapping *host, const IndexQuery *query, Arena *arena,
                    ViewCandidate **ret_candidates, size_t *ret_n);

/* Whether own entries or the host's name the layer; have something for the device. */
bool view_has_layer(const View *view, const HostMapping *host, Text layer);
bool view_has_device(const View *view, const HostMapping *host, Text layer, Device device);

/* Whether own entries name it. */
bool view_names(const View *view, Text layer);
