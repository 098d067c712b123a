#include "kernels/range_steps.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/alloc.h"

/* Below this, insertion beats qsort; typical layers have one to four ranges. */
#define RANGE_STEPS_FEW 24

static int range_steps_reserve(RangeSteps *steps, size_t n_ranges)
{
        size_t room = n_ranges < 8 ? 8 : n_ranges;
        RangeStep *items;
        uint32_t *order, *next;

        if (steps->room >= n_ranges)
                return 0;
        items = alloc_zeroed(2 * room + 1, sizeof(*items));
        order = alloc_zeroed(room, sizeof(*order));
        next = alloc_zeroed(2 * room + 2, sizeof(*next));
        if (!items || !order || !next) {
                alloc_free(items);
                alloc_free(order);
                alloc_free(next);
                return -ENOMEM;
        }
        range_steps_deinit(steps);
        *steps = (RangeSteps){ .items = items, .order = order, .next = next, .room = room };
        return 0;
}

static int compare_better(const void *a, const void *b, void *context)
{
        const CapabilityRange *ranges = context;
        CapabilityRange x = ranges[*(const uint32_t *)a], y = ranges[*(const uint32_t *)b];

        return range_is_better(x, y) ? -1 : range_is_better(y, x);
}

static int compare_start(const void *a, const void *b)
{
        int64_t x = ((const RangeStep *)a)->start, y = ((const RangeStep *)b)->start;

        return (x > y) - (x < y);
}

static void order_ranges(uint32_t *order, const CapabilityRange *ranges, size_t n)
{
        if (n > RANGE_STEPS_FEW) {
                for (size_t i = 0; i < n; i++)
                        order[i] = (uint32_t)i;
                qsort_r(order, n, sizeof(*order), compare_better, (void *)ranges);
                return;
        }
        for (size_t i = 0; i < n; i++) {
                size_t at = i;

                for (; at && range_is_better(ranges[i], ranges[order[at - 1]]); at--)
                        order[at] = order[at - 1];
                order[at] = (uint32_t)i;
        }
}

static void sort_starts(RangeStep *items, size_t n)
{
        if (n > 2 * RANGE_STEPS_FEW) {
                qsort(items, n, sizeof(*items), compare_start);
                return;
        }
        for (size_t i = 1; i < n; i++) {
                RangeStep item = items[i];
                size_t at = i;

                for (; at && items[at - 1].start > item.start; at--)
                        items[at] = items[at - 1];
                items[at] = item;
        }
}

/* Every place where the answer can change, in order, once. */
static size_t collect_starts(RangeStep *items, const CapabilityRange *ranges, size_t n_ranges)
{
        size_t n = 0, kept = 0;

        items[n++].start = 0;
        for (size_t i = 0; i < n_ranges; i++) {
                items[n++].start = ranges[i].min;
                if (ranges[i].max < CAPABILITY_MAX)
                        items[n++].start = ranges[i].max + 1;
        }
        sort_starts(items, n);
        for (size_t i = 0; i < n; i++)
                if (!i || items[i].start != items[i - 1].start)
                        items[kept++].start = items[i].start;
        for (size_t i = 0; i < kept; i++)
                items[i].chosen = RANGE_STEP_NONE;
        return kept;
}

static size_t find_start(const RangeStep *items, size_t n, int64_t start)
{
        size_t low = 0, high = n;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (items[middle].start < start)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

/* The first step from `at` on that nothing was chosen for; `next` leads there,
 * and is shortened on the way. */
static uint32_t next_free(uint32_t *next, uint32_t at)
{
        uint32_t end = at;

        while (next[end] != end)
                end = next[end];
        while (next[at] != end) {
                uint32_t then = next[at];

                next[at] = end;
                at = then;
        }
        return end;
}

static size_t merge_steps(RangeStep *items, size_t n)
{
        size_t kept = 0;

        for (size_t i = 0; i < n; i++)
                if (!kept || items[i].chosen != items[kept - 1].chosen)
                        items[kept++] = items[i];
        return kept;
}

/* Best ranges first, each takes the steps that are still free: nothing is
 * looked at twice, however many ranges overlap. */
int range_steps_make(RangeSteps *steps, const CapabilityRange *ranges, size_t n_ranges)
{
        size_t n;
        int r;

        r = range_steps_reserve(steps, n_ranges ? n_ranges : 1);
        if (r < 0)
                return r;
        n = collect_starts(steps->items, ranges, n_ranges);
        order_ranges(steps->order, ranges, n_ranges);
        for (size_t i = 0; i <= n; i++)
                steps->next[i] = (uint32_t)i;
        for (size_t i = 0; i < n_ranges; i++) {
                const CapabilityRange *range = &ranges[steps->order[i]];
                uint32_t at = (uint32_t)find_start(steps->items, n, range->min);

                for (at = next_free(steps->next, at); at < n && steps->items[at].start <= range->max;
                     at = next_free(steps->next, at)) {
                        steps->items[at].chosen = steps->order[i];
                        steps->next[at] = at + 1;
                }
        }
        steps->n = merge_steps(steps->items, n);
        return 0;
}

void range_steps_deinit(RangeSteps *steps)
{
        alloc_free(steps->items);
        alloc_free(steps->order);
        alloc_free(steps->next);
        *steps = RANGE_STEPS_NULL;
}
