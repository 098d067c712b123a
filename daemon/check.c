#include "daemon/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "daemon/config_file.h"
#include "kernels/mapping_file.h"
#include "kernels/named_environment.h"
#include "proto/base/error.h"

/* 0 without faults, 1 with. */
static int check_print(const MsgMappingFault *faults, size_t n_faults)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        for (size_t i = 0; i < n_faults; i++) {
                Text line = mapping_fault_describe(&faults[i], &arena);

                if (!line.data)
                        return error_trace(-ENOMEM);
                printf("%.*s\n", TEXT_PRINT(line));
        }
        return n_faults > 0;
}

static int64_t check_now_us(void)
{
        struct timespec now;

        (void)clock_gettime(CLOCK_MONOTONIC, &now);
        return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int check_mapping_file(const char *path)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        int r;

        r = mapping_set_new(&set);
        if (r < 0)
                return r;
        r = mapping_set_load_file(set, path, check_now_us());
        if (r < 0)
                return r;
        return check_print(set->faults, set->n_faults);
}

static int check_environment_file(const char *path)
{
        CLEANUP(mapping_set_freep) MappingSet *files = NULL;
        int r;

        r = mapping_set_new(&files);
        if (r == 0)
                r = named_environments_check_file(path, files);
        return r < 0 ? r : check_print(files->faults, files->n_faults);
}

static int check_config_file(const char *path)
{
        CLEANUP(config_freep) Config *config = NULL;
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        int r;

        r = config_new(&config);
        if (r < 0)
                return r;
        r = config_file_apply(path, config, &faults);
        if (r < 0)
                return r;
        return check_print(faults.items, faults.n);
}

static int check_file(const char *path)
{
        if (config_file_is_one(path))
                return check_config_file(path);
        return file_is_in(path, "environment.d") ? check_environment_file(path) : check_mapping_file(path);
}

static int check_files(const Arguments *arguments)
{
        int found = 0;

        for (size_t i = 0; i < arguments->n_files; i++) {
                int r = check_file(arguments->files[i]);

                if (r < 0)
                        return r;
                found |= r;
        }
        return found;
}

static int check_mapping(const Config *config)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const char *folders[PLACES_MAX_FOLDERS];
        int r;

        r = places_mapping_folders(&config->places, &arena, folders);
        if (r < 0)
                return r;
        r = mapping_set_load(folders, config->places.n_folders, check_now_us(), NULL, &set);
        if (r < 0)
                return r;
        return check_print(set->faults, set->n_faults);
}

static int check_environments(const Config *config)
{
        CLEANUP(mapping_set_freep) MappingSet *files = NULL;
        CLEANUP(named_environments_unrefp) NamedEnvironments *environments = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const char *folders[PLACES_MAX_FOLDERS];
        int r;

        r = places_environment_folders(&config->places, &arena, folders);
        if (r == 0)
                r = mapping_set_new(&files);
        if (r == 0)
                r = named_environments_load(folders, config->places.n_folders, files, &environments);
        return r < 0 ? r : check_print(files->faults, files->n_faults);
}

/* A faulty configuration that still names its folders would allow to look at
 * the mapping too; one after the other is clear enough. */
static int check_all(char *const *arguments)
{
        CLEANUP(config_freep) Config *config = NULL;
        CLEANUP_FAULT_LIST FaultList faults = FAULT_LIST_NULL;
        int r, found;

        r = config_load(arguments, &config, &faults);
        if (r < 0)
                return r;
        if (r > 0)
                return check_print(faults.items, faults.n);
        r = check_mapping(config);
        if (r < 0)
                return r;
        found = check_environments(config);
        return found < 0 ? found : found | r;
}

int check_run(char *const *arguments, const Arguments *parsed)
{
        int r = parsed->n_files > 0 ? check_files(parsed) : check_all(arguments);

        if (r < 0)
                fprintf(stderr, "kernelsd: cannot check: %s\n", strerror(-r));
        if (fflush(stdout) != 0)
                return EXIT_FAILURE;
        return r == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
