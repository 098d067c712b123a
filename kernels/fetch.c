#include "kernels/fetch.h"

#include <errno.h>
#include <string.h>

#include "kernels/fetch_private.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* --- order --- */

int fetch_order_new(FetchOrder **ret_order)
{
        FetchOrder *order = alloc_zeroed(1, sizeof(*order));

        if (!order)
                return error_trace(-ENOMEM);
        *ret_order = order;
        return 0;
}

FetchOrder *fetch_order_free(FetchOrder *order)
{
        if (!order)
                return NULL;
        for (size_t i = 0; i < order->n_targets; i++)
                target_unref(order->targets[i]);
        known_unref(order->known);
        policy_unref(order->policy);
        arena_deinit(&order->arena);
        alloc_free(order);
        return NULL;
}

/* --- life --- */

static int result_new(const FetchOrder *order, FetchResult **ret_result)
{
        CLEANUP(fetch_result_freep) FetchResult *result = alloc_zeroed(1, sizeof(*result));

        if (!result)
                return error_trace(-ENOMEM);
        result->targets = arena_zeroed(&result->arena, order->n_targets, sizeof(*result->targets));
        /* The one asked for and the one it has moved to. */
        result->publishers = arena_zeroed(&result->arena, 2, sizeof(*result->publishers));
        if (!result->targets || !result->publishers)
                return error_trace(-ENOMEM);
        for (; result->n_targets < order->n_targets; result->n_targets++)
                result->targets[result->n_targets].target = target_ref(order->targets[result->n_targets]);
        *ret_result = STEAL(result);
        return 0;
}

/* Begins with the final repository where that is known. */
static void take_known(Fetch *fetch)
{
        const FetchOrder *order = fetch->order;

        fetch->repo = order->repo;
        fetch->revision = order->revision;
        fetch->fixed = order->fixed;
        fetch->commit = order->fixed ? order->revision : order->commit;
        if (!order->final_repo.data)
                return;
        fetch->settled = true;
        fetch->result->commit = fetch->commit;
        fetch->moved = !text_equal(order->final_repo, order->repo);
        if (fetch->moved && !order->version)
                fetch->revision = TEXT_NULL; /* what the redirect named is not known any more */
        fetch->repo = order->final_repo;
        fetch->commit = order->final_commit;
}

int fetch_new(FetchOrder *order, Fetch **ret_fetch)
{
        CLEANUP(fetch_freep) Fetch *fetch = alloc_zeroed(1, sizeof(*fetch));
        int r;

        if (!fetch) {
                fetch_order_free(order);
                return error_trace(-ENOMEM);
        }
        fetch->order = order;
        fetch->blob_table = TEXT_TABLE_OF(order->key);
        r = result_new(order, &fetch->result);
        if (r < 0)
                return r;
        take_known(fetch);
        *ret_fetch = STEAL(fetch);
        return 0;
}

static void free_variant(FetchVariant *variant)
{
        hub_tree_deinit(&variant->tree);
        metadata_free(variant->metadata);
}

void fetch_let_go(Fetch *fetch)
{
        fetch_drop_calls(fetch);
        fetch_forget_blobs(fetch);
}

Fetch *fetch_free(Fetch *fetch)
{
        if (!fetch)
                return NULL;
        fetch_let_go(fetch);
        for (size_t i = 0; i < fetch->n_variants; i++)
                free_variant(&fetch->variants[i]);
        alloc_free(fetch->blobs);
        hub_tree_deinit(&fetch->root);
        arena_deinit(&fetch->arena);
        fetch_result_free(fetch->result);
        fetch_order_free(fetch->order);
        alloc_free(fetch);
        return NULL;
}

FetchResult *fetch_take_result(Fetch *fetch)
{
        return STEAL(fetch->result);
}

FetchResult *fetch_result_free(FetchResult *result)
{
        if (!result)
                return NULL;
        for (size_t i = 0; i < result->n_targets; i++)
                target_unref(result->targets[i].target);
        known_unref(result->known);
        arena_deinit(&result->arena);
        alloc_free(result);
        return NULL;
}

bool fetch_result_is_complete(const FetchResult *result)
{
        for (size_t i = 0; i < result->n_targets; i++) {
                FaultName name = result->targets[i].fault.name;

                if (!result->targets[i].variant.data && name != FAULT_NO_VARIANT && name != FAULT_ARCH)
                        return false;
        }
        return true;
}

/* --- steps --- */

/* Whatever is not known yet is found out, in this order. */
static int fetch_advance(Fetch *fetch, Fault *fault)
{
        int r = fetch->order->goal == FETCH_PUBLISHER ? fetch_find_publisher(fetch) : fetch_find_commit(fetch, fault);

        if (r || fetch->order->goal == FETCH_PUBLISHER || fetch->order->goal == FETCH_REFS)
                return r;
        r = fetch_find_variants(fetch, fault);
        if (r || fetch->order->goal == FETCH_LISTING)
                return r;
        r = fetch_choose(fetch, fault);
        if (!r)
                r = fetch_load(fetch, fault);
        return r ? r : fetch_place(fetch, fault);
}

static int fetch_end(Fetch *fetch, int r, const Fault *fault)
{
        int concluded;

        fetch_drop_calls(fetch);
        concluded = fetch_conclude(fetch);
        if (r <= 0 && concluded < 0)
                return concluded;
        if (r == STEP_FAULT)
                fetch->fault = *fault;
        return r;
}

int fetch_step(Fetch *fetch, Fault *fault)
{
        int r = 0;

        if (fetch->failed) {
                *fault = fetch->fault;
                r = fetch->error < 0 ? fetch->error : STEP_FAULT;
        } else {
                r = fetch_advance(fetch, fault);
        }
        if (r == FETCH_PAUSES || r == FETCH_CONFIRMS)
                fetch_unlock_blobs(fetch);
        if (r == FETCH_WAITS || r == FETCH_PAUSES || r == FETCH_CONFIRMS || r == STEP_MORE)
                return r;
        return fetch_end(fetch, r, fault);
}

static bool has_target(const FetchResult *result, const Target *target)
{
        for (size_t i = 0; i < result->n_targets; i++)
                if (target_is_same(result->targets[i].target, target))
                        return true;
        return false;
}

int fetch_confirm(Fetch *fetch, Target **targets, size_t n_targets)
{
        FetchResult *result = fetch->result;
        size_t n_before = result->n_targets;
        FetchedTarget *all = arena_zeroed(&result->arena, n_before + n_targets, sizeof(*all));

        if (!all)
                return error_trace(-ENOMEM);
        if (n_before)
                memcpy(all, result->targets, n_before * sizeof(*all));
        result->targets = all;
        for (size_t i = 0; i < n_targets; i++)
                if (!has_target(result, targets[i]))
                        all[result->n_targets++].target = target_ref(targets[i]);
        fetch->confirmed = result->n_targets == n_before;
        return 0;
}

/* Of the files that are on their way; one that is tried again keeps what it has. */
static int64_t written_of(const FetchStep *step)
{
        int64_t bytes = 0;

        for (; step; step = step->next)
                if (step->blob)
                        bytes += cache_blob_written(step->blob->blob);
        return bytes;
}

/* Called for every piece that comes: the few that are on their way are looked at,
 * not all files. */
void fetch_progress(const Fetch *fetch, Progress *ret_progress)
{
        bool settled = fetch->n_decided == fetch->result->n_targets && fetch->n_blobs;
        int64_t bytes = fetch->bytes_done + written_of(fetch->ready) + written_of(fetch->steps_out);

        *ret_progress = (Progress){ .files = (int64_t)fetch->n_done, .bytes = bytes };
        if (settled) {
                ret_progress->files_total = INTEGER_PRESENT((int64_t)fetch->n_blobs);
                ret_progress->bytes_total = INTEGER_PRESENT(fetch->bytes_total);
        }
}
