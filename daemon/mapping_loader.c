#include "daemon/mapping_loader.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/random.h>

#include "daemon/log.h"
#include "daemon/mapping_load.h"
#include "daemon/watch.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define LIMIT_LOGGED_PATHS 16 /* of repositories that cannot be used; guess, a screenful */

struct MappingLoader {
        Worker *worker;
        MappingLoaderOwner owner;
        Places places;        /* its folders alone */
        Watch *watch;
        HostMapping *mapping; /* in force; NULL before the first load */
        Stored *stored;       /* for the next load */
        KeptFiles *kept;      /* for the first load */
        bool is_known;        /* whether `known` is the digest of the files that are kept */
        uint8_t known[KEPT_DIGEST];
        MappingLoad *load;    /* in the file thread */
        uint64_t generation;  /* of the newest mapping */
        uint64_t key;
        bool again;           /* load once more after this one */
        bool closing;
};

static void loader_free(MappingLoader *loader)
{
        watch_close(loader->watch);
        host_mapping_unref(loader->mapping);
        stored_unref(loader->stored);
        kept_files_unref(loader->kept);
        places_deinit(&loader->places);
        alloc_free(loader);
}

static void loader_log_faults(const FaultList *faults, const char *outcome)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        for (size_t i = 0; i < faults->n; i++) {
                LogFields fields = LOG_FIELDS_NULL;

                fields.file = faults->items[i].file;
                log_error(MAPPING, &fields, "%.*s", TEXT_PRINT(mapping_fault_describe(&faults->items[i], &arena)));
        }
        log_error(MAPPING, NULL, "the mapping files are faulty; %s", outcome);
}

static void loader_log_paths(const HostMapping *mapping)
{
        size_t n = 0;

        for (size_t i = 0; i < mapping->n_paths && n < LIMIT_LOGGED_PATHS; i++) {
                LogFields fields = LOG_FIELDS_NULL;

                if (!mapping->paths[i].fault)
                        continue;
                fields.repository = mapping->paths[i].path;
                fields.reason = text_of(fault_spelling(mapping->paths[i].fault->name));
                log_warning(MAPPING, &fields, "repository %.*s cannot be used: %s", TEXT_PRINT(mapping->paths[i].path),
                            mapping->paths[i].fault->message);
                n++;
        }
}

/* Puts a mapping in force, which becomes the loader's. */
static void loader_swap(MappingLoader *loader, HostMapping *mapping)
{
        loader->generation = mapping->generation;
        host_mapping_unref(loader->mapping);
        loader->mapping = mapping;
        loader->owner.loaded(loader->owner.data, host_mapping_ref(mapping));
}

static int loader_make_empty(MappingLoader *loader, HostMapping **ret_mapping)
{
        Fault fault;
        int r;

        r = host_mapping_new(NULL, 0, NULL, 0, loader->generation + 1, loader->key, ret_mapping, &fault);
        return r == 0 ? 0 : error_trace(r < 0 ? r : -EINVAL);
}

/* The first files are faulty already: what was kept is mapped, or what is stored,
 * or nothing, and status says why. `mapping`, which may be NULL, becomes the loader's. */
static int loader_begin_without(MappingLoader *loader, HostMapping *mapping, const FaultList *faults)
{
        CLEANUP(host_mapping_unrefp) HostMapping *first = mapping;
        int r = first ? 0 : loader_make_empty(loader, &first);

        if (r == 0)
                r = host_mapping_set_faults(first, faults->items, faults->n);
        if (r < 0)
                return error_trace(r);
        loader_swap(loader, STEAL(first));
        return 0;
}

/* Whether these are the faults that are known already. */
static bool loader_knows_faults(const MappingLoader *loader, const FaultList *faults)
{
        if (!loader->mapping || loader->mapping->n_faults != faults->n)
                return false;
        for (size_t i = 0; i < faults->n; i++) {
                const MsgMappingFault *known = &loader->mapping->faults[i], *fault = &faults->items[i];

                if (!text_equal(known->file, fault->file) || !text_equal(known->pointer, fault->pointer) ||
                    !text_equal(known->message, fault->message) || known->line.value != fault->line.value ||
                    known->column.value != fault->column.value)
                        return false;
        }
        return true;
}

/* `mapping`, which may be NULL, is what can be served beside the faults. */
static int loader_take_faults(MappingLoader *loader, HostMapping *mapping, bool is_kept, const FaultList *faults)
{
        CLEANUP(host_mapping_unrefp) HostMapping *owned = mapping;

        if (loader_knows_faults(loader, faults))
                return 0;
        loader_log_faults(faults, loader->mapping ? "what was in force before stays so" :
                          is_kept ? "the last good ones, as they were before the restart, are in force" :
                          "no file is mapped");
        if (!loader->mapping)
                return loader_begin_without(loader, STEAL(owned), faults);
        return error_trace(host_mapping_set_faults(loader->mapping, faults->items, faults->n));
}

static void loader_take_mapping(MappingLoader *loader, MappingLoad *load)
{
        loader_log_paths(load->mapping);
        loader_swap(loader, STEAL(load->mapping));
        log_notice(MAPPING, NULL, "mapping generation %" PRIu64 " is in force; files: %zu", loader->generation,
                   load->n_files);
}

/* What says the same as before is no new generation. */
static int loader_keep_mapping(MappingLoader *loader)
{
        if (loader->mapping->n_faults > 0)
                log_notice(MAPPING, NULL, "the mapping files are good again and say what is in force");
        return error_trace(host_mapping_set_faults(loader->mapping, NULL, 0));
}

static void loader_keep_files(MappingLoader *loader, KeptFiles *files)
{
        memcpy(loader->known, files->digest, sizeof(loader->known));
        loader->is_known = true;
        loader->owner.keep(loader->owner.data, files);
}

static int loader_take(MappingLoader *loader, MappingLoad *load)
{
        int r = 0;

        if (load->faults.n > 0)
                r = loader_take_faults(loader, STEAL(load->mapping), load->used_kept, &load->faults);
        else if (loader->mapping && host_mapping_is_same(load->mapping, loader->mapping))
                r = loader_keep_mapping(loader);
        else
                loader_take_mapping(loader, load);
        if (r < 0)
                return r;
        loader->kept = kept_files_unref(loader->kept);
        if (load->files)
                loader_keep_files(loader, STEAL(load->files));
        r = watch_set(loader->watch, &load->points);
        if (r < 0)
                return error_trace(r);
        /* Links and lock files that were not watched while they were read. */
        if (r > 0)
                loader->again = true;
        return 0;
}

/* The load itself failed: no memory, or a disk that does not read. */
static void loader_failed(MappingLoader *loader, int r)
{
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        LogFields fields = LOG_FIELDS_NULL;

        fields.error = r;
        log_error(FAILURE, &fields, "cannot load the mapping: %s", strerrordesc_np(-r));
        fault_list_add(&faults, TEXT("mapping.d"), 0, 0, TEXT_NULL, "cannot be loaded: %s", strerrordesc_np(-r));
        (void)loader_take_faults(loader, NULL, false, &faults);
}

static void loader_start(MappingLoader *loader);

static void loader_on_done(Job *job, int result)
{
        CLEANUP(mapping_load_freep) MappingLoad *load = (MappingLoad *)((char *)job - offsetof(MappingLoad, job));
        MappingLoader *loader = load->data;
        int r;

        loader->load = NULL;
        if (loader->closing) {
                loader_free(loader);
                return;
        }
        r = result < 0 ? result : loader_take(loader, load);
        if (r < 0)
                loader_failed(loader, r);
        if (loader->again)
                loader_start(loader);
        else
                loader->owner.finished(loader->owner.data);
}

static void loader_start(MappingLoader *loader)
{
        int r;

        loader->again = false;
        r = mapping_load_new(&loader->places, loader->generation + 1, loader->key, &loader->load);
        if (r < 0) {
                loader_failed(loader, r);
                loader->owner.finished(loader->owner.data);
                return;
        }
        loader->load->data = loader;
        loader->load->stored = stored_ref(loader->stored);
        loader->load->first = !loader->mapping;
        loader->load->kept = kept_files_ref(loader->kept);
        loader->load->keep = loader->owner.keep;
        loader->load->is_known = loader->is_known;
        memcpy(loader->load->known, loader->known, sizeof(loader->known));
        loader->load->job.done = loader_on_done;
        worker_submit(loader->worker, &loader->load->job);
}

void mapping_loader_load(MappingLoader *loader)
{
        if (loader->load)
                loader->again = true;
        else
                loader_start(loader);
}

void mapping_loader_set_stored(MappingLoader *loader, Stored *stored)
{
        stored_ref(stored);
        stored_unref(loader->stored);
        loader->stored = stored;
}

void mapping_loader_set_kept(MappingLoader *loader, KeptFiles *kept)
{
        kept_files_ref(kept);
        kept_files_unref(loader->kept);
        loader->kept = kept;
        loader->is_known = kept;
        if (kept)
                memcpy(loader->known, kept->digest, sizeof(loader->known));
}

bool mapping_loader_is_good(const MappingLoader *loader)
{
        return loader->mapping && loader->mapping->n_faults == 0;
}

static void loader_on_changed(void *data)
{
        log_debug(MAPPING, NULL, "mapping files may have changed");
        mapping_loader_load(data);
}

static int loader_copy_folders(MappingLoader *loader, const Places *places)
{
        for (size_t i = 0; i < places->n_folders; i++) {
                loader->places.folders[i] = alloc_text(places->folders[i], strlen(places->folders[i]));
                if (!loader->places.folders[i])
                        return error_trace(-ENOMEM);
                loader->places.n_folders++;
        }
        return 0;
}

/* Before the first load, so that nothing goes by between reading and watching. */
static int loader_watch_folders(MappingLoader *loader)
{
        CLEANUP(mapping_load_freep) MappingLoad *load = NULL;
        int r;

        r = mapping_load_new(&loader->places, 0, 0, &load);
        if (r < 0)
                return r;
        r = mapping_load_watch_folders(load);
        if (r < 0)
                return r;
        r = watch_set(loader->watch, &load->points);
        return r < 0 ? error_trace(r) : 0;
}

static int loader_init(MappingLoader *loader, uv_loop_t *loop, const Places *places)
{
        int r;

        if (getrandom(&loader->key, sizeof(loader->key), 0) != (ssize_t)sizeof(loader->key))
                return error_trace(-EIO);
        r = loader_copy_folders(loader, places);
        if (r < 0)
                return r;
        r = watch_new(loop, loader_on_changed, loader, &loader->watch);
        if (r < 0)
                return r;
        return loader_watch_folders(loader);
}

int mapping_loader_new(uv_loop_t *loop, Worker *worker, const Places *places, MappingLoaderOwner owner,
                       MappingLoader **ret_loader)
{
        MappingLoader *loader = alloc_zeroed(1, sizeof(*loader));
        int r;

        if (!loader)
                return error_trace(-ENOMEM);
        loader->worker = worker;
        loader->owner = owner;
        r = loader_init(loader, loop, places);
        if (r < 0) {
                loader_free(loader);
                return r;
        }
        *ret_loader = loader;
        return 0;
}

void mapping_loader_close(MappingLoader *loader)
{
        if (!loader)
                return;
        loader->closing = true;
        if (loader->load)
                job_cancel(&loader->load->job);
        else
                loader_free(loader);
}
