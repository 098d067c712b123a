/* Entries as the library keeps them, and their way into messages. */
#include "client/part.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "proto/base/alloc.h"
#include "proto/codec.h"
#include "proto/payload.h"
#include "tests/lib/fixture.h"

static const kd_reference hub[] = {
        { "inference", "org/name", 1, NULL, NULL, NULL },
        { "training", "org/name", -1, "main", NULL, "Other" },
};

static RecordEntry *entry_of(const char *layer, const char *device, int64_t min, int64_t max)
{
        LocalSet known = LOCAL_SET_NULL;
        kd_entry from = { layer, device, min, max, hub, 2 };
        RecordEntry *entry;

        ck_assert_int_eq(record_entry_new(&from, &known, &entry, NULL), 0);
        return entry;
}

START_TEST(test_replaces)
{
        RecordTable table = RECORD_TABLE_NULL;
        RecordEntry *entries[] = {
                entry_of("L", "cuda", -1, -1), entry_of("L", "cuda", 0, INT64_MAX), entry_of("L", "cuda", 75, -1),
                entry_of("L", "rocm", -1, -1), entry_of("L", NULL, -1, -1), entry_of("M", "cuda", -1, -1),
        };

        ck_assert_int_eq(record_table_reserve(&table, ARRAY_SIZE(entries)), 0);
        for (size_t i = 0; i < ARRAY_SIZE(entries); ++i)
                record_table_set(&table, entries[i]);
        ck_assert_uint_eq(table.n, 5); /* the first two are the same range */
        ck_assert_uint_eq(entries[0]->n_users, 1);
        ck_assert_uint_eq(entries[1]->n_users, 2);
        record_table_deinit(&table);
        for (size_t i = 0; i < ARRAY_SIZE(entries); ++i)
                (void)record_entry_unref(entries[i]);
}
END_TEST

/* Fills parts until all are used; how many, or negative. */
static int count_parts(RecordEntry *const *entries, size_t n, size_t *ret_entries)
{
        size_t at = 0, used, sum = 0;
        int n_parts = 0;

        while (at < n) {
                CLEANUP(part_deinit) Part part = PART_NULL;
                CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
                int r = part_fill(&part, entries + at, n - at, &used);

                if (r < 0)
                        return r;
                r = codec_encode(&schema_ViewExtend, &part.message, true, &buffer);
                if (r < 0)
                        return r;
                ck_assert_uint_le(buffer.size, LIMIT_MESSAGE_IN);
                ck_assert_int_eq(payload_check(buffer.data, buffer.size), PAYLOAD_OK);
                sum += part.message.entries.n;
                at += used;
                ++n_parts;
        }
        *ret_entries = sum;
        return n_parts;
}

START_TEST(test_many)
{
        enum { N = 5000 };
        static RecordEntry *entries[N + 2];
        size_t n;
        char layer[32];

        for (int i = 0; i < N; ++i) {
                (void)snprintf(layer, sizeof(layer), "layer-%d", i);
                entries[i + (i > 100)] = entry_of(layer, "cuda", i, -1); /* a hole */
        }
        ck_assert_int_ge(count_parts(entries, N + 2, &n), 3);
        ck_assert_uint_eq(n, N);
        for (int i = 0; i < N + 2; ++i)
                (void)record_entry_unref(entries[i]);
}
END_TEST

/* Entries with many modes, and with long names: bounded by items, and by bytes. */
static void fill_large(const char *repo)
{
        enum { N = 2000, MODES = 12 };
        static RecordEntry *entries[N];
        static char modes[MODES][8];
        LocalSet known = LOCAL_SET_NULL;
        kd_reference references[MODES];
        size_t n;

        for (int i = 0; i < MODES; ++i) {
                (void)snprintf(modes[i], sizeof(modes[i]), "m%d", i);
                references[i] = (kd_reference){ modes[i], repo, i, NULL, NULL, NULL };
        }
        for (int i = 0; i < N; ++i) {
                kd_entry from = { "L", "cuda", i, -1, references, MODES };

                ck_assert_int_eq(record_entry_new(&from, &known, &entries[i], NULL), 0);
        }
        ck_assert_int_ge(count_parts(entries, N, &n), 5);
        ck_assert_uint_eq(n, N);
        for (int i = 0; i < N; ++i)
                (void)record_entry_unref(entries[i]);
}

START_TEST(test_large_entries)
{
        static char repo[200];

        fill_large("o/n");
        memset(repo, 'r', sizeof(repo) - 1);
        fill_large(repo);
}
END_TEST

static char local_path[256];

static int make_one(void)
{
        kd_reference references[] = { { "fallback", NULL, -1, NULL, local_path, NULL }, hub[0] };
        kd_entry from = { "L", "cuda", 75, -1, references, 2 };
        RecordTable table = RECORD_TABLE_NULL;
        LocalSet known = LOCAL_SET_NULL;
        RecordEntry *entry = NULL;
        size_t n;
        int r = record_entry_new(&from, &known, &entry, NULL);

        if (!r)
                r = record_table_reserve(&table, 1);
        if (!r)
                record_table_set(&table, entry);
        if (!r)
                r = count_parts(table.slots, table.n_slots, &n);
        r = r > 0 ? 0 : r;
        (void)record_entry_unref(entry);
        record_table_deinit(&table);
        local_set_deinit(&known);
        return r;
}

START_TEST(test_memory)
{
        (void)snprintf(local_path, sizeof(local_path), "%s/torch-cpu", fixture_folder());
        ck_assert_int_eq(mkdir(local_path, 0755), 0);
        (void)snprintf(local_path, sizeof(local_path), "%s", fixture_folder());
        ck_assert_int_eq(make_one(), 0);
        FIXTURE_TORTURE(make_one());
}
END_TEST

FIXTURE_MAIN("client/part", test_replaces, test_many, test_large_entries, test_memory)
