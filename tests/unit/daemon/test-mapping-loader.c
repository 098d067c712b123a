#include "daemon/mapping_loader.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "kernels/host_mapping.h"
#include "kernels/kept_files.h"
#include "kernels/repository.h"
#include "tests/lib/fixture.h"

static uv_loop_t loop;
static Worker *worker;
static MappingLoader *loader;
static HostMapping *mapping; /* what was handed over last */
static KeptFiles *kept;      /* likewise */
static int n_loaded, n_finished, n_kept;
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

static void on_loaded(void *data, HostMapping *loaded)
{
        host_mapping_unref(mapping);
        mapping = loaded;
        n_loaded++;
}

static void on_keep(void *data, KeptFiles *files)
{
        kept_files_unref(kept);
        kept = files;
        n_kept++;
}

static void on_finished(void *data)
{
        n_finished++;
}

static void begin(void)
{
        Places places = { .n_folders = 1 };
        MappingLoaderOwner owner = { .loaded = on_loaded, .keep = on_keep, .finished = on_finished };

        ck_assert_ptr_nonnull(realpath(fixture_folder(), root));
        ck_assert_int_eq(mkdir(at("mapping.d"), 0755), 0);
        places.folders[0] = root;
        ck_assert_int_eq(uv_loop_init(&loop), 0);
        ck_assert_int_eq(worker_new(&loop, &worker), 0);
        ck_assert_int_eq(mapping_loader_new(&loop, worker, &places, owner, &loader), 0);
}

static void run_until(const int *counter, int value)
{
        while (*counter < value)
                uv_run(&loop, UV_RUN_ONCE);
}

static void load(void)
{
        mapping_loader_load(loader);
        run_until(&n_finished, n_finished + 1);
}

static void end(void)
{
        mapping_loader_close(loader);
        worker_close(worker);
        uv_run(&loop, UV_RUN_DEFAULT);
        ck_assert_int_eq(uv_loop_close(&loop), 0);
        uv_library_shutdown();
        mapping = host_mapping_unref(mapping);
        kept = kept_files_unref(kept);
}

#define USE(layer, reference) "{\"kernelsd\": 1, \"mapping\": {\"" layer "\": [{\"device\": \"cpu\", \"use\": " reference "}]}}"
#define ONE USE("A", "{\"repo\": \"o/n\", \"version\": 1}")

START_TEST(test_empty)
{
        begin();
        load();
        ck_assert_int_eq(n_loaded, 1);
        ck_assert_uint_eq(mapping->generation, 1);
        ck_assert_uint_eq(mapping->index.header->n_layers, 0);
        ck_assert_uint_eq(mapping->n_faults, 0);
        end();
}
END_TEST

START_TEST(test_change)
{
        begin();
        put("mapping.d/a.json", ONE);
        load();
        ck_assert_uint_eq(mapping->index.header->n_layers, 1);
        ck_assert_int_eq(n_loaded, 1);
        ck_assert_uint_eq(worker_n_steps(worker), 1);
        put("mapping.d/b.json", USE("B", "{\"repo\": \"o/n\", \"version\": 1}"));
        run_until(&n_loaded, 2);
        ck_assert_uint_eq(mapping->index.header->n_layers, 2);
        ck_assert_uint_eq(mapping->generation, 2);
        end();
}
END_TEST

/* What is the same is not handed over again; what is faulty never is. */
START_TEST(test_keep)
{
        begin();
        put("mapping.d/a.json", ONE);
        load();
        ck_assert_int_eq(n_kept, 1);
        ck_assert_uint_eq(kept->n, 1);
        ck_assert(text_equal(kept->items[0].name, TEXT("a.json")));
        ck_assert(text_equal(kept->items[0].bytes, TEXT(ONE)));
        load();
        ck_assert_int_eq(n_kept, 1);
        put("mapping.d/a.json", "{");
        load();
        ck_assert_int_eq(n_kept, 1);
        put("mapping.d/a.json", ONE " ");
        load();
        ck_assert_int_eq(n_kept, 2);
        end();
}
END_TEST

/* The first files are faulty: those that were kept are in force, once. */
START_TEST(test_kept)
{
        KeptFiles *files = NULL;

        ck_assert_int_eq(kept_files_new(&files), 0);
        ck_assert_int_eq(kept_files_add(files, false, TEXT("z.json"), TEXT("/z.json"), TEXT(ONE)), 0);
        ck_assert_int_eq(kept_files_finish(files), 0);
        begin();
        mapping_loader_set_kept(loader, files);
        kept_files_unref(files);
        put("mapping.d/a.json", "{");
        load();
        ck_assert_uint_eq(mapping->index.header->n_layers, 1);
        ck_assert_uint_eq(mapping->n_faults, 1);
        ck_assert(!mapping_loader_is_good(loader));
        ck_assert_int_eq(n_kept, 0);
        put("mapping.d/a.json", USE("B", "{\"path\": \"/nowhere\"}"));
        load();
        ck_assert_uint_eq(mapping->generation, 2);
        ck_assert_uint_eq(mapping->n_faults, 0);
        ck_assert_int_eq(n_kept, 1);
        end();
}
END_TEST

/* The last good set stays, and knows of the faults of the newest files. */
START_TEST(test_faulty)
{
        begin();
        put("mapping.d/a.json", ONE);
        load();
        put("mapping.d/a.json", "{");
        run_until(&n_finished, 2);
        ck_assert_int_eq(n_loaded, 1);
        ck_assert_uint_eq(mapping->index.header->n_layers, 1);
        ck_assert_uint_eq(mapping->n_faults, 1);
        ck_assert(text_equal(mapping->faults[0].file, text_of(at("mapping.d/a.json"))));
        put("mapping.d/a.json", ONE);
        run_until(&n_finished, 3);
        ck_assert_int_eq(n_loaded, 1);
        ck_assert_uint_eq(mapping->n_faults, 0);
        end();
}
END_TEST

/* Files that say the same are no new generation. */
START_TEST(test_same)
{
        begin();
        put("mapping.d/a.json", ONE);
        load();
        put("mapping.d/a.json", "# a comment\n" ONE);
        run_until(&n_finished, 2);
        ck_assert_int_eq(n_loaded, 1);
        ck_assert_uint_eq(mapping->generation, 1);
        put("mapping.d/a.json", USE("A", "{\"repo\": \"o/n\", \"version\": 2}"));
        run_until(&n_loaded, 2);
        ck_assert_uint_eq(mapping->generation, 2);
        end();
}
END_TEST

START_TEST(test_faulty_first)
{
        begin();
        put("mapping.d/a.json", "[]");
        load();
        ck_assert_int_eq(n_loaded, 1);
        ck_assert_uint_eq(mapping->index.header->n_layers, 0);
        ck_assert_uint_ge(mapping->n_faults, 1);
        end();
}
END_TEST

/* A directory that is not there is no fault of the file, and is found when it comes. */
START_TEST(test_path)
{
        char text[PATH_MAX + 256];

        begin();
        (void)snprintf(text, sizeof(text), USE("A", "{\"path\": \"%s\"}"), at("repository"));
        put("mapping.d/a.json", text);
        load();
        ck_assert_uint_eq(mapping->n_faults, 0);
        ck_assert_uint_eq(mapping->n_paths, 1);
        ck_assert_ptr_null(mapping->paths[0].repository);
        ck_assert_int_eq(mapping->paths[0].fault->name, FAULT_NO_REPOSITORY);
        ck_assert_int_eq(mkdir(at("repository"), 0755), 0);
        ck_assert_int_eq(mkdir(at("repository/build"), 0755), 0);
        ck_assert_int_eq(mkdir(at("repository/build/torch-cpu"), 0755), 0);
        while (!mapping->paths[0].repository || mapping->paths[0].repository->n_variants != 1)
                uv_run(&loop, UV_RUN_ONCE);
        ck_assert_ptr_null(mapping->paths[0].fault);
        ck_assert_ptr_null(mapping->paths[0].repository->variants[0].metadata);
        put("repository/build/torch-cpu/metadata.json", "{\"name\": \"x\"}");
        while (!mapping->paths[0].repository->variants[0].metadata &&
               mapping->paths[0].repository->variants[0].metadata_fault.name == FAULT_NONE)
                uv_run(&loop, UV_RUN_ONCE);
        end();
}
END_TEST

/* As Kubernetes changes a ConfigMap. */
START_TEST(test_link_swap)
{
        begin();
        ck_assert_int_eq(mkdir(at("v1"), 0755), 0);
        ck_assert_int_eq(mkdir(at("v2"), 0755), 0);
        put("v1/a.json", ONE);
        put("v2/a.json", "{\"kernelsd\": 1, \"mapping\": {}}");
        ck_assert_int_eq(symlink("../v1", at("mapping.d/..data")), 0);
        ck_assert_int_eq(symlink("..data/a.json", at("mapping.d/a.json")), 0);
        load();
        /* Read twice, now that what the link leads through is watched; it said the same. */
        ck_assert_int_eq(n_loaded, 1);
        ck_assert_uint_eq(worker_n_steps(worker), 2);
        ck_assert_uint_eq(mapping->index.header->n_layers, 1);
        ck_assert_int_eq(symlink("../v2", at("mapping.d/..tmp")), 0);
        ck_assert_int_eq(rename(at("mapping.d/..tmp"), at("mapping.d/..data")), 0);
        while (mapping->index.header->n_layers != 0)
                uv_run(&loop, UV_RUN_ONCE);
        end();
}
END_TEST

/* The lock file lies elsewhere, and what it says is part of the mapping. */
START_TEST(test_lock_file)
{
        char text[PATH_MAX + 256];

        begin();
        put("kernels.lock", "[{\"repo_id\": \"o/n\", \"sha\": \"0123456789abcdef0123456789abcdef01234567\", \"variants\": {}}]");
        (void)snprintf(text, sizeof(text), USE("A", "{\"repo\": \"o/n\", \"locked\": \"%s\"}"), at("kernels.lock"));
        put("mapping.d/a.json", text);
        load();
        ck_assert_uint_eq(mapping->n_faults, 0);
        ck_assert_uint_eq(mapping->index.header->n_layers, 1);
        put("kernels.lock", "[]");
        while (mapping->n_faults == 0)
                uv_run(&loop, UV_RUN_ONCE);
        ck_assert_uint_eq(mapping->index.header->n_layers, 1);
        end();
}
END_TEST

/* Closed while a load waits or runs. */
START_TEST(test_close)
{
        begin();
        put("mapping.d/a.json", ONE);
        mapping_loader_load(loader);
        mapping_loader_load(loader);
        end();
        ck_assert_int_eq(n_finished, 0);
}
END_TEST

FIXTURE_MAIN("daemon/mapping-loader", test_empty, test_change, test_keep, test_kept, test_faulty, test_same, test_faulty_first, test_path,
             test_link_swap, test_lock_file, test_close)
