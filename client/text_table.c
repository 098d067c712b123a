#include "client/text_table.h"

#include <errno.h>

#include "client/hash.h"
#include "proto/base/alloc.h"

int text_table_init(TextTable *table, size_t n_max)
{
        size_t n_slots = 16;

        if (n_max >= UINT32_MAX)
                return -ENOMEM;
        while (n_slots < 2 * n_max)
                n_slots *= 2;
        table->texts = alloc_zeroed(n_max, sizeof(*table->texts));
        table->slots = alloc_zeroed(n_slots, sizeof(*table->slots));
        table->n_slots = n_slots;
        return table->texts && table->slots ? 0 : -ENOMEM;
}

void text_table_deinit(TextTable *table)
{
        alloc_free(table->texts);
        alloc_free(table->slots);
        *table = TEXT_TABLE_NULL;
}

uint32_t text_table_number(TextTable *table, Text text)
{
        size_t at = (size_t)hash_end(hash_bytes(HASH_START, text.data, text.size));

        for (;; ++at) {
                uint32_t *slot = &table->slots[at & (table->n_slots - 1)];

                if (*slot && text_equal(table->texts[*slot - 1], text))
                        return *slot - 1;
                if (*slot)
                        continue;
                table->texts[table->n++] = text;
                *slot = (uint32_t)table->n;
                return *slot - 1;
        }
}
