#include "kernels/perfect_hash.h"

#include <errno.h>
#include <stdbool.h>

#include "proto/base/alloc.h"
#include "proto/index_reader.h"

/* More hashes in one bucket than this are a bad key, or equal hashes. Of
 * 100,000 hashes at three a bucket the fullest bucket has about 15. */
#define BUCKET_MAX 64

typedef struct PerfectHash {
        const uint64_t *hashes;
        uint32_t n_slots;
        uint32_t *firsts;  /* by bucket: its first in `members`; one more at the end */
        uint32_t *members; /* numbers of hashes, by bucket */
        uint64_t *taken;   /* a bit for each slot */
} PerfectHash;

uint32_t perfect_hash_n_buckets(size_t n)
{
        uint32_t n_buckets = 1;

        while (n_buckets < n / 4)
                n_buckets *= 2;
        return n_buckets;
}

uint32_t perfect_hash_n_slots(size_t n)
{
        return (uint32_t)(n + n / 8 + 1);
}

static bool slot_is_taken(const PerfectHash *table, uint32_t slot)
{
        return table->taken[slot / 64] >> (slot % 64) & 1;
}

static void sort_into_buckets(PerfectHash *table, size_t n, uint32_t n_buckets)
{
        for (size_t i = 0; i < n; i++)
                table->firsts[index_bucket(table->hashes[i], n_buckets) + 1]++;
        for (uint32_t bucket = 0; bucket < n_buckets; bucket++)
                table->firsts[bucket + 1] += table->firsts[bucket];
        /* Filling from the back moves each bucket's end to its beginning. */
        for (size_t i = n; i--;)
                table->members[--table->firsts[index_bucket(table->hashes[i], n_buckets) + 1]] = (uint32_t)i;
        for (uint32_t bucket = 0; bucket < n_buckets; bucket++)
                table->firsts[bucket] = table->firsts[bucket + 1];
        table->firsts[n_buckets] = (uint32_t)n;
}

/* Whether the seed leads all of the bucket to free slots; takes them if so. */
static bool try_seed(PerfectHash *table, const uint32_t *members, uint32_t n, uint16_t seed, uint32_t *slots)
{
        for (uint32_t i = 0; i < n; i++) {
                uint32_t slot = index_slot(table->hashes[members[i]], seed, table->n_slots);

                if (slot_is_taken(table, slot)) {
                        while (i--)
                                table->taken[slots[members[i]] / 64] &= ~(UINT64_C(1) << (slots[members[i]] % 64));
                        return false;
                }
                table->taken[slot / 64] |= UINT64_C(1) << (slot % 64);
                slots[members[i]] = slot;
        }
        return true;
}

static bool place_bucket(PerfectHash *table, uint32_t bucket, uint16_t *seeds, uint32_t *slots)
{
        const uint32_t *members = table->members + table->firsts[bucket];
        uint32_t n = table->firsts[bucket + 1] - table->firsts[bucket];

        for (uint32_t seed = 0; seed <= UINT16_MAX; seed++)
                if (try_seed(table, members, n, (uint16_t)seed, slots)) {
                        seeds[bucket] = (uint16_t)seed;
                        return true;
                }
        return false;
}

/* Full buckets first, while there is room. */
static bool place_all(PerfectHash *table, uint16_t *seeds, uint32_t n_buckets, uint32_t *slots)
{
        uint32_t fullest = 0;

        for (uint32_t bucket = 0; bucket < n_buckets; bucket++)
                if (table->firsts[bucket + 1] - table->firsts[bucket] > fullest)
                        fullest = table->firsts[bucket + 1] - table->firsts[bucket];
        if (fullest > BUCKET_MAX)
                return false;
        for (uint32_t size = fullest; size; size--)
                for (uint32_t bucket = 0; bucket < n_buckets; bucket++)
                        if (table->firsts[bucket + 1] - table->firsts[bucket] == size &&
                            !place_bucket(table, bucket, seeds, slots))
                                return false;
        return true;
}

int perfect_hash_make(const uint64_t *hashes, size_t n, uint16_t *seeds, uint32_t n_buckets, uint32_t *slots,
                      uint32_t n_slots)
{
        CLEANUP_ALLOC uint32_t *firsts = alloc_zeroed((size_t)n_buckets + 1, sizeof(*firsts));
        CLEANUP_ALLOC uint32_t *members = alloc_zeroed(n + 1, sizeof(*members));
        CLEANUP_ALLOC uint64_t *taken = alloc_zeroed((size_t)n_slots / 64 + 1, sizeof(*taken));
        PerfectHash table = { hashes, n_slots, firsts, members, taken };

        if (!firsts || !members || !taken)
                return -ENOMEM;
        sort_into_buckets(&table, n, n_buckets);
        for (uint32_t bucket = 0; bucket < n_buckets; bucket++)
                seeds[bucket] = 0;
        return place_all(&table, seeds, n_buckets, slots) ? 0 : 1;
}
