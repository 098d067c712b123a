/* The files of the variants that were chosen: each distinct one loaded once. */
#include <errno.h>
#include <inttypes.h>

#include "kernels/bytecode.h"
#include "kernels/fetch_private.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define HASH_STEP (4u * 1024 * 1024) /* as in daemon/check_job: about 3 ms */

static int grow_blobs(Fetch *fetch)
{
        size_t capacity = fetch->blobs_capacity ? 2 * fetch->blobs_capacity : 64;
        FetchBlob **grown;

        if (fetch->n_blobs < fetch->blobs_capacity)
                return 0;
        grown = alloc_resize(fetch->blobs, capacity, sizeof(FetchBlob *));
        if (!grown)
                return error_trace(-ENOMEM);
        fetch->blobs = grown;
        fetch->blobs_capacity = capacity;
        return 0;
}

static int add_new(Fetch *fetch, const HubEntry *entry, bool sha512, Text digest, FetchBlob **ret_blob)
{
        FetchBlob *blob = arena_zeroed(&fetch->arena, 1, sizeof(*blob));

        if (!blob || grow_blobs(fetch) < 0)
                return error_trace(-ENOMEM);
        *blob = (FetchBlob){ .item = { .a = entry->etag, .b = digest }, .etag = entry->etag, .path = entry->path,
                             .size = entry->size, .sha512 = sha512 };
        if (text_table_put(&fetch->blob_table, &blob->item) < 0)
                return error_trace(-ENOMEM);
        fetch->blobs[fetch->n_blobs++] = blob;
        if (__builtin_add_overflow(fetch->bytes_total, entry->size, &fetch->bytes_total))
                fetch->bytes_total = INT64_MAX;
        *ret_blob = blob;
        return 0;
}

int fetch_add_blob(Fetch *fetch, const HubEntry *entry, bool sha512, FetchBlob **ret_blob)
{
        Text digest = sha512 ? TEXT("sha512") : TEXT("sha256");
        TableItem *item = text_table_find(&fetch->blob_table, entry->etag, digest);

        if (!item)
                return add_new(fetch, entry, sha512, digest, ret_blob);
        *ret_blob = (FetchBlob *)item;
        return 0;
}

void fetch_forget_blobs(Fetch *fetch)
{
        (void)text_table_take_all(&fetch->blob_table);
        for (size_t i = 0; i < fetch->n_blobs; i++)
                cache_blob_free(fetch->blobs[i]->blob);
        fetch->n_blobs = fetch->n_done = fetch->n_begun = 0;
        fetch->bytes_total = fetch->bytes_done = 0;
}

/* Who waits for others holds none up: two fetches, each with files that the
 * other one wants, would wait for ever. */
void fetch_unlock_blobs(Fetch *fetch)
{
        for (size_t i = 0; i < fetch->n_blobs; i++)
                if (fetch->blobs[i]->state == BLOB_DONE)
                        cache_blob_unlock(fetch->blobs[i]->blob);
}

/* --- loading one --- */

static int blob_is_done(Fetch *fetch, FetchBlob *blob)
{
        blob->state = BLOB_DONE;
        fetch->n_done++;
        fetch->bytes_done += blob->size;
        return 0;
}

/* An empty file is never asked for: its name says all. */
static int end_empty(Fetch *fetch, FetchBlob *blob, Fault *fault)
{
        int r = cache_blob_end(blob->blob, fault);

        return r ? r : blob_is_done(fetch, blob);
}

static int begin_blob(Fetch *fetch, FetchBlob *blob, Fault *fault)
{
        int r = cache_blob_begin(fetch->order->cache, fetch->repo, blob->etag, blob->size, blob->sha512, &blob->blob, fault);

        switch (r) {
        case 0:
                return blob->size ? fetch_ask_file(fetch, blob) : end_empty(fetch, blob, fault);
        case CACHE_BLOB_THERE:
                blob->state = BLOB_HASHING;
                return STEP_MORE;
        case CACHE_BLOB_BUSY:
                blob->state = BLOB_BUSY;
                return FETCH_PAUSES;
        case CACHE_BLOB_FAULT:
                return 1;
        default:
                return r;
        }
}

/* One with other bytes than its name says is gone now, and is fetched; unless
 * another process has its lock, who may mend it. */
static int hash_blob(Fetch *fetch, FetchBlob *blob, Fault *fault)
{
        int r = cache_blob_hash_step(blob->blob, HASH_STEP, fault);

        if (r == STEP_DONE)
                return blob_is_done(fetch, blob);
        if (r != STEP_FAULT || fault->name != FAULT_CORRUPT)
                return r == STEP_FAULT ? 1 : r;
        blob->blob = cache_blob_free(blob->blob);
        r = begin_blob(fetch, blob, fault);
        return r == STEP_MORE ? FETCH_PAUSES : r;
}

int fetch_load_blob(Fetch *fetch, FetchBlob *blob, Fault *fault)
{
        switch (blob->state) {
        case BLOB_NEW:
        case BLOB_BUSY:
                return begin_blob(fetch, blob, fault);
        case BLOB_HASHING:
                return hash_blob(fetch, blob, fault);
        case BLOB_LOADING:
                return FETCH_WAITS;
        case BLOB_DONE:
        default:
                return 0;
        }
}

/* --- all of them --- */

static bool needs_sha512(const FetchVariant *variant)
{
        const Metadata *metadata = variant->metadata;

        return metadata && metadata->digest && metadata->digest->algorithm == DIGEST_SHA512;
}

static int list_files(Fetch *fetch, FetchVariant *variant)
{
        const HubTree *tree = &variant->tree;
        int r = 0;

        variant->files = arena_zeroed(&fetch->arena, tree->n_entries, sizeof(*variant->files));
        if (!variant->files)
                return error_trace(-ENOMEM);
        for (size_t i = 0; !r && i < tree->n_entries; i++) {
                const HubEntry *entry = &tree->entries[i];
                FetchFile *file = &variant->files[variant->n_files];

                /* Bytecode is nobody's business but the interpreter's that made it. */
                if (entry->folder || bytecode_is(entry->path))
                        continue;
                file->path = entry->path;
                variant->n_files++;
                if (variant->metadata_file && text_equal(entry->path, variant->metadata_file->path))
                        file->blob = variant->metadata_file->blob;
                else
                        r = fetch_add_blob(fetch, entry, needs_sha512(variant), &file->blob);
        }
        return r;
}

static int judge_size(const Fetch *fetch, Fault *fault)
{
        if (fetch->bytes_total <= fetch->order->max_bytes)
                return 0;
        return fault_set(fault, FAULT_LIMIT, "%.*s has %" PRId64 " bytes for this, and only %" PRId64 " more may be fetched "
                         "in this hour: wait, or have quota.fetched raised", TEXT_PRINT(fetch->repo), fetch->bytes_total,
                         fetch->order->max_bytes);
}

static int list_all(Fetch *fetch, Fault *fault)
{
        bool begun = false;
        int r = 0;

        for (size_t i = 0; !r && i < fetch->n_variants; i++) {
                FetchVariant *variant = &fetch->variants[i];

                if (variant->state != VARIANT_WANTED || variant->files)
                        continue;
                begun = true;
                r = list_files(fetch, variant);
        }
        return r || !begun ? r : judge_size(fetch, fault);
}

/* Once all others are begun: those that another process writes. */
static int load_busy(Fetch *fetch, Fault *fault)
{
        int all = 0;

        for (size_t i = 0; i < fetch->n_blobs && fetch->n_loading < FETCH_PARALLEL; i++) {
                int r = fetch->blobs[i]->state == BLOB_DONE ? 0 : fetch_load_blob(fetch, fetch->blobs[i], fault);

                if (r == 1 || r < 0 || r == STEP_MORE)
                        return r;
                if (r == FETCH_PAUSES)
                        all = r;
        }
        return fetch->n_out ? FETCH_WAITS : all;
}

/* Begins what there is room for. STEP_MORE where one of them has work here. */
static int load_some(Fetch *fetch, Fault *fault)
{
        while (fetch->n_begun < fetch->n_blobs && fetch->n_loading < FETCH_PARALLEL) {
                int r = fetch_load_blob(fetch, fetch->blobs[fetch->n_begun], fault);

                if (r == 1 || r < 0 || r == STEP_MORE)
                        return r;
                fetch->n_begun++;
        }
        if (fetch->n_out)
                return FETCH_WAITS;
        return load_busy(fetch, fault);
}

int fetch_load(Fetch *fetch, Fault *fault)
{
        int r = list_all(fetch, fault);

        if (r || fetch->n_done == fetch->n_blobs)
                return r;
        return load_some(fetch, fault);
}
