#include <errno.h>

#include "kernels/host_mapping.h"
#include "kernels/range_steps.h"

/* `after` of a page is the place of its last entry: the layer's number in the
 * order of names, and a number in the layer, which is even for entries in force;
 * the one behind is that of what the entry hides. */
#define PLACE_BITS 17
#define PLACE(layer, number) ((int64_t)(layer) << PLACE_BITS | (int64_t)(number))

typedef struct HostList {
        const HostMapping *mapping; /* what is in force */
        Arena *arena;
        MsgMappingEntry *items;
        size_t n;
        size_t limit;
        int64_t last; /* place of the last entry in the page */
} HostList;

static int list_modes(HostList *list, const HostMapping *mapping, const IndexLayer *layer, const IndexEntry *entry,
                      MsgMappingEntry *item)
{
        item->modes.keys = arena_zeroed(list->arena, entry->n_modes + 1u, sizeof(*item->modes.keys));
        item->modes.items = arena_zeroed(list->arena, entry->n_modes + 1u, sizeof(*item->modes.items));
        if (!item->modes.keys || !item->modes.items)
                return -ENOMEM;
        for (size_t i = 0; i < entry->n_modes; i++) {
                const IndexReference *encoded;
                const IndexEntry *same;
                Reference reference;
                Mode mode;

                if (!index_row(layer, entry->first_row + i, &mode, &same, &encoded) ||
                    !host_mapping_reference(mapping, layer, encoded, &reference))
                        return -EINVAL;
                item->modes.keys[i] = text_of(mode_spelling(mode));
                reference_to_message(&reference, &item->modes.items[i]);
        }
        item->modes.n = entry->n_modes;
        return 0;
}

/* An entry of `mapping`, which is that of the list or the one that it hides. */
static int list_entry(HostList *list, const HostMapping *mapping, const IndexLayer *layer, const IndexEntry *entry)
{
        MsgMappingEntry *item = &list->items[list->n];
        CapabilityRange range;

        if (!index_entry_is_sound(layer, entry) || !index_range(&mapping->index, entry, &range) ||
            !index_source(&mapping->index, entry->source, &item->source, NULL))
                return -EINVAL;
        item->layer = layer->name;
        if (entry->device != DEVICE_NONE)
                item->device = text_of(device_spelling((Device)entry->device));
        if (entry->has_range)
                item->min_capability = INTEGER_PRESENT(range.min);
        if (entry->has_range && range.max != CAPABILITY_MAX)
                item->max_capability = INTEGER_PRESENT(range.max);
        item->hidden = mapping != list->mapping;
        return list_modes(list, mapping, layer, entry, item);
}

/* The layer of what is hidden, with no entries where nothing is. */
static int list_hidden_layer(const HostList *list, const IndexLayer *layer, IndexLayer *ret_hidden)
{
        const HostMapping *mapping = list->mapping->hidden;
        uint32_t record = mapping ? index_find_layer(&mapping->index, layer->name) : INDEX_RECORD_NONE;

        *ret_hidden = (IndexLayer){ 0 };
        return record == INDEX_RECORD_NONE || index_layer(&mapping->index, record, ret_hidden) ? 0 : -EINVAL;
}

/* What lies below the entry, or NULL. */
static const IndexEntry *list_below(const HostList *list, const IndexLayer *hidden, const IndexEntry *entry)
{
        CapabilityRange range, below;

        if (!hidden->n_entries || !index_range(&list->mapping->index, entry, &range))
                return NULL;
        for (size_t i = 0; i < hidden->n_entries; i++)
                if (hidden->entries[i].device == entry->device &&
                    index_range(&list->mapping->hidden->index, &hidden->entries[i], &below) && range_equal(range, below))
                        return &hidden->entries[i];
        return NULL;
}

/* The layer's entries from `first` on, while there is room. 0; 1: the page is full. */
static int list_layer(HostList *list, uint32_t number, size_t first)
{
        IndexLayer layer, hidden;
        int r;

        if (!index_layer_sorted(&list->mapping->index, number, &layer))
                return -EINVAL;
        r = list_hidden_layer(list, &layer, &hidden);
        for (size_t i = first; !r && i < 2 * layer.n_entries; i++) {
                const IndexEntry *entry = &layer.entries[i / 2], *below = i % 2 ? list_below(list, &hidden, entry) : NULL;

                if (i % 2 && !below)
                        continue;
                if (list->n == list->limit)
                        return 1;
                r = below ? list_entry(list, list->mapping->hidden, &hidden, below) :
                            list_entry(list, list->mapping, &layer, entry);
                list->last = PLACE(number, i);
                list->n++;
        }
        return r;
}

static int list_page(HostList *list, OptionalInteger after)
{
        int64_t layer = after.present ? after.value >> PLACE_BITS : 0;
        size_t first = after.present ? (size_t)(after.value & ((1 << PLACE_BITS) - 1)) + 1 : 0;
        uint32_t number;
        int r = 0;

        /* A page of a larger mapping than this one is now: its generation tells. */
        if (layer >= index_n_layers(&list->mapping->index))
                return 0;
        for (number = (uint32_t)layer; !r && number < index_n_layers(&list->mapping->index); number++, first = 0)
                r = list_layer(list, number, first);
        return r;
}

int host_mapping_list(const HostMapping *mapping, OptionalInteger after, size_t limit, Arena *arena,
                      MsgMappingListResult *ret_result, Fault *fault)
{
        HostList list = { .mapping = mapping, .arena = arena, .limit = limit };
        int r;

        if (after.present && after.value < 0)
                return fault_set(fault, FAULT_BAD_REQUEST, "after: give back the next of the page before");
        list.items = arena_zeroed(arena, limit + 1, sizeof(*list.items));
        if (!list.items)
                return -ENOMEM;
        r = list_page(&list, after);
        if (r < 0)
                return r;
        *ret_result = (MsgMappingListResult){
                .generation = (int64_t)mapping->generation,
                .entries = { list.items, list.n },
                .next = r ? INTEGER_PRESENT(list.last) : INTEGER_ABSENT,
        };
        return 0;
}

/* --- references --- */

static int layer_references(const HostMapping *mapping, uint32_t number, HostReferenceFunction *function, void *data)
{
        IndexLayer layer;
        int r = 0;

        if (!index_layer_sorted(&mapping->index, number, &layer))
                return -EINVAL;
        for (size_t i = 0; !r && i < layer.n_references; i++) {
                Reference reference;

                if (!host_mapping_reference(mapping, &layer, &layer.references[i], &reference))
                        return -EINVAL;
                r = function(data, &reference);
        }
        return r;
}

int host_mapping_each_reference(const HostMapping *mapping, HostReferenceFunction *function, void *data)
{
        int r = 0;

        for (uint32_t number = 0; !r && number < index_n_layers(&mapping->index); number++)
                r = layer_references(mapping, number, function, data);
        return r;
}
