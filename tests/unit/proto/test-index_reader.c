#include "tests/lib/fixture.h"

#include <stdlib.h>
#include <string.h>

#include "proto/index_reader.h"

/* An index of one layer, "A", for cpu, by hand. */
typedef struct Block {
        _Alignas(64) IndexHeader header;
        IndexRecord record;
        IndexReference reference;
        IndexEntry entry;
        IndexRow row;
        uint8_t pad[2];
        uint32_t order, source;
        IndexRange range;
        uint16_t seed;
        uint8_t pool[14];
} Block;

#define AT(member, n_) { offsetof(Block, member), n_ }

static void block_init(Block *block)
{
        size_t from = offsetof(IndexHeader, checksum) + 8;

        *block = (Block){
                .header = {
                        .magic = INDEX_MAGIC, .version = INDEX_VERSION, .n_layers = 1, .size = sizeof(*block),
                        .seeds = AT(seed, 1), .records = AT(record, 1), .order = AT(order, 1), .ranges = AT(range, 1),
                        .sources = AT(source, 1), .paths = AT(source, 0), .blocks = AT(reference, 40), .pool = AT(pool, 14),
                },
                .record = {
                        .n_entries = 1, .n_rows = 1, .n_references = 1, .n_cell_pairs = 3, .name_size = 1,
                        .devices = 1 << DEVICE_CPU, .flags = INDEX_IN_USE,
                        .data = { 1, 0, 0, INDEX_NARROW_NO_MODE, INDEX_NARROW_NO_CAPABILITY, 0, 'A' },
                },
                .reference = { .layer = INDEX_NO_TEXT },
                .entry = { .n_modes = 1, .device = DEVICE_CPU },
                .row = { .mode = MODE_FALLBACK },
                .range = { 0, INT64_MAX },
                .pool = { 0xa6, 'f', 'i', 'l', 'e', ':', 'a', 0xd9, 3, 'o', '/', 'n', 0xda, 0 },
        };
        block->header.checksum = index_checksum((uint8_t *)block + from, sizeof(*block) - from);
}

static IndexAnswer ask(const Block *block, Text layer, Device device, unsigned request)
{
        IndexQuery query = { layer, device, request, 0 };
        Index index;

        ck_assert_int_eq(index_open(block, sizeof(*block), &index), 0);
        return index_lookup(&index, &query).answer;
}

START_TEST(test_a_block_made_by_hand)
{
        IndexLayer layer;
        Text text, encoded;
        Block block;
        Index index;

        block_init(&block);
        ck_assert_int_eq(ask(&block, TEXT("A"), DEVICE_CPU, 0), INDEX_FOUND);
        ck_assert_int_eq(ask(&block, TEXT("A"), DEVICE_CPU, 2), INDEX_NO_MODE);
        ck_assert_int_eq(ask(&block, TEXT("A"), DEVICE_CPU, 3), INDEX_NO_CAPABILITY);
        ck_assert_int_eq(ask(&block, TEXT("A"), DEVICE_CUDA, 0), INDEX_NO_DEVICE);
        ck_assert_int_eq(ask(&block, TEXT("B"), DEVICE_CPU, 0), INDEX_NO_MAPPING);
        ck_assert_int_eq(ask(&block, TEXT(""), DEVICE_CPU, 0), INDEX_NO_MAPPING);
        ck_assert_int_eq(index_open(&block, sizeof(block), &index), 0);
        ck_assert(index_is_intact(&index));
        ck_assert(index_layer_sorted(&index, 0, &layer) && text_equal(layer.name, TEXT("A")));
        ck_assert(!index_layer_sorted(&index, 1, &layer));
        ck_assert(index_text(&index, 0, &text, &encoded) && text_equal(text, TEXT("file:a")) && encoded.size == 7);
        ck_assert(index_text(&index, 7, &text, &encoded) && text_equal(text, TEXT("o/n")) && encoded.size == 5);
        ck_assert(!index_text(&index, 12, &text, &encoded) && !index_text(&index, 14, &text, &encoded));
        block.pool[3] = 'x';
        ck_assert(!index_is_intact(&index));
}
END_TEST

START_TEST(test_headers_that_are_refused)
{
        Block block;
        Index index;

#define REFUSED(change)                                                          \
        do {                                                                     \
                block_init(&block);                                              \
                change;                                                          \
                ck_assert_int_eq(index_open(&block, sizeof(block), &index), 1);  \
        } while (0)
        REFUSED(block.header.magic++);
        REFUSED(block.header.version++);
        REFUSED(block.header.size--);
        REFUSED(block.header.seeds.n = 0);
        REFUSED(block.header.seeds.n = 3);
        REFUSED(block.header.records.n = 0);
        REFUSED(block.header.records.offset++);
        REFUSED(block.header.records.offset = UINT64_MAX - 63);
        REFUSED(block.header.pool.n = UINT64_MAX);
        REFUSED(block.header.pool.n = sizeof(block) - offsetof(Block, pool) + 1);
        REFUSED(block.header.order.n = 2);
        REFUSED(block.header.n_layers = 2);
        block_init(&block);
        ck_assert_int_eq(index_open(&block, sizeof(IndexHeader) - 1, &index), 1);
}
END_TEST

START_TEST(test_damage_is_seen_where_it_is_followed)
{
        const IndexReference *reference;
        const IndexEntry *entry;
        IndexLayer layer;
        Block block;
        Index index;
        Mode mode;

        block_init(&block);
        block.record.data[1] = 7; /* a row that is not there */
        ck_assert_int_eq(ask(&block, TEXT("A"), DEVICE_CPU, 0), INDEX_E_DAMAGED);
        block_init(&block);
        block.record.data[0] = 0; /* no steps */
        ck_assert_int_eq(ask(&block, TEXT("A"), DEVICE_CPU, 0), INDEX_E_DAMAGED);
        block.record.data[0] = 9; /* more steps than bytes */
        ck_assert_int_eq(ask(&block, TEXT("A"), DEVICE_CPU, 0), INDEX_E_DAMAGED);
        block_init(&block);
        block.record.n_cell_pairs = 25; /* over the end of the record */
        ck_assert_int_eq(ask(&block, TEXT("A"), DEVICE_CPU, 0), INDEX_NO_MAPPING);
        block_init(&block);
        block.record.block = 1; /* over the end of the blocks */
        ck_assert_int_eq(index_open(&block, sizeof(block), &index), 0);
        ck_assert(!index_layer(&index, 0, &layer));
        block_init(&block);
        block.order = 1;
        ck_assert(!index_layer_sorted(&index, 0, &layer));
        block_init(&block);
        ck_assert(index_layer(&index, 0, &layer) && index_row(&layer, 0, &mode, &entry, &reference));
        ck_assert(!index_row(&layer, 1, &mode, &entry, &reference));
        block.row.mode = MODE_FALLBACK | MODE_TRAINING;
        ck_assert(!index_row(&layer, 0, &mode, &entry, &reference));
        block.entry.n_modes = 2;
        ck_assert(!index_entry_is_sound(&layer, &block.entry));
}
END_TEST

/* Every byte of a name counts, at every length. */
START_TEST(test_hash)
{
        char name[80];

        memset(name, 'a', sizeof(name));
        for (size_t size = 0; size < sizeof(name); size++) {
                uint64_t hash = index_hash((Text){ name, size }, 1);

                ck_assert_uint_ne(hash, index_hash((Text){ name, size }, 2));
                ck_assert_uint_ne(hash, index_hash((Text){ name, size + 1 }, 1));
                for (size_t i = 0; i < size; i++) {
                        name[i] = 'b';
                        ck_assert_uint_ne(hash, index_hash((Text){ name, size }, 1));
                        name[i] = 'a';
                }
        }
}
END_TEST

FIXTURE_MAIN("proto/index_reader", test_a_block_made_by_hand, test_headers_that_are_refused,
             test_damage_is_seen_where_it_is_followed, test_hash)
