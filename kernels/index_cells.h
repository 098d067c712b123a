/* Writes the cells of a layer: for each device type the step function from
 * capability to row, in the narrow or the wide form of proto/index_layout.h. */
#pragma once

#include "kernels/entry.h"
#include "kernels/range_steps.h"
#include "proto/index_layout.h"

/* Memory that is used again for the next layer. */
typedef struct IndexCells {
        RangeSteps steps;
        CapabilityRange *ranges;
        size_t room;
} IndexCells;

#define INDEX_CELLS_NULL ((IndexCells){ 0 })

/* The cells of the record's entries (sorted by device; `encoded` say where
 * their rows are) at `to`, which has room for the wide form. Sets the record's
 * devices and INDEX_CELLS_WIDE. 0 or -ENOMEM. */
int index_cells_write(IndexCells *cells, IndexRecord *record, const IndexEntry *encoded, Entry *const *entries,
                      uint8_t *to, size_t *ret_size);

void index_cells_deinit(IndexCells *cells);
