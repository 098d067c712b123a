#include "kernels/index_cells.h"

#include <errno.h>

#include "proto/base/alloc.h"

static int cells_reserve(IndexCells *cells, size_t n)
{
        size_t room = n < 16 ? 16 : n;
        CapabilityRange *ranges;

        if (n <= cells->room)
                return 0;
        ranges = alloc_resize(cells->ranges, room, sizeof(*ranges));
        if (!ranges)
                return -ENOMEM;
        cells->ranges = ranges;
        cells->room = room;
        return 0;
}

typedef struct CellRow {
        uint16_t first_row;
        uint8_t modes[MODE_REQUESTS];
} CellRow;

/* The row for one step and request, or one of the two marks. */
static uint16_t cell_row(const CellRow *rows, const RangeStep *step, unsigned request)
{
        const CellRow *row;

        if (step->chosen == RANGE_STEP_NONE)
                return INDEX_WIDE_NO_CAPABILITY;
        row = &rows[step->chosen];
        return row->modes[request] == ENTRY_NO_MODE ? INDEX_WIDE_NO_MODE :
                                                      (uint16_t)(row->first_row + row->modes[request]);
}

/* Returns the bytes written, or 0: it does not fit the form. */
static size_t cell_write_narrow(uint8_t *to, const RangeSteps *steps, const CellRow *rows)
{
        uint8_t *p = to;

        if (steps->n > UINT8_MAX || steps->items[steps->n - 1].start > UINT16_MAX)
                return 0;
        *p++ = (uint8_t)steps->n;
        for (size_t i = 0; i < steps->n; i++)
                for (unsigned request = 0; request < MODE_REQUESTS; request++)
                        *p++ = (uint8_t)cell_row(rows, &steps->items[i], request);
        for (size_t i = 1; i < steps->n; i++, p += 2)
                memcpy(p, &(uint16_t){ (uint16_t)steps->items[i].start }, 2);
        return (size_t)(p - to);
}

static size_t cell_write_wide(uint8_t *to, const RangeSteps *steps, const CellRow *rows)
{
        uint8_t *p = to;

        memcpy(p, &(uint16_t){ (uint16_t)steps->n }, 2);
        p += 2;
        for (size_t i = 0; i < steps->n; i++)
                for (unsigned request = 0; request < MODE_REQUESTS; request++, p += 2)
                        memcpy(p, &(uint16_t){ cell_row(rows, &steps->items[i], request) }, 2);
        for (size_t i = 1; i < steps->n; i++, p += 8)
                memcpy(p, &steps->items[i].start, 8);
        return (size_t)(p - to);
}

/* The cell of the n entries, all of one device. 0 or -ENOMEM; *ret_size 0:
 * does not fit the form. */
static int cell_write(IndexCells *cells, const IndexEntry *encoded, Entry *const *entries, size_t n, bool wide,
                      uint8_t *to, size_t *ret_size)
{
        CLEANUP_ALLOC CellRow *many = NULL;
        CellRow few[16], *rows = few;
        int r;

        r = cells_reserve(cells, n);
        if (r < 0)
                return r;
        if (n > ARRAY_SIZE(few)) {
                rows = many = alloc_zeroed(n, sizeof(*many));
                if (!many)
                        return -ENOMEM;
        }
        for (size_t i = 0; i < n; i++) {
                cells->ranges[i] = entries[i]->range;
                rows[i].first_row = encoded[i].first_row;
                entry_answers(entries[i], rows[i].modes);
        }
        r = range_steps_make(&cells->steps, cells->ranges, n);
        if (r < 0)
                return r;
        *ret_size = wide ? cell_write_wide(to, &cells->steps, rows) :
                           cell_write_narrow(to, &cells->steps, rows);
        return 0;
}

/* All cells of the layer at `to`. 0 or -ENOMEM; *ret_size 0: does not fit. */
static int cells_write(IndexCells *cells, IndexRecord *record, const IndexEntry *encoded, Entry *const *entries,
                       bool wide, uint8_t *to, size_t *ret_size)
{
        size_t size = 0, n;

        for (size_t i = 0; i < record->n_entries && entries[i]->device != DEVICE_NONE; i += n) {
                size_t cell;
                int r;

                for (n = 1; i + n < record->n_entries && entries[i + n]->device == entries[i]->device;)
                        n++;
                record->devices |= (uint8_t)(1u << entries[i]->device);
                r = cell_write(cells, encoded + i, entries + i, n, wide, to + size, &cell);
                if (r < 0)
                        return r;
                if (!cell) {
                        *ret_size = 0;
                        return 0;
                }
                size += cell;
        }
        *ret_size = size;
        return 0;
}

int index_cells_write(IndexCells *cells, IndexRecord *record, const IndexEntry *encoded, Entry *const *entries,
                      uint8_t *to, size_t *ret_size)
{
        size_t size = 0;
        int r = 0;

        if (record->n_rows < INDEX_NARROW_NO_MODE)
                r = cells_write(cells, record, encoded, entries, false, to, &size);
        if (!r && !size && entries[0]->device != DEVICE_NONE) {
                record->flags |= INDEX_CELLS_WIDE;
                r = cells_write(cells, record, encoded, entries, true, to, &size);
        }
        if (r < 0)
                return r;
        *ret_size = size;
        return 0;
}

void index_cells_deinit(IndexCells *cells)
{
        range_steps_deinit(&cells->steps);
        alloc_free(cells->ranges);
        *cells = INDEX_CELLS_NULL;
}
