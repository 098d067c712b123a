#include "tests/lib/fixture.h"

#include "kernels/host_mapping.h"
#include "kernels/repository.h"
#include "tests/unit/kernels/mapping_model.h"

static const HostSource sources[] = { { { "file:a.json", 11 }, 100 }, { { "file:b.json", 11 }, 200 } };

static HostMapping *generation_of(uint64_t generation, Entry **entries, size_t n)
{
        HostMapping *mapping = NULL;
        Fault fault;

        ck_assert_int_eq(host_mapping_new(entries, n, sources, 2, generation, 1, &mapping, &fault), 0);
        for (size_t i = 0; i < n; i++)
                entry_unref(entries[i]);
        return mapping;
}

static HostMapping *mapping_of(Entry **entries, size_t n)
{
        return generation_of(9, entries, n);
}

static Entry *path_entry(const char *layer, const char *path)
{
        EntryMode mode = { MODE_FALLBACK, { .kind = REFERENCE_PATH, .path = text_of(path) } };
        EntryDraft draft = { .layer = text_of(layer), .device = TEXT("cpu"), .modes = &mode, .n_modes = 1, .source = 1 };
        Entry *entry = NULL;
        Fault fault;

        ck_assert_int_eq(entry_new(&draft, &entry, &fault), 0);
        return entry;
}

START_TEST(test_paths_are_numbered_once)
{
        Entry *entries[] = { path_entry("A", "/opt/a"), path_entry("B", "/opt/b"), path_entry("C", "/opt/a") };
        HostMapping *mapping = mapping_of(entries, 3);
        Fault fault = { FAULT_UNTRUSTED, "others may write there" };

        ck_assert_uint_eq(mapping->n_paths, 2);
        ck_assert(text_equal(mapping->paths[0].path, TEXT("/opt/a")));
        ck_assert(text_equal(mapping->paths[1].path, TEXT("/opt/b")));
        ck_assert_int_eq(host_mapping_set_path(mapping, 1, NULL, &fault), 0);
        ck_assert_int_eq(mapping->paths[1].fault->name, FAULT_UNTRUSTED);
        ck_assert_int_eq(host_mapping_set_path(mapping, 1, NULL, NULL), 0);
        ck_assert_ptr_null(mapping->paths[1].fault);
        host_mapping_unref(mapping);
}
END_TEST

/* A repository with one variant, which has no metadata. */
static Repository *repository_of(const char *variant)
{
        MsgLocalVariant item = { .variant = text_of(variant) };
        MsgLocal local = { .variants = { &item, 1 } };
        Repository *repository = NULL;
        Fault fault;

        ck_assert_int_eq(repository_from_message(&local, &repository, &fault), 0);
        return repository;
}

START_TEST(test_the_same)
{
        Fault faults[] = { { FAULT_UNTRUSTED, "others may write there" }, { FAULT_UNTRUSTED, "a link leads out" } };
        Entry *a = path_entry("A", "/opt/a"), *again = path_entry("A", "/opt/a"), *other = path_entry("A", "/opt/b");
        HostMapping *mapping = generation_of(1, &a, 1), *same = generation_of(2, &again, 1);
        HostMapping *different = generation_of(1, &other, 1);
        Repository *one = repository_of("torch-cpu"), *alike = repository_of("torch-cpu"), *two = repository_of("torch-cuda");

        ck_assert(host_mapping_is_same(mapping, same));
        ck_assert(!host_mapping_is_same(mapping, different));
        ck_assert_int_eq(host_mapping_set_path(mapping, 0, NULL, &faults[0]), 0);
        ck_assert(!host_mapping_is_same(mapping, same));
        ck_assert_int_eq(host_mapping_set_path(same, 0, NULL, &faults[1]), 0);
        ck_assert(!host_mapping_is_same(mapping, same));
        ck_assert_int_eq(host_mapping_set_path(same, 0, NULL, &faults[0]), 0);
        ck_assert(host_mapping_is_same(mapping, same));
        ck_assert_int_eq(host_mapping_set_path(mapping, 0, one, NULL), 0);
        ck_assert(!host_mapping_is_same(mapping, same));
        ck_assert_int_eq(host_mapping_set_path(same, 0, two, NULL), 0);
        ck_assert(!host_mapping_is_same(mapping, same));
        ck_assert_int_eq(host_mapping_set_path(same, 0, alike, NULL), 0);
        ck_assert(host_mapping_is_same(mapping, same));
        repository_unref(one);
        repository_unref(alike);
        repository_unref(two);
        host_mapping_unref(mapping);
        host_mapping_unref(same);
        host_mapping_unref(different);
}
END_TEST

START_TEST(test_faults_are_copied)
{
        char file[] = "x.json";
        MsgMappingFault fault = { .file = text_of(file), .line = INTEGER_PRESENT(3), .message = TEXT("wrong") };
        HostMapping *mapping = mapping_of(NULL, 0);

        ck_assert_int_eq(host_mapping_set_faults(mapping, &fault, 1), 0);
        file[0] = 'y';
        ck_assert_uint_eq(mapping->n_faults, 1);
        ck_assert(text_equal(mapping->faults[0].file, TEXT("x.json")));
        ck_assert_int_eq(mapping->faults[0].line.value, 3);
        ck_assert_int_eq(host_mapping_set_faults(mapping, NULL, 0), 0);
        ck_assert_uint_eq(mapping->n_faults, 0);
        host_mapping_unref(mapping);
}
END_TEST

/* Pages of every size say the same, in order. */
START_TEST(test_list)
{
        static const struct { const char *layer, *device; int64_t min, max; } expected[] = {
                { "A", "cpu", -1, -1 }, { "A", "cuda", 0, -1 }, { "A", "cuda", 75, 89 }, { "A", "cuda", 75, -1 },
                { "AB", NULL, -1, -1 }, { "B", "rocm", 3, 4 },
        };
        Entry *entries[] = {
                mapping_entry("B", "rocm", 3, 4, "inference fallback", 6), mapping_entry("A", "cuda", 75, -1, "fallback", 1),
                mapping_entry("AB", NULL, -1, -1, NULL, 0), mapping_entry("A", "cuda", 75, 89, "fallback", 1),
                path_entry("A", "/opt/a"), mapping_entry("A", "cuda", -1, -1, "", 1),
        };
        HostMapping *mapping = mapping_of(entries, ARRAY_SIZE(entries));
        Fault fault;

        for (size_t limit = 1; limit < 9; limit++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                MsgMappingListResult page = { 0 };
                size_t n = 0;

                do {
                        ck_assert_int_eq(host_mapping_list(mapping, page.next, limit, &arena, &page, &fault), 0);
                        ck_assert_uint_le(page.entries.n, limit);
                        for (size_t i = 0; i < page.entries.n; i++, n++) {
                                const MsgMappingEntry *entry = &page.entries.items[i];

                                ck_assert(text_equal(entry->layer, text_of(expected[n].layer)));
                                ck_assert(text_equal(entry->device, text_of(expected[n].device)));
                                ck_assert_int_eq(entry->min_capability.present ? entry->min_capability.value : -1, expected[n].min);
                                ck_assert_int_eq(entry->max_capability.present ? entry->max_capability.value : -1, expected[n].max);
                        }
                } while (page.next.present);
                ck_assert_uint_eq(n, ARRAY_SIZE(expected));
                ck_assert_int_eq(page.generation, 9);
        }
        host_mapping_unref(mapping);
}
END_TEST

START_TEST(test_list_shows_modes_and_sources)
{
        Entry *entries[] = { mapping_entry("A", "rocm", 3, 4, "inference fallback", 6), path_entry("B", "/opt/b") };
        HostMapping *mapping = mapping_of(entries, 2);
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgMappingListResult page;
        Fault fault;

        ck_assert_int_eq(host_mapping_list(mapping, INTEGER_ABSENT, 10, &arena, &page, &fault), 0);
        ck_assert_uint_eq(page.entries.n, 2);
        ck_assert_uint_eq(page.entries.items[0].modes.n, 2);
        ck_assert(text_equal(page.entries.items[0].modes.keys[0], TEXT("fallback")));
        ck_assert(text_equal(page.entries.items[0].modes.keys[1], TEXT("inference")));
        ck_assert_int_eq(page.entries.items[0].modes.items[1].version.value, 6);
        ck_assert(text_equal(page.entries.items[0].source, TEXT("file:a.json")));
        ck_assert(text_equal(page.entries.items[1].modes.items[0].path, TEXT("/opt/b")));
        ck_assert(text_equal(page.entries.items[1].modes.items[0].layer, TEXT("B")));
        ck_assert(text_equal(page.entries.items[1].source, TEXT("file:b.json")));
        /* As from a mapping that has shrunk since: nothing more, of another generation. */
        ck_assert_int_eq(host_mapping_list(mapping, INTEGER_PRESENT(1 << 20), 10, &arena, &page, &fault), 0);
        ck_assert_uint_eq(page.entries.n, 0);
        ck_assert(!page.next.present && page.generation == 9);
        ck_assert_int_eq(host_mapping_list(mapping, INTEGER_PRESENT(INT64_MAX), 10, &arena, &page, &fault), 0);
        ck_assert_int_eq(host_mapping_list(mapping, INTEGER_PRESENT(-1), 10, &arena, &page, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_BAD_REQUEST);
        host_mapping_unref(mapping);
}
END_TEST

/* Takes the layer out. */
static Entry *removal_entry(const char *layer)
{
        EntryDraft draft = { .layer = text_of(layer), .removes = true, .source = 1 };
        Entry *entry = NULL;
        Fault fault;

        ck_assert_int_eq(entry_new(&draft, &entry, &fault), 0);
        return entry;
}

/* Of the upper file, for CUDA devices from 75 to 89. */
static Entry *range_entry(const char *layer)
{
        EntryMode mode = { MODE_FALLBACK, { .kind = REFERENCE_VERSION, .repo = TEXT("o/n"), .version = 9 } };
        EntryDraft draft = { .layer = text_of(layer), .device = TEXT("cuda"), .min = INTEGER_PRESENT(75),
                             .max = INTEGER_PRESENT(89), .modes = &mode, .n_modes = 1, .source = 1 };
        Entry *entry = NULL;
        Fault fault;

        ck_assert_int_eq(entry_new(&draft, &entry, &fault), 0);
        return entry;
}

/* Pages of every size show behind each entry the one that it hides. */
START_TEST(test_list_shows_what_is_hidden)
{
        static const struct { const char *layer, *device, *source; bool hidden; } expected[] = {
                { "A", "cpu", "file:b.json", false }, { "A", "cpu", "file:a.json", true }, { "A", "cuda", "file:a.json", false },
                { "B", "cpu", "file:b.json", false }, { "C", "cpu", "file:a.json", false }, { "D", "cpu", "file:b.json", false },
                { "D", "cpu", "file:a.json", true }, { "E", "cuda", "file:b.json", false }, { "E", "cuda", "file:a.json", true },
                { "E", "cuda", "file:a.json", false },
        };
        Entry *entries[] = {
                mapping_entry("A", "cuda", 75, 89, "fallback", 1), mapping_entry("A", "cpu", -1, -1, "training", 7),
                mapping_entry("C", "cpu", -1, -1, "fallback", 1), mapping_entry("C", "cpu", -1, -1, "fallback", 2), /* one file */
                mapping_entry("B", "cpu", -1, -1, "fallback", 1), path_entry("B", "/opt/old"), removal_entry("B"), /* gone, both */
                path_entry("D", "/opt/older"), mapping_entry("D", "cpu", -1, -1, "fallback", 3), /* of two the upper one */
                path_entry("A", "/opt/a"), path_entry("B", "/opt/b"), path_entry("D", "/opt/d"),
                mapping_entry("E", "cuda", 90, -1, "fallback", 1), mapping_entry("E", "cuda", 75, 89, "fallback", 1), range_entry("E"),
        };
        HostMapping *mapping = mapping_of(entries, ARRAY_SIZE(entries));
        Fault fault;

        for (size_t limit = 1; limit < 12; limit++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                MsgMappingListResult page = { 0 };
                size_t n = 0;

                do {
                        ck_assert_int_eq(host_mapping_list(mapping, page.next, limit, &arena, &page, &fault), 0);
                        for (size_t i = 0; i < page.entries.n; i++, n++) {
                                const MsgMappingEntry *entry = &page.entries.items[i];

                                ck_assert_uint_lt(n, ARRAY_SIZE(expected));
                                ck_assert(text_equal(entry->layer, text_of(expected[n].layer)));
                                ck_assert(text_equal(entry->device, text_of(expected[n].device)));
                                ck_assert(text_equal(entry->source, text_of(expected[n].source)));
                                ck_assert_int_eq(entry->hidden, expected[n].hidden);
                                if (n == 1)
                                        ck_assert_int_eq(entry->modes.items[0].version.value, 7);
                                if (n == 6)
                                        ck_assert_int_eq(entry->modes.items[0].version.value, 3);
                        }
                } while (page.next.present);
                ck_assert_uint_eq(n, ARRAY_SIZE(expected));
        }
        ck_assert_uint_eq(mapping->n_paths, 3); /* nobody reads those of hidden ones */
        host_mapping_unref(mapping);
}
END_TEST

/* A file that changes below what is stored is a change, though no lookup sees it. */
START_TEST(test_hidden_ones_count)
{
        HostMapping *mappings[4];

        for (size_t i = 0; i < 4; i++) {
                Entry *entries[] = { mapping_entry("A", "cpu", -1, -1, "fallback", i < 2 ? 1 : 2), path_entry("A", "/opt/a") };

                mappings[i] = i < 3 ? generation_of(i, entries, 2) : generation_of(i, &entries[1], 1);
                if (i == 3)
                        entry_unref(entries[0]);
        }
        ck_assert(host_mapping_is_same(mappings[0], mappings[1]));
        ck_assert(!host_mapping_is_same(mappings[1], mappings[2]));
        ck_assert(!host_mapping_is_same(mappings[2], mappings[3]));
        ck_assert(!host_mapping_is_same(mappings[3], mappings[2]));
        for (size_t i = 0; i < 4; i++)
                host_mapping_unref(mappings[i]);
}
END_TEST

static int torture(Entry **entries)
{
        CLEANUP(host_mapping_unrefp) HostMapping *mapping = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgMappingFault told = { .file = TEXT("x"), .message = TEXT("wrong") };
        Fault fault = { FAULT_UNTRUSTED, "others may write there" };
        MsgMappingListResult page;
        int r;

        r = host_mapping_new(entries, 2, sources, 2, 9, 1, &mapping, &fault);
        if (!r)
                r = host_mapping_set_path(mapping, 0, NULL, &fault);
        if (!r)
                r = host_mapping_set_faults(mapping, &told, 1);
        if (!r)
                r = host_mapping_list(mapping, INTEGER_ABSENT, 10, &arena, &page, &fault);
        return r;
}

START_TEST(test_memory_runs_out)
{
        Entry *entries[] = { mapping_entry("A", "cpu", -1, -1, "fallback", 1), path_entry("A", "/opt/a") };

        FIXTURE_TORTURE(torture(entries));
        entry_unref(entries[0]);
        entry_unref(entries[1]);
}
END_TEST

FIXTURE_MAIN("kernels/host_mapping", test_paths_are_numbered_once, test_the_same, test_faults_are_copied, test_list,
             test_list_shows_modes_and_sources, test_list_shows_what_is_hidden, test_hidden_ones_count, test_memory_runs_out)
