/* The own entries of a view: by layer, then device type, each with its ranges.
 * For kernels/view.c alone.
 *
 * A change is prepared beside what is there, which may fail, and then swapped
 * in, which may not. It costs what it changes. */
#pragma once

#include "kernels/entry.h"

typedef struct ViewCell ViewCell; /* kernels/view_cell.h */

/* The own entries of one layer and device type. */
typedef struct ViewGroup {
        uint8_t device;       /* DEVICE_NONE: names the layer only */
        uint32_t n;
        union {
                Entry *one;   /* n is 1 */
                Entry **many; /* sorted by min, max */
        };
        ViewCell *cell;       /* the steps, once they were asked for */
} ViewGroup;

typedef struct ViewLayer {
        uint32_t hash;
        uint32_t n_groups;
        ViewGroup *groups;    /* sorted by device */
} ViewLayer;

typedef struct ViewOwn {
        ViewLayer *layers;
        uint32_t n_layers;
        uint32_t capacity;
        uint32_t *table;      /* numbers of layers plus one; 0: free */
        uint32_t mask;
        size_t n_entries;
        size_t n_bytes;       /* of the entries */
        uint64_t key;         /* of the hash */
} ViewOwn;

static inline Entry *const *view_group_entries(const ViewGroup *group)
{
        return group->n == 1 ? &group->one : group->many;
}

static inline Text view_layer_name(const ViewLayer *layer)
{
        return view_group_entries(&layer->groups[0])[0]->layer;
}

/* An empty one; `key` should not be known to clients. */
void view_own_init(ViewOwn *own, uint64_t key);
void view_own_deinit(ViewOwn *own);

/* Adds entries (counted up), the later of the same layer, device and range
 * standing. 0; 1 with FAULT_LIMIT, -ENOMEM: nothing has changed. */
int view_own_add(ViewOwn *own, Entry *const *entries, size_t n_entries, size_t max_entries, Fault *fault);

/* All entries of `from` into an empty one. 0 or -ENOMEM. */
int view_own_copy(ViewOwn *own, const ViewOwn *from);

ViewLayer *view_own_find(const ViewOwn *own, Text name);
ViewGroup *view_layer_find(const ViewLayer *layer, Device device);
