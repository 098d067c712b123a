#include "tests/lib/fixture.h"

#include "kernels/view.h"
#include "tests/unit/kernels/mapping_model.h"

static const HostSource sources[] = { { { "file:a", 6 }, 100 }, { { "file:b", 6 }, 200 } };

static HostMapping *host_of(Entry *const *entries, size_t n, uint64_t generation)
{
        HostMapping *host = NULL;
        Fault fault;

        ck_assert_int_eq(host_mapping_new(entries, n, sources, ARRAY_SIZE(sources), generation, 99, &host, &fault), 0);
        return host;
}

static void unref_all(Entry **entries, size_t n)
{
        for (size_t i = 0; i < n; i++)
                entry_unref(entries[i]);
}

/* The entry and mode that a hit leads to, told by its range and reference. */
static void check_found(const HostMapping *host, const ViewHit *hit, const ModelAnswer *expected)
{
        const IndexReference *encoded;
        const IndexEntry *entry;
        CapabilityRange range;
        IndexLayer layer;
        Reference reference;
        Mode mode;

        if (hit->entry) {
                ck_assert_ptr_eq(hit->entry, expected->entry);
                ck_assert_uint_eq(hit->entry->modes[hit->mode].mode, expected->mode);
                return;
        }
        ck_assert(index_layer(&host->index, hit->host.record, &layer));
        ck_assert(index_row(&layer, hit->host.row, &mode, &entry, &encoded));
        ck_assert(index_range(&host->index, entry, &range));
        ck_assert(host_mapping_reference(host, &layer, encoded, &reference));
        ck_assert_uint_eq(mode, expected->mode);
        ck_assert(range.min == expected->entry->range.min && range.max == expected->entry->range.max);
        for (size_t i = 0; i < expected->entry->n_modes; i++)
                if (expected->entry->modes[i].mode == mode) {
                        const Reference *wanted = &expected->entry->modes[i].reference;

                        ck_assert(text_equal(reference.repo, wanted->repo) &&
                                  text_equal(reference.layer, wanted->layer) && reference.version == wanted->version);
                }
}

static void check_against_model(View *view, const HostMapping *host, const MappingModel *model, MappingDice *dice)
{
        enum { N = 150 };
        IndexQuery queries[N];
        ViewHit hits[N];

        for (size_t i = 0; i < N; i++)
                queries[i] = (IndexQuery){
                        .layer = mapping_dice(dice, 9) ? mapping_dice_layer(dice) : TEXT("nowhere"),
                        .device = (Device)mapping_dice(dice, _DEVICE_MAX),
                        .request = mapping_dice(dice, MODE_REQUESTS),
                        .capability = mapping_dice_capability(dice),
                };
        ck_assert_int_eq(view_lookup_batch(view, host, queries, N, hits), 0);
        for (size_t i = 0; i < N; i++) {
                const IndexQuery *query = &queries[i];
                ModelAnswer expected = mapping_model_ask(model, query->layer, query->device, query->capability,
                                                         mode_of_request_number(query->request));
                ViewHit hit;

                ck_assert_int_eq(view_lookup(view, host, query, &hit), 0);
                ck_assert_msg(hit.answer == expected.answer, "%.*s %s %lld: %d, not %d", TEXT_PRINT(query->layer),
                              device_spelling(query->device), (long long)query->capability, hit.answer,
                              expected.answer);
                ck_assert(hits[i].answer == hit.answer && hits[i].entry == hit.entry && hits[i].mode == hit.mode &&
                          hits[i].host.row == hit.host.row);
                if (hit.answer == INDEX_FOUND)
                        check_found(host, &hit, &expected);
        }
}

/* One round: a host mapping, a view on it or on nothing, several extensions,
 * and in between another generation of the host's. */
static void random_round(MappingDice *dice)
{
        enum { HOST = 60, OWN = 40 };
        Entry *host_entries[HOST], *own[OWN];
        bool on_host = mapping_dice(dice, 3);
        MappingModel model = { 0 };
        HostMapping *host;
        View *view = NULL;
        Fault fault;
        uint32_t n_own = mapping_dice(dice, OWN), done = 0;

        for (size_t i = 0; i < HOST; i++) {
                host_entries[i] = mapping_dice_entry(dice, true, 1);
                if (on_host)
                        mapping_model_add(&model, host_entries[i]);
        }
        host = host_of(host_entries, HOST, 1);
        ck_assert_int_eq(view_new(on_host, &view), 0);
        for (uint32_t i = 0; i < n_own; i++)
                own[i] = mapping_dice_entry(dice, false, 0);
        while (done < n_own) {
                uint32_t n = 1 + mapping_dice(dice, n_own - done);

                ck_assert_int_eq(view_extend(view, true, own + done, n, SIZE_MAX, &fault), 0);
                for (uint32_t i = 0; i < n; i++)
                        mapping_model_add(&model, own[done + i]);
                done += n;
                check_against_model(view, host, &model, dice);
        }
        check_against_model(view, host, &model, dice);
        mapping_model_deinit(&model);
        host_mapping_unref(host);

        /* The host's entries change below the view. */
        host = host_of(host_entries, HOST / 2, 2);
        for (size_t i = 0; on_host && i < HOST / 2; i++)
                mapping_model_add(&model, host_entries[i]);
        for (uint32_t i = 0; i < n_own; i++)
                mapping_model_add(&model, own[i]);
        check_against_model(view, host, &model, dice);
        mapping_model_deinit(&model);
        unref_all(own, n_own);
        unref_all(host_entries, HOST);
        view_free(view);
        host_mapping_unref(host);
}

START_TEST(test_random_views_answer_as_the_plain_rule)
{
        MappingDice dice = { 7 };

        for (int i = 0; i < 200; i++)
                random_round(&dice);
}
END_TEST

static IndexAnswer ask(View *view, const HostMapping *host, const char *layer, int64_t capability)
{
        IndexQuery query = { .layer = text_of(layer), .device = DEVICE_CUDA, .capability = capability };
        ViewHit hit;

        ck_assert_int_eq(view_lookup(view, host, &query, &hit), 0);
        return hit.answer;
}

START_TEST(test_a_copy_stands_on_the_same_ground_and_changes_alone)
{
        Entry *a = mapping_entry("A", "cuda", -1, -1, "fallback", 1), *b = mapping_entry("B", "cuda", -1, -1, "fallback", 1);
        HostMapping *host = host_of(&a, 1, 1);
        View *parent = NULL, *copy = NULL;
        Fault fault;

        ck_assert_int_eq(view_new(true, &parent), 0);
        ck_assert_int_eq(view_extend(parent, true, &b, 1, 10, &fault), 0);
        ck_assert_int_eq(view_copy(parent, &copy), 0);
        ck_assert_uint_eq(view_n_entries(copy), 1);
        ck_assert(view_on_host(copy));
        ck_assert_int_eq(view_extend(parent, false, NULL, 0, 10, &fault), 0);
        ck_assert(!view_on_host(parent));
        ck_assert_uint_eq(view_n_entries(parent), 0);
        ck_assert_int_eq(ask(parent, host, "A", 1), INDEX_NO_MAPPING);
        ck_assert_int_eq(ask(parent, host, "B", 1), INDEX_NO_MAPPING);
        view_free(parent);
        ck_assert_int_eq(ask(copy, host, "A", 1), INDEX_FOUND);
        ck_assert_int_eq(ask(copy, host, "B", 1), INDEX_FOUND);
        view_free(copy);
        unref_all((Entry *[]){ a, b }, 2);
        host_mapping_unref(host);
}
END_TEST

START_TEST(test_a_refused_extension_changes_nothing)
{
        Entry *entries[] = { mapping_entry("A", "cuda", 1, 2, "fallback", 1), mapping_entry("A", "cuda", 3, 4, "fallback", 1),
                             mapping_entry("B", "cuda", 3, 4, "fallback", 1) };
        HostMapping *host = host_of(NULL, 0, 1);
        View *view = NULL;
        Fault fault;

        ck_assert_int_eq(view_new(true, &view), 0);
        ck_assert_int_eq(view_extend(view, true, entries, 1, 2, &fault), 0);
        ck_assert_int_eq(view_extend(view, true, entries, 3, 2, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_LIMIT);
        ck_assert_uint_eq(view_n_entries(view), 1);
        ck_assert_int_eq(ask(view, host, "A", 3), INDEX_NO_CAPABILITY);
        ck_assert_int_eq(ask(view, host, "B", 3), INDEX_NO_MAPPING);
        ck_assert_int_eq(view_extend(view, false, entries, 3, 2, &fault), 1);
        ck_assert(view_on_host(view));
        ck_assert_int_eq(ask(view, host, "A", 1), INDEX_FOUND);
        ck_assert_int_eq(view_extend(view, true, entries, 3, 3, &fault), 0);
        ck_assert_uint_eq(view_n_entries(view), 3);
        unref_all(entries, 3);
        view_free(view);
        host_mapping_unref(host);
}
END_TEST

/* What a view takes is what its entries take: nothing for those that were
 * replaced. */
START_TEST(test_bytes_are_those_of_the_entries)
{
        Entry *entries[] = { mapping_entry("A", "cuda", 1, 2, "fallback", 1), mapping_entry("A", "cuda", 1, 2, "inference", 1),
                             mapping_entry("B", "cuda", 3, 4, "fallback", 1) };
        View *view = NULL, *copy = NULL;
        Fault fault;

        ck_assert_int_eq(view_new(true, &view), 0);
        ck_assert_uint_eq(view_n_bytes(view), 0);
        for (int i = 0; i < 3; i++) {
                ck_assert_int_eq(view_extend(view, true, entries, 1, 10, &fault), 0);
                ck_assert_uint_eq(view_n_bytes(view), entries[0]->n_bytes);
        }
        ck_assert_int_eq(view_extend(view, true, entries + 1, 2, 10, &fault), 0);
        ck_assert_uint_eq(view_n_bytes(view), entries[1]->n_bytes + entries[2]->n_bytes);
        ck_assert_int_eq(view_copy(view, &copy), 0);
        ck_assert_uint_eq(view_n_bytes(copy), view_n_bytes(view));
        ck_assert_int_eq(view_extend(view, false, entries, 1, 10, &fault), 0);
        ck_assert_uint_eq(view_n_bytes(view), entries[0]->n_bytes);
        ck_assert_uint_ge(entries[0]->n_bytes, sizeof(Entry) + sizeof(EntryMode));
        unref_all(entries, 3);
        view_free(view);
        view_free(copy);
}
END_TEST

START_TEST(test_limit_of_ranges)
{
        enum { N = LIMIT_RANGES };
        Entry *entries[N + 1];
        View *view = NULL;
        Fault fault;

        for (int i = 0; i <= N; i++)
                entries[i] = mapping_entry("A", "cuda", i, i, "fallback", 1);
        ck_assert_int_eq(view_new(true, &view), 0);
        ck_assert_int_eq(view_extend(view, true, entries, N, SIZE_MAX, &fault), 0);
        ck_assert_int_eq(view_extend(view, true, entries + N, 1, SIZE_MAX, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_LIMIT);
        ck_assert_uint_eq(view_n_entries(view), N);
        unref_all(entries, N + 1);
        view_free(view);
}
END_TEST

START_TEST(test_candidates_come_best_first)
{
        Entry *on_host[] = { mapping_entry("A", "cuda", 0, 100, "fallback", 1), mapping_entry("A", "cuda", 85, 95, "fallback", 1) };
        Entry *own[] = { mapping_entry("A", "cuda", 80, 90, "fallback", 2), mapping_entry("A", "cuda", 0, 100, "fallback", 3) };
        IndexQuery query = { .layer = TEXT("A"), .device = DEVICE_CUDA, .capability = 90 };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        HostMapping *host = host_of(on_host, 2, 1);
        ViewCandidate *candidates;
        View *view = NULL;
        Fault fault;
        size_t n;

        ck_assert_int_eq(view_new(true, &view), 0);
        ck_assert_int_eq(view_extend(view, true, own, 2, 9, &fault), 0);
        ck_assert_int_eq(view_candidates(view, host, &query, &arena, &candidates, &n), 0);
        ck_assert_uint_eq(n, 3);
        ck_assert(candidates[0].range.min == 85 && !candidates[0].entry && candidates[0].chosen);
        ck_assert(candidates[1].range.min == 80 && candidates[1].entry == own[0] && !candidates[1].chosen);
        ck_assert(candidates[2].range.min == 0 && candidates[2].entry == own[1]);
        unref_all(own, 2);
        unref_all(on_host, 2);
        view_free(view);
        host_mapping_unref(host);
}
END_TEST

static int torture(HostMapping *host, Entry *const *entries, size_t n)
{
        IndexQuery query = { .layer = entries[0]->layer, .device = entries[0]->device };
        CLEANUP(view_freep) View *view = NULL, *copy = NULL;
        Fault fault;
        ViewHit hit;
        int r;

        r = view_new(true, &view);
        if (!r)
                r = view_extend(view, true, entries, n / 2, SIZE_MAX, &fault);
        if (!r)
                r = view_extend(view, true, entries + n / 2, n - n / 2, SIZE_MAX, &fault);
        if (!r)
                r = view_copy(view, &copy);
        if (!r)
                r = view_lookup(copy, host, &query, &hit);
        return r;
}

START_TEST(test_memory_runs_out)
{
        MappingDice dice = { 5 };
        Entry *entries[40];
        HostMapping *host;

        entries[0] = mapping_entry("A", "cuda", 10, 20, "fallback", 1);
        for (size_t i = 1; i < ARRAY_SIZE(entries); i++)
                entries[i] = mapping_dice_entry(&dice, false, 0);
        host = host_of(entries, ARRAY_SIZE(entries) / 2, 1);
        FIXTURE_TORTURE(torture(host, entries, ARRAY_SIZE(entries)));
        unref_all(entries, ARRAY_SIZE(entries));
        host_mapping_unref(host);
}
END_TEST

FIXTURE_MAIN("kernels/view", test_random_views_answer_as_the_plain_rule,
             test_a_copy_stands_on_the_same_ground_and_changes_alone, test_a_refused_extension_changes_nothing,
             test_bytes_are_those_of_the_entries, test_limit_of_ranges, test_candidates_come_best_first, test_memory_runs_out)
