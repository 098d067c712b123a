/* The plain rule of looking up, for comparison: a list of entries in their
 * order, searched from end to end for every question. */
#pragma once

#include "kernels/entry.h"
#include "proto/index_reader.h"

typedef struct MappingModel {
        Entry **entries; /* in force; owned */
        size_t n;
        size_t capacity;
} MappingModel;

typedef struct ModelAnswer {
        IndexAnswer answer;
        const Entry *entry;
        Mode mode;
} ModelAnswer;

/* Lets an entry (counted up) come into force, or remove. */
void mapping_model_add(MappingModel *model, Entry *entry);
void mapping_model_deinit(MappingModel *model);

ModelAnswer mapping_model_ask(const MappingModel *model, Text layer, Device device, int64_t capability, Mode request);

/* Entries drawn from few names, devices and ranges, so that they collide. */
typedef struct MappingDice {
        uint64_t state;
} MappingDice;

uint32_t mapping_dice(MappingDice *dice, uint32_t n); /* 0 to n - 1 */
Entry *mapping_dice_entry(MappingDice *dice, bool may_remove, uint16_t source);
Text mapping_dice_layer(MappingDice *dice);
int64_t mapping_dice_capability(MappingDice *dice);

/* One entry: "fallback" with version n of conformance/NAME. min, max: -1 is absent. */
Entry *mapping_entry(const char *layer, const char *device, int64_t min, int64_t max, const char *modes, int64_t n);
