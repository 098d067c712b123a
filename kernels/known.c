#include "kernels/known.h"

#include <errno.h>
#include <stdlib.h>

#include "kernels/repository_private.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

static int by_name(const void *a, const void *b)
{
        return text_compare(((const KnownVariant *)a)->name, ((const KnownVariant *)b)->name);
}

static int add_variant(RepositoryStore *store, const KnownVariant *from)
{
        RepositoryVariant *variant = NULL;
        int r = repository_add_parsed(store, from->name, from->metadata, &variant);

        if (r < 0)
                return r;
        variant->complete = from->complete;
        return arena_copy(&store->arena, from->corrupt, &variant->corrupt);
}

static int make_repository(Text repo, const KnownVariant *variants, size_t n, bool here, Repository **ret_repository)
{
        CLEANUP(repository_store_freep) RepositoryStore *store = NULL;
        int r = repository_new(n, &store);

        if (!r)
                r = arena_copy(&store->arena, repo, &store->repository.name);
        for (size_t i = 0; !r && i < n; i++)
                if (!here || variants[i].complete)
                        r = add_variant(store, &variants[i]);
        if (r < 0)
                return error_trace(r);
        *ret_repository = &STEAL(store)->repository;
        return 0;
}

static int copy_names(Known *known, Text repo, Text commit)
{
        known->storage = alloc_bytes(repo.size + commit.size + 1);
        if (!known->storage)
                return error_trace(-ENOMEM);
        memcpy(known->storage, repo.data, repo.size);
        memcpy(known->storage + repo.size, commit.data, commit.size);
        known->repo = (Text){ known->storage, repo.size };
        known->commit = (Text){ known->storage + repo.size, commit.size };
        return 0;
}

int known_new(Text repo, Text commit, bool listed, KnownVariant *variants, size_t n, Known **ret_known)
{
        CLEANUP(known_unrefp) Known *known = alloc_zeroed(1, sizeof(*known));
        int r;

        if (!known)
                return error_trace(-ENOMEM);
        known->n_users = 1;
        known->listed = listed;
        if (n)
                qsort(variants, n, sizeof(*variants), by_name);
        r = copy_names(known, repo, commit);
        if (!r)
                r = make_repository(repo, variants, n, false, &known->all);
        if (!r)
                r = make_repository(repo, variants, n, true, &known->here);
        if (r < 0)
                return r;
        *ret_known = STEAL(known);
        return 0;
}

static KnownVariant variant_of(const RepositoryVariant *variant)
{
        return (KnownVariant){ .name = variant->folder, .metadata = variant->metadata, .complete = variant->complete,
                               .corrupt = variant->corrupt };
}

/* Of one that both name. */
static KnownVariant merge_variant(const RepositoryVariant *older, const RepositoryVariant *newer)
{
        KnownVariant merged = variant_of(newer);

        if (!merged.metadata)
                merged.metadata = older->metadata;
        if (!merged.complete && !merged.corrupt.data)
                merged.corrupt = older->corrupt;
        merged.complete |= older->complete;
        return merged;
}

/* Both are sorted. A newer list says what there is, but what is here is here. */
static size_t merge_variants(const Known *older, const Known *newer, KnownVariant *merged)
{
        const Repository *a = older->all, *b = newer->all;
        size_t i = 0, j = 0, n = 0;

        while (i < a->n_variants || j < b->n_variants) {
                int order = i == a->n_variants ? 1 : j == b->n_variants ? -1 :
                            text_compare(a->variants[i].folder, b->variants[j].folder);

                if (order == 0)
                        merged[n++] = merge_variant(&a->variants[i++], &b->variants[j++]);
                else if (order > 0)
                        merged[n++] = variant_of(&b->variants[j++]);
                else if (!newer->listed || a->variants[i].complete)
                        merged[n++] = variant_of(&a->variants[i++]);
                else
                        i++;
        }
        return n;
}

int known_merge(const Known *older, const Known *newer, Known **ret_known)
{
        size_t n = newer->all->n_variants + (older ? older->all->n_variants : 0);
        CLEANUP_ALLOC KnownVariant *merged = alloc_zeroed(n + 1, sizeof(*merged));

        if (!merged)
                return error_trace(-ENOMEM);
        if (older)
                n = merge_variants(older, newer, merged);
        else
                for (size_t i = 0; i < n; i++)
                        merged[i] = variant_of(&newer->all->variants[i]);
        return known_new(newer->repo, newer->commit, newer->listed || (older && older->listed), merged, n, ret_known);
}

int known_without(const Known *known, Text name, Known **ret_known)
{
        size_t n = known->all->n_variants;
        CLEANUP_ALLOC KnownVariant *variants = alloc_zeroed(n + 1, sizeof(*variants));

        if (!variants)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < n; i++) {
                variants[i] = variant_of(&known->all->variants[i]);
                if (text_equal(variants[i].name, name)) {
                        variants[i].complete = false;
                        variants[i].metadata = NULL;
                }
        }
        return known_new(known->repo, known->commit, known->listed, variants, n, ret_known);
}

const RepositoryVariant *known_variant(const Known *known, Text name)
{
        size_t low = 0, high = known->all->n_variants;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = text_compare(known->all->variants[middle].folder, name);

                if (!order)
                        return &known->all->variants[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

Known *known_ref(Known *known)
{
        if (known)
                (void)__atomic_add_fetch(&known->n_users, 1, __ATOMIC_RELAXED);
        return known;
}

Known *known_unref(Known *known)
{
        if (!known || __atomic_sub_fetch(&known->n_users, 1, __ATOMIC_ACQ_REL))
                return NULL;
        repository_unref(known->all);
        repository_unref(known->here);
        alloc_free(known->storage);
        alloc_free(known);
        return NULL;
}
