/* Reads an index. Any bytes may be given: open checks the header and that the
 * sections lie inside the block, and every later offset is checked where it is
 * followed, so that a damaged block gives wrong answers but nothing worse. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/text.h"
#include "proto/device.h"
#include "proto/index_layout.h"
#include "proto/mode.h"

typedef struct Index {
        const uint8_t *base;
        const IndexHeader *header;
        const uint16_t *seeds;
        const IndexRecord *records;
        const uint32_t *order;
        const IndexRange *ranges;
        const uint32_t *sources;
        const uint32_t *paths;
        const uint8_t *blocks;
        const uint8_t *pool;
        uint64_t key;
        uint32_t n_buckets;
        uint32_t n_slots;
        size_t blocks_size;
        size_t pool_size;
} Index;

typedef enum IndexAnswer {
        INDEX_FOUND,
        INDEX_NO_MAPPING,
        INDEX_NO_DEVICE,
        INDEX_NO_CAPABILITY,
        INDEX_NO_MODE,
        INDEX_E_DAMAGED,
} IndexAnswer;

/* What is asked: texts of any bytes. On a device without capabilities the
 * capability plays no part; on one with them a negative one is in no range. */
typedef struct IndexQuery {
        Text layer;
        Device device;      /* below _DEVICE_MAX */
        unsigned request;   /* mode_request_number */
        int64_t capability;
} IndexQuery;

typedef struct IndexHit {
        IndexAnswer answer;
        uint32_t record;    /* INDEX_RECORD_NONE: no such layer */
        uint16_t row;       /* of FOUND: in the layer's rows */
} IndexHit;

/* The block must be aligned to 64 bytes and outlive the Index. 0, or 1 if it
 * is no index of this version. */
int index_open(const void *block, size_t size, Index *ret_index);

/* Whether the checksum holds: reads the whole block. */
bool index_is_intact(const Index *index);

uint64_t index_checksum(const void *bytes, size_t size);

/* The hash of names, keyed so that nobody outside can choose collisions. */
uint64_t index_hash(Text name, uint64_t key);

/* Where a hash leads. */
static inline uint32_t index_bucket(uint64_t hash, uint32_t n_buckets)
{
        return (uint32_t)(hash >> 32) & (n_buckets - 1);
}

static inline uint32_t index_slot(uint64_t hash, uint16_t seed, uint32_t n_slots)
{
        uint32_t displaced = (uint32_t)hash + seed * ((uint32_t)(hash >> 24) | 1);

        return (uint32_t)(((uint64_t)displaced * n_slots) >> 32);
}

void index_find(const Index *index, const IndexQuery *query, IndexHit *ret_hit);

/* Inline, so that the hit stays in registers: a structure that is written in
 * pieces and read whole costs a stall. */
static inline IndexHit index_lookup(const Index *index, const IndexQuery *query)
{
        IndexHit hit;

        index_find(index, query, &hit);
        return hit;
}

/* The same for many: hashes all, fetches all into the cache, then looks up. */
void index_lookup_batch(const Index *index, const IndexQuery *queries, size_t n, IndexHit *ret_hits);

/* The record of a layer, or INDEX_RECORD_NONE. */
uint32_t index_find_layer(const Index *index, Text layer);

/* --- what a hit leads to: each answers false where the block is damaged --- */

typedef struct IndexLayer {
        Text name;
        uint8_t devices;
        size_t n_entries;
        size_t n_rows;
        size_t n_references;
        const IndexEntry *entries;       /* sorted by device, min, max */
        const IndexRow *rows;
        const IndexReference *references;
} IndexLayer;

bool index_layer(const Index *index, uint32_t record, IndexLayer *ret_layer);

/* Layer number n in the order of names, 0 to n_layers - 1. */
bool index_layer_sorted(const Index *index, uint32_t n, IndexLayer *ret_layer);

/* A text of the pool, and its encoded form as a msgpack str. */
bool index_text(const Index *index, uint32_t offset, Text *ret_text, Text *ret_encoded);

/* Row number n of the layer, and what it belongs to. */
bool index_row(const IndexLayer *layer, size_t n, Mode *ret_mode, const IndexEntry **ret_entry,
               const IndexReference **ret_reference);

/* Whether the entry's device and rows are there. */
bool index_entry_is_sound(const IndexLayer *layer, const IndexEntry *entry);

bool index_range(const Index *index, const IndexEntry *entry, CapabilityRange *ret_range);
bool index_source(const Index *index, unsigned number, Text *ret_name, Text *ret_encoded);
bool index_path(const Index *index, uint32_t number, Text *ret_path, Text *ret_encoded);

/* Fetches what index_layer leads to: for callers with many hits at hand. */
static inline void index_prefetch(const Index *index, uint32_t record)
{
        const uint8_t *block = index->blocks + (size_t)index->records[record].block * 8;

        __builtin_prefetch(block);
        __builtin_prefetch(block + 64);
}

static inline uint32_t index_n_layers(const Index *index)
{
        return index->header->n_layers;
}

static inline size_t index_n_paths(const Index *index)
{
        return index->header->paths.n;
}
