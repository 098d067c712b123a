#include "proto/index_reader.h"

#include <string.h>

#include "proto/base/cleanup.h"
#include "proto/limits.h"

/* How many lookups are under way at once: enough to hide a cache miss, few
 * enough for the processor's line fill buffers. Measured: 16 to 64 are alike. */
#define INDEX_BATCH 32

#define likely(x) __builtin_expect(!!(x), 1)

/* --- hashing --- */

static inline uint64_t load64(const void *p)
{
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        return word;
}

static inline uint32_t load32(const void *p)
{
        uint32_t word;

        memcpy(&word, p, sizeof(word));
        return word;
}

static inline uint16_t load16(const void *p)
{
        uint16_t word;

        memcpy(&word, p, sizeof(word));
        return word;
}

static inline uint64_t fold(uint64_t a, uint64_t b)
{
        unsigned __int128 product = (unsigned __int128)a * b;

        return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Four words that cover 8 to 32 bytes, overlapping as they must: no branch goes
 * by the length, which differs from name to name. */
typedef struct Words {
        uint64_t a, b, c, d;
} Words;

static inline Words words_of(const uint8_t *p, size_t size)
{
        size_t second = size < 16 ? size - 8 : 8, third = size < 16 ? 0 : size - 16;

        return (Words){ load64(p), load64(p + second), load64(p + third), load64(p + size - 8) };
}

static inline Words short_words(const uint8_t *p, size_t size)
{
        if (size >= 4)
                return (Words){ .a = load32(p), .d = load32(p + size - 4) };
        return (Words){ .a = size ? (uint64_t)p[0] << 16 | (uint64_t)p[size / 2] << 8 | p[size - 1] : 0 };
}

static inline uint64_t hash_words(Words words, size_t size, uint64_t key, uint64_t state)
{
        uint64_t turned = key << 32 | key >> 32;
        uint64_t front = fold(words.a ^ state, words.b ^ UINT64_C(0xa0761d6478bd642f) ^ turned);
        uint64_t back = fold(words.c ^ state ^ UINT64_C(0xe7037ed1a0b428db), words.d ^ turned ^ size);

        return front + (back << 29 | back >> 35);
}

static inline __attribute__((always_inline)) uint64_t hash_bytes(const uint8_t *p, size_t size, uint64_t key)
{
        uint64_t state = key;
        size_t left = size;

        if (likely(size - 8 <= 24))
                return hash_words(words_of(p, size), size, key, state);
        if (size < 8)
                return hash_words(short_words(p, size), size, key, state);
        for (; left > 32; left -= 16, p += 16)
                state = fold(load64(p) ^ UINT64_C(0xa0761d6478bd642f), load64(p + 8) ^ state);
        return hash_words(words_of(p, left), size, key, state);
}

uint64_t index_hash(Text name, uint64_t key)
{
        return hash_bytes((const uint8_t *)name.data, name.size, key);
}

uint64_t index_checksum(const void *bytes, size_t size)
{
        return hash_bytes(bytes, size, UINT64_C(0x589965cc75374cc3));
}

/* --- opening --- */

static bool section_ok(const IndexSection *section, size_t size, size_t alignment, size_t element)
{
        return section->offset % alignment == 0 && section->offset <= size && section->n <= UINT32_MAX &&
               section->n <= (size - section->offset) / element;
}

static bool header_ok(const IndexHeader *header, size_t size)
{
        if (header->magic != INDEX_MAGIC || header->version != INDEX_VERSION || header->size != size)
                return false;
        if (!section_ok(&header->seeds, size, 2, 2) || !section_ok(&header->records, size, 64, sizeof(IndexRecord)) ||
            !section_ok(&header->order, size, 4, 4) || !section_ok(&header->ranges, size, 8, sizeof(IndexRange)) ||
            !section_ok(&header->sources, size, 4, 4) || !section_ok(&header->paths, size, 4, 4) ||
            !section_ok(&header->blocks, size, 8, 1) || !section_ok(&header->pool, size, 1, 1))
                return false;
        return header->seeds.n && !(header->seeds.n & (header->seeds.n - 1)) && header->records.n && header->order.n == header->n_layers &&
               header->n_layers <= header->records.n;
}

int index_open(const void *block, size_t size, Index *ret_index)
{
        const IndexHeader *header = block;
        const uint8_t *base = block;

        if (size < sizeof(*header) || (uintptr_t)block % 64 || !header_ok(header, size))
                return 1;
        *ret_index = (Index){
                .base = base,
                .header = header,
                .seeds = (const uint16_t *)(base + header->seeds.offset),
                .records = (const IndexRecord *)(base + header->records.offset),
                .order = (const uint32_t *)(base + header->order.offset),
                .ranges = (const IndexRange *)(base + header->ranges.offset),
                .sources = (const uint32_t *)(base + header->sources.offset),
                .paths = (const uint32_t *)(base + header->paths.offset),
                .blocks = base + header->blocks.offset,
                .pool = base + header->pool.offset,
                .key = header->key,
                .n_buckets = (uint32_t)header->seeds.n,
                .n_slots = (uint32_t)header->records.n,
                .blocks_size = header->blocks.n,
                .pool_size = header->pool.n,
        };
        return 0;
}

bool index_is_intact(const Index *index)
{
        size_t from = offsetof(IndexHeader, checksum) + sizeof(index->header->checksum);

        return index_checksum(index->base + from, index->header->size - from) == index->header->checksum;
}

/* --- finding a layer --- */

static inline bool bytes_equal(const uint8_t *a, const uint8_t *b, size_t size)
{
        if (likely(size - 8 <= 24)) {
                Words x = words_of(a, size), y = words_of(b, size);

                return !((x.a ^ y.a) | (x.b ^ y.b) | (x.c ^ y.c) | (x.d ^ y.d));
        }
        return memcmp(a, b, size) == 0;
}

static inline bool record_name(const Index *index, const IndexRecord *record, Text *ret_name)
{
        size_t before = record->flags & INDEX_CELLS_OUTSIDE ? 0 : record->n_cell_pairs * 2u;

        if (likely(!(record->flags & INDEX_NAME_OUTSIDE))) {
                *ret_name = (Text){ (const char *)record->data + before, record->name_size };
                return before <= INDEX_RECORD_DATA && record->name_size <= INDEX_RECORD_DATA - before;
        }
        return before <= INDEX_RECORD_DATA - sizeof(uint32_t) &&
               index_text(index, load32(record->data + before), ret_name, NULL) && ret_name->size == record->name_size;
}

static inline bool record_is(const Index *index, const IndexRecord *record, Text layer)
{
        Text name;

        return record->name_size == layer.size && (record->flags & INDEX_IN_USE) && record_name(index, record, &name) &&
               bytes_equal((const uint8_t *)name.data, (const uint8_t *)layer.data, layer.size);
}

static inline uint32_t index_place(const Index *index, uint64_t hash)
{
        return index_slot(hash, index->seeds[index_bucket(hash, index->n_buckets)], index->n_slots);
}

uint32_t index_find_layer(const Index *index, Text layer)
{
        uint32_t slot = index_place(index, index_hash(layer, index->key));

        return record_is(index, &index->records[slot], layer) ? slot : INDEX_RECORD_NONE;
}

/* --- cells --- */

static inline size_t layer_block_size(const IndexRecord *record)
{
        return record->n_references * sizeof(IndexReference) + record->n_entries * sizeof(IndexEntry) +
               record->n_rows * sizeof(IndexRow);
}

static inline const uint8_t *record_cells(const Index *index, const IndexRecord *record)
{
        size_t size = (size_t)record->n_cell_pairs * 2, offset;

        if (likely(!(record->flags & INDEX_CELLS_OUTSIDE)))
                return size <= INDEX_RECORD_DATA ? record->data : NULL;
        offset = (size_t)record->block * 8 + layer_block_size(record);
        if (offset > index->blocks_size || size > index->blocks_size - offset)
                return NULL;
        return index->blocks + offset;
}

/* How many of the starts are at most the capability. The branches are meant:
 * they are guessed, and nothing waits for the comparison (measured: -6 ns). */
static inline size_t narrow_step(const uint8_t *starts, size_t n, int64_t capability)
{
        size_t step = 0;

        while (step < n && load16(starts + step * 2) <= capability)
                step++;
        return step;
}

/* The row in a narrow cell, or 256 if the bytes are damaged. */
static inline unsigned narrow_row(const uint8_t *p, size_t left, unsigned before, const IndexQuery *query)
{
        for (;; before--) {
                size_t n, size, step;

                if (!left || !p[0])
                        return 256;
                n = p[0];
                size = 1 + (n - 1) * 2 + n * 4;
                if (size > left)
                        return 256;
                if (before) {
                        p += size;
                        left -= size;
                        continue;
                }
                step = narrow_step(p + 1 + n * 4, n - 1, query->capability);
                return p[1 + step * 4 + query->request];
        }
}

static size_t wide_step(const uint8_t *starts, size_t n_starts, int64_t capability)
{
        size_t low = 0, high = n_starts;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if ((int64_t)load64(starts + middle * 8) <= capability)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* The row in a wide cell, or 65536 if the bytes are damaged. */
static unsigned wide_row(const uint8_t *p, size_t left, unsigned before, const IndexQuery *query)
{
        for (;; before--) {
                size_t n, size, step;

                if (left < 2 || !load16(p))
                        return 65536;
                n = load16(p);
                size = 2 + (n - 1) * 8 + n * 8;
                if (size > left)
                        return 65536;
                if (before) {
                        p += size;
                        left -= size;
                        continue;
                }
                step = device_has_capability(query->device) ? wide_step(p + 2 + n * 8, n - 1, query->capability) : 0;
                return load16(p + 2 + step * 8 + query->request * 2);
        }
}

/* Answer and row in one register. */
typedef struct Outcome {
        uint16_t answer;
        uint16_t row;
} Outcome;

static inline Outcome outcome_of_row(const IndexRecord *record, unsigned row)
{
        return (Outcome){ row < record->n_rows ? INDEX_FOUND : INDEX_E_DAMAGED, (uint16_t)row };
}

static Outcome wide_answer(const IndexRecord *record, const uint8_t *cells, unsigned before, const IndexQuery *query)
{
        unsigned row = wide_row(cells, (size_t)record->n_cell_pairs * 2, before, query);

        if (row == INDEX_WIDE_NO_CAPABILITY)
                return (Outcome){ .answer = INDEX_NO_CAPABILITY };
        if (row == INDEX_WIDE_NO_MODE)
                return (Outcome){ .answer = INDEX_NO_MODE };
        return outcome_of_row(record, row);
}

static inline __attribute__((always_inline)) Outcome record_answer(const Index *index, const IndexRecord *record, const IndexQuery *query)
{
        unsigned before, row;
        const uint8_t *cells;

        if (!(record->devices >> query->device & 1))
                return (Outcome){ .answer = INDEX_NO_DEVICE };
        if (query->capability < 0 && device_has_capability(query->device))
                return (Outcome){ .answer = INDEX_NO_CAPABILITY };
        cells = record_cells(index, record);
        if (!cells)
                return (Outcome){ .answer = INDEX_E_DAMAGED };
        before = (unsigned)__builtin_popcount(record->devices & ((1u << query->device) - 1));
        if (record->flags & INDEX_CELLS_WIDE)
                return wide_answer(record, cells, before, query);
        row = narrow_row(cells, (size_t)record->n_cell_pairs * 2, before, query);
        if (row == INDEX_NARROW_NO_CAPABILITY)
                return (Outcome){ .answer = INDEX_NO_CAPABILITY };
        if (row == INDEX_NARROW_NO_MODE)
                return (Outcome){ .answer = INDEX_NO_MODE };
        return outcome_of_row(record, row);
}

/* --- looking up --- */

static inline void index_hit(const Index *index, uint32_t slot, const IndexQuery *query, IndexHit *ret_hit)
{
        const IndexRecord *record = &index->records[slot];
        Outcome outcome = { .answer = INDEX_NO_MAPPING };

        if (likely(record_is(index, record, query->layer)))
                outcome = record_answer(index, record, query);
        else
                slot = INDEX_RECORD_NONE;
        ret_hit->answer = outcome.answer;
        ret_hit->record = slot;
        ret_hit->row = outcome.row;
}

void index_find(const Index *index, const IndexQuery *query, IndexHit *ret_hit)
{
        uint64_t hash = hash_bytes((const uint8_t *)query->layer.data, query->layer.size, index->key);

        index_hit(index, index_place(index, hash), query, ret_hit);
}

static void index_lookup_some(const Index *index, const IndexQuery *queries, size_t n, IndexHit *hits)
{
        uint64_t hashes[INDEX_BATCH];
        uint32_t slots[INDEX_BATCH];

        for (size_t i = 0; i < n; i++) {
                hashes[i] = index_hash(queries[i].layer, index->key);
                __builtin_prefetch(&index->seeds[index_bucket(hashes[i], index->n_buckets)]);
        }
        for (size_t i = 0; i < n; i++) {
                slots[i] = index_place(index, hashes[i]);
                __builtin_prefetch(&index->records[slots[i]]);
        }
        for (size_t i = 0; i < n; i++)
                index_hit(index, slots[i], &queries[i], &hits[i]);
}

void index_lookup_batch(const Index *index, const IndexQuery *queries, size_t n, IndexHit *ret_hits)
{
        for (size_t i = 0; i < n; i += INDEX_BATCH)
                index_lookup_some(index, queries + i, n - i < INDEX_BATCH ? n - i : INDEX_BATCH, ret_hits + i);
}

/* --- what a hit leads to --- */

bool index_layer(const Index *index, uint32_t number, IndexLayer *ret_layer)
{
        const IndexRecord *record;
        const uint8_t *block;
        size_t offset;
        Text name;

        if (number >= index->n_slots)
                return false;
        record = &index->records[number];
        offset = (size_t)record->block * 8;
        if (!(record->flags & INDEX_IN_USE) || !record_name(index, record, &name) || offset > index->blocks_size ||
            layer_block_size(record) > index->blocks_size - offset)
                return false;
        block = index->blocks + offset;
        *ret_layer = (IndexLayer){
                .name = name,
                .devices = record->devices,
                .n_entries = record->n_entries,
                .n_rows = record->n_rows,
                .n_references = record->n_references,
                .references = (const IndexReference *)block,
        };
        block += record->n_references * sizeof(IndexReference);
        ret_layer->entries = (const IndexEntry *)block;
        ret_layer->rows = (const IndexRow *)(block + record->n_entries * sizeof(IndexEntry));
        return true;
}

bool index_layer_sorted(const Index *index, uint32_t n, IndexLayer *ret_layer)
{
        return n < index->header->n_layers && index_layer(index, index->order[n], ret_layer);
}

bool index_row(const IndexLayer *layer, size_t n, Mode *ret_mode, const IndexEntry **ret_entry,
               const IndexReference **ret_reference)
{
        const IndexRow *row;

        if (n >= layer->n_rows)
                return false;
        row = &layer->rows[n];
        if (row->entry >= layer->n_entries || row->reference >= layer->n_references ||
            !mode_is_valid(row->mode))
                return false;
        *ret_mode = row->mode;
        *ret_entry = &layer->entries[row->entry];
        *ret_reference = &layer->references[row->reference];
        return true;
}

bool index_entry_is_sound(const IndexLayer *layer, const IndexEntry *entry)
{
        return entry->device <= DEVICE_NONE && entry->n_modes <= layer->n_rows &&
               entry->first_row <= layer->n_rows - entry->n_modes;
}

bool index_text(const Index *index, uint32_t offset, Text *ret_text, Text *ret_encoded)
{
        size_t left, head, size;
        const uint8_t *p;

        if (offset >= index->pool_size)
                return false;
        p = index->pool + offset;
        left = index->pool_size - offset;
        if ((p[0] & 0xe0) == 0xa0) {
                head = 1;
                size = p[0] & 0x1f;
        } else if (p[0] == 0xd9 && left >= 2) {
                head = 2;
                size = p[1];
        } else if (p[0] == 0xda && left >= 3) {
                head = 3;
                size = (size_t)p[1] << 8 | p[2];
        } else {
                return false;
        }
        if (size > left - head)
                return false;
        if (ret_text)
                *ret_text = (Text){ (const char *)p + head, size };
        if (ret_encoded)
                *ret_encoded = (Text){ (const char *)p, head + size };
        return true;
}

bool index_range(const Index *index, const IndexEntry *entry, CapabilityRange *ret_range)
{
        if (entry->range >= index->header->ranges.n)
                return false;
        *ret_range = (CapabilityRange){ index->ranges[entry->range].min, index->ranges[entry->range].max };
        return true;
}

bool index_source(const Index *index, unsigned number, Text *ret_name, Text *ret_encoded)
{
        return number < index->header->sources.n && index_text(index, index->sources[number], ret_name, ret_encoded);
}

bool index_path(const Index *index, uint32_t number, Text *ret_path, Text *ret_encoded)
{
        return number < index->header->paths.n && index_text(index, index->paths[number], ret_path, ret_encoded);
}
