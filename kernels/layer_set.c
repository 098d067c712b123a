#include "kernels/layer_set.h"

#include <errno.h>
#include <stdlib.h>

#include "kernels/range_steps.h"
#include "proto/base/alloc.h"
#include "proto/index_reader.h"

/* How far ahead entries are fetched. */
#define ENTRIES_AHEAD 8

/* Finds layers by name while they are collected: open addressing, numbers of
 * layers plus one, at most half full. */
typedef struct LayerTable {
        uint32_t *numbers;
        size_t mask;
} LayerTable;

static int layer_table_init(LayerTable *table, size_t n_entries)
{
        size_t size = 16;

        while (size < n_entries * 2)
                size *= 2;
        table->mask = size - 1;
        table->numbers = alloc_zeroed(size, sizeof(*table->numbers));
        return table->numbers ? 0 : -ENOMEM;
}

static uint32_t layer_table_number(LayerTable *table, LayerSet *set, Text name, uint64_t hash)
{
        size_t at = hash & table->mask;

        for (; table->numbers[at]; at = (at + 1) & table->mask) {
                LayerGroup *layer = &set->layers[table->numbers[at] - 1];

                if (layer->hash == hash && text_equal(layer->name, name))
                        return table->numbers[at] - 1;
        }
        set->layers[set->n_layers] = (LayerGroup){ .name = name, .hash = hash };
        table->numbers[at] = (uint32_t)++set->n_layers;
        return table->numbers[at] - 1;
}

/* Numbers the layers, and says for each entry which it belongs to. */
static int number_layers(LayerSet *set, Entry *const *entries, size_t n_entries, uint64_t key, uint32_t *numbers)
{
        LayerTable table;
        int r;

        r = layer_table_init(&table, n_entries);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_entries; i++) {
                Text name = entries[i]->layer;

                if (i + 2 * ENTRIES_AHEAD < n_entries) {
                        entry_fetch_front(entries[i + 2 * ENTRIES_AHEAD]);
                        __builtin_prefetch(entries[i + ENTRIES_AHEAD]->layer.data);
                }
                /* Files name the entries of a layer one behind the other. */
                if (i && text_equal(name, entries[i - 1]->layer))
                        numbers[i] = numbers[i - 1];
                else
                        numbers[i] = layer_table_number(&table, set, name, index_hash(name, key));
                set->layers[numbers[i]].n++;
        }
        alloc_free(table.numbers);
        return 0;
}

/* Puts the entries of each layer side by side, keeping their order. */
static void group_entries(LayerSet *set, Entry *const *entries, size_t n_entries, const uint32_t *numbers)
{
        uint32_t first = 0;

        for (size_t i = 0; i < set->n_layers; i++) {
                set->layers[i].first = first;
                first += set->layers[i].n;
                set->layers[i].n = 0;
        }
        for (size_t i = 0; i < n_entries; i++) {
                LayerGroup *layer = &set->layers[numbers[i]];

                set->entries[layer->first + layer->n++] = entries[i];
        }
}

static bool entry_is_removed_by(const Entry *remove, const Entry *entry)
{
        if (remove->device == DEVICE_NONE)
                return true;
        if (remove->device != entry->device)
                return false;
        return !remove->has_bounds || range_equal(remove->range, entry->range);
}

static size_t drop_removed(Entry **entries, size_t n, const Entry *remove)
{
        size_t kept = 0;

        for (size_t i = 0; i < n; i++)
                if (!entry_is_removed_by(remove, entries[i]))
                        entries[kept++] = entries[i];
        return kept;
}

static int add_hidden(LayerSet *set, Entry *entry)
{
        size_t capacity = set->hidden_capacity ? 2 * set->hidden_capacity : 16;
        Entry **grown;

        if (set->n_hidden == set->hidden_capacity) {
                grown = alloc_resize(set->hidden, capacity, sizeof(Entry *));
                if (!grown)
                        return -ENOMEM;
                set->hidden = grown;
                set->hidden_capacity = capacity;
        }
        set->hidden[set->n_hidden++] = entry;
        return 0;
}

/* Puts the entry in the place of one of the same layer, device and range. */
static int replace_entry(LayerSet *set, Entry **place, Entry *entry)
{
        Entry *old = *place;

        *place = entry;
        return old->source == entry->source ? 0 : add_hidden(set, old);
}

/* Lets one more entry come into force. */
static int add_entry(LayerSet *set, Entry **entries, uint32_t *n, Entry *entry, Fault *fault)
{
        size_t n_ranges = 0;

        for (uint32_t i = 0; i < *n; i++) {
                if (entries[i]->device != entry->device)
                        continue;
                if (range_equal(entries[i]->range, entry->range))
                        return replace_entry(set, &entries[i], entry);
                n_ranges++;
        }
        if (n_ranges >= LIMIT_RANGES)
                return fault_set(fault, FAULT_LIMIT, "layer \"%.*s\" has over %d capability ranges for %s: merge some",
                                 TEXT_PRINT(entry->layer), LIMIT_RANGES, device_spelling(entry->device));
        entries[(*n)++] = entry;
        return 0;
}

static int compare_entries(const void *a, const void *b)
{
        const Entry *x = *(Entry *const *)a, *y = *(Entry *const *)b;

        if (x->device != y->device)
                return x->device < y->device ? -1 : 1;
        if (x->range.min != y->range.min)
                return x->range.min < y->range.min ? -1 : 1;
        return (x->range.max > y->range.max) - (x->range.max < y->range.max);
}

static void sort_entries(Entry **entries, size_t n)
{
        if (n > 16) {
                qsort(entries, n, sizeof(*entries), compare_entries);
                return;
        }
        for (size_t i = 1; i < n; i++) {
                Entry *entry = entries[i];
                size_t at = i;

                for (; at && compare_entries(&entries[at - 1], &entry) > 0; at--)
                        entries[at] = entries[at - 1];
                entries[at] = entry;
        }
}

/* What is removed is neither in force nor hidden any more. */
static void remove_entries(LayerSet *set, size_t first_hidden, Entry **entries, uint32_t *n, const Entry *remove)
{
        *n = (uint32_t)drop_removed(entries, *n, remove);
        if (set->n_hidden > first_hidden)
                set->n_hidden = first_hidden + drop_removed(set->hidden + first_hidden, set->n_hidden - first_hidden, remove);
}

/* Reduces one layer's entries, in place, to those in force. */
static int reduce_layer(LayerSet *set, LayerGroup *layer, Fault *fault)
{
        Entry **entries = set->entries + layer->first;
        size_t first_hidden = set->n_hidden;
        uint32_t n = 0;
        int r;

        for (uint32_t i = 0; i < layer->n; i++) {
                if (entries[i]->removes) {
                        remove_entries(set, first_hidden, entries, &n, entries[i]);
                        continue;
                }
                r = add_entry(set, entries, &n, entries[i], fault);
                if (r)
                        return r;
        }
        layer->n = n;
        set->n_entries += n;
        for (uint32_t i = 0; i < n; i++)
                set->n_modes += entries[i]->n_modes;
        sort_entries(entries, n);
        if (n)
                layer->name = entries[0]->layer;
        return 0;
}

static int reduce_layers(LayerSet *set, Fault *fault)
{
        size_t kept = 0;

        for (size_t i = 0; i < set->n_layers; i++) {
                int r = reduce_layer(set, &set->layers[i], fault);

                if (r)
                        return r;
                if (set->layers[i].n)
                        set->layers[kept++] = set->layers[i];
        }
        set->n_layers = kept;
        return 0;
}

int layer_set_make(LayerSet *set, Entry *const *entries, size_t n_entries, uint64_t key, Fault *fault)
{
        CLEANUP_ALLOC uint32_t *numbers = NULL;
        int r;

        *set = LAYER_SET_NULL;
        if (n_entries > UINT32_MAX / 4)
                return fault_set(fault, FAULT_LIMIT, "a mapping of %zu entries is too large", n_entries);
        numbers = alloc_zeroed(n_entries + 1, sizeof(*numbers));
        set->layers = alloc_zeroed(n_entries + 1, sizeof(*set->layers));
        set->entries = alloc_zeroed(n_entries + 1, sizeof(*set->entries));
        r = numbers && set->layers && set->entries ? 0 : -ENOMEM;
        if (!r)
                r = number_layers(set, entries, n_entries, key, numbers);
        if (!r) {
                group_entries(set, entries, n_entries, numbers);
                r = reduce_layers(set, fault);
        }
        if (r)
                layer_set_deinit(set);
        return r;
}

void layer_set_deinit(LayerSet *set)
{
        alloc_free(set->layers);
        alloc_free(set->entries);
        alloc_free(set->hidden);
        *set = LAYER_SET_NULL;
}
