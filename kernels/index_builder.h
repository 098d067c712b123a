/* From entries to an index. */
#pragma once

#include "kernels/entry.h"

/* Entries that one of another source replaced and that is in force, in their
 * order; borrowed, the list is the caller's (alloc_free). */
typedef struct HiddenEntries {
        Entry **items;
        size_t n;
} HiddenEntries;

/* Builds the block from entries in their order: a later entry replaces an
 * earlier one of the same layer, device and range, with all its modes. An
 * entry that removes hides what stands before it: without a device the whole
 * layer, without bounds all ranges of that device, with bounds that range.
 *
 * `sources` are the names that answers show ("file:NAME"), by entry.source.
 * `key` should be random: it keys the hash of names. `ret_hidden` may be NULL.
 *
 * 0 with a block aligned to 64 bytes, to be given back with
 * index_block_free; 1 with FAULT_LIMIT: over LIMIT_RANGES ranges for one layer
 * and device, or a block over 4 GiB; -ENOMEM. */
int index_build(Entry *const *entries, size_t n_entries, const Text *sources, size_t n_sources,
                uint64_t generation, uint64_t key, void **ret_block, size_t *ret_size, HiddenEntries *ret_hidden,
                Fault *fault);

void *index_block_free(void *block);
