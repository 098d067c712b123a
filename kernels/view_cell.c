#include "kernels/view_cell.h"

#include <errno.h>

#include "kernels/range_steps.h"
#include "proto/base/alloc.h"

size_t view_cell_most(const ViewGroup *group, const HostMapping *host, Text layer)
{
        uint32_t record = host ? index_find_layer(&host->index, layer) : INDEX_RECORD_NONE;
        size_t n = group ? group->n : 0;
        IndexLayer found;

        if (record != INDEX_RECORD_NONE && index_layer(&host->index, record, &found))
                n += found.n_entries;
        return n;
}

static bool group_has_range(const ViewGroup *group, CapabilityRange range)
{
        Entry *const *entries = group ? view_group_entries(group) : NULL;
        size_t low = 0, high = group ? group->n : 0;

        while (low < high) {
                size_t middle = (low + high) / 2;
                CapabilityRange there = entries[middle]->range;

                if (range_equal(there, range))
                        return true;
                if (there.min < range.min || (there.min == range.min && there.max < range.max))
                        low = middle + 1;
                else
                        high = middle;
        }
        return false;
}

static size_t collect_host(const ViewGroup *group, const HostMapping *host, Text layer, Device device,
                           ViewCandidate *candidates, size_t n_most)
{
        uint32_t record = index_find_layer(&host->index, layer);
        IndexLayer found;
        size_t n = 0;

        if (record == INDEX_RECORD_NONE || !index_layer(&host->index, record, &found))
                return 0;
        for (unsigned i = 0; i < found.n_entries && n < n_most; i++) {
                CapabilityRange range;

                if (found.entries[i].device != device || !index_entry_is_sound(&found, &found.entries[i]) ||
                    !index_range(&host->index, &found.entries[i], &range) || group_has_range(group, range))
                        continue;
                candidates[n++] = (ViewCandidate){ .range = range, .record = record, .host_entry = i };
        }
        return n;
}

size_t view_cell_collect(const ViewGroup *group, const HostMapping *host, Text layer, Device device,
                         ViewCandidate *ret_candidates, size_t n_most)
{
        size_t n = 0;

        for (uint32_t i = 0; group && i < group->n && n < n_most; i++) {
                const Entry *entry = view_group_entries(group)[i];

                ret_candidates[n++] = (ViewCandidate){
                        .range = entry->range, .entry = entry, .record = INDEX_RECORD_NONE,
                };
        }
        if (host)
                n += collect_host(group, host, layer, device, ret_candidates + n, n_most - n);
        return n;
}

/* As entry_answers, for an entry of the index. */
static void host_answers(const IndexLayer *layer, const IndexEntry *entry, uint8_t modes[MODE_REQUESTS])
{
        uint8_t numbers[_MODE_MAX];

        memset(numbers, ENTRY_NO_MODE, sizeof(numbers));
        for (uint8_t i = 0; i < entry->n_modes; i++) {
                unsigned mode = layer->rows[entry->first_row + i].mode;

                if (mode < _MODE_MAX)
                        numbers[mode] = i;
        }
        for (unsigned request = 0; request < MODE_REQUESTS; request++)
                modes[request] = mode_chain_pick(request, numbers, ENTRY_NO_MODE);
}

static void step_fill(ViewStep *step, const ViewCandidate *candidate, const HostMapping *host)
{
        IndexLayer layer;

        if (candidate->entry) {
                step->entry = candidate->entry;
                entry_answers(candidate->entry, step->modes);
                return;
        }
        if (!index_layer(&host->index, candidate->record, &layer))
                return;
        step->host_row = layer.entries[candidate->host_entry].first_row;
        host_answers(&layer, &layer.entries[candidate->host_entry], step->modes);
}

static int cell_make(const ViewCandidate *candidates, const RangeSteps *steps, const HostMapping *host, uint32_t record,
                     ViewCell **ret_cell)
{
        ViewCell *cell = alloc_bytes(sizeof(*cell) + steps->n * sizeof(cell->steps[0]));

        if (!cell)
                return -ENOMEM;
        *cell = (ViewCell){
                .generation = host ? host->generation : 0,
                .record = record,
                .n = (uint32_t)steps->n,
        };
        for (size_t i = 0; i < steps->n; i++) {
                cell->steps[i] = (ViewStep){ .start = steps->items[i].start, .host_row = VIEW_STEP_NONE };
                if (steps->items[i].chosen != RANGE_STEP_NONE)
                        step_fill(&cell->steps[i], &candidates[steps->items[i].chosen], host);
        }
        *ret_cell = cell;
        return 0;
}

int view_cell_new(const ViewGroup *group, const HostMapping *host, ViewCell **ret_cell)
{
        Text layer = view_group_entries(group)[0]->layer;
        size_t n_most = view_cell_most(group, host, layer), n;
        CLEANUP_ALLOC ViewCandidate *candidates = alloc_zeroed(n_most, sizeof(*candidates));
        CLEANUP_ALLOC CapabilityRange *ranges = alloc_zeroed(n_most, sizeof(*ranges));
        CLEANUP(range_steps_deinit) RangeSteps steps = RANGE_STEPS_NULL;
        uint32_t record = INDEX_RECORD_NONE;
        int r;

        if (!candidates || !ranges)
                return -ENOMEM;
        n = view_cell_collect(group, host, layer, (Device)group->device, candidates, n_most);
        for (size_t i = 0; i < n; i++) {
                ranges[i] = candidates[i].range;
                if (!candidates[i].entry)
                        record = candidates[i].record;
        }
        r = range_steps_make(&steps, ranges, n);
        return r < 0 ? r : cell_make(candidates, &steps, host, record, ret_cell);
}

ViewCell *view_cell_free(ViewCell *cell)
{
        alloc_free(cell);
        return NULL;
}

static const ViewStep *cell_step(const ViewCell *cell, int64_t capability)
{
        size_t low = 1, high = cell->n;

        while (low < high) {
                size_t middle = (low + high) / 2;

                if (cell->steps[middle].start <= capability)
                        low = middle + 1;
                else
                        high = middle;
        }
        return &cell->steps[low - 1];
}

ViewHit view_cell_lookup(const ViewCell *cell, const IndexQuery *query)
{
        bool ranged = device_has_capability(query->device);
        const ViewStep *step = cell_step(cell, ranged ? query->capability : 0);
        unsigned mode = step->modes[query->request];
        ViewHit hit = { .host = { .record = cell->record } };

        if ((!step->entry && step->host_row == VIEW_STEP_NONE) || (ranged && query->capability < 0))
                hit.answer = INDEX_NO_CAPABILITY;
        else if (mode == ENTRY_NO_MODE)
                hit.answer = INDEX_NO_MODE;
        else if (step->entry) {
                hit.entry = step->entry;
                hit.mode = mode;
        } else {
                hit.host.row = (uint16_t)(step->host_row + mode);
        }
        return hit;
}
