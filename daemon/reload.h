/* SIGHUP: configuration and mapping are read anew; what is faulty stays as it
 * was. systemd hears RELOADING and READY. */
#pragma once

#include "daemon/config.h"
#include "daemon/mapping_loader.h"
#include "daemon/worker.h"

typedef struct Reload Reload;

/* `adopted` is called on the loop with a good new configuration, which becomes
 * the callee's; the one before may be freed in it. `config` is the present one. */
int reload_new(Worker *worker, MappingLoader *loader, char *const *arguments, const Config *config,
               void (*adopted)(void *data, Config *config), void *data, Reload **ret_reload);

/* Asks for one; asked during one, another follows. */
void reload_start(Reload *reload);

/* To be called from MappingLoaderOwner.finished. */
void reload_mapping_finished(Reload *reload);

void reload_close(Reload *reload); /* before worker_close */
