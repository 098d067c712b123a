#include "kernels/view.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "kernels/range_steps.h"
#include "kernels/view_cell.h"
#include "kernels/view_own.h"
#include "proto/base/alloc.h"

/* How many queries go through the host's index at a time. */
#define VIEW_BATCH 64

struct View {
        ViewOwn own;
        bool on_host;
};

/* Clients choose the names: the hash is keyed with an address, which they do
 * not see. */
static uint64_t view_key(const View *view)
{
        return (uintptr_t)view * UINT64_C(0x9e3779b97f4a7c15);
}

int view_new(bool on_host, View **ret_view)
{
        View *view = alloc_zeroed(1, sizeof(*view));

        if (!view)
                return -ENOMEM;
        view_own_init(&view->own, view_key(view));
        view->on_host = on_host;
        *ret_view = view;
        return 0;
}

int view_copy(const View *parent, View **ret_view)
{
        CLEANUP(view_freep) View *view = NULL;
        int r;

        r = view_new(parent->on_host, &view);
        if (!r)
                r = view_own_copy(&view->own, &parent->own);
        if (r < 0)
                return r;
        *ret_view = STEAL(view);
        return 0;
}

View *view_free(View *view)
{
        if (!view)
                return NULL;
        view_own_deinit(&view->own);
        alloc_free(view);
        return NULL;
}

bool view_on_host(const View *view)
{
        return view->on_host;
}

size_t view_n_entries(const View *view)
{
        return view->own.n_entries;
}

size_t view_n_bytes(const View *view)
{
        return view->own.n_bytes;
}

int view_extend(View *view, bool inherit, Entry *const *entries, size_t n_entries, size_t max_entries, Fault *fault)
{
        ViewOwn own;
        int r;

        if (inherit)
                return view_own_add(&view->own, entries, n_entries, max_entries, fault);
        view_own_init(&own, view->own.key);
        r = view_own_add(&own, entries, n_entries, max_entries, fault);
        if (r) {
                view_own_deinit(&own);
                return r;
        }
        view_own_deinit(&view->own);
        view->own = own;
        view->on_host = false;
        return 0;
}

/* --- looking up --- */

static ViewHit hit_of_host(IndexHit host)
{
        return (ViewHit){ .answer = host.answer, .host = host };
}

/* What the host mapping says about a layer of which own entries touch other devices. */
static ViewHit hit_beside_own(const View *view, const HostMapping *host, const IndexQuery *query)
{
        ViewHit hit = { .answer = INDEX_NO_DEVICE, .host = { .record = INDEX_RECORD_NONE } };

        if (view->on_host)
                hit = hit_of_host(index_lookup(&host->index, query));
        if (hit.answer == INDEX_NO_MAPPING)
                hit.answer = INDEX_NO_DEVICE;
        return hit;
}

static int group_cell(const View *view, ViewGroup *group, const HostMapping *host, const ViewCell **ret_cell)
{
        const HostMapping *ground = view->on_host ? host : NULL;
        ViewCell *cell;
        int r;

        if (!group->cell || group->cell->generation != (ground ? ground->generation : 0)) {
                r = view_cell_new(group, ground, &cell);
                if (r < 0)
                        return r;
                view_cell_free(group->cell);
                group->cell = cell;
        }
        *ret_cell = group->cell;
        return 0;
}

static int layer_lookup(const View *view, const ViewLayer *layer, const HostMapping *host, const IndexQuery *query,
                        ViewHit *ret_hit)
{
        ViewGroup *group = view_layer_find(layer, query->device);
        const ViewCell *cell;
        int r;

        if (!group) {
                *ret_hit = hit_beside_own(view, host, query);
                return 0;
        }
        r = group_cell(view, group, host, &cell);
        if (r < 0)
                return r;
        *ret_hit = view_cell_lookup(cell, query);
        return 0;
}

int view_lookup(View *view, const HostMapping *host, const IndexQuery *query, ViewHit *ret_hit)
{
        const ViewLayer *layer = view ? view_own_find(&view->own, query->layer) : NULL;

        if (layer)
                return layer_lookup(view, layer, host, query, ret_hit);
        if (view && !view->on_host)
                *ret_hit = (ViewHit){ .answer = INDEX_NO_MAPPING, .host = { .record = INDEX_RECORD_NONE } };
        else
                *ret_hit = hit_of_host(index_lookup(&host->index, query));
        return 0;
}

static void host_lookup_batch(const HostMapping *host, const IndexQuery *queries, size_t n, ViewHit *hits)
{
        IndexHit found[VIEW_BATCH];

        for (size_t i = 0; i < n; i += VIEW_BATCH) {
                size_t some = n - i < VIEW_BATCH ? n - i : VIEW_BATCH;

                index_lookup_batch(&host->index, queries + i, some, found);
                for (size_t j = 0; j < some; j++)
                        hits[i + j] = hit_of_host(found[j]);
        }
}

/* Own entries first; what they do not touch goes through the index together. */
static int mixed_lookup_batch(View *view, const HostMapping *host, const IndexQuery *queries, size_t n, ViewHit *hits)
{
        IndexQuery rest[VIEW_BATCH];
        IndexHit found[VIEW_BATCH];
        size_t places[VIEW_BATCH], n_rest = 0;

        for (size_t i = 0; i < n; i++) {
                const ViewLayer *layer = view_own_find(&view->own, queries[i].layer);
                int r;

                if (!layer && view->on_host) {
                        places[n_rest] = i;
                        rest[n_rest++] = queries[i];
                        continue;
                }
                r = layer ? layer_lookup(view, layer, host, &queries[i], &hits[i]) :
                            view_lookup(view, host, &queries[i], &hits[i]);
                if (r < 0)
                        return r;
        }
        index_lookup_batch(&host->index, rest, n_rest, found);
        for (size_t i = 0; i < n_rest; i++)
                hits[places[i]] = hit_of_host(found[i]);
        return 0;
}

int view_lookup_batch(View *view, const HostMapping *host, const IndexQuery *queries, size_t n, ViewHit *ret_hits)
{
        if (!view || (view->on_host && !view->own.n_layers)) {
                host_lookup_batch(host, queries, n, ret_hits);
                return 0;
        }
        for (size_t i = 0; i < n; i += VIEW_BATCH) {
                int r = mixed_lookup_batch(view, host, queries + i, n - i < VIEW_BATCH ? n - i : VIEW_BATCH,
                                           ret_hits + i);

                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- explaining --- */

static int compare_candidates(const void *a, const void *b)
{
        const ViewCandidate *x = a, *y = b;

        return range_is_better(x->range, y->range) ? -1 : range_is_better(y->range, x->range);
}

int view_candidates(const View *view, const HostMapping *host, const IndexQuery *query, Arena *arena,
                    ViewCandidate **ret_candidates, size_t *ret_n)
{
        const HostMapping *ground = !view || view->on_host ? host : NULL;
        const ViewLayer *layer = view ? view_own_find(&view->own, query->layer) : NULL;
        const ViewGroup *group = layer ? view_layer_find(layer, query->device) : NULL;
        size_t n_most = view_cell_most(group, ground, query->layer), n;
        ViewCandidate *candidates = arena_zeroed(arena, n_most + 1, sizeof(*candidates));

        if (!candidates)
                return -ENOMEM;
        n = view_cell_collect(group, ground, query->layer, query->device, candidates, n_most);
        qsort(candidates, n, sizeof(*candidates), compare_candidates);
        for (size_t i = 0; i < n; i++)
                if (!device_has_capability(query->device) || range_holds(candidates[i].range, query->capability)) {
                        candidates[i].chosen = true;
                        break;
                }
        *ret_candidates = candidates;
        *ret_n = n;
        return 0;
}

bool view_names(const View *view, Text layer)
{
        return view_own_find(&view->own, layer) != NULL;
}

bool view_has_layer(const View *view, const HostMapping *host, Text layer)
{
        if (view && view_own_find(&view->own, layer))
                return true;
        return (!view || view->on_host) && index_find_layer(&host->index, layer) != INDEX_RECORD_NONE;
}

bool view_has_device(const View *view, const HostMapping *host, Text layer, Device device)
{
        const ViewLayer *own = view ? view_own_find(&view->own, layer) : NULL;
        uint32_t record;
        IndexLayer found;

        if (own && view_layer_find(own, device))
                return true;
        if (view && !view->on_host)
                return false;
        record = index_find_layer(&host->index, layer);
        return record != INDEX_RECORD_NONE && index_layer(&host->index, record, &found) &&
               found.devices >> device & 1;
}
