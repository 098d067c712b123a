#include "kernels/index_pool.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>

#include "proto/base/alloc.h"
#include "proto/index_reader.h"

static int table_grow(IndexPoolTable *table)
{
        size_t size = table->slots ? (table->mask + 1) * 2 : 64;
        IndexPoolSlot *slots = alloc_zeroed(size, sizeof(*slots));

        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; table->slots && i <= table->mask; i++) {
                size_t at = table->slots[i].check & (size - 1);

                if (!table->slots[i].number)
                        continue;
                while (slots[at].number)
                        at = (at + 1) & (size - 1);
                slots[at] = table->slots[i];
        }
        alloc_free(table->slots);
        table->slots = slots;
        table->mask = size - 1;
        return 0;
}

/* Makes room, so that adding what a search did not find cannot fail. */
static int table_reserve(IndexPoolTable *table)
{
        return !table->slots || table->n * 2 > table->mask ? table_grow(table) : 0;
}

static void table_add(IndexPoolTable *table, size_t at, uint32_t check, uint32_t number)
{
        table->slots[at] = (IndexPoolSlot){ number + 1, check };
        table->n++;
}

static size_t encode_head(uint8_t head[3], size_t size)
{
        if (size < 32) {
                head[0] = (uint8_t)(0xa0 | size);
                return 1;
        }
        if (size < 256) {
                head[0] = 0xd9;
                head[1] = (uint8_t)size;
                return 2;
        }
        head[0] = 0xda;
        head[1] = (uint8_t)(size >> 8);
        head[2] = (uint8_t)size;
        return 3;
}

static int append_text(IndexPool *pool, const uint8_t *head, size_t n_head, Text text)
{
        int r;

        if (pool->texts.size + n_head + text.size > UINT32_MAX - 1)
                return 1;
        r = buffer_reserve(&pool->texts, n_head + text.size);
        if (!r)
                r = buffer_append(&pool->texts, head, n_head);
        if (!r)
                r = buffer_append(&pool->texts, text.data, text.size);
        return r;
}

static bool text_is_at(const IndexPool *pool, uint32_t offset, const uint8_t *head, size_t n_head, Text text)
{
        const uint8_t *there = pool->texts.data + offset;

        return there[0] == head[0] && memcmp(there, head, n_head) == 0 &&
               memcmp(there + n_head, text.data, text.size) == 0;
}

int index_pool_text(IndexPool *pool, Text text, uint32_t *ret_offset)
{
        IndexPoolTable *table = &pool->text_table;
        uint32_t check, offset;
        uint8_t head[3];
        size_t n_head, at;
        int r;

        assert(text.size <= UINT16_MAX);
        n_head = encode_head(head, text.size);
        if (pool->texts.size && text_is_at(pool, pool->last, head, n_head, text)) {
                *ret_offset = pool->last;
                return 0;
        }
        check = (uint32_t)index_hash(text, pool->key);
        r = table_reserve(table);
        if (r < 0)
                return r;
        for (at = check & table->mask; table->slots[at].number; at = (at + 1) & table->mask) {
                uint32_t number = table->slots[at].number - 1;

                if (table->slots[at].check == check && text_is_at(pool, number, head, n_head, text)) {
                        *ret_offset = pool->last = number;
                        return 0;
                }
        }
        offset = (uint32_t)pool->texts.size;
        r = append_text(pool, head, n_head, text);
        if (r)
                return r;
        table_add(table, at, check, offset);
        *ret_offset = pool->last = offset;
        return 0;
}

int index_pool_range(IndexPool *pool, CapabilityRange range, uint32_t *ret_number)
{
        IndexPoolTable *table = &pool->range_table;
        IndexRange item = { range.min, range.max };
        uint32_t check = (uint32_t)index_hash((Text){ (const char *)&item, sizeof(item) }, pool->key);
        uint32_t number = (uint32_t)(pool->ranges.size / sizeof(item));
        size_t at;
        int r;

        r = table_reserve(table);
        if (r < 0)
                return r;
        for (at = check & table->mask; table->slots[at].number; at = (at + 1) & table->mask) {
                const IndexRange *ranges = (const IndexRange *)pool->ranges.data;

                if (memcmp(&ranges[table->slots[at].number - 1], &item, sizeof(item)) == 0) {
                        *ret_number = table->slots[at].number - 1;
                        return 0;
                }
        }
        r = buffer_append(&pool->ranges, &item, sizeof(item));
        if (r < 0)
                return r;
        table_add(table, at, check, number);
        *ret_number = number;
        return 0;
}

int index_pool_path(IndexPool *pool, Text path, uint32_t *ret_number)
{
        IndexPoolTable *table = &pool->path_table;
        uint32_t offset, check, number = (uint32_t)(pool->paths.size / sizeof(uint32_t));
        size_t at;
        int r;

        r = index_pool_text(pool, path, &offset);
        if (!r)
                r = table_reserve(table);
        if (r)
                return r;
        check = (uint32_t)(offset * UINT64_C(0x9e3779b1) >> 3);
        for (at = check & table->mask; table->slots[at].number; at = (at + 1) & table->mask) {
                const uint32_t *paths = (const uint32_t *)pool->paths.data;

                if (paths[table->slots[at].number - 1] == offset) {
                        *ret_number = table->slots[at].number - 1;
                        return 0;
                }
        }
        r = buffer_append(&pool->paths, &offset, sizeof(offset));
        if (r < 0)
                return r;
        table_add(table, at, check, number);
        *ret_number = number;
        return 0;
}

void index_pool_deinit(IndexPool *pool)
{
        buffer_deinit(&pool->texts);
        buffer_deinit(&pool->ranges);
        buffer_deinit(&pool->paths);
        alloc_free(pool->text_table.slots);
        alloc_free(pool->range_table.slots);
        alloc_free(pool->path_table.slots);
        *pool = INDEX_POOL_NULL;
}
