#include "tests/lib/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/mapping_file.h"

#define FILE_OF(mapping) "{ \"kernelsd\": 1, \"mapping\": " mapping " }"
#define LAYER(entry) FILE_OF("{ \"L\": [ " entry " ] }")
#define USE "\"use\": { \"repo\": \"o/n\", \"version\": 1 }"

/* One lock file, which is there under one name only. */
static int read_lock(void *userdata, const char *path, Arena *arena, Text *ret_bytes, Fault *fault)
{
        unsigned *n_reads = userdata;

        if (strcmp(path, "/etc/kernels.lock") != 0)
                return fault_set(fault, FAULT_INTERNAL, "%s cannot be read: it is not there", path);
        (*n_reads)++;
        return arena_copy(arena,
                          TEXT("[{\"repo_id\": \"o/n\", \"sha\": \"0123456789ABCDEF0123456789abcdef01234567\", \"variants\": {}},"
                               " {\"repo_id\": \"o/m\", \"sha\": \"main\", \"variants\": {}}]"),
                          ret_bytes);
}

static unsigned n_lock_reads;
static const MappingReader reader = { read_lock, &n_lock_reads };

static MappingSet *read_set(const char *text)
{
        MappingSet *set;

        ck_assert_int_eq(mapping_set_new(&set), 0);
        ck_assert_int_eq(mapping_set_add_file(set, TEXT("50-a.json"), TEXT("/etc/50-a.json"), text_of(text), 7, &reader),
                         0);
        return set;
}

static void assert_good(const MappingSet *set)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        if (set->n_faults)
                ck_abort_msg("%s", mapping_fault_describe(&set->faults[0], &arena).data);
}

START_TEST(test_the_example)
{
        static const char text[] =
                "# a comment\n"
                "{ \"kernelsd\": 1,\n"
                "  \"mapping\": { \"SiluAndMul\": [\n"
                "    { \"device\": \"cuda\", \"min_capability\": 75, \"max_capability\": 89,\n"
                "      \"use\": { \"repo\": \"kernels-community/activation\", \"version\": 1, \"layer\": \"SiluAndMul\" } },\n"
                "    # another\n"
                "    { \"device\": \"cuda\", \"min_capability\": 90,\n"
                "      \"modes\": { \"inference\": { \"repo\": \"o/n\", \"revision\": \"main\" },\n"
                "                 \"training|torch_compile\": { \"repo\": \"o/n\", \"locked\": \"/etc/kernels.lock\" },\n"
                "                 \"fallback\": { \"path\": \"/opt/kernels/activation\" } } },\n"
                "    { \"device\": \"rocm\", \"remove\": true }, {} ] } }\n";
        CLEANUP(mapping_set_freep) MappingSet *set = read_set(text);
        const Entry *entry;

        assert_good(set);
        ck_assert_uint_eq(set->n_entries, 4);
        entry = set->entries[0];
        ck_assert(text_equal(entry->layer, TEXT("SiluAndMul")));
        ck_assert_int_eq(entry->device, DEVICE_CUDA);
        ck_assert_int_eq(entry->range.min, 75);
        ck_assert_int_eq(entry->range.max, 89);
        ck_assert_uint_eq(entry->n_modes, 1);
        ck_assert_uint_eq(entry->modes[0].mode, MODE_FALLBACK);
        ck_assert_int_eq(entry->modes[0].reference.kind, REFERENCE_VERSION);
        ck_assert(text_equal(entry->modes[0].reference.layer, TEXT("SiluAndMul")));
        entry = set->entries[1];
        ck_assert_uint_eq(entry->n_modes, 3);
        ck_assert_uint_eq(entry->modes[0].mode, MODE_FALLBACK);
        ck_assert(text_equal(entry->modes[0].reference.path, TEXT("/opt/kernels/activation")));
        ck_assert_uint_eq(entry->modes[1].mode, MODE_INFERENCE);
        ck_assert_uint_eq(entry->modes[2].mode, MODE_TRAINING | MODE_TORCH_COMPILE);
        ck_assert(text_equal(entry->modes[2].reference.commit, TEXT("0123456789abcdef0123456789abcdef01234567")));
        ck_assert(text_equal(entry->modes[2].reference.layer, TEXT("SiluAndMul")));
        ck_assert(set->entries[2]->removes);
        ck_assert_int_eq(set->entries[3]->device, DEVICE_NONE);
        ck_assert_uint_eq(set->n_sources, 1);
        ck_assert_int_eq(set->sources[0].read_at_us, 7);
        ck_assert_uint_eq(set->n_watched, 2);
        ck_assert_str_eq(set->watched[1].data, "/etc/kernels.lock");
}
END_TEST

/* Each fault where it is; nothing registered. */
START_TEST(test_faults_at_pointers)
{
        static const struct { const char *text, *pointer, *says; } cases[] = {
                { "[]", "", "must be an object" },
                { "{}", "/kernelsd", "is missing" },
                { "{\"kernelsd\": 2, \"other\": 1}", "/kernelsd", "reads format 1" },
                { "{\"kernelsd\": 1.0}", "/kernelsd", "fraction" },
                { "{\"kernelsd\": 1}", "/mapping", "is missing" },
                { "{\"kernelsd\": 1, \"mapping\": {}, \"more\": 1}", "/more", "no key" },
                { FILE_OF("[]"), "/mapping", "must be an object" },
                { FILE_OF("{\"L\": {}}"), "/mapping/L", "must be an array" },
                { FILE_OF("{\"a/b\": 1}"), "/mapping/a~1b", "must be an array" },
                { LAYER("1"), "/mapping/L/0", "must be an object" },
                { LAYER("{\"device\": \"metal\", " USE "}"), "/mapping/L/0/device", "mps" },
                { LAYER("{\"device\": \"cuda\", \"min_capability\": 9.5, " USE "}"), "/mapping/L/0/min_capability", "fraction" },
                { LAYER("{\"device\": \"cuda\", \"min_capability\": 90, \"max_capability\": 80, " USE "}"),
                  "/mapping/L/0/min_capability", "" },
                { LAYER("{\"device\": \"cpu\", \"max_capability\": 80, " USE "}"), "/mapping/L/0/max_capability", "" },
                { LAYER("{\"device\": \"cuda\", \"min_capability\": -1, " USE "}"), "/mapping/L/0/min_capability", "" },
                { LAYER("{\"min_capability\": 1}"), "/mapping/L/0/min_capability", "" },
                { LAYER("{\"device\": \"cpu\"}"), "/mapping/L/0", "exactly one of `use`" },
                { LAYER("{\"device\": \"cpu\", \"remove\": true, " USE "}"), "/mapping/L/0", "exactly one of `use`" },
                { LAYER("{\"device\": \"cpu\", \"remove\": false}"), "/mapping/L/0/remove", "must be true" },
                { LAYER("{" USE "}"), "/mapping/L/0", "`device`" },
                { LAYER("{\"device\": \"cpu\", \"Use\": 1, " USE "}"), "/mapping/L/0/Use", "no key" },
                { LAYER("{\"device\": \"cpu\", \"modes\": {\"inference|training\": {\"path\": \"/x\"}}}"),
                  "/mapping/L/0/modes/inference|training", "" },
                { LAYER("{\"device\": \"cpu\", \"modes\": {\"inference|torch_compile\": {\"path\": \"/x\"},"
                        "\"torch_compile|inference\": {\"path\": \"/x\"}}}"),
                  "/mapping/L/0/modes/torch_compile|inference", "already" },
                { LAYER("{\"device\": \"cpu\", \"use\": {}}"), "/mapping/L/0/use", "exactly one of `repo` and `path`" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/n\", \"path\": \"/x\"}}"), "/mapping/L/0/use", "exactly one" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/n\"}}"), "/mapping/L/0/use", "exactly one of `version`" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/n\", \"version\": 1, \"revision\": \"x\"}}"),
                  "/mapping/L/0/use", "exactly one of `version`" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"path\": \"/x\", \"version\": 1}}"), "/mapping/L/0/use", "go with `repo`" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"nonsense\", \"version\": 1}}"), "/mapping/L/0/use/repo", "" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/n\", \"version\": -1}}"), "/mapping/L/0/use/version", "" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/n\", \"version\": \"1\"}}"), "/mapping/L/0/use/version", "a text" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/n\", \"revision\": \"a..b\"}}"), "/mapping/L/0/use/revision", "" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"path\": \"relative\"}}"), "/mapping/L/0/use/path", "" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"path\": \"/x\", \"layer\": \"a\\nb\"}}"), "/mapping/L/0/use/layer", "" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/n\", \"locked\": \"/nowhere\"}}"),
                  "/mapping/L/0/use/locked", "not there" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/x\", \"locked\": \"/etc/kernels.lock\"}}"),
                  "/mapping/L/0/use/locked", "does not lock" },
                { LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/m\", \"locked\": \"/etc/kernels.lock\"}}"),
                  "/mapping/L/0/use/locked", "no commit of 40 hex digits" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(mapping_set_freep) MappingSet *set = read_set(cases[i].text);

                ck_assert_msg(set->n_faults >= 1, "taken: %s", cases[i].text);
                ck_assert_uint_eq(set->n_entries, 0);
                ck_assert(text_equal(set->faults[0].file, TEXT("/etc/50-a.json")));
                ck_assert(!set->faults[0].line.present);
                ck_assert_msg(text_equal(set->faults[0].pointer, text_of(cases[i].pointer)), "%s: at %s: %s", cases[i].text,
                              set->faults[0].pointer.data, set->faults[0].message.data);
                ck_assert_msg(strstr(set->faults[0].message.data, cases[i].says), "%s: %s", cases[i].text,
                              set->faults[0].message.data);
        }
}
END_TEST

START_TEST(test_faults_at_positions)
{
        static const struct { const char *text; int64_t line, column; } cases[] = {
                { "{\n  \"kernelsd\": 1,\n  \"kernelsd\": 1\n}", 3, 3 },
                { "# x\n{ \"kernelsd\": 1 \"mapping\": {} }", 2, 17 },
                { "{\"kernelsd\": 99999999999999999999}", 1, 14 },
                { "{\"kernelsd\": \"\\u0000\"}", 1, 14 },
                { "", 1, 1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(mapping_set_freep) MappingSet *set = read_set(cases[i].text);

                ck_assert_uint_eq(set->n_faults, 1);
                ck_assert_ptr_null(set->faults[0].pointer.data);
                ck_assert_int_eq(set->faults[0].line.value, cases[i].line);
                ck_assert_int_eq(set->faults[0].column.value, cases[i].column);
        }
}
END_TEST

START_TEST(test_many_faults_are_collected)
{
        CLEANUP(mapping_set_freep) MappingSet *set = read_set(FILE_OF(
                "{ \"A\": [ { \"device\": \"gpu\", \"x\": 1, \"use\": {\"repo\": \"x\", \"version\": 1} },"
                "          { \"device\": \"cpu\", \"use\": {\"path\": \"x\"} } ], \"\": [], \"B\": 7 }"));
        char long_text[4096] = "{ \"kernelsd\": 1, \"mapping\": { \"L\": [ 1";

        ck_assert_uint_eq(set->n_faults, 5 + 0);
        for (int i = 0; i < 40; i++)
                strcat(long_text, ", 1");
        strcat(long_text, "] } }");
        set = mapping_set_free(set);
        set = read_set(long_text);
        ck_assert_uint_eq(set->n_faults, LIMIT_MAPPING_FAULTS);
}
END_TEST

START_TEST(test_lock_is_read_once)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;

        n_lock_reads = 0;
        set = read_set(LAYER("{\"device\": \"cpu\", \"use\": {\"repo\": \"o/n\", \"locked\": \"/etc/kernels.lock\"}},"
                             "{\"device\": \"cuda\", \"use\": {\"repo\": \"o/n\", \"locked\": \"/etc/kernels.lock\"}}"));
        assert_good(set);
        ck_assert_uint_eq(n_lock_reads, 1);
}
END_TEST

static void write_file(const char *folder, const char *name, const char *content)
{
        char path[600];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
        file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        (void)fputs(content, file);
        (void)fclose(file);
}

START_TEST(test_set_is_the_unit)
{
        char etc[512], run[512];
        const char *folders[] = { etc, run };
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;

        (void)snprintf(etc, sizeof(etc), "%s/etc", fixture_folder());
        (void)snprintf(run, sizeof(run), "%s/run", fixture_folder());
        ck_assert_int_eq(mkdir(etc, 0755), 0);
        write_file(etc, "10-a.json", LAYER("{\"device\": \"cpu\", " USE "}"));
        write_file(etc, "20-b.json", LAYER("{\"device\": \"cpu\", " USE "}, {\"device\": \"cuda\", " USE "}"));
        ck_assert_int_eq(mapping_set_load(folders, 2, 9, NULL, &set), 0);
        assert_good(set);
        ck_assert_uint_eq(set->n_entries, 3);
        ck_assert_uint_eq(set->entries[0]->source, 0);
        ck_assert_uint_eq(set->entries[2]->source, 1);
        ck_assert(text_equal(set->sources[1].name, TEXT("20-b.json")));
        set = mapping_set_free(set);

        /* one bad file: no entries at all */
        write_file(etc, "15-bad.json", "{");
        ck_assert_int_eq(mapping_set_load(folders, 2, 9, NULL, &set), 0);
        ck_assert_uint_eq(set->n_faults, 1);
        ck_assert_uint_eq(set->n_entries, 0);
        ck_assert_uint_eq(set->n_watched, 3);
        set = mapping_set_free(set);

        /* masked from a later folder */
        ck_assert_int_eq(mkdir(run, 0755), 0);
        ck_assert_int_eq(chdir(run), 0);
        ck_assert_int_eq(symlink("/dev/null", "15-bad.json"), 0);
        ck_assert_int_eq(mapping_set_load(folders, 2, 9, NULL, &set), 0);
        assert_good(set);
        ck_assert_uint_eq(set->n_entries, 3);
}
END_TEST

START_TEST(test_unreadable_file)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;

        ck_assert_int_eq(mapping_set_new(&set), 0);
        ck_assert_int_eq(mapping_set_load_file(set, "/nowhere/x.json", 1), 0);
        ck_assert_uint_eq(set->n_faults, 1);
        ck_assert(text_equal(set->faults[0].file, TEXT("/nowhere/x.json")));
        ck_assert_int_eq(mapping_set_load_file(set, "/nowhere/\xff.json", 1), 0);
        ck_assert_uint_eq(set->n_faults, 2);
        ck_assert(text_is_utf8(set->faults[1].file));
}
END_TEST

START_TEST(test_describe)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgMappingFault fault = { .file = TEXT("/f"), .message = TEXT("m") };

        ck_assert_str_eq(mapping_fault_describe(&fault, &arena).data, "/f: m");
        fault.pointer = TEXT("/mapping/X/0");
        ck_assert_str_eq(mapping_fault_describe(&fault, &arena).data, "/f: /mapping/X/0: m");
        fault.line = INTEGER_PRESENT(3);
        fault.column = INTEGER_PRESENT(14);
        ck_assert_str_eq(mapping_fault_describe(&fault, &arena).data, "/f:3:14: m");
}
END_TEST

static int read_some(const char *text)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        int r = mapping_set_new(&set);

        if (!r)
                r = mapping_set_add_file(set, TEXT("a"), TEXT("/a"), text_of(text), 0, &reader);
        return r ? r : (int)set->n_faults;
}

START_TEST(test_torture)
{
        static const char good[] = LAYER("{\"device\": \"cpu\", \"modes\": {\"inference\": {\"repo\": \"o/n\", \"locked\": "
                                         "\"/etc/kernels.lock\"}, \"training\": {\"path\": \"/x\"}}}");

        FIXTURE_TORTURE(read_some(good));
        ck_assert_int_eq(read_some(good), 0);
        FIXTURE_TORTURE(read_some(FILE_OF("{\"A\": 1, \"B\": 2}")));
}
END_TEST

FIXTURE_MAIN("kernels/mapping_file", test_the_example, test_faults_at_pointers, test_faults_at_positions,
             test_many_faults_are_collected, test_lock_is_read_once, test_set_is_the_unit, test_unreadable_file,
             test_describe, test_torture)
