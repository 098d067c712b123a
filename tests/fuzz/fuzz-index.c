/* Arbitrary bytes as an index: everything that a lookup and a list follow. */
#include <stdlib.h>
#include <string.h>

#include "proto/base/cleanup.h"
#include "proto/index_reader.h"
#include "tests/fuzz/fuzz.h"

static size_t fuzz_layer(const Index *index, const IndexLayer *layer)
{
        size_t seen = layer->name.size;

        for (size_t i = 0; i < layer->n_rows; i++) {
                const IndexReference *reference;
                const IndexEntry *entry;
                CapabilityRange range;
                Text text, encoded;
                Mode mode;

                if (!index_row(layer, i, &mode, &entry, &reference))
                        continue;
                seen += mode_text(mode).size;
                if (index_entry_is_sound(layer, entry) && index_range(index, entry, &range))
                        seen += (size_t)range.min;
                if (index_source(index, entry->source, &text, &encoded))
                        seen += text_is_utf8(text) + text_is_utf8(encoded);
                if (index_text(index, reference->name, &text, &encoded))
                        seen += text_is_utf8(text) + text_is_utf8(encoded);
                if (index_path(index, reference->name, &text, &encoded))
                        seen += text_is_utf8(text) + text_is_utf8(encoded);
        }
        return seen;
}

static size_t fuzz_queries(const Index *index, Text layer)
{
        static const int64_t capabilities[] = { -1, 0, 80, 90, 65535, 65536, INT64_MAX };
        IndexQuery queries[_DEVICE_MAX * ARRAY_SIZE(capabilities)];
        IndexHit hits[ARRAY_SIZE(queries)];
        size_t n = 0, seen = 0;

        for (unsigned device = 0; device < _DEVICE_MAX; device++)
                for (size_t i = 0; i < ARRAY_SIZE(capabilities); i++, n++)
                        queries[n] = (IndexQuery){ layer, (Device)device, (unsigned)i % MODE_REQUESTS, capabilities[i] };
        index_lookup_batch(index, queries, n, hits);
        for (size_t i = 0; i < n; i++) {
                IndexHit hit = index_lookup(index, &queries[i]);

                fuzz_require(hit.answer == hits[i].answer && hit.record == hits[i].record);
                if (hit.record != INDEX_RECORD_NONE)
                        index_prefetch(index, hit.record);
                seen += hit.row;
        }
        return seen;
}

/* The first thing that a mutation breaks is the size: it is put right, so that
 * what lies behind the header is reached. */
static void mend_size(void *block, size_t size)
{
        uint64_t right = size;

        if (size >= sizeof(IndexHeader))
                memcpy((uint8_t *)block + offsetof(IndexHeader, size), &right, sizeof(right));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        static volatile size_t sink;
        IndexLayer layer;
        size_t seen = 0;
        Index index;
        void *block;

        if (posix_memalign(&block, 64, size ? size : 1))
                abort();
        if (size)
                memcpy(block, bytes, size);
        mend_size(block, size);
        if (!index_open(block, size, &index)) {
                seen += index_is_intact(&index);
                for (uint32_t i = 0; i < index_n_layers(&index) && i < 64; i++)
                        if (index_layer_sorted(&index, i, &layer))
                                seen += fuzz_layer(&index, &layer) + fuzz_queries(&index, layer.name);
                seen += fuzz_queries(&index, TEXT("SiluAndMul"));
        }
        free(block);
        sink = seen;
        (void)sink;
        return 0;
}
