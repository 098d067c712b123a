#include "daemon/mapping_load.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "daemon/memory.h"
#include "kernels/repository.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

static MappingLoad *load_of_job(Job *job)
{
        return (MappingLoad *)((char *)job - offsetof(MappingLoad, job));
}

static int64_t load_now_us(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int load_sources(const MappingSet *set, Arena *arena, HostSource **ret_sources)
{
        HostSource *sources = arena_zeroed(arena, set->n_sources + 1, sizeof(*sources));

        if (!sources)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < set->n_sources; i++) {
                sources[i].name = arena_format(arena, "%s%.*s", set->sources[i].no_file ? "" : "file:",
                                               TEXT_PRINT(set->sources[i].name));
                sources[i].read_at_s = set->sources[i].read_at_us / 1000000;
                if (!sources[i].name.data)
                        return error_trace(-ENOMEM);
        }
        *ret_sources = sources;
        return 0;
}

static int load_build(MappingLoad *load, const MappingSet *set)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        HostSource *sources;
        Fault fault;
        int r;

        r = load_sources(set, &arena, &sources);
        if (r < 0)
                return r;
        r = host_mapping_new(set->entries, set->n_entries, sources, set->n_sources, load->generation, load->key,
                             &load->mapping, &fault);
        if (r > 0)
                fault_list_add(&load->faults, TEXT("mapping.d"), 0, 0, TEXT_NULL, "%s", fault.message);
        if (r == 0 && load->stored)
                host_mapping_set_pins(load->mapping, load->stored->pins);
        return r < 0 ? error_trace(r) : 0;
}

static int load_watch_files(MappingLoad *load, const MappingSet *set)
{
        int r;

        for (size_t i = 0; i < set->n_watched; i++) {
                r = watch_points_add(&load->points, set->watched[i].data, false);
                if (r < 0)
                        return r;
        }
        return 0;
}

int mapping_load_watch_folders(MappingLoad *load)
{
        int r;

        for (size_t i = 0; i < load->n_folders; i++) {
                r = watch_points_add(&load->points, load->folders[i], true);
                if (r < 0)
                        return r;
        }
        watch_points_settle(&load->points);
        return 0;
}

static int load_add_stored(const MappingLoad *load, const MappingReader *reader, MappingSet *set)
{
        if (!load->stored || !load->stored->n_entries)
                return 0;
        return mapping_set_add_bytes(set, TEXT("stored"), buffer_text(&load->stored->text), load_now_us(), reader);
}

/* The first files are faulty already: the last good ones are in force as they
 * were, with their lock files, and what is stored now on top. */
static int load_kept(MappingLoad *load)
{
        const MappingReader reader = kept_files_reader(load->kept);
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        int r = kept_files_load(load->kept, load_now_us(), &set);

        if (r == 0)
                r = load_add_stored(load, &reader, set);
        if (r == 0 && set->n_faults == 0)
                r = load_build(load, set);
        load->used_kept = load->mapping;
        return r;
}

/* Nor are there others: what is stored does not wait for them. */
static int load_stored_alone(MappingLoad *load)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        int r = mapping_set_new(&set);

        if (r == 0)
                r = load_add_stored(load, NULL, set);
        return r == 0 && set->n_faults == 0 ? load_build(load, set) : r;
}

static int load_without(MappingLoad *load)
{
        int r = load->kept ? load_kept(load) : 0;

        return r == 0 && !load->mapping ? load_stored_alone(load) : r;
}

/* What is known to be kept, or is not good, need not be kept. */
static int load_finish_files(MappingLoad *load)
{
        int r;

        if (!load->files)
                return 0;
        r = kept_files_finish(load->files);
        if (r < 0)
                return r;
        if (load->faults.n || (load->is_known && !load->files->too_large &&
                               memcmp(load->files->digest, load->known, sizeof(load->known)) == 0))
                load->files = kept_files_unref(load->files);
        return 0;
}

static int load_gather(MappingLoad *load, MappingSet **ret_set)
{
        int r = load->keep ? kept_files_new(&load->files) : 0;

        if (r == 0)
                r = mapping_set_load(load->folders, load->n_folders, load_now_us(), load->files, ret_set);
        if (r < 0)
                return error_trace(r);
        load->n_files = (*ret_set)->n_sources;
        return load_add_stored(load, NULL, *ret_set);
}

static int load_read(MappingLoad *load)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        int r;

        r = load_gather(load, &set);
        if (r < 0)
                return error_trace(r);
        fault_list_copy(&load->faults, set->faults, set->n_faults);
        if (set->n_faults == 0)
                r = load_build(load, set);
        else if (load->first)
                r = load_without(load);
        if (r == 0)
                r = load_finish_files(load);
        if (r < 0)
                return r;
        r = load_watch_files(load, set);
        if (r < 0)
                return r;
        return mapping_load_watch_folders(load);
}

static int load_watch_repository(MappingLoad *load, const char *path, const Repository *repository)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text build = arena_format(&arena, "%s/build", path);
        int r;

        if (!build.data)
                return error_trace(-ENOMEM);
        r = watch_points_add(&load->points, build.data, true);
        for (size_t i = 0; r == 0 && repository && i < repository->n_variants; i++) {
                Text metadata = arena_format(&arena, "%.*s/%.*s/metadata.json", TEXT_PRINT(build),
                                             TEXT_PRINT(repository->variants[i].folder));

                if (!metadata.data)
                        return error_trace(-ENOMEM);
                r = watch_points_add(&load->points, metadata.data, false);
        }
        return r;
}

/* A directory that cannot be used is no fault of the files: it may come later,
 * so what leads to it is watched too. */
static int load_scan(MappingLoad *load, size_t n)
{
        const char *path = load->mapping->paths[n].path.data;
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        Fault fault = FAULT_NULL;
        int r;

        r = repository_scan(path, geteuid(), &repository, &fault);
        if (r < 0)
                return error_trace(r);
        r = host_mapping_set_path(load->mapping, n, repository, r > 0 ? &fault : NULL);
        if (r < 0)
                return error_trace(r);
        return load_watch_repository(load, path, repository);
}

static int load_step(Job *job)
{
        MappingLoad *load = load_of_job(job);
        int r;

        if (!load->mapping)
                r = load_read(load);
        else
                r = load_scan(load, load->n_scanned++);
        if (r < 0)
                return r;
        if (load->mapping && load->n_scanned < load->mapping->n_paths)
                return JOB_AGAIN;
        watch_points_settle(&load->points);
        memory_trim();
        return load->faults.failed ? error_trace(-ENOMEM) : 0;
}

int mapping_load_new(const Places *places, uint64_t generation, uint64_t key, MappingLoad **ret_load)
{
        CLEANUP(mapping_load_freep) MappingLoad *load = alloc_zeroed(1, sizeof(*load));
        int r;

        if (!load)
                return error_trace(-ENOMEM);
        load->job.step = load_step;
        load->generation = generation;
        load->key = key;
        load->n_folders = places->n_folders;
        r = places_mapping_folders(places, &load->arena, load->folders);
        if (r < 0)
                return r;
        *ret_load = STEAL(load);
        return 0;
}

MappingLoad *mapping_load_free(MappingLoad *load)
{
        if (!load)
                return NULL;
        host_mapping_unref(load->mapping);
        stored_unref(load->stored);
        kept_files_unref(load->kept);
        kept_files_unref(load->files);
        fault_list_deinit(&load->faults);
        watch_points_deinit(&load->points);
        arena_deinit(&load->arena);
        alloc_free(load);
        return NULL;
}
