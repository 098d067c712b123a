/* The index: the host mapping as one flat, immutable, position-independent
 * block. Everything in it is found by offset; numbers are in the machine's
 * byte order, which the magic number tells.
 *
 *   header
 *   seeds      u16 for each bucket of the perfect hash; a power of two of them
 *   records    64 bytes for each slot, on 64-byte boundaries
 *   order      u32 for each layer: its slot, sorted by the bytes of the name
 *   ranges     the distinct capability ranges
 *   sources    u32 for each file: its name, in the pool
 *   paths      u32 for each distinct `path` of a reference, in the pool
 *   blocks     for each layer, on 8-byte boundaries: references, entries, rows,
 *              and its cells where they do not fit into the record
 *   pool       texts, each as a msgpack str, so that an answer copies it whole
 *
 * A layer's hash picks a bucket and, with the bucket's seed, a slot. Two names
 * never share a slot, so one comparison of the whole name decides.
 *
 * Cells say for each device type of the layer, in the order of their numbers,
 * which row answers: a step function of the capability, which begins at 0.
 *   narrow: u8 n; u8 row[n][4]; u16 start[n - 1]
 *   wide:   u16 n; u16 row[n][4]; i64 start[n - 1]
 * without padding (the rows come first, so that a reader which has guessed the
 * step need not wait for n); a row is a number in the layer's rows, or one of the two
 * highest values. Which of the four: mode_request_number. Narrow is what fits
 * into it, and nearly every layer does. LIMIT_RANGES keeps the numbers of rows
 * and the sizes of cells within their 16 bits. */
#pragma once

#include <stdint.h>

#define INDEX_MAGIC UINT64_C(0x317865646e49644b) /* "KdIndex1" */
#define INDEX_VERSION 1

typedef struct IndexSection {
        uint64_t offset; /* from the start of the block */
        uint64_t n;      /* elements; bytes of blocks and pool */
} IndexSection;

typedef struct IndexHeader {
        uint64_t magic;
        uint32_t version;
        uint32_t n_layers;
        uint64_t size;       /* of the whole block */
        uint64_t generation;
        uint64_t checksum;   /* index_checksum of all that follows this member */
        uint64_t key;        /* of the hash of names */
        IndexSection seeds, records, order, ranges, sources, paths, blocks, pool;
        uint64_t n_entries;
        uint64_t reserved;
} IndexHeader;

enum {
        INDEX_NAME_OUTSIDE = 1,  /* in record.data stands the name's u32 in the pool instead */
        INDEX_CELLS_OUTSIDE = 2, /* the cells are behind the rows */
        INDEX_CELLS_WIDE = 4,
        INDEX_IN_USE = 8,        /* a layer lies in this slot */
};

#define INDEX_RECORD_DATA 48

typedef struct IndexRecord {
        uint32_t block;        /* offset in blocks, in units of 8 bytes */
        uint16_t n_entries;
        uint16_t n_rows;
        uint16_t n_references;
        uint16_t n_cell_pairs; /* size of the cells in units of 2 bytes, rounded up */
        uint16_t name_size;
        uint8_t devices;       /* bit n: device type n has a cell */
        uint8_t flags;
        uint8_t data[INDEX_RECORD_DATA]; /* the cells, then the name */
} IndexRecord;

typedef struct IndexRange {
        int64_t min;
        int64_t max;
} IndexRange;

/* kind is a ReferenceKind of kernels/entry.h; texts are offsets in the pool. */
typedef struct IndexReference {
        uint32_t kind;
        uint32_t name;         /* repo; of a path its number in paths */
        uint32_t layer;        /* INDEX_NO_TEXT: the same as the layer's own name */
        uint32_t detail[2];    /* version as an i64; or revision or locked, then commit */
} IndexReference;

typedef struct IndexEntry {
        uint32_t range;        /* number in ranges */
        uint16_t source;
        uint16_t first_row;    /* in the layer's rows; n_modes of them are this entry's */
        uint8_t device;        /* DEVICE_NONE: names the layer only */
        uint8_t n_modes;
        uint16_t has_range;
} IndexEntry;

typedef struct IndexRow {
        uint16_t entry;        /* in the layer's entries */
        uint16_t reference;    /* in the layer's references */
        uint16_t mode;
} IndexRow;

#define INDEX_NO_TEXT UINT32_MAX
#define INDEX_RECORD_NONE UINT32_MAX

#define INDEX_NARROW_NO_MODE 254
#define INDEX_NARROW_NO_CAPABILITY 255
#define INDEX_WIDE_NO_MODE 65534
#define INDEX_WIDE_NO_CAPABILITY 65535

_Static_assert(sizeof(IndexHeader) == 192, "the header is three cache lines");
_Static_assert(sizeof(IndexRecord) == 64, "a record is one cache line");
_Static_assert(sizeof(IndexReference) == 20 && sizeof(IndexEntry) == 12 && sizeof(IndexRow) == 6, "packed");
