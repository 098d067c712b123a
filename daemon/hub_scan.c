#include "daemon/hub_scan.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/acquire.h"
#include "daemon/daemon.h"
#include "daemon/log.h"
#include "kernels/cache_scan.h"
#include "kernels/environment_pack.h"
#include "kernels/facts_find.h"
#include "kernels/text_table.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

struct HubScan {
        Job job;
        Hub *hub;
        Facts *facts;
        CacheScan *scan; /* NULL: there is no cache */
        Cached *cached;  /* what it found */
};

static HubScan *hub_scan_free(HubScan *scan)
{
        facts_free(scan->facts);
        cached_free(scan->cached);
        cache_scan_free(scan->scan);
        alloc_free(scan);
        return NULL;
}

/* --- what was noted --- */

static int know_publishers(Hub *hub, const Facts *facts)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < facts->n_publishers; i++)
                r = catalog_put_publisher(hub->catalog, facts->publishers[i].name, facts->publishers[i].trusted,
                                          facts->publishers[i].at_s);
        return r;
}

static void know_receipts(Hub *hub, const Facts *facts)
{
        for (size_t i = 0; i < facts->n_receipts; i++) {
                const FactReceipt *fact = &facts->receipts[i];
                KernelReceipt receipt;

                memcpy(receipt.fingerprint, fact->fingerprint, sizeof(receipt.fingerprint));
                acquires_know_receipt(hub->daemon->acquires, fact->path, fact->variant, &receipt, fact->used_s);
        }
}

static int know_revisions(Hub *hub, const Facts *facts)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < facts->n_revisions; i++) {
                const FactRevision *fact = &facts->revisions[i];
                const RevisionFacts revision = {
                        .repo = fact->repo, .revision = fact->revision, .commit = fact->commit,
                        .final_repo = fact->redirect, .final_commit = fact->final_commit, .at_s = fact->at_s,
                        .asked = true,
                };

                r = catalog_put_revision(hub->catalog, &revision);
                if (r == 0 && fact->with_token)
                        r = catalog_set_private(hub->catalog, fact->redirect.data ? fact->redirect : fact->repo, true);
        }
        return r;
}

/* One that cannot be read any more was of another version: it will be noted anew. */
static int know_use(Hub *hub, const FactUse *fact)
{
        CLEANUP(target_unrefp) Target *target = NULL;
        CLEANUP_ALLOC Environment *environment = alloc_zeroed(1, sizeof(*environment));
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgEnvironment message;
        Device device;
        Fault fault;
        bool news;
        int r;

        if (!environment)
                return error_trace(-ENOMEM);
        r = environment_unpack(fact->environment, &arena, &message, &fault);
        if (r == 0)
                r = environment_init(environment, &message, false, &fault);
        if (r == 0)
                r = device_parse(fact->device, &device, &fault);
        if (r == 0)
                r = target_new(environment, device, fact->capability < 0 ? INTEGER_ABSENT : INTEGER_PRESENT(fact->capability),
                               fact->arch, &target);
        if (r == 0)
                r = uses_note(hub->uses, fact->repo, fact->revision, target, fact->domain_uid, fact->at_s, &news);
        return r < 0 ? r : 0;
}

static int know_uses(Hub *hub, const Facts *facts)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < facts->n_uses; i++)
                r = know_use(hub, &facts->uses[i]);
        return r;
}

/* --- what is on disk, seen in the light of that --- */

typedef struct GatheredVariant {
        TableItem item; /* name */
        KnownVariant known;
} GatheredVariant;

/* The variants of one commit that are being put together. */
typedef struct Gathered {
        Arena arena;
        TextTable table;
        bool listed;
} Gathered;

static void gathered_deinit(Gathered *gathered)
{
        (void)text_table_take_all(&gathered->table);
        arena_deinit(&gathered->arena);
}

static int gather(Gathered *gathered, Text name, KnownVariant **ret_variant)
{
        GatheredVariant *variant = (GatheredVariant *)text_table_find(&gathered->table, name, TEXT(""));
        int r = 0;

        if (!variant) {
                variant = arena_zeroed(&gathered->arena, 1, sizeof(*variant));
                if (!variant)
                        return error_trace(-ENOMEM);
                variant->item.a = variant->known.name = name;
                variant->item.b = TEXT("");
                r = text_table_put(&gathered->table, &variant->item);
        }
        *ret_variant = &variant->known;
        return r;
}

/* All of them in a row. */
static int gathered_list(Gathered *gathered, KnownVariant **ret_variants)
{
        KnownVariant *variants = arena_zeroed(&gathered->arena, gathered->table.n + 1, sizeof(*variants));
        size_t n = 0;

        if (!variants)
                return error_trace(-ENOMEM);
        for (TableItem *item = text_table_next(&gathered->table, NULL); item; item = text_table_next(&gathered->table, item))
                variants[n++] = ((GatheredVariant *)item)->known;
        *ret_variants = variants;
        return 0;
}

static int gather_names(Gathered *gathered, Text names)
{
        KnownVariant *variant;
        int r = 0;

        gathered->listed = true;
        while (r == 0 && names.size) {
                const char *end = memchr(names.data, '\n', names.size);
                size_t n = end ? (size_t)(end - names.data) : names.size;

                r = gather(gathered, (Text){ names.data, n }, &variant);
                names = (Text){ names.data + n + !!end, names.size - n - !!end };
        }
        return r;
}

/* What neither a list nor a digest shows to be complete, and nothing shows not to
 * be, is taken as such only where the Hub cannot be asked: its own client does so. */
static bool is_complete(const Hub *hub, const Facts *facts, Text repo, Text commit, const CachedVariant *cached)
{
        if (cached->fault.name != FAULT_NONE)
                return false;
        return cached->complete ||
               (cached->whole && (hub_is_offline(hub) || facts_was_completed(facts, repo, commit, cached->name)));
}

static int gather_disk(const Hub *hub, Gathered *gathered, const Facts *facts, Text repo, const CachedCommit *commit)
{
        KnownVariant *variant;
        int r = 0;

        gathered->listed |= commit->listing_known;
        for (size_t i = 0; r == 0 && commit->listing_known && i < commit->n_listing; i++)
                r = gather(gathered, commit->listing[i], &variant);
        for (size_t i = 0; r == 0 && i < commit->n_variants; i++) {
                const CachedVariant *cached = &commit->variants[i];

                r = gather(gathered, cached->name, &variant);
                if (r < 0)
                        return r;
                variant->metadata = cached->metadata;
                variant->complete = is_complete(hub, facts, repo, commit->commit, cached);
        }
        return r;
}

static int gather_corrupt(Gathered *gathered, const Facts *facts, Text repo, Text commit)
{
        KnownVariant *variant;
        size_t n;
        const FactCorrupt *corrupts = facts_corrupts(facts, repo, commit, &n);
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                r = gather(gathered, corrupts[i].variant, &variant);
                if (r == 0)
                        variant->corrupt = corrupts[i].message;
        }
        return r;
}

/* `cached` NULL: nothing of it is on disk. */
static int know_commit(Hub *hub, const Facts *facts, Text repo, Text commit, const CachedCommit *cached)
{
        const FactListing *listing = facts_listing(facts, repo, commit);
        CLEANUP(known_unrefp) Known *known = NULL;
        Gathered gathered = { .table = TEXT_TABLE_OF(hub->key) };
        KnownVariant *variants = NULL;
        int r = listing ? gather_names(&gathered, listing->variants) : 0;

        if (r == 0 && cached)
                r = gather_disk(hub, &gathered, facts, repo, cached);
        if (r == 0)
                r = gather_corrupt(&gathered, facts, repo, commit);
        if (r == 0)
                r = gathered_list(&gathered, &variants);
        if (r == 0)
                r = known_new(repo, commit, gathered.listed, variants, gathered.table.n, &known);
        if (r == 0)
                r = catalog_put_known(hub->catalog, known);
        gathered_deinit(&gathered);
        return r;
}

static int know_listings(Hub *hub, const Facts *facts)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < facts->n_listings; i++)
                if (!catalog_known(hub->catalog, facts->listings[i].repo, facts->listings[i].commit))
                        r = know_commit(hub, facts, facts->listings[i].repo, facts->listings[i].commit, NULL);
        return r;
}

/* A ref that somebody else wrote, later than we asked, is news. In a system's
 * cache nobody else writes; one that the database does not know is asked for
 * again, as whether the repository is for everybody is not known either. */
static int know_ref(Hub *hub, Text repo, const CachedRef *ref)
{
        const Revision *before = catalog_revision(hub->catalog, repo, ref->name);
        const RevisionFacts facts = { .repo = repo, .revision = ref->name, .commit = ref->commit, .at_s = ref->written_s };

        if (before ? before->at_s >= ref->written_s || text_equal(before->commit, ref->commit) :
                     hub->daemon->config->system && !hub_is_offline(hub))
                return 0;
        return catalog_put_revision(hub->catalog, &facts);
}

static int know_repository(Hub *hub, const Facts *facts, const CachedRepository *cached)
{
        int r = 0;

        for (size_t i = 0; r == 0 && i < cached->n_commits; i++)
                r = know_commit(hub, facts, cached->repo, cached->commits[i].commit, &cached->commits[i]);
        for (size_t i = 0; r == 0 && i < cached->n_refs; i++)
                r = know_ref(hub, cached->repo, &cached->refs[i]);
        return r;
}

/* --- the job --- */

static int scan_step(Job *job)
{
        HubScan *scan = (HubScan *)((char *)job - offsetof(HubScan, job));
        Fault fault = FAULT_NULL;
        int r = scan->scan ? cache_scan_step(scan->scan, &fault) : STEP_DONE;

        if (r == STEP_MORE)
                return JOB_AGAIN;
        if (r == STEP_DONE && scan->scan)
                scan->cached = cache_scan_take(scan->scan);
        return r < 0 ? r : 0;
}

static int scan_take(HubScan *scan)
{
        const Cached *cached = scan->cached;
        int r = 0;

        for (size_t i = 0; r == 0 && cached && i < cached->n_repositories; i++)
                r = know_repository(scan->hub, scan->facts, &cached->repositories[i]);
        if (cached && cached->cut)
                log_warning(HUB, NULL, "%s holds more than is looked at: what is left out is fetched again",
                            cache_path(scan->hub->cache));
        return r == 0 ? know_listings(scan->hub, scan->facts) : r;
}

static void scan_done(Job *job, int result)
{
        HubScan *scan = (HubScan *)((char *)job - offsetof(HubScan, job));
        Hub *hub = scan->hub;
        int r = result;

        hub->scan = NULL;
        if (result == 0)
                r = scan_take(scan);
        hub_scan_free(scan);
        if (result == -ECANCELED)
                return;
        hub->ready = true;
        daemon_hub_ready(hub->daemon, r);
}

/* An empty set of facts stands for none. */
static int scan_new(Hub *hub, Facts *facts, HubScan **ret_scan)
{
        HubScan *scan = alloc_zeroed(1, sizeof(*scan));
        int r = 0;

        if (!scan) {
                facts_free(facts);
                return error_trace(-ENOMEM);
        }
        scan->hub = hub;
        scan->facts = facts ? facts : alloc_zeroed(1, sizeof(*facts));
        if (!scan->facts)
                r = error_trace(-ENOMEM);
        else
                facts_sort(scan->facts);
        if (r == 0 && hub->cache)
                r = cache_scan_new(hub->cache, &scan->scan);
        if (r < 0) {
                hub_scan_free(scan);
                return r;
        }
        *ret_scan = scan;
        return 0;
}

int hub_scan_begin(Hub *hub, Facts *facts)
{
        HubScan *scan = NULL;
        int r = scan_new(hub, facts, &scan);

        if (r == 0)
                r = know_publishers(hub, scan->facts);
        if (r == 0)
                r = know_revisions(hub, scan->facts);
        if (r == 0)
                r = know_uses(hub, scan->facts);
        if (r < 0) {
                if (scan)
                        hub_scan_free(scan);
                return r;
        }
        know_receipts(hub, scan->facts);
        scan->job.step = scan_step;
        scan->job.done = scan_done;
        hub->scan = scan;
        worker_submit(hub->daemon->worker, &scan->job);
        return 0;
}

void hub_scan_cancel(HubScan *scan)
{
        if (scan)
                job_cancel(&scan->job);
}
