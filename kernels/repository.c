#include "kernels/repository.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>

#include "kernels/repository_private.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/name.h"

/* --- life --- */

int repository_new(size_t n_variants, RepositoryStore **ret_store)
{
        CLEANUP_ALLOC RepositoryStore *store = alloc_zeroed(1, sizeof(*store));

        if (!store)
                return error_trace(-ENOMEM);
        store->repository.n_users = 1;
        store->repository.variants = arena_zeroed(&store->arena, n_variants, sizeof(*store->repository.variants));
        if (!store->repository.variants)
                return error_trace(-ENOMEM);
        *ret_store = STEAL(store);
        return 0;
}

void repository_store_freep(RepositoryStore **store)
{
        if (*store)
                (void)repository_unref(&(*store)->repository);
}

Repository *repository_ref(Repository *repository)
{
        (void)__atomic_fetch_add(&repository->n_users, 1, __ATOMIC_RELAXED);
        return repository;
}

bool repository_is_shared(const Repository *repository)
{
        return __atomic_load_n(&repository->n_users, __ATOMIC_ACQUIRE) > 1;
}

static bool variant_is_same(const RepositoryVariant *a, const RepositoryVariant *b)
{
        if (!text_equal(a->folder, b->folder) || !a->metadata != !b->metadata ||
            a->metadata_fault.name != b->metadata_fault.name)
                return false;
        if (a->metadata_fault.name && strcmp(a->metadata_fault.message, b->metadata_fault.message) != 0)
                return false;
        return !a->metadata || text_equal(a->metadata->bytes, b->metadata->bytes);
}

bool repository_is_same(const Repository *a, const Repository *b)
{
        if (!text_equal(a->name, b->name) || a->n_variants != b->n_variants)
                return false;
        for (size_t i = 0; i < a->n_variants; i++)
                if (!variant_is_same(&a->variants[i], &b->variants[i]))
                        return false;
        return true;
}

Repository *repository_unref(Repository *repository)
{
        RepositoryStore *store = (RepositoryStore *)repository;

        if (!repository || __atomic_sub_fetch(&repository->n_users, 1, __ATOMIC_ACQ_REL) > 0)
                return NULL;
        for (size_t i = 0; i < repository->n_variants; i++)
                (void)metadata_free(repository->variants[i].metadata);
        arena_deinit(&store->arena);
        alloc_free(store);
        return NULL;
}

/* --- adding a variant --- */

int repository_add_parsed(RepositoryStore *store, Text folder, Metadata *metadata, RepositoryVariant **ret_variant)
{
        Repository *repository = &store->repository;
        RepositoryVariant *variant = &repository->variants[repository->n_variants];

        *variant = (RepositoryVariant){ .folder = TEXT_NULL };
        if (arena_copy(&store->arena, folder, &variant->folder) < 0)
                return error_trace(-ENOMEM);
        variant->parsed = variant_parse(variant->folder, &variant->variant);
        variant->metadata = metadata_ref(metadata);
        repository->n_variants++;
        *ret_variant = variant;
        return 0;
}

int repository_add(RepositoryStore *store, Text folder, Text metadata)
{
        RepositoryVariant *variant = NULL;
        int r = repository_add_parsed(store, folder, NULL, &variant);

        if (r < 0 || !metadata.data)
                return r;
        r = metadata_parse(metadata, &variant->metadata, &variant->metadata_fault);
        return r < 0 ? error_trace(r) : 0;
}

/* --- one that a client has read --- */

static int check_message(const MsgLocal *message, Fault *fault)
{
        size_t n_bytes = 0;

        if (message->variants.n > LIMIT_LOCAL_VARIANTS)
                return fault_set(fault, FAULT_TOO_LARGE, "a local repository has %zu variants; at most %d are taken",
                                 message->variants.n, LIMIT_LOCAL_VARIANTS);
        for (size_t i = 0; i < message->variants.n; i++) {
                const MsgLocalVariant *variant = &message->variants.items[i];

                if (!name_is_file(variant->variant) || !text_is_utf8(variant->variant))
                        return fault_set(fault, FAULT_INVALID_NAME,
                                         "a variant is the name of a folder: 1 to %d bytes without '/' and NUL",
                                         LIMIT_VARIANT);
                if (variant->metadata.size > LIMIT_LOCAL_METADATA)
                        return fault_set(fault, FAULT_TOO_LARGE, "metadata.json of %.*s is larger than %u bytes",
                                         TEXT_PRINT(variant->variant), LIMIT_LOCAL_METADATA);
                n_bytes += variant->metadata.size;
        }
        if (n_bytes > LIMIT_LOCAL_BYTES)
                return fault_set(fault, FAULT_TOO_LARGE, "the metadata of a local repository is larger than %u bytes",
                                 LIMIT_LOCAL_BYTES);
        return 0;
}

/* What others get to see of it: never a path. */
static int name_local(RepositoryStore *store)
{
        Repository *repository = &store->repository;

        for (size_t i = 0; i < repository->n_variants && !repository->name.data; i++)
                if (repository->variants[i].metadata)
                        repository->name = arena_format(&store->arena, "local:%.*s",
                                                        TEXT_PRINT(repository->variants[i].metadata->name));
        if (!repository->name.data)
                repository->name = TEXT("local:unnamed");
        return repository->name.data ? 0 : error_trace(-ENOMEM);
}

int repository_from_message(const MsgLocal *message, Repository **ret_repository, Fault *fault)
{
        CLEANUP(repository_store_freep) RepositoryStore *store = NULL;
        int r = check_message(message, fault);

        if (!r)
                r = repository_new(message->variants.n, &store);
        for (size_t i = 0; !r && i < message->variants.n; i++)
                r = repository_add(store, message->variants.items[i].variant, message->variants.items[i].metadata);
        if (!r)
                r = name_local(store);
        if (r)
                return error_trace(r);
        *ret_repository = &STEAL(store)->repository;
        return 0;
}
