/* An acquire of a kernel of the Hub: as long as something of it is not known or
 * not here, a fetch; then the same as every other. Trust is judged each time, at
 * the end, for the one who asks. */
#include <errno.h>
#include <stddef.h>

#include "daemon/acquire_internal.h"
#include "proto/base/error.h"

/* One asks about the publisher, one finds out, one is for a branch that moved
 * meanwhile; more means that something goes round in a circle. */
#define MAX_FETCHES 5

static Asker wait_asker(const Wait *wait)
{
        const Holdings *holdings = wait->session->holdings;
        const Daemon *daemon = wait->acquires->daemon;

        return (Asker){
                .host = daemon->mapping,
                .environment = &wait->hub.target->environment,
                .catalog = daemon->hub->catalog,
                .memory = holdings->memory,
                .offline = wait->hub.offline,
                .now_s = hub_now_s(),
        };
}

/* --- here --- */

static int take_facts(Wait *wait, const Asker *asker, const HubFound *found)
{
        MsgAcquireResult *result = &wait->result;
        int r = arena_copy(&wait->arena, found->redirect, &result->redirect);

        if (r == 0)
                r = arena_copy(&wait->arena, found->commit, &result->commit);
        if (r == 0)
                r = arena_copy(&wait->arena, hub_found_variant(found), &result->variant);
        if (r == 0)
                r = arena_copy(&wait->arena, found->repo, &wait->kernel);
        result->commit_age_s = found->age_s;
        result->arch = found->arch == ARCH_OK ? TEXT("ok") : TEXT("unknown");
        result->state = TEXT("ready");
        result->generation = (int64_t)asker_generation(asker);
        return r;
}

/* All of it is here, and may be had: what is left is the check of the folder. */
static int wait_take(Wait *wait, const Asker *asker, const HubFound *found)
{
        Hub *hub = wait->acquires->daemon->hub;
        Text snapshot;
        int r = take_facts(wait, asker, found);

        if (r < 0)
                return r;
        snapshot = cache_snapshot_path(hub->cache, wait->kernel, wait->result.commit, &wait->arena);
        wait->result.path = arena_format(&wait->arena, "%.*s/build/%.*s", TEXT_PRINT(snapshot),
                                         TEXT_PRINT(wait->result.variant));
        if (!snapshot.data || !wait->result.path.data)
                return error_trace(-ENOMEM);
        if (found->revision && asker->memory && !wait->hub.sought.fixed)
                r = commit_memory_put(asker->memory, found->revision);
        if (r == 0)
                r = wait_check(wait, snapshot, wait->result.variant);
        /* What was fetched for this one is as new as can be, however short the time of freshness. */
        if (r == 0 && !wait->hub.offline && !wait->hub.n_fetches)
                hub_refresh_stale(hub, &wait->hub.name, wait->session->charge.account);
        return r;
}

/* --- not here --- */

static void fetch_done(FetchWaiter *waiter, const FetchOutcome *outcome);

/* A fresh answer changes what is in force for others, so it is fetched for all of
 * them; else only what the asker lacks. */
static int join_fresh(Wait *wait, FetchWish *wish, Fault *fault)
{
        Hub *hub = wait->acquires->daemon->hub;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Target **targets;
        size_t n;
        int r = hub_targets_of(hub, wish->repo, wish->revision, &arena, &targets, &n);

        if (r < 0)
                return r;
        targets[n] = wait->hub.target;
        wish->targets = targets;
        wish->n_targets = n + 1;
        r = fetches_join(hub->fetches, wish, &wait->hub.fetch, fault);
        for (size_t i = 0; i < n; i++)
                target_unref(targets[i]);
        return r;
}

static int wait_fetch(Wait *wait, Fault *fault)
{
        Hub *hub = wait->acquires->daemon->hub;
        const HubName *sought = &wait->hub.sought;
        FetchWish wish = {
                .goal = FETCH_FILES,
                .repo = sought->repo,
                .revision = sought->revision,
                .version = sought->version,
                .fixed = sought->fixed,
                .fresh = wait->hub.fresh,
                .trust_remote_code = wait->hub.trust_remote_code,
                .takes_effect = true,
                .targets = &wait->hub.target,
                .n_targets = 1,
                .account = wait->session->charge.account,
        };

        int r;

        if (wait->hub.n_fetches == MAX_FETCHES)
                return fault_set(fault, FAULT_BUSY, "%.*s changes while it is fetched: try again", TEXT_PRINT(sought->repo));
        wait->hub.fetch.done = fetch_done;
        r = wait->hub.fresh ? join_fresh(wait, &wish, fault) : fetches_join(hub->fetches, &wish, &wait->hub.fetch, fault);
        /* Waiting for what others wish is no attempt: their number is not this one's fault. */
        if (r == 0 && wait->hub.fetch.own)
                wait->hub.n_fetches++;
        return r;
}

/* By itself and before all else, so that many repositories of one publisher, asked
 * for at once, are one question. */
static int wait_ask_publisher(Wait *wait, Text publisher, Fault *fault)
{
        const FetchWish wish = { .goal = FETCH_PUBLISHER, .repo = publisher, .revision = TEXT(""),
                                 .account = wait->session->charge.account };

        int r;

        if (wait->hub.n_fetches == MAX_FETCHES)
                return fault_set(fault, FAULT_BUSY, "the Hub does not say whether it trusts %.*s: try again",
                                 TEXT_PRINT(publisher));
        wait->hub.fetch.done = fetch_done;
        r = fetches_join(wait->acquires->daemon->hub->fetches, &wish, &wait->hub.fetch, fault);
        if (r == 0 && wait->hub.fetch.own)
                wait->hub.n_fetches++;
        return r;
}

static int refuse_offline(const Wait *wait, Fault *fault)
{
        const Hub *hub = wait->acquires->daemon->hub;

        return fault_set(fault, FAULT_OFFLINE, "%.*s at %.*s has nothing complete on this host that fits, and nothing may be "
                         "fetched: %s", TEXT_PRINT(wait->hub.name.repo), TEXT_PRINT(wait->hub.name.revision),
                         !hub->cache ? "this daemon has no cache_dir that it can use" :
                         hub_is_offline(hub) ? "the configuration says offline" : "the session is offline");
}

/* --- seeking --- */

static int seek_commit(HubWait *hub, Text repo, Text commit, Arena *arena)
{
        int r = arena_copy(arena, repo, &hub->sought.repo);

        if (r == 0)
                r = arena_copy(arena, commit, &hub->sought.revision);
        hub->sought.version = false;
        hub->sought.fixed = true;
        return r;
}

/* Whether it is what the session had before, and in force no more: the name would
 * lead a fetch elsewhere. */
static bool is_remembered(const HubWait *hub, const HubFound *found)
{
        return !hub->fresh && !hub->sought.fixed && found->commit.data && !found->revision && !found->age_s.present;
}

static const Fault *known_refusal(const Wait *wait)
{
        const HubName *name = &wait->hub.name;

        return catalog_refusal(wait->acquires->daemon->hub->catalog, name->repo, name->revision, hub_now_s());
}

/* What the Hub must be asked. */
static int wait_ask(Wait *wait, Text publisher, Fault *fault)
{
        return publisher.data ? wait_ask_publisher(wait, publisher, fault) : wait_fetch(wait, fault);
}

/* Whom the Hub did not trust when it was last asked, long ago, it may trust now. */
static bool is_to_be_asked(const Wait *wait, Text repo)
{
        const Hub *hub = wait->acquires->daemon->hub;
        TrustFacts facts = catalog_trust_facts(hub->catalog, repo, hub_now_s());

        return facts.publisher == PUBLISHER_UNTRUSTED && facts.age_s.value >= hub->daemon->config->fresh_s;
}

/* As hub_judge; POLICY_ASK also where what the Hub said may have changed. */
static int judge(const Wait *wait, const HubFound *found, Arena *arena, Text *ret_why, Fault *fault)
{
        Text asked = wait->hub.name.repo;
        int r = hub_judge(wait->acquires->daemon->hub, &wait->hub.name, found, wait->hub.trust_remote_code,
                          wait->hub.offline, arena, ret_why, fault);

        if (r != POLICY_FAULT || fault->name != FAULT_UNTRUSTED || wait->hub.offline || wait->hub.n_fetches)
                return r;
        if (!is_to_be_asked(wait, asked) && !is_to_be_asked(wait, found->repo))
                return r;
        *ret_why = policy_publisher(is_to_be_asked(wait, asked) ? asked : found->repo);
        return POLICY_ASK;
}

int wait_judge_denial(const Wait *wait, Fault *fault)
{
        Text repo = wait->kernel;
        const HubFound found = {
                .repo = repo,
                .redirect = text_equal(repo, wait->hub.name.repo) ? TEXT_NULL : repo,
                .commit = wait->result.commit,
        };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text why;
        int r = hub_judge(wait->acquires->daemon->hub, &wait->hub.name, &found, wait->hub.trust_remote_code,
                          wait->hub.offline, &arena, &why, fault);

        /* What the Hub has said of the publisher meanwhile is for those who come next. */
        return r < 0 || (r == POLICY_FAULT && fault->name == FAULT_DENIED_BY_POLICY) ? r : 0;
}

static int seek_absent(Wait *wait, const HubFound *found, Fault *fault)
{
        const Fault *refusal = known_refusal(wait);
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text why = TEXT_NULL;
        int r;

        if (wait->hub.offline)
                return refuse_offline(wait, fault);
        if (refusal && !wait->hub.fresh) {
                *fault = *refusal;
                return 1;
        }
        r = judge(wait, found, &arena, &why, fault);
        if (r == POLICY_ASK)
                return wait_ask(wait, why, fault);
        return r == POLICY_OK ? wait_fetch(wait, fault) : r;
}

static int seek_ready(Wait *wait, const Asker *asker, const HubFound *found, Fault *fault)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text why = TEXT_NULL;
        int r = judge(wait, found, &arena, &why, fault);

        if (r == POLICY_ASK)
                return wait_ask(wait, why, fault);
        return r == POLICY_OK ? wait_take(wait, asker, found) : r;
}

int wait_seek(Wait *wait, Fault *fault)
{
        Asker asker = wait_asker(wait);
        HubFound found;
        int r = hub_find(&asker, &wait->hub.sought, &wait->hub.query, wait->hub.device, NULL, &found, fault);

        if (r < 0 || (r > 0 && !wait->hub.fresh))
                return r;
        if (!text_equal(found.repo, wait->hub.name.repo))
                found.redirect = found.repo;
        if (r == 0 && found.state == HUB_READY && (!wait->hub.fresh || wait->hub.offline))
                return seek_ready(wait, &asker, &found, fault);
        if (is_remembered(&wait->hub, &found))
                r = seek_commit(&wait->hub, found.repo, found.commit, &wait->arena);
        return r < 0 ? r : seek_absent(wait, &found, fault);
}

/* --- a fetch has ended --- */

/* What became of this one's target. */
static int target_fault(const Wait *wait, const FetchResult *result, Fault *fault)
{
        for (size_t i = 0; i < result->n_targets; i++)
                if (!result->targets[i].variant.data && result->targets[i].fault.name != FAULT_NONE &&
                    target_is_same(result->targets[i].target, wait->hub.target)) {
                        *fault = result->targets[i].fault;
                        return 1;
                }
        return 0;
}

/* The commit that was found is what this asker gets, in force for others or not. */
static int take_fresh(Wait *wait, const FetchResult *result)
{
        HubWait *hub = &wait->hub;
        CommitMemory *memory = wait->session->holdings->memory;
        Revision revision = { 0 };
        int r = seek_commit(hub, result->final_repo, result->final_commit, &wait->arena);

        hub->fresh = false;
        revision.item.a = hub->name.repo;
        revision.item.b = hub->name.revision;
        revision.commit = result->commit;
        revision.final_repo = result->final_repo;
        revision.final_commit = result->final_commit;
        return r == 0 && memory ? commit_memory_put(memory, &revision) : r;
}

static int take_outcome(Wait *wait, const FetchOutcome *outcome, Fault *fault)
{
        int r = 0;

        if (outcome->own && outcome->fault) {
                *fault = *outcome->fault;
                return 1;
        }
        if (outcome->own && outcome->result && outcome->result->n_targets) {
                r = target_fault(wait, outcome->result, fault);
                if (r == 0 && wait->hub.fresh && outcome->result->final_commit.data)
                        r = take_fresh(wait, outcome->result);
        }
        return r ? r : wait_seek(wait, fault);
}

static void fetch_done(FetchWaiter *waiter, const FetchOutcome *outcome)
{
        Wait *wait = (Wait *)((char *)waiter - offsetof(Wait, hub.fetch));
        Fault fault;
        int r = take_outcome(wait, outcome, &fault);

        if (r != 0)
                wait_end_with_result(wait, r, &fault);
}
