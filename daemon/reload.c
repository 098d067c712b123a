#include "daemon/reload.h"

#include <errno.h>
#include <string.h>

#include "daemon/log.h"
#include "daemon/service.h"
#include "kernels/mapping_file.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Reads the configuration in the file thread. */
typedef struct ConfigLoad {
        Job job;
        Reload *reload;
        char *const *arguments;
        Config *config; /* NULL: faulty */
        FaultList faults;
} ConfigLoad;

struct Reload {
        Worker *worker;
        MappingLoader *loader;
        char *const *arguments;
        const Config *config;
        void (*adopted)(void *data, Config *config);
        void *data;
        ConfigLoad *load;
        ServiceReload notice;
        bool waits_for_mapping;
        bool again;
        bool closing;
};

static ConfigLoad *config_load_free(ConfigLoad *load)
{
        if (!load)
                return NULL;
        config_free(load->config);
        fault_list_deinit(&load->faults);
        alloc_free(load);
        return NULL;
}
DEFINE_CLEANUP(ConfigLoad *, config_load_free)

static void reload_free(Reload *reload)
{
        service_reload_end(&reload->notice);
        alloc_free(reload);
}

static int config_load_step(Job *job)
{
        ConfigLoad *load = (ConfigLoad *)((char *)job - offsetof(ConfigLoad, job));
        int r = config_load(load->arguments, &load->config, &load->faults);

        return r < 0 ? r : 0;
}

static void reload_log_faults(const FaultList *faults)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        for (size_t i = 0; i < faults->n; i++) {
                LogFields fields = LOG_FIELDS_NULL;

                fields.file = faults->items[i].file;
                log_error(CONFIG, &fields, "%.*s", TEXT_PRINT(mapping_fault_describe(&faults->items[i], &arena)));
        }
        log_error(CONFIG, NULL, "the configuration is faulty; what was in force before stays so");
}

static int reload_adopt(Reload *reload, ConfigLoad *load)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text changed;
        int r;

        r = config_keep_start_options(load->config, reload->config, &arena, &changed);
        if (r < 0)
                return r;
        if (changed.size > 0)
                log_warning(CONFIG, NULL, "only a restart takes over: %.*s", TEXT_PRINT(changed));
        log_notice(CONFIG, NULL, "the configuration was read anew");
        reload->config = load->config;
        reload->adopted(reload->data, STEAL(load->config));
        return 0;
}

static int reload_take(Reload *reload, ConfigLoad *load)
{
        if (load->config)
                return reload_adopt(reload, load);
        reload_log_faults(&load->faults);
        return 0;
}

static void reload_failed(int r)
{
        LogFields fields = LOG_FIELDS_NULL;

        fields.error = r;
        log_error(FAILURE, &fields, "cannot read the configuration anew: %s", strerrordesc_np(-r));
}

static void reload_on_done(Job *job, int result)
{
        CLEANUP(config_load_freep) ConfigLoad *load = (ConfigLoad *)((char *)job - offsetof(ConfigLoad, job));
        Reload *reload = load->reload;
        int r;

        reload->load = NULL;
        if (reload->closing) {
                reload_free(reload);
                return;
        }
        r = result < 0 ? result : reload_take(reload, load);
        if (r < 0)
                reload_failed(r);
        reload->waits_for_mapping = true;
        mapping_loader_load(reload->loader);
}

static int config_load_new(Reload *reload, ConfigLoad **ret_load)
{
        ConfigLoad *load = alloc_zeroed(1, sizeof(*load));

        if (!load)
                return error_trace(-ENOMEM);
        load->job.step = config_load_step;
        load->job.done = reload_on_done;
        load->reload = reload;
        load->arguments = reload->arguments;
        *ret_load = load;
        return 0;
}

void reload_start(Reload *reload)
{
        int r;

        if (reload->load || reload->waits_for_mapping) {
                reload->again = true;
                return;
        }
        reload->again = false;
        service_reload_begin(&reload->notice);
        r = config_load_new(reload, &reload->load);
        if (r < 0) {
                reload_failed(r);
                service_reload_end(&reload->notice);
                return;
        }
        worker_submit(reload->worker, &reload->load->job);
}

void reload_mapping_finished(Reload *reload)
{
        if (!reload->waits_for_mapping)
                return;
        reload->waits_for_mapping = false;
        service_reload_end(&reload->notice);
        if (reload->again)
                reload_start(reload);
}

int reload_new(Worker *worker, MappingLoader *loader, char *const *arguments, const Config *config,
               void (*adopted)(void *data, Config *config), void *data, Reload **ret_reload)
{
        Reload *reload = alloc_zeroed(1, sizeof(*reload));

        if (!reload)
                return error_trace(-ENOMEM);
        reload->worker = worker;
        reload->loader = loader;
        reload->arguments = arguments;
        reload->config = config;
        reload->adopted = adopted;
        reload->data = data;
        *ret_reload = reload;
        return 0;
}

void reload_close(Reload *reload)
{
        if (!reload)
                return;
        reload->closing = true;
        if (reload->load)
                job_cancel(&reload->load->job);
        else
                reload_free(reload);
}
