/* What is in force of some entries in their order, layer by layer: the later
 * of the same layer, device and range stands, and what was removed is gone. */
#pragma once

#include "kernels/entry.h"

typedef struct LayerGroup {
        Text name;        /* of one of the entries */
        uint64_t hash;    /* index_hash of the name */
        uint32_t first;   /* in LayerSet.entries */
        uint32_t n;
} LayerGroup;

typedef struct LayerSet {
        LayerGroup *layers; /* only such as have entries; in the order in which they were first named */
        size_t n_layers;
        Entry **entries;    /* borrowed; of each layer sorted by device, min, max */
        size_t n_entries; /* of all layers */
        size_t n_modes;   /* of all entries */
        Entry **hidden;   /* borrowed; replaced by one of another source that is in force, in their order */
        size_t n_hidden;
        size_t hidden_capacity;
} LayerSet;

#define LAYER_SET_NULL ((LayerSet){ 0 })

/* 0; 1 with FAULT_LIMIT: over LIMIT_RANGES ranges for one layer and device at
 * a time; -ENOMEM. */
int layer_set_make(LayerSet *set, Entry *const *entries, size_t n_entries, uint64_t key, Fault *fault);

void layer_set_deinit(LayerSet *set);
