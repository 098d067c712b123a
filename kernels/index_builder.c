#include "kernels/index_builder.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stdbool.h>

#include "kernels/index_block.h"
#include "kernels/index_cells.h"
#include "kernels/index_pool.h"
#include "kernels/layer_set.h"
#include "kernels/perfect_hash.h"
#include "proto/base/alloc.h"
#include "proto/index_reader.h"

/* How many references of a layer are compared with a new one, so that a layer
 * of thousands stays linear. Guess: neighbours are alike, others seldom are. */
#define REFERENCES_COMPARED 8

/* How far ahead entries and names are fetched. Measured: 2 to 8 are alike. */
#define LAYERS_AHEAD 4
#define NAMES_AHEAD 8

/* How many keys are tried; one fails about once in 10^9 mappings. */
#define KEYS_TRIED 8

/* Functions return 0, -ENOMEM, or 1: the mapping is too large for the offsets
 * of an index. */
typedef struct Builder {
        LayerSet set;
        uint64_t generation;
        uint64_t key;
        IndexPool pool;
        IndexCells cells;
        IndexRow *rows;          /* of one layer */
        const char *last_repo;   /* the repo that was looked up before; an entry's references share its text */
        uint32_t last_repo_offset;
        uint8_t *block;
        size_t used;             /* bytes of the block that are written */
        IndexHeader *header;
        size_t blocks;           /* where the section begins */
        uint32_t *slots;         /* by layer */
} Builder;

/* --- sections --- */

static size_t align_up(size_t size, size_t alignment)
{
        return (size + alignment - 1) & ~(alignment - 1);
}

/* Lays out the next section; its bytes are zero. */
static void *builder_section(Builder *builder, IndexSection *section, size_t n, size_t element, size_t alignment)
{
        builder->used = align_up(builder->used, alignment);
        *section = (IndexSection){ builder->used, n };
        builder->used += n * element;
        return builder->block + section->offset;
}

static void builder_copy_section(Builder *builder, IndexSection *section, const Buffer *from, size_t element,
                                 size_t alignment)
{
        void *to = builder_section(builder, section, from->size / element, element, alignment);

        if (from->size)
                memcpy(to, from->data, from->size);
}

/* An upper bound of what the blocks of all layers take. */
static size_t blocks_bound(const LayerSet *set)
{
        return set->n_layers * (8 + (_DEVICE_MAX + 1) * 20) + set->n_entries * (sizeof(IndexEntry) + 2 * 16) +
               set->n_modes * (sizeof(IndexReference) + sizeof(IndexRow));
}

/* --- a layer's references, entries and rows --- */

static int encode_repo(Builder *builder, Text repo, uint32_t *ret_offset)
{
        int r = 0;

        if (repo.data != builder->last_repo) {
                r = index_pool_text(&builder->pool, repo, &builder->last_repo_offset);
                builder->last_repo = r ? NULL : repo.data;
        }
        *ret_offset = builder->last_repo_offset;
        return r;
}

static int reference_encode(Builder *builder, const Reference *reference, Text layer, IndexReference *ret_encoded)
{
        IndexReference encoded = { .kind = reference->kind, .layer = INDEX_NO_TEXT };
        IndexPool *pool = &builder->pool;
        Text detail = reference->kind == REFERENCE_LOCKED ? reference->locked : reference->revision;
        int r = 0;

        assert(reference->kind != REFERENCE_LOCAL);
        /* An entry's references share its text, if it is the same. */
        if (reference->layer.data != layer.data && !text_equal(reference->layer, layer))
                r = index_pool_text(pool, reference->layer, &encoded.layer);
        if (!r)
                r = reference->kind == REFERENCE_PATH ? index_pool_path(pool, reference->path, &encoded.name) :
                                                        encode_repo(builder, reference->repo, &encoded.name);
        if (!r && reference->kind == REFERENCE_VERSION)
                memcpy(encoded.detail, &reference->version, sizeof(encoded.detail));
        if (!r && (reference->kind == REFERENCE_REVISION || reference->kind == REFERENCE_LOCKED)) {
                encoded.detail[1] = INDEX_NO_TEXT;
                r = index_pool_text(pool, detail, &encoded.detail[0]);
                if (!r && reference->commit.data)
                        r = index_pool_text(pool, reference->commit, &encoded.detail[1]);
        }
        if (!r)
                *ret_encoded = encoded;
        return r;
}

/* The reference's number among the layer's, written behind them if it is new. */
static int layer_add_reference(Builder *builder, IndexRecord *record, const Reference *reference, Text layer,
                               uint16_t *ret_number)
{
        IndexReference *references = (IndexReference *)(builder->block + builder->used), encoded;
        uint16_t n = record->n_references, first = n > REFERENCES_COMPARED ? n - REFERENCES_COMPARED : 0;
        int r;

        r = reference_encode(builder, reference, layer, &encoded);
        if (r)
                return r;
        for (uint16_t i = n; i-- > first;)
                if (memcmp(&references[i], &encoded, sizeof(encoded)) == 0) {
                        *ret_number = i;
                        return 0;
                }
        references[n] = encoded;
        record->n_references++;
        *ret_number = n;
        return 0;
}

/* Writes the references and collects the rows. */
static int layer_write_references(Builder *builder, IndexRecord *record, Entry *const *entries)
{
        for (uint16_t i = 0; i < record->n_entries; i++)
                for (size_t j = 0; j < entries[i]->n_modes; j++) {
                        IndexRow *row = &builder->rows[record->n_rows];
                        int r;

                        *row = (IndexRow){ .entry = i, .mode = (uint16_t)entries[i]->modes[j].mode };
                        r = layer_add_reference(builder, record, &entries[i]->modes[j].reference, entries[i]->layer,
                                                &row->reference);
                        if (r)
                                return r;
                        record->n_rows++;
                }
        builder->used += record->n_references * sizeof(IndexReference);
        return 0;
}

static int layer_write_entries(Builder *builder, IndexRecord *record, Entry *const *entries)
{
        IndexEntry *encoded = (IndexEntry *)(builder->block + builder->used);
        uint16_t row = 0;

        for (uint16_t i = 0; i < record->n_entries; i++) {
                int r;

                encoded[i] = (IndexEntry){
                        .source = entries[i]->source,
                        .first_row = row,
                        .device = (uint8_t)entries[i]->device,
                        .n_modes = (uint8_t)entries[i]->n_modes,
                        .has_range = entries[i]->has_range,
                };
                r = index_pool_range(&builder->pool, entries[i]->range, &encoded[i].range);
                if (r)
                        return r;
                row = (uint16_t)(row + entries[i]->n_modes);
        }
        builder->used += record->n_entries * sizeof(IndexEntry);
        memcpy(builder->block + builder->used, builder->rows, record->n_rows * sizeof(IndexRow));
        builder->used += record->n_rows * sizeof(IndexRow);
        return 0;
}

/* --- cells --- */

/* Writes the cells behind the rows, and moves them into the record if they fit. */
static int layer_write_cells(Builder *builder, IndexRecord *record, const IndexEntry *encoded, Entry *const *entries)
{
        uint8_t *cells = builder->block + builder->used;
        size_t name = record->flags & INDEX_NAME_OUTSIDE ? sizeof(uint32_t) : record->name_size, size, room;
        int r;

        r = index_cells_write(&builder->cells, record, encoded, entries, cells, &size);
        if (r < 0)
                return r;
        room = align_up(size, 2);
        record->n_cell_pairs = (uint16_t)(room / 2);
        if (room <= INDEX_RECORD_DATA - name) {
                memcpy(record->data, cells, size);
                memset(cells, 0, size);
                return 0;
        }
        record->flags |= INDEX_CELLS_OUTSIDE;
        builder->used += room;
        return 0;
}

/* --- layers --- */

/* The name stands behind the cells, if those are in the record too. */
static int layer_write_name(Builder *builder, IndexRecord *record, Text name)
{
        uint8_t *to = record->data + (record->flags & INDEX_CELLS_OUTSIDE ? 0 : record->n_cell_pairs * 2u);
        uint32_t offset;
        int r;

        if (!(record->flags & INDEX_NAME_OUTSIDE)) {
                if (name.size)
                        memcpy(to, name.data, name.size);
                return 0;
        }
        r = index_pool_text(&builder->pool, name, &offset);
        if (!r)
                memcpy(to, &offset, sizeof(offset));
        return r;
}

static int layer_write(Builder *builder, const LayerGroup *layer, IndexRecord *record)
{
        Entry *const *entries = builder->set.entries + layer->first;
        const IndexEntry *encoded;
        size_t offset;
        int r;

        builder->used = align_up(builder->used, 8);
        offset = builder->used - builder->blocks;
        if (offset / 8 > UINT32_MAX)
                return 1;
        record->block = (uint32_t)(offset / 8);
        record->flags = INDEX_IN_USE;
        record->n_entries = (uint16_t)layer->n;
        record->name_size = (uint16_t)layer->name.size;
        if (layer->name.size > INDEX_RECORD_DATA)
                record->flags |= INDEX_NAME_OUTSIDE;
        r = layer_write_references(builder, record, entries);
        if (r)
                return r;
        encoded = (const IndexEntry *)(builder->block + builder->used);
        r = layer_write_entries(builder, record, entries);
        if (!r)
                r = layer_write_cells(builder, record, encoded, entries);
        return r ? r : layer_write_name(builder, record, layer->name);
}

/* --- hashing and sorting --- */

static int builder_place(Builder *builder, uint16_t *seeds, uint32_t n_buckets, uint32_t n_slots)
{
        LayerSet *set = &builder->set;
        CLEANUP_ALLOC uint64_t *hashes = alloc_zeroed(set->n_layers + 1, sizeof(*hashes));
        int r = 1;

        builder->slots = alloc_zeroed(set->n_layers + 1, sizeof(*builder->slots));
        if (!hashes || !builder->slots)
                return -ENOMEM;
        for (unsigned tries = 0; r == 1 && tries < KEYS_TRIED; tries++) {
                if (tries)
                        builder->key = builder->key * UINT64_C(0x5851f42d4c957f2d) + 1;
                for (size_t i = 0; i < set->n_layers; i++)
                        hashes[i] = tries ? index_hash(set->layers[i].name, builder->key) : set->layers[i].hash;
                r = perfect_hash_make(hashes, set->n_layers, seeds, n_buckets, builder->slots, n_slots);
        }
        return r > 0 ? -ELOOP : r;
}

/* What a layer is sorted by: the first bytes of its name, as big-endian numbers,
 * so that hardly a comparison needs the name itself. */
typedef struct SortedLayer {
        uint64_t front[3];
        uint32_t layer;
} SortedLayer;

static inline bool layer_is_before(const SortedLayer *a, const SortedLayer *b, const LayerGroup *layers)
{
        for (size_t i = 0; i < ARRAY_SIZE(a->front); i++)
                if (a->front[i] != b->front[i])
                        return a->front[i] < b->front[i];
        return text_compare(layers[a->layer].name, layers[b->layer].name) < 0;
}

/* By merging, with room for half of them in `spare`. Measured: qsort, which calls
 * for every comparison, takes twice as long. */
static void sort_layers(SortedLayer *sorted, size_t n, SortedLayer *spare, const LayerGroup *layers)
{
        size_t half = n / 2, left = 0, right = half, to = 0;

        if (n < 2)
                return;
        sort_layers(sorted, half, spare, layers);
        sort_layers(sorted + half, n - half, spare, layers);
        memcpy(spare, sorted, half * sizeof(*sorted));
        while (left < half && right < n)
                sorted[to++] = layer_is_before(&sorted[right], &spare[left], layers) ? sorted[right++] : spare[left++];
        memcpy(sorted + to, spare + left, (half - left) * sizeof(*sorted));
}

static SortedLayer sorted_layer(const LayerSet *set, uint32_t layer)
{
        Text name = set->layers[layer].name;
        SortedLayer sorted = { .layer = layer };

        if (name.size)
                memcpy(sorted.front, name.data, name.size < sizeof(sorted.front) ? name.size : sizeof(sorted.front));
        for (size_t i = 0; i < ARRAY_SIZE(sorted.front); i++)
                sorted.front[i] = htobe64(sorted.front[i]);
        return sorted;
}

static int builder_sort(const Builder *builder, uint32_t *order)
{
        const LayerSet *set = &builder->set;
        CLEANUP_ALLOC SortedLayer *sorted = alloc_zeroed(set->n_layers + 1, sizeof(*sorted));
        CLEANUP_ALLOC SortedLayer *spare = alloc_zeroed(set->n_layers / 2 + 1, sizeof(*spare));

        if (!sorted || !spare)
                return -ENOMEM;
        for (uint32_t i = 0; i < set->n_layers; i++) {
                if (i + NAMES_AHEAD < set->n_layers)
                        __builtin_prefetch(set->layers[i + NAMES_AHEAD].name.data);
                sorted[i] = sorted_layer(set, i);
        }
        sort_layers(sorted, set->n_layers, spare, set->layers);
        for (size_t i = 0; i < set->n_layers; i++)
                order[i] = builder->slots[sorted[i].layer];
        return 0;
}

/* --- all of it --- */

static int builder_scratch(Builder *builder)
{
        size_t most = 0;

        for (size_t i = 0; i < builder->set.n_layers; i++)
                if (builder->set.layers[i].n > most)
                        most = builder->set.layers[i].n;
        builder->rows = alloc_zeroed(most * _MODE_MAX + 1, sizeof(*builder->rows));
        return builder->rows ? 0 : -ENOMEM;
}

/* The front of the block: what has a size that is known. */
static int builder_begin(Builder *builder)
{
        size_t n = builder->set.n_layers;
        uint32_t n_buckets = perfect_hash_n_buckets(n), n_slots = perfect_hash_n_slots(n);
        size_t bound = sizeof(IndexHeader) + n_buckets * 2 + 64 + (size_t)n_slots * 64 + n * 4 + 64 +
                       blocks_bound(&builder->set);
        uint16_t *seeds;
        uint32_t *order;
        int r;

        builder->block = index_block_new(bound);
        if (!builder->block)
                return -ENOMEM;
        builder->header = (IndexHeader *)builder->block;
        builder->used = sizeof(IndexHeader);
        seeds = builder_section(builder, &builder->header->seeds, n_buckets, 2, 2);
        (void)builder_section(builder, &builder->header->records, n_slots, sizeof(IndexRecord), 64);
        order = builder_section(builder, &builder->header->order, n, 4, 4);
        r = builder_place(builder, seeds, n_buckets, n_slots);
        if (!r)
                r = builder_sort(builder, order);
        return r < 0 ? r : builder_scratch(builder);
}

/* Entries lie all over the memory, and their slots in no order: fetches those
 * of a later layer. */
static void fetch_layer(const Builder *builder, size_t number, const IndexRecord *records)
{
        const LayerGroup *layer = &builder->set.layers[number];

        __builtin_prefetch(&records[builder->slots[number]], 1);
        for (uint32_t i = 0; i < layer->n && i < 8; i++)
                entry_fetch(builder->set.entries[layer->first + i]);
}

static int builder_write_layers(Builder *builder)
{
        IndexRecord *records = (IndexRecord *)(builder->block + builder->header->records.offset);

        builder->blocks = builder->used = align_up(builder->used, 8);
        for (size_t i = 0; i < builder->set.n_layers; i++) {
                int r;

                if (i + LAYERS_AHEAD < builder->set.n_layers)
                        fetch_layer(builder, i + LAYERS_AHEAD, records);
                r = layer_write(builder, &builder->set.layers[i], &records[builder->slots[i]]);

                if (r)
                        return r;
        }
        builder->header->n_entries = builder->set.n_entries;
        builder->header->blocks = (IndexSection){ builder->blocks, builder->used - builder->blocks };
        return 0;
}

/* The back of the block: what the layers share. */
static int builder_write_pool(Builder *builder, const Buffer *sources)
{
        IndexPool *pool = &builder->pool;
        size_t wanted = builder->used + pool->ranges.size + sources->size + pool->paths.size + pool->texts.size + 64;
        uint8_t *block = index_block_resize(builder->block, builder->used, wanted);

        if (!block)
                return -ENOMEM;
        builder->block = block;
        builder->header = (IndexHeader *)block;
        memset(block + builder->used, 0, wanted - builder->used);
        builder_copy_section(builder, &builder->header->ranges, &pool->ranges, sizeof(IndexRange), 8);
        builder_copy_section(builder, &builder->header->sources, sources, 4, 4);
        builder_copy_section(builder, &builder->header->paths, &pool->paths, 4, 4);
        builder_copy_section(builder, &builder->header->pool, &pool->texts, 1, 1);
        return 0;
}

static void builder_finish(Builder *builder)
{
        IndexHeader *header = builder->header;
        size_t from = offsetof(IndexHeader, checksum) + sizeof(header->checksum);

        header->magic = INDEX_MAGIC;
        header->version = INDEX_VERSION;
        header->n_layers = (uint32_t)builder->set.n_layers;
        header->size = builder->used;
        header->generation = builder->generation;
        header->key = builder->key;
        header->checksum = index_checksum(builder->block + from, builder->used - from);
}

static int builder_sources(Builder *builder, const Text *sources, size_t n_sources, Buffer *offsets)
{
        for (size_t i = 0; i < n_sources; i++) {
                uint32_t offset;
                int r;

                r = index_pool_text(&builder->pool, sources[i], &offset);
                if (!r)
                        r = buffer_append(offsets, &offset, sizeof(offset));
                if (r)
                        return r;
        }
        return 0;
}

static int builder_run(Builder *builder, const Text *sources, size_t n_sources)
{
        CLEANUP_BUFFER Buffer offsets = BUFFER_NULL;
        int r;

        r = builder_begin(builder);
        if (!r)
                r = builder_write_layers(builder);
        if (!r)
                r = builder_sources(builder, sources, n_sources, &offsets);
        if (!r)
                r = builder_write_pool(builder, &offsets);
        if (!r)
                builder_finish(builder);
        return r;
}

static void builder_deinit(Builder *builder)
{
        layer_set_deinit(&builder->set);
        index_pool_deinit(&builder->pool);
        index_cells_deinit(&builder->cells);
        alloc_free(builder->rows);
        alloc_free(builder->slots);
        index_block_free(builder->block);
}

int index_build(Entry *const *entries, size_t n_entries, const Text *sources, size_t n_sources,
                uint64_t generation, uint64_t key, void **ret_block, size_t *ret_size, HiddenEntries *ret_hidden,
                Fault *fault)
{
        CLEANUP(builder_deinit) Builder builder = {
                .pool = { .key = key },
                .generation = generation,
                .key = key,
        };
        int r;

        r = layer_set_make(&builder.set, entries, n_entries, key, fault);
        if (r)
                return r;
        r = builder_run(&builder, sources, n_sources);
        if (r > 0)
                return fault_set(fault, FAULT_LIMIT, "the mapping is too large: an index has at most 4 GiB of texts");
        if (r)
                return r;
        if (ret_hidden) {
                ret_hidden->n = builder.set.n_hidden;
                ret_hidden->items = STEAL(builder.set.hidden);
        }
        *ret_size = builder.used;
        *ret_block = STEAL(builder.block);
        return 0;
}
