#include "kernels/named_environment.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "tests/lib/fixture.h"

#define ENVIRONMENT "\"environment\": {\"torch\": \"2.7\", \"cxx11_abi\": true, \"backend\": \"cu128\", \"cpu\": \"x86_64\", \"os\": \"linux\"}"
#define FILE_OF(more) "{\"kernelsd\": 1, " ENVIRONMENT more "}"

static MappingSet *new_files(void)
{
        MappingSet *files;

        ck_assert_int_eq(mapping_set_new(&files), 0);
        return files;
}

static NamedEnvironments *new_set(void)
{
        NamedEnvironments *environments;

        ck_assert_int_eq(named_environments_new(1, &environments), 0);
        return environments;
}

START_TEST(test_reads)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *set = new_set();
        CLEANUP(mapping_set_freep) MappingSet *files = new_files();
        const NamedEnvironment *environment;
        Text text = TEXT("# H100 hosts\n" FILE_OF(", \"capability\": 90, \"arch\": null, \"device\": \"cuda\""));

        ck_assert_int_eq(named_environments_add(set, TEXT("h100.json"), TEXT("/e/h100.json"), text, files), 0);
        ck_assert_uint_eq(files->n_faults, 0);
        environment = named_environments_find(set, TEXT("h100"));
        ck_assert_ptr_nonnull(environment);
        ck_assert_ptr_null(named_environments_find(set, TEXT("h10")));
        ck_assert(text_equal(environment->source, TEXT("file:h100.json")));
        ck_assert(text_equal(environment->environment.message.backend, TEXT("cu128")));
        ck_assert_int_eq(environment->environment.message.cxx11_abi, 1);
        ck_assert_int_eq(environment->environment.message.free_threaded, -1);
        ck_assert_int_eq(environment->environment.torch.minor, 7);
        ck_assert_int_eq(environment->device, DEVICE_CUDA);
        ck_assert(environment->capability.present && environment->capability.value == 90);
        ck_assert_ptr_null(environment->arch.data);
}
END_TEST

START_TEST(test_device)
{
        static const struct { const char *text; Device device; const char *arch; } cases[] = {
                { "{\"kernelsd\": 1, \"environment\": {\"backend\": \"cu128\"}}", DEVICE_CUDA, NULL },
                { "{\"kernelsd\": 1, \"environment\": {\"backend\": \"rocm63\"}, \"arch\": \"gfx942\"}", DEVICE_ROCM, "gfx942" },
                { "{\"kernelsd\": 1, \"environment\": {\"backend\": \"metal\"}, \"device\": null}", DEVICE_MPS, NULL },
                { "{\"kernelsd\": 1, \"environment\": {\"backend\": \"cann80\"}}", DEVICE_NPU, NULL },
                { "{\"kernelsd\": 1, \"environment\": {\"backend\": \"cpu\"}}", DEVICE_CPU, NULL },
                { "{\"kernelsd\": 1, \"environment\": {\"backend\": \"cu128\"}, \"device\": \"cpu\"}", DEVICE_CPU, NULL },
                { "{\"kernelsd\": 1, \"environment\": {\"torch\": null}, \"device\": \"cpu\"}", DEVICE_CPU, NULL },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(named_environments_unrefp) NamedEnvironments *set = new_set();
                CLEANUP(mapping_set_freep) MappingSet *files = new_files();

                ck_assert_int_eq(named_environments_add(set, TEXT("a.json"), TEXT("/a.json"), text_of(cases[i].text), files), 0);
                ck_assert_msg(files->n_faults == 0, "%zu: %.*s", i, TEXT_PRINT(files->faults[0].message));
                ck_assert_int_eq(set->items[0].device, cases[i].device);
                ck_assert(text_equal(set->items[0].arch, text_of(cases[i].arch)));
        }
}
END_TEST

/* Each has one fault, at this pointer, saying this. */
START_TEST(test_faults)
{
        static const struct { const char *text, *pointer, *says; } cases[] = {
                { "[]", "", "must be an object" },
                { "{" ENVIRONMENT "}", "/kernelsd", "is missing" },
                { "{\"kernelsd\": 2, \"new\": 1}", "/kernelsd", "format 1" },
                { "{\"kernelsd\": \"1\"}", "/kernelsd", "must be an integer" },
                { "{\"kernelsd\": 1, \"device\": \"cpu\"}", "/environment", "is missing" },
                { "{\"kernelsd\": 1, \"environment\": []}", "/environment", "must be an object" },
                { "{\"kernelsd\": 1, \"environment\": {\"torsh\": \"2.7\"}}", "/environment/torsh", "no key of an environment" },
                { "{\"kernelsd\": 1, \"environment\": {\"torch\": 2.7}}", "/environment/torch", "must be a text" },
                { "{\"kernelsd\": 1, \"environment\": {\"torch\": \"2.7.1\"}}", "/environment/torch", "major.minor" },
                { "{\"kernelsd\": 1, \"environment\": {\"cxx11_abi\": 1}}", "/environment/cxx11_abi", "must be" },
                { "{\"kernelsd\": 1, \"environment\": {\"backend\": \"cuda\"}}", "/environment/backend", "cu128" },
                { "{\"kernelsd\": 1, \"environment\": {\"cpu\": \"\"}}", "/environment/cpu", "empty" },
                { "{\"kernelsd\": 1, \"environment\": {}}", "/device", "backend" },
                { FILE_OF(", \"device\": \"gpu\""), "/device", "gpu" },
                { FILE_OF(", \"device\": \"rocm\""), "/device", "cu128 is for cuda" },
                { FILE_OF(", \"device\": 1"), "/device", "must be a text" },
                { FILE_OF(", \"capability\": \"90\""), "/capability", "must be an integer" },
                { FILE_OF(", \"capability\": -1"), "/capability", "negative" },
                { FILE_OF(", \"device\": \"cpu\", \"capability\": 90"), "/capability", "not with cpu" },
                { FILE_OF(", \"arch\": \"gfx90a\""), "/arch", "not with cuda" },
                { "{\"kernelsd\": 1, \"environment\": {\"backend\": \"rocm63\"}, \"arch\": \"\"}", "/arch", "empty" },
                { FILE_OF(", \"capabilities\": 90"), "/capabilities", "no key that is known" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(named_environments_unrefp) NamedEnvironments *set = new_set();
                CLEANUP(mapping_set_freep) MappingSet *files = new_files();
                const MsgMappingFault *fault = &files->faults[0];

                ck_assert_int_eq(named_environments_add(set, TEXT("a.json"), TEXT("/a.json"), text_of(cases[i].text), files), 0);
                ck_assert_msg(files->n_faults == 1, "%zu: %zu faults", i, files->n_faults);
                ck_assert_uint_eq(set->n, 0);
                ck_assert_msg(text_equal(fault->pointer, text_of(cases[i].pointer)), "%zu: %.*s", i, TEXT_PRINT(fault->pointer));
                ck_assert_msg(memmem(fault->message.data, fault->message.size, cases[i].says, strlen(cases[i].says)), "%zu: %.*s",
                              i, TEXT_PRINT(fault->message));
                ck_assert(text_equal(fault->file, TEXT("/a.json")));
        }
}
END_TEST

START_TEST(test_every_fault)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *set = new_set();
        CLEANUP(mapping_set_freep) MappingSet *files = new_files();

        ck_assert_int_eq(named_environments_add(set, TEXT("a.json"), TEXT("/a.json"),
                                                TEXT("{\"kernelsd\": 1, \"x\": 1, \"y\": 1, \"environment\": {\"a\": 1, \"torch\": 1}}"),
                                                files), 0);
        ck_assert_uint_eq(files->n_faults, 4);
}
END_TEST

START_TEST(test_position_and_name)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *set = new_set();
        CLEANUP(mapping_set_freep) MappingSet *files = new_files();
        char name[80];

        ck_assert_int_eq(named_environments_add(set, TEXT("a.json"), TEXT("/a.json"), TEXT("{\n  \"kernelsd\" 1}"), files), 0);
        ck_assert_uint_eq(files->n_faults, 1);
        ck_assert_int_eq(files->faults[0].line.value, 2);
        memset(name, 'n', sizeof(name));
        ck_assert_int_eq(named_environments_add(set, (Text){ name, 80 }, TEXT("/n.json"), TEXT(FILE_OF("")), files), 0);
        ck_assert_uint_eq(files->n_faults, 2);
        ck_assert_int_eq(named_environments_add(set, TEXT("a\n.json"), TEXT("/a.json"), TEXT(FILE_OF("")), files), 0);
        ck_assert_uint_eq(files->n_faults, 3);
        ck_assert_uint_eq(set->n, 0);
}
END_TEST

/* --- folders --- */

static char folder_paths[2][PATH_MAX];

static const char *const *make_folders(void)
{
        static const char *folders[2];

        for (size_t i = 0; i < 2; i++) {
                (void)snprintf(folder_paths[i], PATH_MAX, "%s/%zu", fixture_folder(), i);
                ck_assert_int_eq(mkdir(folder_paths[i], 0755), 0);
                folders[i] = folder_paths[i];
        }
        return folders;
}

static void put(size_t folder, const char *name, const char *text)
{
        char path[PATH_MAX + 64];
        int fd;

        (void)snprintf(path, sizeof(path), "%s/%s", folder_paths[folder], name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
}

START_TEST(test_folders)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *set = NULL;
        CLEANUP(mapping_set_freep) MappingSet *files = new_files();
        const char *const *folders = make_folders();
        char path[PATH_MAX + 64];

        put(0, "b.json", FILE_OF(""));
        put(0, "a.json", FILE_OF(""));
        put(0, "a-b.json", FILE_OF(""));
        put(0, "masked.json", "no JSON");
        put(1, "b.json", "{\"kernelsd\": 1, \"environment\": {\"backend\": \"cpu\"}}");
        put(1, "note.txt", "no JSON");
        (void)snprintf(path, sizeof(path), "%s/masked.json", folder_paths[1]);
        ck_assert_int_eq(symlink("/dev/null", path), 0);
        ck_assert_int_eq(named_environments_load(folders, 2, files, &set), 0);
        ck_assert_uint_eq(files->n_faults, 0);
        ck_assert_uint_eq(files->n_watched, 3);
        ck_assert_uint_eq(set->n, 3);
        ck_assert(text_equal(set->items[0].name, TEXT("a")));
        ck_assert(text_equal(set->items[1].name, TEXT("a-b")));
        ck_assert(text_equal(set->items[2].name, TEXT("b")));
        ck_assert_int_eq(set->items[2].device, DEVICE_CPU);
}
END_TEST

START_TEST(test_faulty_folders)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *set = NULL;
        CLEANUP(mapping_set_freep) MappingSet *files = new_files();
        const char *const *folders = make_folders();
        char path[PATH_MAX + 64];

        put(0, "a.json", "{");
        put(0, "b.json", FILE_OF(", \"arch\": 1"));
        (void)snprintf(path, sizeof(path), "%s/c.json", folder_paths[0]);
        ck_assert_int_eq(mkdir(path, 0755), 0);
        ck_assert_int_eq(named_environments_load(folders, 2, files, &set), 0);
        ck_assert_uint_eq(files->n_faults, 3);
        ck_assert_uint_eq(files->n_watched, 3);
        (void)snprintf(path, sizeof(path), "%s/b.json", folder_paths[0]);
        ck_assert_int_eq(named_environments_check_file(path, files), 0);
        ck_assert_uint_eq(files->n_faults, 4);
}
END_TEST

START_TEST(test_too_many)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *set = NULL;
        CLEANUP(mapping_set_freep) MappingSet *files = new_files();
        const char *const *folders = make_folders();
        char name[32];

        for (size_t i = 0; i <= LIMIT_NAMED_ENVIRONMENTS; i++) {
                (void)snprintf(name, sizeof(name), "%zu.json", i);
                put(0, name, FILE_OF(""));
        }
        ck_assert_int_eq(named_environments_load(folders, 2, files, &set), 0);
        ck_assert_uint_eq(files->n_faults, 1);
        ck_assert_uint_eq(set->n, 0);
}
END_TEST

static int load(const char *const *folders)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *set = NULL;
        CLEANUP(mapping_set_freep) MappingSet *files = NULL;
        int r = mapping_set_new(&files);

        if (r == 0)
                r = named_environments_load(folders, 2, files, &set);
        return r < 0 ? r : (int)files->n_faults;
}

START_TEST(test_torture)
{
        const char *const *folders = make_folders();

        put(0, "a.json", "{\"kernelsd\": 1, \"environment\": {\"backend\": \"rocm63\"}, \"arch\": \"gfx942\"}");
        put(1, "b.json", "{\"kernelsd\": 1, \"environment\": {\"torch\": 1}}");
        FIXTURE_TORTURE(load(folders));
        ck_assert_int_eq(load(folders), 1);
}
END_TEST

FIXTURE_MAIN("kernels/named_environment", test_reads, test_device, test_faults, test_every_fault, test_position_and_name,
             test_folders, test_faulty_folders, test_too_many, test_torture)
