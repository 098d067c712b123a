#include "kernels/catalog.h"

#include <errno.h>
#include <stdlib.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

typedef struct KnownItem {
        TableItem item; /* repository, commit: of `known` */
        Known *known;
} KnownItem;

typedef struct Refusal {
        TableItem item; /* repository, revision */
        struct Refusal *newer;
        int64_t until_s;
        Fault fault;
} Refusal;

struct Catalog {
        TextTable revisions;
        TextTable known;
        TextTable publishers;
        TextTable private; /* repository, "" */
        TextTable refusals;
        Refusal *oldest, *newest;
        uint64_t generation;
        size_t n_kernels;
};

int catalog_new(uint64_t key, Catalog **ret_catalog)
{
        Catalog *catalog = alloc_zeroed(1, sizeof(*catalog));

        if (!catalog)
                return error_trace(-ENOMEM);
        catalog->revisions = catalog->known = catalog->publishers = TEXT_TABLE_OF(key);
        catalog->private = catalog->refusals = TEXT_TABLE_OF(key);
        *ret_catalog = catalog;
        return 0;
}

static void free_items(TextTable *table)
{
        for (TableItem *item = text_table_take_all(table), *next; item; item = next) {
                next = item->next;
                alloc_free(item);
        }
}

Catalog *catalog_free(Catalog *catalog)
{
        if (!catalog)
                return NULL;
        for (TableItem *item = text_table_next(&catalog->known, NULL); item; item = text_table_next(&catalog->known, item))
                known_unref(((KnownItem *)item)->known);
        free_items(&catalog->known);
        free_items(&catalog->revisions);
        free_items(&catalog->publishers);
        free_items(&catalog->private);
        free_items(&catalog->refusals);
        alloc_free(catalog);
        return NULL;
}

uint64_t catalog_generation(const Catalog *catalog)
{
        return catalog->generation;
}

size_t catalog_n_kernels(const Catalog *catalog)
{
        return catalog->n_kernels;
}

/* --- revisions --- */

Revision *catalog_revision(const Catalog *catalog, Text repo, Text revision)
{
        return (Revision *)text_table_find(&catalog->revisions, repo, revision);
}

static Revision *revision_new(const RevisionFacts *facts)
{
        Text final_repo = facts->final_repo.data ? facts->final_repo : facts->repo;
        Text final_commit = facts->final_commit.data ? facts->final_commit : facts->commit;
        size_t n_bytes = facts->repo.size + facts->revision.size + facts->commit.size + final_repo.size + final_commit.size;
        Revision *revision = alloc_zeroed(1, sizeof(*revision) + n_bytes);
        char *at = (char *)(revision + 1);

        if (!revision)
                return NULL;
        revision->item.a = table_item_text(&at, facts->repo);
        revision->item.b = table_item_text(&at, facts->revision);
        revision->commit = table_item_text(&at, facts->commit);
        revision->final_repo = table_item_text(&at, final_repo);
        revision->final_commit = table_item_text(&at, final_commit);
        revision->at_s = facts->at_s;
        revision->asked = facts->asked;
        return revision;
}

static bool revision_says_same(const Revision *a, const Revision *b)
{
        return text_equal(a->commit, b->commit) && text_equal(a->final_repo, b->final_repo) &&
               text_equal(a->final_commit, b->final_commit);
}

int catalog_put_revision(Catalog *catalog, const RevisionFacts *facts)
{
        Revision *before = catalog_revision(catalog, facts->repo, facts->revision);
        Revision *revision = revision_new(facts);
        bool is_news = revision && (!before || !revision_says_same(before, revision));

        if (!revision)
                return error_trace(-ENOMEM);
        if (before) {
                revision->tried_s = before->tried_s;
                text_table_remove(&catalog->revisions, &before->item);
                alloc_free(before);
        }
        if (text_table_put(&catalog->revisions, &revision->item) < 0) {
                alloc_free(revision);
                return error_trace(-ENOMEM);
        }
        catalog->generation += is_news;
        return 0;
}

Revision *catalog_next_revision(const Catalog *catalog, const Revision *revision)
{
        return (Revision *)text_table_next(&catalog->revisions, revision ? &revision->item : NULL);
}

/* --- commits --- */

static KnownItem *known_item(const Catalog *catalog, Text repo, Text commit)
{
        return (KnownItem *)text_table_find(&catalog->known, repo, commit);
}

Known *catalog_known(const Catalog *catalog, Text repo, Text commit)
{
        KnownItem *item = known_item(catalog, repo, commit);

        return item ? item->known : NULL;
}

static void item_set_known(Catalog *catalog, KnownItem *item, Known *known)
{
        if (item->known)
                catalog->n_kernels -= item->known->here->n_variants;
        known_unref(item->known);
        item->known = known;
        item->item.a = known->repo;
        item->item.b = known->commit;
        catalog->n_kernels += known->here->n_variants;
        catalog->generation++;
}

static int put_known_item(Catalog *catalog, Known *known)
{
        KnownItem *item = alloc_zeroed(1, sizeof(*item));

        if (!item)
                return error_trace(-ENOMEM);
        item->item.a = known->repo;
        item->item.b = known->commit;
        if (text_table_put(&catalog->known, &item->item) < 0) {
                alloc_free(item);
                return error_trace(-ENOMEM);
        }
        item_set_known(catalog, item, known_ref(known));
        return 0;
}

int catalog_put_known(Catalog *catalog, const Known *known)
{
        KnownItem *item = known_item(catalog, known->repo, known->commit);
        CLEANUP(known_unrefp) Known *merged = NULL;
        int r = known_merge(item ? item->known : NULL, known, &merged);

        if (r < 0)
                return r;
        if (!item)
                return put_known_item(catalog, merged);
        item_set_known(catalog, item, STEAL(merged));
        return 0;
}

int catalog_forget_complete(Catalog *catalog, Text repo, Text commit, Text variant)
{
        KnownItem *item = known_item(catalog, repo, commit);
        const RepositoryVariant *before = item ? known_variant(item->known, variant) : NULL;
        Known *known;
        int r;

        if (!before || !before->complete)
                return 0;
        r = known_without(item->known, variant, &known);
        if (r < 0)
                return r;
        item_set_known(catalog, item, known);
        return 0;
}

static int by_repo_and_commit(const void *a, const void *b)
{
        const Known *left = *(Known *const *)a, *right = *(Known *const *)b;
        int order = text_compare(left->repo, right->repo);

        return order ? order : text_compare(left->commit, right->commit);
}

int catalog_list_known(const Catalog *catalog, Arena *arena, Known ***ret_known, size_t *ret_n)
{
        Known **list = arena_zeroed(arena, catalog->known.n + 1, sizeof(*list));
        size_t n = 0;

        if (!list)
                return error_trace(-ENOMEM);
        for (TableItem *item = text_table_next(&catalog->known, NULL); item; item = text_table_next(&catalog->known, item))
                list[n++] = ((KnownItem *)item)->known;
        qsort(list, n, sizeof(*list), by_repo_and_commit);
        *ret_known = list;
        *ret_n = n;
        return 0;
}

/* --- publishers --- */

const Publisher *catalog_publisher(const Catalog *catalog, Text name)
{
        return (Publisher *)text_table_find(&catalog->publishers, name, TEXT(""));
}

int catalog_put_publisher(Catalog *catalog, Text name, bool trusted, int64_t at_s)
{
        Publisher *publisher = (Publisher *)text_table_find(&catalog->publishers, name, TEXT(""));
        char *at;

        if (!publisher) {
                publisher = alloc_zeroed(1, sizeof(*publisher) + name.size);
                if (!publisher)
                        return error_trace(-ENOMEM);
                at = (char *)(publisher + 1);
                publisher->item.a = table_item_text(&at, name);
                publisher->item.b = TEXT("");
                if (text_table_put(&catalog->publishers, &publisher->item) < 0) {
                        alloc_free(publisher);
                        return error_trace(-ENOMEM);
                }
        }
        publisher->trusted = trusted;
        publisher->at_s = at_s;
        return 0;
}

const Publisher *catalog_next_publisher(const Catalog *catalog, const Publisher *publisher)
{
        return (const Publisher *)text_table_next(&catalog->publishers, publisher ? &publisher->item : NULL);
}

size_t catalog_n_publishers(const Catalog *catalog)
{
        return catalog->publishers.n;
}

TrustFacts catalog_trust_facts(const Catalog *catalog, Text repo, int64_t now_s)
{
        const Publisher *publisher = catalog_publisher(catalog, policy_publisher(repo));
        TrustFacts facts = { .repo = repo };

        if (!publisher)
                return facts;
        facts.publisher = publisher->trusted ? PUBLISHER_TRUSTED : PUBLISHER_UNTRUSTED;
        facts.age_s = INTEGER_PRESENT(now_s > publisher->at_s ? now_s - publisher->at_s : 0);
        return facts;
}

/* --- private repositories --- */

static TableItem *find_private(const Catalog *catalog, Text repo)
{
        return text_table_find(&catalog->private, repo, TEXT(""));
}

bool catalog_is_private(const Catalog *catalog, Text repo)
{
        return find_private(catalog, repo) != NULL;
}

static int add_private(Catalog *catalog, Text repo)
{
        CLEANUP_ALLOC TableItem *item = alloc_zeroed(1, sizeof(*item) + repo.size);
        char *at = (char *)(item + 1);
        int r;

        if (!item)
                return error_trace(-ENOMEM);
        item->a = table_item_text(&at, repo);
        item->b = TEXT("");
        r = text_table_put(&catalog->private, item);
        if (r == 0)
                (void)STEAL(item);
        return r;
}

int catalog_set_private(Catalog *catalog, Text repo, bool private)
{
        TableItem *item = find_private(catalog, repo);

        if (private)
                return item ? 0 : add_private(catalog, repo);
        if (item) {
                text_table_remove(&catalog->private, item);
                alloc_free(item);
        }
        return 0;
}

/* --- refusals --- */

static void refusal_drop(Catalog *catalog, Refusal *refusal)
{
        Refusal **link = &catalog->oldest, *before = NULL;

        while (*link != refusal) {
                before = *link;
                link = &(*link)->newer;
        }
        *link = refusal->newer;
        if (catalog->newest == refusal)
                catalog->newest = before;
        text_table_remove(&catalog->refusals, &refusal->item);
        alloc_free(refusal);
}

const Fault *catalog_refusal(const Catalog *catalog, Text repo, Text revision, int64_t now_s)
{
        const Refusal *refusal = (Refusal *)text_table_find(&catalog->refusals, repo, revision);

        /* A clock that was set back ends it as well. */
        return refusal && now_s < refusal->until_s && now_s >= refusal->until_s - CATALOG_REFUSAL_S ? &refusal->fault : NULL;
}

void catalog_forget_refusal(Catalog *catalog, Text repo, Text revision)
{
        Refusal *refusal = (Refusal *)text_table_find(&catalog->refusals, repo, revision);

        if (refusal)
                refusal_drop(catalog, refusal);
}

static Refusal *refusal_new(Text repo, Text revision, const Fault *fault, int64_t until_s)
{
        Refusal *refusal = alloc_zeroed(1, sizeof(*refusal) + repo.size + revision.size);
        char *at = (char *)(refusal + 1);

        if (!refusal)
                return NULL;
        refusal->item.a = table_item_text(&at, repo);
        refusal->item.b = table_item_text(&at, revision);
        refusal->until_s = until_s;
        refusal->fault = *fault;
        return refusal;
}

void catalog_refuse(Catalog *catalog, Text repo, Text revision, const Fault *fault, int64_t now_s)
{
        Refusal *refusal = refusal_new(repo, revision, fault, now_s + CATALOG_REFUSAL_S);

        catalog_forget_refusal(catalog, repo, revision);
        if (catalog->refusals.n == CATALOG_REFUSALS)
                refusal_drop(catalog, catalog->oldest);
        if (!refusal)
                return;
        if (text_table_put(&catalog->refusals, &refusal->item) < 0) {
                alloc_free(refusal);
                return;
        }
        *(catalog->newest ? &catalog->newest->newer : &catalog->oldest) = refusal;
        catalog->newest = refusal;
}
