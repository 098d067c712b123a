#include "daemon/environment_loader.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/lib/fixture.h"

static uv_loop_t loop;
static Worker *worker;
static EnvironmentLoader *loader;
static NamedEnvironments *environments; /* what was handed over last */
static int n_loaded;
static char root[PATH_MAX];

static const char *at(const char *name)
{
        static char paths[4][PATH_MAX + 64];
        static unsigned n;
        char *path = paths[n++ % 4];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
        return path;
}

/* Replaces a file at once. */
static void put(const char *name, const char *text)
{
        int fd = open(at("new"), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
        ck_assert_int_eq(rename(at("new"), at(name)), 0);
}

static void on_loaded(void *data, NamedEnvironments *loaded)
{
        named_environments_unref(environments);
        environments = loaded;
        n_loaded++;
}

static void begin(void)
{
        Places places = { .n_folders = 1 };

        ck_assert_ptr_nonnull(realpath(fixture_folder(), root));
        places.folders[0] = root;
        ck_assert_int_eq(uv_loop_init(&loop), 0);
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        ck_assert_int_eq(environment_loader_new(&loop, worker, &places, (EnvironmentLoaderOwner){ .loaded = on_loaded }, &loader),
                         0);
}

static void run_until_loaded(int value)
{
        while (n_loaded < value)
                uv_run(&loop, UV_RUN_ONCE);
}

static size_t n_faults(void)
{
        size_t n;

        (void)environment_loader_faults(loader, &n);
        return n;
}

static void end(void)
{
        environment_loader_close(loader);
        worker_close(worker);
        uv_run(&loop, UV_RUN_DEFAULT);
        ck_assert_int_eq(uv_loop_close(&loop), 0);
        uv_library_shutdown();
        environments = named_environments_unref(environments);
}

#define CPU "{\"kernelsd\": 1, \"environment\": {\"backend\": \"cpu\"}}"

/* The folder itself may come later. */
START_TEST(test_change)
{
        begin();
        environment_loader_load(loader);
        run_until_loaded(1);
        ck_assert_uint_eq(environments->n, 0);
        ck_assert_uint_eq(n_faults(), 0);
        put("x", CPU);
        ck_assert_int_eq(mkdir(at("environment.d"), 0755), 0);
        put("environment.d/a.json", CPU);
        while (environments->n == 0)
                uv_run(&loop, UV_RUN_ONCE);
        ck_assert_ptr_nonnull(named_environments_find(environments, TEXT("a")));
        end();
}
END_TEST

/* The last good set stays, and the faults are those of the newest files. */
START_TEST(test_faulty)
{
        const MsgMappingFault *faults;
        size_t n;

        begin();
        ck_assert_int_eq(mkdir(at("environment.d"), 0755), 0);
        put("environment.d/a.json", CPU);
        environment_loader_load(loader);
        run_until_loaded(1);
        put("environment.d/a.json", "{");
        while (n_faults() == 0)
                uv_run(&loop, UV_RUN_ONCE);
        faults = environment_loader_faults(loader, &n);
        ck_assert_uint_eq(n, 1);
        ck_assert(text_equal(faults[0].file, text_of(at("environment.d/a.json"))));
        ck_assert_uint_eq(environments->n, 1);
        put("environment.d/a.json", CPU);
        while (n_faults() != 0)
                uv_run(&loop, UV_RUN_ONCE);
        end();
}
END_TEST

/* Where a link leads is watched too. */
START_TEST(test_link)
{
        begin();
        ck_assert_int_eq(mkdir(at("environment.d"), 0755), 0);
        ck_assert_int_eq(mkdir(at("there"), 0755), 0);
        put("there/b.json", CPU);
        ck_assert_int_eq(symlink("../there/b.json", at("environment.d/b.json")), 0);
        environment_loader_load(loader);
        run_until_loaded(1);
        ck_assert_int_eq(environments->items[0].device, DEVICE_CPU);
        put("there/b.json", "{\"kernelsd\": 1, \"environment\": {\"backend\": \"cu128\"}}");
        while (environments->items[0].device != DEVICE_CUDA)
                uv_run(&loop, UV_RUN_ONCE);
        end();
}
END_TEST

START_TEST(test_close_while_loading)
{
        begin();
        environment_loader_load(loader);
        environment_loader_load(loader);
        end();
        ck_assert_int_eq(n_loaded, 0);
}
END_TEST

FIXTURE_MAIN("daemon/environment_loader", test_change, test_faulty, test_link, test_close_while_loading)
