#include "kernels/text_table.h"

#include <errno.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/index_reader.h"

#define FIRST_BUCKETS 64u

static uint64_t pair_hash(const TextTable *table, Text a, Text b)
{
        uint64_t hash = index_hash(a, table->key);

        return index_hash(b, hash ^ table->key);
}

static TableItem **bucket(const TextTable *table, uint64_t hash)
{
        return &table->buckets[hash & (table->n_buckets - 1)];
}

TableItem *text_table_find(const TextTable *table, Text a, Text b)
{
        uint64_t hash;

        if (!table->n)
                return NULL;
        hash = pair_hash(table, a, b);
        for (TableItem *item = *bucket(table, hash); item; item = item->next)
                if (item->hash == hash && text_equal(item->a, a) && text_equal(item->b, b))
                        return item;
        return NULL;
}

static void push(TextTable *table, TableItem *item)
{
        TableItem **to = bucket(table, item->hash);

        item->next = *to;
        *to = item;
        table->n++;
}

static int grow(TextTable *table)
{
        TextTable grown = { .n_buckets = table->n_buckets ? 2 * table->n_buckets : FIRST_BUCKETS, .key = table->key };

        grown.buckets = alloc_zeroed(grown.n_buckets, sizeof(TableItem *));
        if (!grown.buckets)
                return error_trace(-ENOMEM);
        for (TableItem *item = text_table_take_all(table), *next; item; item = next) {
                next = item->next;
                push(&grown, item);
        }
        *table = grown;
        return 0;
}

int text_table_put(TextTable *table, TableItem *item)
{
        if (table->n == table->n_buckets && grow(table) < 0)
                return error_trace(-ENOMEM);
        item->hash = pair_hash(table, item->a, item->b);
        push(table, item);
        return 0;
}

void text_table_remove(TextTable *table, TableItem *item)
{
        TableItem **link = bucket(table, item->hash);

        while (*link != item)
                link = &(*link)->next;
        *link = item->next;
        table->n--;
}

TableItem *text_table_next(const TextTable *table, const TableItem *item)
{
        size_t i = item ? (item->hash & (table->n_buckets - 1)) + 1 : 0;

        if (item && item->next)
                return item->next;
        for (; i < table->n_buckets; i++)
                if (table->buckets[i])
                        return table->buckets[i];
        return NULL;
}

TableItem *text_table_take_all(TextTable *table)
{
        TableItem *all = NULL;

        for (size_t i = 0; i < table->n_buckets; i++)
                while (table->buckets[i]) {
                        TableItem *item = table->buckets[i];

                        table->buckets[i] = item->next;
                        item->next = all;
                        all = item;
                }
        alloc_free(table->buckets);
        *table = TEXT_TABLE_OF(table->key);
        return all;
}

Text table_item_text(char **at, Text text)
{
        Text copy = { *at, text.size };

        if (text.size)
                memcpy(*at, text.data, text.size);
        *at += text.size;
        return copy;
}
