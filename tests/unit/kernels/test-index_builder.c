#include "tests/lib/fixture.h"

#include <stdio.h>

#include "kernels/index_builder.h"
#include "tests/unit/kernels/mapping_model.h"

#define N_RANDOM 300

static int build(Entry *const *entries, size_t n, void **ret_block, Index *ret_index, Fault *fault)
{
        static const Text sources[] = { { "file:a", 6 }, { "file:b", 6 } };
        size_t size;
        int r;

        r = index_build(entries, n, sources, ARRAY_SIZE(sources), 7, 0x1234567890abcdef, ret_block, &size, NULL, fault);
        if (!r)
                ck_assert_int_eq(index_open(*ret_block, size, ret_index), 0);
        return r;
}

static void check_found(const Index *index, const IndexHit *hit, const ModelAnswer *expected)
{
        const IndexReference *reference;
        const IndexEntry *entry;
        CapabilityRange range;
        IndexLayer layer;
        int64_t version;
        Text repo;
        Mode mode;

        ck_assert(index_layer(index, hit->record, &layer));
        ck_assert(text_equal(layer.name, expected->entry->layer));
        ck_assert(index_row(&layer, hit->row, &mode, &entry, &reference));
        ck_assert_uint_eq(mode, expected->mode);
        ck_assert(index_range(index, entry, &range));
        ck_assert(range.min == expected->entry->range.min && range.max == expected->entry->range.max);
        ck_assert_uint_eq(entry->source, expected->entry->source);
        for (size_t i = 0; i < expected->entry->n_modes; i++) {
                const Reference *wanted = &expected->entry->modes[i].reference;

                if (expected->entry->modes[i].mode != mode)
                        continue;
                memcpy(&version, reference->detail, sizeof(version));
                ck_assert_int_eq(version, wanted->version);
                ck_assert(index_text(index, reference->name, &repo, NULL) && text_equal(repo, wanted->repo));
        }
}

static void check_against_model(const Index *index, const MappingModel *model, MappingDice *dice)
{
        for (int i = 0; i < N_RANDOM; i++) {
                IndexQuery query = {
                        .layer = mapping_dice(dice, 9) ? mapping_dice_layer(dice) : TEXT("nowhere"),
                        .device = (Device)mapping_dice(dice, _DEVICE_MAX),
                        .request = mapping_dice(dice, MODE_REQUESTS),
                        .capability = mapping_dice_capability(dice),
                };
                ModelAnswer expected = mapping_model_ask(model, query.layer, query.device, query.capability,
                                                         mode_of_request_number(query.request));
                IndexHit hit = index_lookup(index, &query), batch;

                ck_assert_msg(hit.answer == expected.answer, "%.*s %s %lld: %d, not %d", TEXT_PRINT(query.layer),
                              device_spelling(query.device), (long long)query.capability, hit.answer,
                              expected.answer);
                if (hit.answer == INDEX_FOUND)
                        check_found(index, &hit, &expected);
                index_lookup_batch(index, &query, 1, &batch);
                ck_assert(batch.answer == hit.answer && batch.record == hit.record && batch.row == hit.row);
        }
}

START_TEST(test_random_mappings_answer_as_the_plain_rule)
{
        MappingDice dice = { 42 };

        for (uint32_t round = 0; round < 200; round++) {
                uint32_t n = mapping_dice(&dice, round % 10 ? 60 : 600);
                MappingModel model = { 0 };
                Entry *entries[600];
                Fault fault;
                void *block;
                Index index;

                for (uint32_t i = 0; i < n; i++) {
                        entries[i] = mapping_dice_entry(&dice, true, (uint16_t)(i % 2));
                        mapping_model_add(&model, entries[i]);
                }
                ck_assert_int_eq(build(entries, n, &block, &index, &fault), 0);
                ck_assert(index_is_intact(&index));
                ck_assert_uint_eq(index.header->n_entries, model.n);
                for (uint32_t i = 0; i < n; i++)
                        entry_unref(entries[i]);
                check_against_model(&index, &model, &dice);
                mapping_model_deinit(&model);
                index_block_free(block);
        }
}
END_TEST

START_TEST(test_many_layers_each_have_their_slot)
{
        enum { N = 20000 };
        Entry **entries = alloc_zeroed(N, sizeof(*entries));
        char name[64];
        Fault fault;
        void *block;
        Index index;
        Text before = TEXT_NULL;

        for (int i = 0; i < N; i++) {
                /* Some differ only far behind, where a comparison of their fronts ends. */
                (void)snprintf(name, sizeof(name), "%s%d", i % 3 ? "Layer" : "LayerOfWhichTheNameIsLonger",
                               i * 7919 % N);
                entries[i] = mapping_entry(name, "cuda", i, -1, "fallback", i);
        }
        ck_assert_int_eq(build(entries, N, &block, &index, &fault), 0);
        ck_assert_uint_eq(index_n_layers(&index), N);
        for (int i = 0; i < N; i++) {
                IndexQuery query = { .layer = entries[i]->layer, .device = DEVICE_CUDA, .capability = i };
                IndexLayer layer;

                ck_assert_int_eq(index_lookup(&index, &query).answer, INDEX_FOUND);
                query.capability--;
                ck_assert_int_eq(index_lookup(&index, &query).answer, INDEX_NO_CAPABILITY);
                ck_assert(index_layer_sorted(&index, (uint32_t)i, &layer));
                ck_assert(!before.data || text_compare(before, layer.name) < 0);
                before = layer.name;
        }
        for (int i = 0; i < N; i++)
                entry_unref(entries[i]);
        alloc_free(entries);
        index_block_free(block);
}
END_TEST

/* The widest form: as many disjoint ranges as are allowed, on both devices. */
START_TEST(test_limit_of_ranges)
{
        enum { N = LIMIT_RANGES };
        Entry *entries[2 * N + 1];
        MappingModel model = { 0 };
        MappingDice dice = { 1 };
        Fault fault;
        void *block;
        Index index;

        for (int i = 0; i < 2 * N; i++) {
                int64_t min = 10 + (i % N) * 3 + (int64_t)(i % 2) * 1000000;

                entries[i] = mapping_entry("A", i < N ? "cuda" : "rocm", min, min + 1, "inference training", i);
                mapping_model_add(&model, entries[i]);
        }
        entries[2 * N] = mapping_entry("A", "cuda", 5, 6, "fallback", 0);
        ck_assert_int_eq(build(entries, 2 * N, &block, &index, &fault), 0);
        for (int64_t capability = 0; capability < 4000; capability++) {
                IndexQuery query = { .layer = TEXT("A"), .device = DEVICE_ROCM, .capability = capability };
                ModelAnswer expected = mapping_model_ask(&model, query.layer, query.device, capability,
                                                         MODE_INFERENCE);
                IndexHit hit = index_lookup(&index, &query);

                ck_assert_int_eq(hit.answer, expected.answer);
                if (hit.answer == INDEX_FOUND)
                        check_found(&index, &hit, &expected);
        }
        check_against_model(&index, &model, &dice);
        index_block_free(block);
        ck_assert_int_eq(build(entries, 2 * N + 1, &block, &index, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_LIMIT);
        for (int i = 0; i <= 2 * N; i++)
                entry_unref(entries[i]);
        mapping_model_deinit(&model);
}
END_TEST

START_TEST(test_nothing)
{
        IndexQuery query = { .layer = TEXT("A"), .device = DEVICE_CPU };
        Fault fault;
        void *block;
        Index index;

        ck_assert_int_eq(build(NULL, 0, &block, &index, &fault), 0);
        ck_assert_uint_eq(index_n_layers(&index), 0);
        ck_assert_int_eq(index_lookup(&index, &query).answer, INDEX_NO_MAPPING);
        query.layer = TEXT("");
        ck_assert_int_eq(index_lookup(&index, &query).answer, INDEX_NO_MAPPING);
        index_block_free(block);
}
END_TEST

static int torture(Entry *const *entries, size_t n)
{
        void *block;
        Fault fault;
        Index index;
        int r;

        r = build(entries, n, &block, &index, &fault);
        if (!r)
                index_block_free(block);
        return r;
}

START_TEST(test_memory_runs_out)
{
        MappingDice dice = { 3 };
        Entry *entries[60];

        for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
                entries[i] = mapping_dice_entry(&dice, true, 0);
        FIXTURE_TORTURE(torture(entries, ARRAY_SIZE(entries)));
        for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
                entry_unref(entries[i]);
}
END_TEST

FIXTURE_MAIN("kernels/index_builder", test_random_mappings_answer_as_the_plain_rule,
             test_many_layers_each_have_their_slot, test_limit_of_ranges, test_nothing, test_memory_runs_out)
