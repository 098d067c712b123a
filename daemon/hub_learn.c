/* What goes into a fetch of what is known, and what comes out of it; and what is
 * found to be known wrongly. */
#include <errno.h>
#include <stdio.h>

#include "daemon/acquire.h"
#include "daemon/daemon.h"
#include "daemon/hub.h"
#include "daemon/log.h"
#include "daemon/state.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* --- the order --- */

static bool is_fresh(const Hub *hub, int64_t at_s)
{
        return hub_now_s() - at_s < hub->daemon->config->fresh_s;
}

/* All of them, since a repository may have moved to any. One whom the Hub was
 * asked about long ago is asked about again, as something is asked there anyway. */
static int order_add_publishers(const Hub *hub, FetchOrder *order)
{
        order->publishers = arena_zeroed(&order->arena, catalog_n_publishers(hub->catalog) + 1, sizeof(*order->publishers));
        if (!order->publishers)
                return error_trace(-ENOMEM);
        for (const Publisher *known = catalog_next_publisher(hub->catalog, NULL); known;
             known = catalog_next_publisher(hub->catalog, known)) {
                FetchPublisher *publisher = &order->publishers[order->n_publishers];

                if (!is_fresh(hub, known->at_s))
                        continue;
                if (arena_copy(&order->arena, known->item.a, &publisher->name) < 0)
                        return error_trace(-ENOMEM);
                publisher->trusted = known->trusted;
                order->n_publishers++;
        }
        return 0;
}

/* A ref of the cache says nothing of where the repository has moved to. */
static int order_copy_revision(FetchOrder *order, const Revision *revision, bool fresh)
{
        Text *commit = fresh ? &order->last_commit : &order->commit;
        Text *final_repo = fresh ? &order->last_final_repo : &order->final_repo;
        Text none, *final_commit = fresh ? &none : &order->final_commit;
        int r = arena_copy(&order->arena, revision->commit, commit);

        if (r < 0 || (!revision->asked && !revision_is_redirected(revision)))
                return r;
        r = arena_copy(&order->arena, revision->final_repo, final_repo);
        return r == 0 ? arena_copy(&order->arena, revision->final_commit, final_commit) : r;
}

static int order_add_known(const Hub *hub, const FetchWish *wish, FetchOrder *order)
{
        const Revision *revision = catalog_revision(hub->catalog, order->repo, order->revision);
        bool fresh = wish->fresh && !wish->fixed;
        int r = 0;

        if (revision)
                r = order_copy_revision(order, revision, fresh);
        if (r == 0)
                r = order_add_publishers(hub, order);
        if (r < 0)
                return r;
        if (revision)
                order->known = known_ref(catalog_known(hub->catalog, revision->final_repo, revision->final_commit));
        else if (wish->fixed)
                order->known = known_ref(catalog_known(hub->catalog, order->repo, order->revision));
        return 0;
}

static int order_add_targets(FetchOrder *order, const FetchWish *wish)
{
        order->targets = arena_zeroed(&order->arena, wish->n_targets, sizeof(*order->targets));
        if (!order->targets)
                return error_trace(-ENOMEM);
        for (; order->n_targets < wish->n_targets; order->n_targets++)
                order->targets[order->n_targets] = target_ref(wish->targets[order->n_targets]);
        return 0;
}

static int order_copy(const Hub *hub, const FetchWish *wish, FetchOrder *order)
{
        const Config *config = hub->daemon->config;
        int r = arena_copy(&order->arena, wish->repo, &order->repo);

        if (r == 0)
                r = arena_copy(&order->arena, wish->revision, &order->revision);
        if (r == 0)
                r = arena_copy(&order->arena, text_of(config->hub_endpoint), &order->endpoint);
        order->key = hub->key;
        order->goal = wish->goal;
        order->version = wish->version;
        order->fixed = wish->fixed;
        order->trust_remote_code = wish->trust_remote_code;
        order->judged_later = wish->judged_later;
        order->takes_effect = wish->takes_effect;
        order->cache = hub->cache;
        order->policy = policy_ref(config->policy);
        order->max_bytes = wish->account ? account_fetch_room(wish->account, config->quota_fetched, hub_now_s()) : INT64_MAX;
        return r;
}

int hub_order(Hub *hub, const FetchWish *wish, FetchOrder **ret_order, Fault *fault)
{
        CLEANUP(fetch_order_freep) FetchOrder *order = NULL;
        int r;

        if (hub_is_offline(hub))
                return fault_set(fault, FAULT_OFFLINE, "%.*s is not complete on this host, and nothing may be fetched%s",
                                 TEXT_PRINT(wish->repo), hub->cache ? ": the configuration says offline" :
                                 ": this daemon has no cache_dir that it can use");
        r = fetch_order_new(&order);
        if (r == 0)
                r = order_copy(hub, wish, order);
        if (r == 0)
                r = order_add_known(hub, wish, order);
        if (r == 0)
                r = order_add_targets(order, wish);
        if (r == 0)
                *ret_order = STEAL(order);
        return r;
}

/* --- what comes out --- */

static void learn_publishers(Hub *hub, const FetchResult *result, int64_t now_s)
{
        for (size_t i = 0; i < result->n_publishers; i++) {
                const FetchPublisher *publisher = &result->publishers[i];
                const Fact fact = {
                        .kind = FACT_PUBLISHER,
                        .publisher = { .name = publisher->name, .trusted = publisher->trusted, .at_s = now_s },
                };

                if (catalog_put_publisher(hub->catalog, publisher->name, publisher->trusted, now_s) == 0)
                        state_note(hub->daemon->state, &fact);
        }
}

static void note_listing(Hub *hub, const Known *known, int64_t now_s)
{
        CLEANUP_BUFFER Buffer names = BUFFER_NULL;
        Fact fact = { .kind = FACT_LISTING, .listing = { .repo = known->repo, .commit = known->commit, .at_s = now_s } };
        int r = 0;

        for (size_t i = 0; r == 0 && i < known->all->n_variants; i++) {
                if (i)
                        r = buffer_append(&names, "\n", 1);
                if (r == 0)
                        r = buffer_append(&names, known->all->variants[i].folder.data, known->all->variants[i].folder.size);
        }
        fact.listing.variants = names.size ? buffer_text(&names) : TEXT("");
        if (r == 0)
                state_note(hub->daemon->state, &fact);
}

static void note_variants(Hub *hub, const Known *known)
{
        for (size_t i = 0; i < known->all->n_variants; i++) {
                const RepositoryVariant *variant = &known->all->variants[i];
                const Fact complete = {
                        .kind = FACT_COMPLETE,
                        .complete = { .repo = known->repo, .commit = known->commit, .variant = variant->folder },
                };
                const Fact corrupt = {
                        .kind = FACT_CORRUPT,
                        .corrupt = { .repo = known->repo, .commit = known->commit, .variant = variant->folder,
                                     .message = variant->corrupt },
                };

                if (variant->complete)
                        state_note(hub->daemon->state, &complete);
                if (variant->corrupt.data)
                        state_note(hub->daemon->state, &corrupt);
        }
}

static void learn_known(Hub *hub, const FetchResult *result, int64_t now_s)
{
        if (!result->known || catalog_put_known(hub->catalog, result->known) < 0)
                return;
        note_listing(hub, result->known, now_s);
        note_variants(hub, result->known);
}

static void learn_receipts(Hub *hub, const FetchResult *result)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text path;

        if (!result->n_receipts)
                return;
        path = cache_snapshot_path(hub->cache, result->final_repo, result->final_commit, &arena);
        for (size_t i = 0; path.data && i < result->n_receipts; i++)
                acquires_put_receipt(hub->daemon->acquires, path, result->receipts[i].variant, &result->receipts[i].receipt);
}

static void note_revision(Hub *hub, const RevisionFacts *facts)
{
        const Fact fact = {
                .kind = FACT_REVISION,
                .revision = {
                        .repo = facts->repo, .revision = facts->revision, .commit = facts->commit,
                        .redirect = text_equal(facts->final_repo, facts->repo) ? TEXT_NULL : facts->final_repo,
                        .final_commit = text_equal(facts->final_repo, facts->repo) ? TEXT_NULL : facts->final_commit,
                        .at_s = facts->at_s, .with_token = catalog_is_private(hub->catalog, facts->final_repo),
                },
        };

        if (catalog_put_revision(hub->catalog, facts) == 0)
                state_note(hub->daemon->state, &fact);
}

/* Which repository the token was for. What was had without one is everybody's; a
 * fetch that asked for nothing says nothing. */
static void learn_private(Hub *hub, const FetchOrder *order, const FetchResult *result)
{
        if (result->with_token || (result->asked && text_equal(result->final_repo, order->repo)))
                (void)catalog_set_private(hub->catalog, result->final_repo, result->with_token);
}

/* What was in force stays so until what comes is complete for all; a failed fetch
 * changes nothing of it. */
static void learn_revision(Hub *hub, const FetchOrder *order, const FetchResult *result, bool failed, int64_t now_s)
{
        Revision *before = catalog_revision(hub->catalog, order->repo, order->revision);
        RevisionFacts facts = {
                .repo = order->repo,
                .revision = order->revision,
                .commit = result->commit,
                .final_repo = result->final_repo,
                .final_commit = result->final_commit,
                .at_s = result->asked || !before ? now_s : before->at_s,
                .asked = result->asked || order->fixed || (before && before->asked),
        };
        bool same = before && text_equal(before->commit, facts.commit) &&
                    text_equal(before->final_repo, facts.final_repo) && text_equal(before->final_commit, facts.final_commit);

        if (before)
                before->tried_s = now_s;
        if (!result->final_commit.data)
                return;
        if (!failed)
                catalog_forget_refusal(hub->catalog, order->repo, order->revision);
        learn_private(hub, order, result);
        if (!before || same || (!failed && order->takes_effect && fetch_result_is_complete(result)))
                note_revision(hub, &facts);
}

/* That something is not there is true for a while. */
static bool is_kept(FaultName name)
{
        return name == FAULT_NO_REPOSITORY || name == FAULT_NO_REVISION;
}

static void learn_fault(Hub *hub, const FetchOrder *order, const Fault *fault, int64_t now_s)
{
        hub->message[0] = 0;
        if (!fault)
                return;
        if (is_kept(fault->name))
                catalog_refuse(hub->catalog, order->repo, order->revision, fault, now_s);
        if (fault->name == FAULT_HUB || fault->name == FAULT_TIMEOUT || fault->name == FAULT_RATE_LIMITED ||
            fault->name == FAULT_AUTH || fault->name == FAULT_NO_SPACE || fault->name == FAULT_INTERNAL)
                (void)snprintf(hub->message, sizeof(hub->message), "%s", fault->message);
}

void hub_learn(Hub *hub, const FetchOrder *order, const FetchResult *result, const Fault *fault)
{
        int64_t now_s = hub_now_s();

        learn_fault(hub, order, fault, now_s);
        if (!result)
                return;
        learn_publishers(hub, result, now_s);
        learn_known(hub, result, now_s);
        learn_receipts(hub, result);
        learn_revision(hub, order, result, fault != NULL, now_s);
}

/* --- what holds no more --- */

int hub_forget_files(Hub *hub, Text repo, Text commit, Text variant, Text path, FaultName found)
{
        acquires_void_receipt(hub->daemon->acquires, path, variant);
        if (!hub->daemon->config->system && found != FAULT_NO_REPOSITORY)
                return 1;
        return catalog_forget_complete(hub->catalog, repo, commit, variant);
}
