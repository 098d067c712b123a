#include "kernels/view_own.h"

#include <assert.h>
#include <errno.h>

#include "kernels/layer_set.h"
#include "kernels/range_steps.h"
#include "kernels/view_cell.h"
#include "proto/base/alloc.h"
#include "proto/index_reader.h"

/* --- groups --- */

static void group_deinit(ViewGroup *group)
{
        Entry *const *entries = view_group_entries(group);

        for (uint32_t i = 0; i < group->n; i++)
                entry_unref(entries[i]);
        if (group->n != 1)
                alloc_free(group->many);
        view_cell_free(group->cell);
}

static void groups_free(ViewGroup *groups, uint32_t n_groups)
{
        for (uint32_t i = 0; i < n_groups; i++)
                group_deinit(&groups[i]);
        alloc_free(groups);
}

/* 0 or -ENOMEM; counts the entries up. */
static int group_init(ViewGroup *group, Device device, Entry *const *entries, size_t n)
{
        *group = (ViewGroup){ .device = (uint8_t)device };
        if (n == 1) {
                group->one = entries[0];
        } else {
                group->many = alloc_zeroed(n, sizeof(*group->many));
                if (!group->many)
                        return -ENOMEM;
                memcpy(group->many, entries, n * sizeof(*entries));
        }
        group->n = (uint32_t)n;
        for (size_t i = 0; i < n; i++)
                entry_ref(entries[i]);
        return 0;
}

static int compare_ranges(CapabilityRange a, CapabilityRange b)
{
        if (a.min != b.min)
                return a.min < b.min ? -1 : 1;
        return (a.max > b.max) - (a.max < b.max);
}

/* Two sorted runs into one; where both have a range the newer's entry stands. */
static size_t merge_entries(Entry *const *old, size_t n_old, Entry *const *newer, size_t n_newer, Entry **to)
{
        size_t i = 0, j = 0, n = 0;

        while (i < n_old || j < n_newer) {
                int order;

                if (i == n_old)
                        order = 1;
                else if (j == n_newer)
                        order = -1;
                else
                        order = compare_ranges(old[i]->range, newer[j]->range);
                to[n++] = order < 0 ? old[i] : newer[j];
                i += order <= 0;
                j += order >= 0;
        }
        return n;
}

static int group_merge(ViewGroup *group, const ViewGroup *old, Entry *const *newer, size_t n_newer, Fault *fault)
{
        CLEANUP_ALLOC Entry **merged = alloc_zeroed(old->n + n_newer, sizeof(*merged));
        size_t n;

        if (!merged)
                return -ENOMEM;
        n = merge_entries(view_group_entries(old), old->n, newer, n_newer, merged);
        if (n > LIMIT_RANGES)
                return fault_set(fault, FAULT_LIMIT, "layer \"%.*s\" would have over %d capability ranges for %s: merge "
                                 "some", TEXT_PRINT(merged[0]->layer), LIMIT_RANGES,
                                 device_spelling(merged[0]->device));
        return group_init(group, (Device)old->device, merged, n);
}

/* --- a change to one layer, prepared --- */

typedef struct LayerChange {
        ViewLayer *layer;   /* NULL: a new one */
        uint32_t hash;
        uint32_t n_groups;
        ViewGroup *groups;  /* all of the layer's in the end */
        uint32_t kept;      /* bit n: groups[n] still belongs to the layer as it is */
} LayerChange;

static void change_deinit(LayerChange *change)
{
        for (uint32_t i = 0; i < change->n_groups; i++)
                if (!(change->kept >> i & 1))
                        group_deinit(&change->groups[i]);
        alloc_free(change->groups);
}

/* How many of the entries, which are sorted by device, share the first's. */
static size_t device_run(Entry *const *entries, size_t n)
{
        size_t run = 1;

        while (run < n && entries[run]->device == entries[0]->device)
                run++;
        return run;
}

static int change_keep(LayerChange *change, const ViewGroup *old)
{
        change->groups[change->n_groups] = *old;
        change->kept |= 1u << change->n_groups++;
        return 0;
}

/* The next group of the layer in the order of devices: an old one, a new one,
 * or both merged. */
static int change_next(LayerChange *change, const ViewGroup **old, const ViewGroup *old_end, Entry *const **entries,
                       size_t *n, Fault *fault)
{
        Device device = *n ? (*entries)[0]->device : DEVICE_NONE;
        size_t run = *n ? device_run(*entries, *n) : 0;
        bool both = *old < old_end && run && (*old)->device == device;
        ViewGroup *group = &change->groups[change->n_groups];
        int r;

        if (*old < old_end && !both && (!run || (*old)->device < device))
                return change_keep(change, (*old)++);
        r = both ? group_merge(group, (*old)++, *entries, run, fault) : group_init(group, device, *entries, run);
        if (r)
                return r;
        change->n_groups++;
        *entries += run;
        *n -= run;
        return 0;
}

static int change_init(LayerChange *change, ViewLayer *layer, uint32_t hash, Entry *const *entries, size_t n,
                       Fault *fault)
{
        const ViewGroup *old = layer ? layer->groups : NULL, *end = layer ? old + layer->n_groups : NULL;

        *change = (LayerChange){ .layer = layer, .hash = hash };
        change->groups = alloc_zeroed(_DEVICE_MAX + 1, sizeof(*change->groups));
        if (!change->groups)
                return -ENOMEM;
        while (old < end || n) {
                int r = change_next(change, &old, end, &entries, &n, fault);

                if (r)
                        return r;
        }
        return 0;
}

static size_t count_entries(const ViewGroup *groups, uint32_t n_groups)
{
        size_t n = 0;

        for (uint32_t i = 0; i < n_groups; i++)
                n += groups[i].n;
        return n;
}

static size_t count_bytes(const ViewGroup *groups, uint32_t n_groups)
{
        size_t n = 0;

        for (uint32_t i = 0; i < n_groups; i++)
                for (uint32_t j = 0; j < groups[i].n; j++)
                        n += view_group_entries(&groups[i])[j]->n_bytes;
        return n;
}

/* --- the table --- */

static void table_add(ViewOwn *own, uint32_t number)
{
        uint32_t at = own->layers[number].hash & own->mask;

        while (own->table[at])
                at = (at + 1) & own->mask;
        own->table[at] = number + 1;
}

/* Room for so many more layers: 0 or -ENOMEM. */
static int own_reserve(ViewOwn *own, size_t more)
{
        size_t wanted = own->n_layers + more, size = 8;
        uint32_t *table;

        if (wanted > own->capacity) {
                size_t capacity = wanted > own->capacity * 2u ? wanted : own->capacity * 2u;
                ViewLayer *layers = alloc_resize(own->layers, capacity, sizeof(*layers));

                if (!layers)
                        return -ENOMEM;
                own->layers = layers;
                own->capacity = (uint32_t)capacity;
        }
        while (size < wanted + wanted / 2)
                size *= 2;
        if (own->table && size <= own->mask + 1u)
                return 0;
        table = alloc_zeroed(size, sizeof(*table));
        if (!table)
                return -ENOMEM;
        alloc_free(own->table);
        own->table = table;
        own->mask = (uint32_t)(size - 1);
        for (uint32_t i = 0; i < own->n_layers; i++)
                table_add(own, i);
        return 0;
}

static uint32_t own_hash(const ViewOwn *own, Text name)
{
        return (uint32_t)index_hash(name, own->key);
}

static ViewLayer *own_find_hash(const ViewOwn *own, Text name, uint32_t hash)
{
        if (!own->n_layers)
                return NULL;
        for (uint32_t at = hash & own->mask; own->table[at]; at = (at + 1) & own->mask) {
                ViewLayer *layer = &own->layers[own->table[at] - 1];

                if (layer->hash == hash && text_equal(view_layer_name(layer), name))
                        return layer;
        }
        return NULL;
}

/* --- all of a change --- */

typedef struct OwnChange {
        LayerSet set;
        LayerChange *layers;
        size_t n;
        size_t n_entries;  /* in the end, as the next */
        size_t n_bytes;
} OwnChange;

static void own_change_deinit(OwnChange *change)
{
        for (size_t i = 0; i < change->n; i++)
                change_deinit(&change->layers[i]);
        alloc_free(change->layers);
        layer_set_deinit(&change->set);
}

static int own_change_layers(ViewOwn *own, OwnChange *change, size_t max_entries, Fault *fault)
{
        for (size_t i = 0; i < change->set.n_layers; i++) {
                const LayerGroup *group = &change->set.layers[i];
                uint32_t hash = own_hash(own, group->name);
                ViewLayer *layer = own_find_hash(own, group->name, hash);
                LayerChange *to = &change->layers[change->n++];
                int r;

                r = change_init(to, layer, hash, change->set.entries + group->first, group->n, fault);
                if (r)
                        return r;
                change->n_entries += count_entries(to->groups, to->n_groups);
                change->n_bytes += count_bytes(to->groups, to->n_groups);
                if (layer) {
                        change->n_entries -= count_entries(layer->groups, layer->n_groups);
                        change->n_bytes -= count_bytes(layer->groups, layer->n_groups);
                }
                if (change->n_entries > max_entries)
                        return fault_set(fault, FAULT_LIMIT, "the view would have more than the %zu own entries that the "
                                         "quota leaves: drop views that are not used", max_entries);
        }
        return 0;
}

static void own_commit_layer(ViewOwn *own, LayerChange *change)
{
        ViewLayer *layer = change->layer;
        ViewGroup *groups = alloc_resize(change->groups, change->n_groups, sizeof(*groups));

        if (groups)
                change->groups = groups;
        if (layer) {
                for (uint32_t i = 0; i < layer->n_groups; i++) {
                        bool kept = false;

                        for (uint32_t j = 0; j < change->n_groups; j++)
                                kept |= (change->kept >> j & 1) && change->groups[j].device == layer->groups[i].device;
                        if (!kept)
                                group_deinit(&layer->groups[i]);
                }
                alloc_free(layer->groups);
        } else {
                layer = &own->layers[own->n_layers];
                *layer = (ViewLayer){ .hash = change->hash };
                table_add(own, own->n_layers++);
        }
        layer->groups = STEAL(change->groups);
        layer->n_groups = change->n_groups;
        change->n_groups = 0;
}

int view_own_add(ViewOwn *own, Entry *const *entries, size_t n_entries, size_t max_entries, Fault *fault)
{
        CLEANUP(own_change_deinit) OwnChange change = { .n_entries = own->n_entries, .n_bytes = own->n_bytes };
        int r;

        r = layer_set_make(&change.set, entries, n_entries, own->key, fault);
        if (r)
                return r;
        /* First, since it may move the layers. */
        r = own_reserve(own, change.set.n_layers);
        if (r < 0)
                return r;
        change.layers = alloc_zeroed(change.set.n_layers + 1, sizeof(*change.layers));
        if (!change.layers)
                return -ENOMEM;
        r = own_change_layers(own, &change, max_entries, fault);
        if (r)
                return r;
        for (size_t i = 0; i < change.n; i++)
                own_commit_layer(own, &change.layers[i]);
        own->n_entries = change.n_entries;
        own->n_bytes = change.n_bytes;
        return 0;
}

static int own_copy_layer(ViewOwn *own, const ViewLayer *from)
{
        ViewGroup *groups = alloc_zeroed(from->n_groups, sizeof(*groups));

        if (!groups)
                return -ENOMEM;
        for (uint32_t i = 0; i < from->n_groups; i++) {
                int r = group_init(&groups[i], (Device)from->groups[i].device, view_group_entries(&from->groups[i]),
                                   from->groups[i].n);

                if (r < 0) {
                        groups_free(groups, i);
                        return r;
                }
        }
        own->layers[own->n_layers] = (ViewLayer){
                .hash = own_hash(own, view_layer_name(from)),
                .n_groups = from->n_groups,
                .groups = groups,
        };
        table_add(own, own->n_layers++);
        own->n_entries += count_entries(groups, from->n_groups);
        own->n_bytes += count_bytes(groups, from->n_groups);
        return 0;
}

int view_own_copy(ViewOwn *own, const ViewOwn *from)
{
        int r;

        assert(!own->n_layers);
        r = own_reserve(own, from->n_layers);
        for (uint32_t i = 0; !r && i < from->n_layers; i++)
                r = own_copy_layer(own, &from->layers[i]);
        return r;
}

void view_own_init(ViewOwn *own, uint64_t key)
{
        *own = (ViewOwn){ .key = key };
}

void view_own_deinit(ViewOwn *own)
{
        for (uint32_t i = 0; i < own->n_layers; i++)
                groups_free(own->layers[i].groups, own->layers[i].n_groups);
        alloc_free(own->layers);
        alloc_free(own->table);
        view_own_init(own, own->key);
}

ViewLayer *view_own_find(const ViewOwn *own, Text name)
{
        return own->n_layers ? own_find_hash(own, name, own_hash(own, name)) : NULL;
}

ViewGroup *view_layer_find(const ViewLayer *layer, Device device)
{
        for (uint32_t i = 0; i < layer->n_groups; i++)
                if (layer->groups[i].device == device)
                        return &layer->groups[i];
        return NULL;
}
