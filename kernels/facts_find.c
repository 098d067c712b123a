#include "kernels/facts_find.h"

#include <stddef.h>
#include <stdlib.h>

/* What all three begin with, and two of them go on with. */
#define HAS_KEY(Type)                                                                     \
        _Static_assert(offsetof(Type, repo) == 0 && offsetof(Type, commit) == sizeof(Text), "the key comes first")
HAS_KEY(FactListing);
HAS_KEY(FactCorrupt);
HAS_KEY(FactComplete);
_Static_assert(offsetof(FactCorrupt, variant) == 2 * sizeof(Text), "then the variant");
_Static_assert(offsetof(FactComplete, variant) == 2 * sizeof(Text), "then the variant");

static int compare_keys(const Text *a, const Text *b, size_t n)
{
        int r = 0;

        for (size_t i = 0; !r && i < n; i++)
                r = text_compare(a[i], b[i]);
        return r;
}

static int by_commit(const void *a, const void *b)
{
        return compare_keys(a, b, 2);
}

static int by_variant(const void *a, const void *b)
{
        return compare_keys(a, b, 3);
}

static void sort(void *items, size_t n, size_t size, int (*compare)(const void *, const void *))
{
        if (n)
                qsort(items, n, size, compare);
}

static const void *find(const void *key, const void *items, size_t n, size_t size,
                        int (*compare)(const void *, const void *))
{
        return n ? bsearch(key, items, n, size, compare) : NULL;
}

void facts_sort(Facts *facts)
{
        sort(facts->listings, facts->n_listings, sizeof(*facts->listings), by_commit);
        sort(facts->corrupts, facts->n_corrupts, sizeof(*facts->corrupts), by_variant);
        sort(facts->completes, facts->n_completes, sizeof(*facts->completes), by_variant);
}

const FactListing *facts_listing(const Facts *facts, Text repo, Text commit)
{
        const Text key[] = { repo, commit };

        return find(key, facts->listings, facts->n_listings, sizeof(*facts->listings), by_commit);
}

bool facts_was_completed(const Facts *facts, Text repo, Text commit, Text variant)
{
        const Text key[] = { repo, commit, variant };

        return find(key, facts->completes, facts->n_completes, sizeof(*facts->completes), by_variant);
}

const FactCorrupt *facts_corrupts(const Facts *facts, Text repo, Text commit, size_t *ret_n)
{
        const Text key[] = { repo, commit };
        const FactCorrupt *first = find(key, facts->corrupts, facts->n_corrupts, sizeof(*first), by_commit), *end = first;

        *ret_n = 0;
        if (!first)
                return NULL;
        while (first > facts->corrupts && by_commit(first - 1, key) == 0)
                first--;
        while (end < facts->corrupts + facts->n_corrupts && by_commit(end, key) == 0)
                end++;
        *ret_n = (size_t)(end - first);
        return first;
}
