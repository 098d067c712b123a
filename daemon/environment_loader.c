#include "daemon/environment_loader.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/watch.h"
#include "kernels/mapping_set.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* One load, a job of the file thread. Of its loader it reads the folders, which
 * never change. */
typedef struct EnvironmentLoad {
        Job job;
        EnvironmentLoader *loader;
        MappingSet *files; /* faults and what to watch */
        NamedEnvironments *environments;
        WatchPoints points;
} EnvironmentLoad;

struct EnvironmentLoader {
        Worker *worker;
        EnvironmentLoaderOwner owner;
        Arena arena; /* holds the folders */
        const char *folders[PLACES_MAX_FOLDERS];
        size_t n_folders;
        Watch *watch;
        MappingSet *files;     /* of the newest load; NULL: none has ended */
        EnvironmentLoad *load; /* in the file thread */
        bool again;            /* load once more after this one */
        bool closing;
};

static EnvironmentLoad *environment_load_free(EnvironmentLoad *load)
{
        named_environments_unref(load->environments);
        mapping_set_free(load->files);
        watch_points_deinit(&load->points);
        alloc_free(load);
        return NULL;
}
DEFINE_CLEANUP(EnvironmentLoad *, environment_load_free)

static void loader_free(EnvironmentLoader *loader)
{
        watch_close(loader->watch);
        mapping_set_free(loader->files);
        arena_deinit(&loader->arena);
        alloc_free(loader);
}

/* --- in the file thread --- */

static int loader_points_of_folders(const EnvironmentLoader *loader, WatchPoints *points)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < loader->n_folders; i++)
                r = watch_points_add(points, loader->folders[i], true);
        return r;
}

static int load_step(Job *job)
{
        EnvironmentLoad *load = (EnvironmentLoad *)((char *)job - offsetof(EnvironmentLoad, job));
        int r;

        r = named_environments_load(load->loader->folders, load->loader->n_folders, load->files, &load->environments);
        if (r == 0)
                r = loader_points_of_folders(load->loader, &load->points);
        for (size_t i = 0; r == 0 && i < load->files->n_watched; i++)
                r = watch_points_add(&load->points, load->files->watched[i].data, false);
        watch_points_settle(&load->points);
        return r;
}

/* --- on the loop --- */

static void loader_log_faults(const MappingSet *files)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        for (size_t i = 0; i < files->n_faults; i++) {
                LogFields fields = LOG_FIELDS_NULL;

                fields.file = files->faults[i].file;
                log_error(CONFIG, &fields, "%.*s", TEXT_PRINT(mapping_fault_describe(&files->faults[i], &arena)));
        }
        log_error(CONFIG, NULL, "the files of environments are faulty; what was in force before stays so");
}

static int loader_take(EnvironmentLoader *loader, EnvironmentLoad *load)
{
        int r;

        mapping_set_free(loader->files);
        loader->files = STEAL(load->files);
        if (loader->files->n_faults) {
                loader_log_faults(loader->files);
        } else {
                log_debug(CONFIG, NULL, "named environments in force: %zu", load->environments->n);
                loader->owner.loaded(loader->owner.data, STEAL(load->environments));
        }
        r = watch_set(loader->watch, &load->points);
        if (r > 0) /* links that were not watched while they were read */
                loader->again = true;
        return r < 0 ? error_trace(r) : 0;
}

/* The load itself failed: no memory, or a disk that does not read. */
static void loader_failed(int r)
{
        LogFields fields = LOG_FIELDS_NULL;

        fields.error = -r;
        log_error(FAILURE, &fields, "cannot load the named environments: %s", strerrordesc_np(-r));
}

static void loader_start(EnvironmentLoader *loader);

static void loader_on_done(Job *job, int result)
{
        CLEANUP(environment_load_freep) EnvironmentLoad *load =
                (EnvironmentLoad *)((char *)job - offsetof(EnvironmentLoad, job));
        EnvironmentLoader *loader = load->loader;
        int r;

        loader->load = NULL;
        if (loader->closing) {
                loader_free(loader);
                return;
        }
        r = result < 0 ? result : loader_take(loader, load);
        if (r < 0)
                loader_failed(r);
        if (loader->again)
                loader_start(loader);
}

static int environment_load_new(EnvironmentLoader *loader, EnvironmentLoad **ret_load)
{
        CLEANUP(environment_load_freep) EnvironmentLoad *load = alloc_zeroed(1, sizeof(*load));
        int r;

        if (!load)
                return error_trace(-ENOMEM);
        load->job.step = load_step;
        load->job.done = loader_on_done;
        load->loader = loader;
        r = mapping_set_new(&load->files);
        if (r < 0)
                return r;
        *ret_load = STEAL(load);
        return 0;
}

static void loader_start(EnvironmentLoader *loader)
{
        int r;

        loader->again = false;
        r = environment_load_new(loader, &loader->load);
        if (r < 0)
                loader_failed(r);
        else
                worker_submit(loader->worker, &loader->load->job);
}

void environment_loader_load(EnvironmentLoader *loader)
{
        if (loader->load)
                loader->again = true;
        else
                loader_start(loader);
}

const MsgMappingFault *environment_loader_faults(const EnvironmentLoader *loader, size_t *ret_n)
{
        *ret_n = loader->files ? loader->files->n_faults : 0;
        return loader->files ? loader->files->faults : NULL;
}

static void loader_on_changed(void *data)
{
        environment_loader_load(data);
}

/* Before the first load, so that nothing goes by between reading and watching. */
static int loader_watch_folders(EnvironmentLoader *loader)
{
        CLEANUP_WATCH_POINTS WatchPoints points = WATCH_POINTS_NULL;
        int r = loader_points_of_folders(loader, &points);

        if (r < 0)
                return r;
        watch_points_settle(&points);
        r = watch_set(loader->watch, &points);
        return r < 0 ? error_trace(r) : 0;
}

int environment_loader_new(uv_loop_t *loop, Worker *worker, const Places *places, EnvironmentLoaderOwner owner,
                           EnvironmentLoader **ret_loader)
{
        EnvironmentLoader *loader = alloc_zeroed(1, sizeof(*loader));
        int r;

        if (!loader)
                return error_trace(-ENOMEM);
        loader->worker = worker;
        loader->owner = owner;
        loader->n_folders = places->n_folders;
        r = places_environment_folders(places, &loader->arena, loader->folders);
        if (r == 0)
                r = watch_new(loop, loader_on_changed, loader, &loader->watch);
        if (r == 0)
                r = loader_watch_folders(loader);
        if (r < 0) {
                loader_free(loader);
                return r;
        }
        *ret_loader = loader;
        return 0;
}

void environment_loader_close(EnvironmentLoader *loader)
{
        if (!loader)
                return;
        loader->closing = true;
        if (loader->load)
                job_cancel(&loader->load->job);
        else
                loader_free(loader);
}
