#include "kernels/host_mapping.h"

#include <assert.h>
#include <errno.h>

#include "kernels/index_builder.h"
#include "kernels/repository.h"
#include "proto/base/alloc.h"

static HostMapping *host_mapping_free(HostMapping *mapping)
{
        if (!mapping)
                return NULL;
        for (size_t i = 0; i < mapping->n_paths; i++) {
                repository_unref(mapping->paths[i].repository);
                alloc_free(mapping->paths[i].fault);
                alloc_free((char *)mapping->paths[i].path.data);
        }
        alloc_free(mapping->paths);
        alloc_free(mapping->read_at_s);
        host_mapping_free(mapping->hidden);
        pins_unref(mapping->pins);
        arena_deinit(&mapping->fault_arena);
        index_block_free(mapping->block);
        alloc_free(mapping);
        return NULL;
}

HostMapping *host_mapping_ref(HostMapping *mapping)
{
        if (mapping)
                (void)__atomic_add_fetch(&mapping->n_users, 1, __ATOMIC_RELAXED);
        return mapping;
}

HostMapping *host_mapping_unref(HostMapping *mapping)
{
        if (mapping && !__atomic_sub_fetch(&mapping->n_users, 1, __ATOMIC_ACQ_REL))
                host_mapping_free(mapping);
        return NULL;
}

static int mapping_build(HostMapping *mapping, Entry *const *entries, size_t n_entries, const HostSource *sources,
                         size_t n_sources, uint64_t key, HiddenEntries *ret_hidden, Fault *fault)
{
        CLEANUP_ALLOC Text *names = alloc_zeroed(n_sources + 1, sizeof(*names));
        int r;

        mapping->read_at_s = alloc_zeroed(n_sources + 1, sizeof(*mapping->read_at_s));
        if (!names || !mapping->read_at_s)
                return -ENOMEM;
        for (size_t i = 0; i < n_sources; i++) {
                names[i] = sources[i].name;
                mapping->read_at_s[i] = sources[i].read_at_s;
        }
        mapping->n_sources = n_sources;
        r = index_build(entries, n_entries, names, n_sources, mapping->generation, key, &mapping->block,
                        &mapping->block_size, ret_hidden, fault);
        if (r)
                return r;
        r = index_open(mapping->block, mapping->block_size, &mapping->index);
        assert(!r);
        return 0;
}

static int mapping_copy_paths(HostMapping *mapping)
{
        size_t n = index_n_paths(&mapping->index);

        mapping->paths = alloc_zeroed(n + 1, sizeof(*mapping->paths));
        if (!mapping->paths)
                return -ENOMEM;
        for (; mapping->n_paths < n; mapping->n_paths++) {
                Text path;
                char *copy;

                if (!index_path(&mapping->index, (uint32_t)mapping->n_paths, &path, NULL))
                        return -EINVAL;
                copy = alloc_text(path.data, path.size);
                if (!copy)
                        return -ENOMEM;
                mapping->paths[mapping->n_paths].path = (Text){ copy, path.size };
        }
        return 0;
}

/* ret_hidden NULL: not wanted. */
static int mapping_new(Entry *const *entries, size_t n_entries, const HostSource *sources, size_t n_sources,
                       uint64_t generation, uint64_t key, HostMapping **ret_mapping, HiddenEntries *ret_hidden,
                       Fault *fault)
{
        CLEANUP(host_mapping_unrefp) HostMapping *mapping = alloc_zeroed(1, sizeof(*mapping));
        int r;

        if (!mapping)
                return -ENOMEM;
        mapping->n_users = 1;
        mapping->generation = generation;
        r = mapping_build(mapping, entries, n_entries, sources, n_sources, key, ret_hidden, fault);
        if (!r)
                r = mapping_copy_paths(mapping);
        if (r)
                return r;
        *ret_mapping = STEAL(mapping);
        return 0;
}

int host_mapping_new(Entry *const *entries, size_t n_entries, const HostSource *sources, size_t n_sources,
                     uint64_t generation, uint64_t key, HostMapping **ret_mapping, Fault *fault)
{
        CLEANUP(host_mapping_unrefp) HostMapping *mapping = NULL;
        HiddenEntries hidden = { NULL, 0 };
        int r;

        r = mapping_new(entries, n_entries, sources, n_sources, generation, key, &mapping, &hidden, fault);
        if (!r && hidden.n)
                r = mapping_new(hidden.items, hidden.n, sources, n_sources, generation, key, &mapping->hidden, NULL, fault);
        alloc_free(hidden.items);
        if (r)
                return r;
        *ret_mapping = STEAL(mapping);
        return 0;
}

void host_mapping_set_pins(HostMapping *mapping, Pins *pins)
{
        pins_ref(pins);
        pins_unref(mapping->pins);
        mapping->pins = pins;
}

int host_mapping_set_path(HostMapping *mapping, size_t n, Repository *repository, const Fault *fault)
{
        HostPath *path = &mapping->paths[n];
        Fault *copy = NULL;

        assert(n < mapping->n_paths);
        if (fault) {
                copy = alloc_bytes(sizeof(*copy));
                if (!copy)
                        return -ENOMEM;
                *copy = *fault;
        }
        alloc_free(path->fault);
        path->fault = copy;
        if (repository)
                repository_ref(repository);
        repository_unref(path->repository);
        path->repository = repository;
        return 0;
}

static bool path_is_same(const HostPath *a, const HostPath *b)
{
        if (!a->repository != !b->repository || !a->fault != !b->fault)
                return false;
        if (a->fault && (a->fault->name != b->fault->name || strcmp(a->fault->message, b->fault->message) != 0))
                return false;
        return !a->repository || repository_is_same(a->repository, b->repository);
}

/* The checksum stands for all of the block but the generation, and reading two
 * blocks whole would hold up the loop. */
static bool index_is_same(const HostMapping *a, const HostMapping *b)
{
        if (!a || !b)
                return a == b;
        return a->block_size == b->block_size && a->index.header->checksum == b->index.header->checksum;
}

bool host_mapping_is_same(const HostMapping *a, const HostMapping *b)
{
        if (!index_is_same(a, b) || !index_is_same(a->hidden, b->hidden) || a->n_paths != b->n_paths ||
            !pins_are_same(a->pins, b->pins))
                return false;
        for (size_t i = 0; i < a->n_paths; i++)
                if (!path_is_same(&a->paths[i], &b->paths[i]))
                        return false;
        return true;
}

static int copy_faults(Arena *arena, const MsgMappingFault *faults, size_t n_faults, MsgMappingFault **ret_copies)
{
        MsgMappingFault *copies = arena_zeroed(arena, n_faults + 1, sizeof(*copies));

        if (!copies)
                return -ENOMEM;
        for (size_t i = 0; i < n_faults; i++) {
                copies[i] = faults[i];
                if (arena_copy(arena, faults[i].file, &copies[i].file) < 0 ||
                    arena_copy(arena, faults[i].pointer, &copies[i].pointer) < 0 ||
                    arena_copy(arena, faults[i].message, &copies[i].message) < 0)
                        return -ENOMEM;
        }
        *ret_copies = copies;
        return 0;
}

int host_mapping_set_faults(HostMapping *mapping, const MsgMappingFault *faults, size_t n_faults)
{
        Arena arena = ARENA_NULL;
        MsgMappingFault *copies = NULL;

        if (n_faults && copy_faults(&arena, faults, n_faults, &copies) < 0) {
                arena_deinit(&arena);
                return -ENOMEM;
        }
        arena_deinit(&mapping->fault_arena);
        mapping->fault_arena = arena;
        mapping->faults = copies;
        mapping->n_faults = n_faults;
        return 0;
}

/* The texts of a revision or a lock. */
static bool reference_details(const HostMapping *mapping, const IndexReference *encoded, Reference *reference)
{
        Text *detail = encoded->kind == REFERENCE_LOCKED ? &reference->locked : &reference->revision;

        if (!index_text(&mapping->index, encoded->detail[0], detail, NULL))
                return false;
        return encoded->detail[1] == INDEX_NO_TEXT ||
               index_text(&mapping->index, encoded->detail[1], &reference->commit, NULL);
}

bool host_mapping_reference(const HostMapping *mapping, const IndexLayer *layer, const IndexReference *encoded,
                            Reference *ret_reference)
{
        Reference reference = { .kind = (ReferenceKind)encoded->kind, .layer = layer->name };

        if (encoded->layer != INDEX_NO_TEXT && !index_text(&mapping->index, encoded->layer, &reference.layer, NULL))
                return false;
        switch (reference.kind) {
        case REFERENCE_VERSION:
                memcpy(&reference.version, encoded->detail, sizeof(reference.version));
                break;
        case REFERENCE_REVISION:
        case REFERENCE_LOCKED:
                if (!reference_details(mapping, encoded, &reference))
                        return false;
                break;
        case REFERENCE_PATH:
                reference.number = encoded->name;
                if (encoded->name >= mapping->n_paths ||
                    !index_path(&mapping->index, encoded->name, &reference.path, NULL))
                        return false;
                break;
        default:
                return false;
        }
        if (reference.kind != REFERENCE_PATH && !index_text(&mapping->index, encoded->name, &reference.repo, NULL))
                return false;
        *ret_reference = reference;
        return true;
}
