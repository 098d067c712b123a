/* The variant for each target: the best that runs there, by its name and, once
 * that is fetched, by its metadata. */
#include <errno.h>

#include "kernels/fetch_private.h"
#include "kernels/hub_url.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* --- what one variant holds --- */

static Text variant_folder(Fetch *fetch, const FetchVariant *variant)
{
        return arena_format(&fetch->arena, "build/%.*s", TEXT_PRINT(variant->name));
}

static int take_files(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault);

static int ask_files(Fetch *fetch, FetchVariant *variant)
{
        Text folder = variant_folder(fetch, variant);

        if (!folder.data)
                return error_trace(-ENOMEM);
        variant->state = VARIANT_LISTING;
        return fetch_ask(fetch, hub_url_tree(fetch->order->endpoint, fetch->repo, fetch->commit, folder, true,
                                             &fetch->arena),
                         HUB_CALL_FIRST, take_files, variant, fetch->repo);
}

static const HubEntry *find_metadata(const FetchVariant *variant, Text folder)
{
        for (size_t i = 0; i < variant->tree.n_entries; i++) {
                const HubEntry *entry = &variant->tree.entries[i];

                if (!entry->folder && text_starts_with(entry->path, folder) &&
                    text_equal((Text){ entry->path.data + folder.size, entry->path.size - folder.size },
                               TEXT("/metadata.json")))
                        return entry;
        }
        return NULL;
}

/* It stays so: the commit does not change. */
static int refuse_large_metadata(Fetch *fetch, FetchVariant *variant)
{
        variant->state = VARIANT_DESCRIBED;
        variant->corrupt = arena_format(&fetch->arena, "metadata.json is larger than %u bytes", LIMIT_METADATA);
        return variant->corrupt.data ? 0 : error_trace(-ENOMEM);
}

static int begin_metadata(Fetch *fetch, FetchVariant *variant)
{
        Text folder = variant_folder(fetch, variant);
        const HubEntry *entry = folder.data ? find_metadata(variant, folder) : NULL;

        if (!folder.data)
                return error_trace(-ENOMEM);
        variant->state = entry ? VARIANT_LISTED : VARIANT_DESCRIBED;
        if (!entry)
                return 0;
        if (entry->size > (int64_t)LIMIT_METADATA)
                return refuse_large_metadata(fetch, variant);
        variant->metadata_file = arena_zeroed(&fetch->arena, 1, sizeof(*variant->metadata_file));
        if (!variant->metadata_file)
                return error_trace(-ENOMEM);
        variant->metadata_file->path = entry->path;
        return fetch_add_blob(fetch, entry, false, &variant->metadata_file->blob);
}

static int take_files(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault)
{
        FetchVariant *variant = step->variant;
        Text folder = variant_folder(fetch, variant), next;
        int r = folder.data ? hub_reply_judge(reply, step->what, step->call.with_token, fault) : error_trace(-ENOMEM);

        if (!r)
                r = hub_tree_add_page(&variant->tree, folder, reply->body, fault);
        if (!r)
                r = hub_reply_next(reply, fetch->order->endpoint, &fetch->arena, &next, fault);
        if (r)
                return r;
        if (next.data)
                return fetch_ask(fetch, next, HUB_CALL_PAGE, take_files, variant, fetch->repo);
        r = hub_tree_finish(&variant->tree, fault);
        return r ? r : begin_metadata(fetch, variant);
}

static int read_metadata(Fetch *fetch, FetchVariant *variant, Fault *fault)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text bytes;
        Fault why;
        int r = fetch_load_blob(fetch, variant->metadata_file->blob, fault);

        if (!r)
                r = cache_blob_read(variant->metadata_file->blob->blob, LIMIT_METADATA, &arena, &bytes, fault);
        if (r)
                return r;
        variant->metadata = metadata_free(variant->metadata);
        r = metadata_parse(bytes, &variant->metadata, &why);
        if (r < 0)
                return r;
        variant->state = VARIANT_DESCRIBED;
        return r ? arena_copy(&fetch->arena, text_of(why.message), &variant->corrupt) : 0;
}

/* 0 when its metadata is known, or that it has none. */
static int describe(Fetch *fetch, FetchVariant *variant, Fault *fault)
{
        switch (variant->state) {
        case VARIANT_UNKNOWN:
                return ask_files(fetch, variant);
        case VARIANT_LISTING:
                return FETCH_WAITS;
        case VARIANT_LISTED:
                return read_metadata(fetch, variant, fault);
        case VARIANT_DESCRIBED:
        case VARIANT_WANTED:
        case VARIANT_PLACED:
        default:
                return 0;
        }
}

/* --- the choice --- */

/* Complete is what was placed here. What was so before is not told anew: it may
 * have been found missing meanwhile. */
int fetch_make_known(const Fetch *fetch, Known **ret_known)
{
        CLEANUP_ALLOC KnownVariant *variants = alloc_zeroed(fetch->n_variants + 1, sizeof(*variants));

        if (!variants)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < fetch->n_variants; i++)
                variants[i] = (KnownVariant){
                        .name = fetch->variants[i].name,
                        .metadata = fetch->variants[i].metadata,
                        .complete = fetch->variants[i].state == VARIANT_PLACED,
                        .corrupt = fetch->variants[i].corrupt,
                };
        return known_new(fetch->repo, fetch->commit, true, variants, fetch->n_variants, ret_known);
}

static FetchVariant *find_variant(Fetch *fetch, Text name)
{
        for (size_t i = 0; i < fetch->n_variants; i++)
                if (text_equal(fetch->variants[i].name, name))
                        return &fetch->variants[i];
        return NULL;
}

/* The best one by what is known so far. 0; 1: none fits; -ENOMEM. */
static int choose_now(Fetch *fetch, const Target *target, FetchVariant **ret_variant, Fault *fault)
{
        CLEANUP(known_unrefp) Known *known = NULL;
        ArchVerdict arch;
        size_t number;
        int r = fetch_make_known(fetch, &known);

        if (!r)
                r = repository_choose(known->all, &target->environment, target->device, target->capability,
                                      target_gfx(target), NULL, &number, &arch, fault);
        if (r)
                return r;
        *ret_variant = find_variant(fetch, known->all->variants[number].folder);
        return 0;
}

static int settle(Fetch *fetch, FetchedTarget *fetched, FetchVariant *variant)
{
        fetch->n_decided++;
        if (variant->corrupt.data)
                return fetch_set_corrupt(fetch, fetched, variant);
        if (!variant->complete)
                variant->state = VARIANT_WANTED;
        return arena_copy(&fetch->result->arena, variant->name, &fetched->variant);
}

int fetch_set_corrupt(const Fetch *fetch, FetchedTarget *fetched, const FetchVariant *variant)
{
        fetched->variant = TEXT_NULL;
        (void)fault_set(&fetched->fault, FAULT_CORRUPT, "%.*s at %.*s, variant %.*s, is not what its metadata.json "
                        "states: %.*s; its publisher must mend it in another commit", TEXT_PRINT(fetch->repo),
                        TEXT_PRINT(fetch->commit), TEXT_PRINT(variant->name), TEXT_PRINT(variant->corrupt));
        return 0;
}

static int choose_for(Fetch *fetch, FetchedTarget *fetched, Fault *fault)
{
        for (;;) {
                FetchVariant *variant = NULL;
                int r = choose_now(fetch, fetched->target, &variant, &fetched->fault);

                if (r > 0) {
                        fetch->n_decided++;
                        return 0;
                }
                if (r < 0)
                        return r;
                if (variant->state >= VARIANT_DESCRIBED)
                        return settle(fetch, fetched, variant);
                r = describe(fetch, variant, fault);
                if (r)
                        return r;
        }
}

int fetch_choose(Fetch *fetch, Fault *fault)
{
        int r = fetch_is_asking(fetch) ? FETCH_WAITS : 0;

        while (!r && fetch->n_decided < fetch->result->n_targets)
                r = choose_for(fetch, &fetch->result->targets[fetch->n_decided], fault);
        return r;
}
