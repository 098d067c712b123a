/* What was loaded is compared with what its metadata states, and put in place;
 * then what came of it all. */
#include <errno.h>

#include "kernels/digest.h"
#include "kernels/fetch_private.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* --- the digest --- */

static int digest_of_files(const FetchVariant *variant, DigestAlgorithm algorithm, Digest **ret_digest)
{
        CLEANUP(digest_freep) Digest *digest = alloc_zeroed(1, sizeof(*digest));
        size_t prefix = sizeof("build/") - 1 + variant->name.size + 1;

        if (!digest)
                return error_trace(-ENOMEM);
        digest->algorithm = algorithm;
        digest->files = arena_zeroed(&digest->arena, variant->n_files, sizeof(*digest->files));
        if (!digest->files)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < variant->n_files; i++) {
                Text path = variant->files[i].path;
                DigestFile *file = &digest->files[digest->n_files];

                path = (Text){ path.data + prefix, path.size - prefix };
                if (!digest_covers(path))
                        continue;
                file->path = path;
                file->hash = cache_blob_digest(variant->files[i].blob->blob);
                digest->n_files++;
        }
        digest_sort(digest);
        *ret_digest = STEAL(digest);
        return 0;
}

/* 0: it is as stated, or nothing is; 1 with what is wrong. */
static int judge_digest(const FetchVariant *variant, Fault *fault)
{
        CLEANUP(digest_freep) Digest *actual = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        DigestViolation *violations;
        size_t n;
        int r;

        if (!variant->metadata || !variant->metadata->digest)
                return 0;
        r = digest_of_files(variant, variant->metadata->digest->algorithm, &actual);
        if (!r)
                r = digest_compare(variant->metadata->digest, actual, &arena, &violations, &n);
        return r ? r : digest_violations_to_fault(violations, n, fault);
}

static int set_corrupt(Fetch *fetch, FetchVariant *variant, const Fault *fault)
{
        int r = arena_copy(&fetch->arena, text_of(fault->message), &variant->corrupt);

        for (size_t i = 0; !r && i < fetch->result->n_targets; i++)
                if (text_equal(fetch->result->targets[i].variant, variant->name))
                        r = fetch_set_corrupt(fetch, &fetch->result->targets[i], variant);
        variant->state = VARIANT_DESCRIBED;
        return r;
}

/* --- putting in place --- */

static int place_files(Fetch *fetch, const FetchVariant *variant, Fault *fault)
{
        CLEANUP_ALLOC CachePlacement *placements = alloc_zeroed(variant->n_files + 1, sizeof(*placements));

        if (!placements)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < variant->n_files; i++)
                placements[i] = (CachePlacement){ .path = variant->files[i].path, .blob = variant->files[i].blob->blob };
        return cache_place(fetch->order->cache, fetch->repo, fetch->commit, placements, variant->n_files, fault);
}

int fetch_place_status(Fetch *fetch, Fault *fault)
{
        CachePlacement placement = { .path = fetch->status_file->path, .blob = fetch->status_file->blob->blob };

        return cache_place(fetch->order->cache, fetch->repo, fetch->commit, &placement, 1, fault);
}

/* What the files look like now: while they do, nobody needs to hash them. Of a
 * folder with others in it that is for a check to say. */
static int take_receipt(Fetch *fetch, const FetchVariant *variant, Fault *fault)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text path = cache_snapshot_path(fetch->order->cache, fetch->repo, fetch->commit, &arena);
        FetchedReceipt *receipt = &fetch->result->receipts[fetch->result->n_receipts];
        int r = path.data ? kernel_check_receipt_of(path.data, variant->name, variant->n_files, &receipt->receipt, fault) :
                            error_trace(-ENOMEM);

        if (r == KERNEL_CHECK_OTHERS)
                return 0;
        if (!r)
                r = arena_copy(&fetch->result->arena, variant->name, &receipt->variant);
        if (!r)
                fetch->result->n_receipts++;
        return r;
}

static int place_variant(Fetch *fetch, FetchVariant *variant, Fault *fault)
{
        Fault why;
        int r = judge_digest(variant, &why);

        if (r > 0)
                return set_corrupt(fetch, variant, &why);
        if (!r)
                r = place_files(fetch, variant, fault);
        if (!r)
                r = take_receipt(fetch, variant, fault);
        if (!r)
                variant->state = VARIANT_PLACED;
        return r;
}

/* --- refs --- */

/* Others go by what was in force until now. */
static bool is_change(const FetchOrder *order, Text commit)
{
        return !order->fixed && order->last_commit.data && !text_equal(order->last_commit, commit);
}

static int write_refs(Fetch *fetch, Fault *fault)
{
        const FetchOrder *order = fetch->order;
        Text commit = fetch->moved ? fetch->result->commit : fetch->commit;
        int r = 0;

        if (!order->takes_effect || !fetch_result_is_complete(fetch->result))
                return 0;
        if (!fetch->confirmed && is_change(order, commit))
                return FETCH_CONFIRMS;
        if (!order->fixed)
                r = cache_ref_write(order->cache, order->repo, order->revision, commit, fault);
        if (!r && fetch->moved && !fetch->fixed && fetch->revision.data)
                r = cache_ref_write(order->cache, fetch->repo, fetch->revision, fetch->commit, fault);
        return r;
}

int fetch_place(Fetch *fetch, Fault *fault)
{
        if (!fetch->result->receipts) {
                fetch->result->receipts = arena_zeroed(&fetch->result->arena, fetch->n_variants,
                                                       sizeof(*fetch->result->receipts));
                if (!fetch->result->receipts)
                        return error_trace(-ENOMEM);
        }
        for (size_t i = 0; i < fetch->n_variants; i++)
                if (fetch->variants[i].state == VARIANT_WANTED) {
                        int r = place_variant(fetch, &fetch->variants[i], fault);

                        return r ? r : STEP_MORE;
                }
        return write_refs(fetch, fault);
}

/* --- what came of it --- */

static int copy_commit(Fetch *fetch)
{
        FetchResult *result = fetch->result;
        Text commit = fetch->moved ? result->commit : fetch->commit;
        int r = arena_copy(&result->arena, commit, &result->commit);

        if (!r && fetch->settled && fetch->commit.data)
                r = arena_copy(&result->arena, fetch->repo, &result->final_repo);
        return r ? r : arena_copy(&result->arena, fetch->settled ? fetch->commit : TEXT_NULL, &result->final_commit);
}

int fetch_conclude(Fetch *fetch)
{
        const Policy *policy = fetch->order->policy;
        int r = copy_commit(fetch);

        fetch->result->with_token = policy_is_private(policy, fetch->repo);
        if (!r && fetch->listed)
                r = fetch_make_known(fetch, &fetch->result->known);
        return r;
}
