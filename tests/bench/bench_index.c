#include "tests/bench/bench_index.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/index_builder.h"
#include "proto/base/alloc.h"
#include "proto/index_reader.h"
#include "tests/bench/mapping.h"
#include "tests/bench/sample.h"

#define QUERIES 100000
#define BATCH 64
#define AHEAD 16
#define MAX_ENTRIES 8 /* of a layer */

static volatile size_t always_zero;

static const char *const devices[] = { "cuda", "rocm", "cpu", "xpu", "npu", "mps", "tpu", "neuron" };

typedef struct Entries {
        Entry **items;
        size_t n;
} Entries;

/* Entry number e of a layer: two ranges of cuda, then a device each; the four
 * modes that can be asked for, each with a reference of its own. */
static void add_entry(Entries *entries, Text layer, unsigned e)
{
        static const Mode modes[] = { MODE_INFERENCE, MODE_INFERENCE | MODE_TORCH_COMPILE, MODE_TRAINING,
                                      MODE_TRAINING | MODE_TORCH_COMPILE };
        EntryMode drafts[4];
        EntryDraft draft = { .layer = layer, .device = text_of(devices[e ? e - 1 : 0]), .modes = drafts, .n_modes = 4 };
        Fault fault;

        if (e < 2) {
                draft.min = INTEGER_PRESENT(e ? 90 : 75);
                draft.max = INTEGER_PRESENT(e ? 120 : 89);
        }
        for (size_t i = 0; i < 4; i++)
                drafts[i] = (EntryMode){ modes[i], { .kind = REFERENCE_VERSION, .repo = TEXT("kernels-community/kernel"),
                                                     .version = (int64_t)i } };
        if (entry_new(&draft, &entries->items[entries->n++], &fault) != 0)
                bench_die("an entry is refused: %s", fault.message);
}

/* One to eight entries a layer, two or three in the mean. */
static Entries entries_new(size_t n_layers)
{
        Entries entries = { calloc(n_layers * MAX_ENTRIES, sizeof(Entry *)), 0 };
        char name[LAYER_NAME_MAX];

        if (!entries.items)
                bench_die("out of memory");
        for (size_t i = 0; i < n_layers; i++) {
                unsigned n = 1 + (i % 4 != 0) + (i % 16 == 1) * 2 + (i % 64 == 2) * 6;

                mapping_layer_name(i, name);
                for (unsigned e = 0; e < n && e < MAX_ENTRIES; e++)
                        add_entry(&entries, text_of(name), e);
        }
        return entries;
}

static void entries_free(Entries *entries)
{
        for (size_t i = 0; i < entries->n; i++)
                entry_unref(entries->items[i]);
        free(entries->items);
}

static void *build(const Entries *entries, size_t *ret_size)
{
        static const Text source = { "file:bench", 10 };
        void *block;
        Fault fault;

        if (index_build(entries->items, entries->n, &source, 1, 1, 42, &block, ret_size, NULL, &fault) != 0)
                bench_die("the index cannot be built: %s", fault.message);
        return block;
}

/* Queries for layers 0 to n - 1 in an order without sense, the names one
 * behind the other as a parsed request has them. */
static IndexQuery *queries_new(size_t n_layers)
{
        IndexQuery *queries = calloc(QUERIES, sizeof(*queries));
        char *names = malloc((size_t)QUERIES * LAYER_NAME_MAX), *end = names;
        uint64_t state = 88172645463325252u;

        if (!queries || !names)
                bench_die("out of memory");
        for (size_t i = 0; i < QUERIES; i++) {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                mapping_layer_name(state % n_layers, end);
                queries[i] = (IndexQuery){ .layer = text_of(end), .device = DEVICE_CUDA, .capability = 80,
                                           .request = (unsigned)(state >> 60) % MODE_REQUESTS };
                end += queries[i].layer.size + 1;
        }
        return queries;
}

static void queries_free(IndexQuery *queries)
{
        free((void *)queries[0].layer.data);
        free(queries);
}

static double single_run(const Index *index, const IndexQuery *queries)
{
        size_t zero = always_zero, next = 0;
        uint64_t start = thread_cpu_ns();

        for (size_t i = 0; i < QUERIES; i++) {
                const IndexQuery *ahead = &queries[i + AHEAD < QUERIES ? i + AHEAD : i];
                IndexQuery query = queries[i];
                IndexHit hit;

                __builtin_prefetch(ahead->layer.data); /* a caller has his question at hand */
                query.layer.data += next;              /* the next one needs this one's answer */
                hit = index_lookup(index, &query);
                if (hit.answer != INDEX_FOUND)
                        bench_die("a layer is not found");
                next = (hit.record + hit.row) & zero;
        }
        return (double)(thread_cpu_ns() - start) / QUERIES;
}

static double batch_run(const Index *index, const IndexQuery *queries)
{
        IndexHit hits[BATCH];
        uint64_t start = thread_cpu_ns();

        for (size_t i = 0; i + BATCH <= QUERIES; i += BATCH) {
                index_lookup_batch(index, &queries[i], BATCH, hits);
                if (hits[i % BATCH].answer != INDEX_FOUND)
                        bench_die("a layer is not found");
        }
        return (double)(thread_cpu_ns() - start) / (QUERIES / BATCH * BATCH);
}

static double runs(double (*run)(const Index *, const IndexQuery *), const Index *index, size_t n_asked)
{
        IndexQuery *queries = queries_new(n_asked);
        double samples[BENCH_RUNS];

        (void)run(index, queries);
        for (size_t i = 0; i < BENCH_RUNS; i++)
                samples[i] = run(index, queries);
        queries_free(queries);
        return median(samples, BENCH_RUNS);
}

static double build_runs(const Entries *entries)
{
        double samples[BENCH_RUNS];
        size_t size;

        for (size_t i = 0; i < BENCH_RUNS; i++) {
                uint64_t start = thread_cpu_ns();
                void *block = build(entries, &size);

                samples[i] = (double)(thread_cpu_ns() - start) / 1e6;
                index_block_free(block);
        }
        return median(samples, BENCH_RUNS);
}

static void measure_largest(const Entries *entries, const Index *index, size_t n_layers, BenchIndex *ret)
{
        ret->hot_ns = runs(single_run, index, 100);
        ret->batch_ns = runs(batch_run, index, n_layers);
        ret->build_ms = build_runs(entries);
}

void bench_index(BenchIndex *ret)
{
        static const size_t sizes[] = { 100, 1000, 10000, 100000 };

        for (size_t i = 0; i < 4; i++) {
                Entries entries = entries_new(sizes[i]);
                size_t size;
                void *block = build(&entries, &size);
                Index index;

                if (index_open(block, size, &index) != 0)
                        bench_die("the index cannot be opened");
                ret->uniform_ns[i] = runs(single_run, &index, sizes[i]);
                if (i == 3)
                        measure_largest(&entries, &index, sizes[i], ret);
                index_block_free(block);
                entries_free(&entries);
        }
}
