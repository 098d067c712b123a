/* What the layers of an index share, each thing once: texts, capability
 * ranges, paths. Grows while an index is built. */
#pragma once

#include "proto/base/buffer.h"
#include "proto/index_layout.h"
#include "proto/device.h"

typedef struct IndexPoolSlot {
        uint32_t number; /* what was found, plus one; 0: free */
        uint32_t check;  /* part of the hash */
} IndexPoolSlot;

typedef struct IndexPoolTable {
        IndexPoolSlot *slots;
        size_t mask;
        size_t n;
} IndexPoolTable;

typedef struct IndexPool {
        uint64_t key;
        Buffer texts;         /* each as a msgpack str; a number is an offset */
        Buffer ranges;        /* IndexRange each */
        Buffer paths;         /* u32 each: an offset in texts */
        IndexPoolTable text_table;
        IndexPoolTable range_table;
        IndexPoolTable path_table; /* by the offset of the text */
        uint32_t last;             /* the text that was asked for before */
} IndexPool;

#define INDEX_POOL_NULL ((IndexPool){ 0 })

/* 0 with the offset of the text, which has at most 65,535 bytes; 1: over 4 GiB; -ENOMEM. */
int index_pool_text(IndexPool *pool, Text text, uint32_t *ret_offset);

/* 0 with the range's number; -ENOMEM. */
int index_pool_range(IndexPool *pool, CapabilityRange range, uint32_t *ret_number);

/* 0 with the path's number, in the order in which they come; 1: over 4 GiB; -ENOMEM. */
int index_pool_path(IndexPool *pool, Text path, uint32_t *ret_number);

void index_pool_deinit(IndexPool *pool);
