#include "daemon/hub.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "daemon/daemon.h"
#include "daemon/hub_scan.h"
#include "daemon/hub_task.h"
#include "daemon/hub_verify.h"
#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* --- life --- */

static int hub_open_cache(Hub *hub, const Config *config, Fault *fault)
{
        const CacheOptions options = { .path = config->cache_dir, .system = config->system, .owner = geteuid() };
        int r;

        if (!config->cache_dir)
                return 0;
        r = cache_open(&options, &hub->cache, fault);
        if (r == 0 && cache_warning(hub->cache))
                log_warning(HUB, NULL, "%s", cache_warning(hub->cache));
        if (r <= 0 || config->system || fault->name == FAULT_BUSY)
                return r;
        /* A user is served all the same, with what needs no cache. */
        log_error(HUB, NULL, "nothing can be fetched: %s", fault->message);
        (void)snprintf(hub->cache_message, sizeof(hub->cache_message), "%s", fault->message);
        return 0;
}

static int hub_make(Hub *hub)
{
        int r;

        if (getrandom(&hub->key, sizeof(hub->key), 0) != (ssize_t)sizeof(hub->key))
                return error_trace(-EIO);
        hub->jobs = TEXT_TABLE_OF(hub->key);
        r = catalog_new(hub->key, &hub->catalog);
        if (r == 0)
                r = uses_new(hub->key, &hub->uses);
        return r == 0 ? fetches_new(hub, &hub->fetches) : r;
}

int hub_new(Daemon *daemon, Hub **ret_hub, Fault *fault)
{
        Hub *hub = alloc_zeroed(1, sizeof(*hub));
        int r;

        if (!hub)
                return error_trace(-ENOMEM);
        hub->daemon = daemon;
        r = hub_make(hub);
        if (r == 0)
                r = hub_open_cache(hub, daemon->config, fault);
        if (r != 0) {
                hub_free(hub);
                return r;
        }
        (void)uv_timer_init(&daemon->loop.uv, &hub->ticks);
        hub->ticks.data = hub;
        *ret_hub = hub;
        return 0;
}

void hub_stop(Hub *hub)
{
        if (!hub)
                return;
        uv_close((uv_handle_t *)&hub->ticks, NULL);
        hub_scan_cancel(hub->scan);
        hub_stop_refreshes(hub);
        fetches_stop(hub->fetches);
}

Hub *hub_free(Hub *hub)
{
        if (!hub)
                return NULL;
        assert(!hub->jobs.n);
        (void)text_table_take_all(&hub->jobs);
        fetches_free(hub->fetches);
        uses_free(hub->uses);
        catalog_free(hub->catalog);
        cache_close(hub->cache);
        alloc_free(hub);
        return NULL;
}

/* --- requests that wait --- */

static void hub_tick(uv_timer_t *timer)
{
        Hub *hub = timer->data;
        uint64_t now_ms = loop_now_ms(&hub->daemon->loop);

        hub_task_tick(hub, now_ms);
        hub_verify_tick(hub, now_ms);
}

void hub_ticks_begin(Hub *hub)
{
        if (!hub->tasks && !hub->verifies)
                (void)uv_timer_start(&hub->ticks, hub_tick, LIMIT_PROGRESS_MS, LIMIT_PROGRESS_MS);
}

void hub_ticks_end(Hub *hub)
{
        if (!hub->tasks && !hub->verifies)
                (void)uv_timer_stop(&hub->ticks);
}

int64_t hub_now_s(void)
{
        return (int64_t)time(NULL);
}

bool hub_is_offline(const Hub *hub)
{
        return hub->daemon->config->offline || !hub->cache;
}

void hub_begin(Hub *hub, Facts *facts)
{
        int r = hub_scan_begin(hub, facts);

        if (r < 0)
                daemon_hub_ready(hub->daemon, r);
}

/* --- memories --- */

/* Several sessions of a domain, one job. */
typedef struct JobMemory {
        TableItem item; /* job, domain */
        CommitMemory *memory;
} JobMemory;

static int job_memory_new(Hub *hub, Text job, Text domain, JobMemory **ret_item)
{
        JobMemory *item = alloc_zeroed(1, sizeof(*item) + job.size + domain.size);
        char *at = (char *)(item + 1);
        int r;

        if (!item)
                return error_trace(-ENOMEM);
        item->item.a = table_item_text(&at, job);
        item->item.b = table_item_text(&at, domain);
        r = commit_memory_new(hub->key, &item->memory);
        if (r == 0)
                r = text_table_put(&hub->jobs, &item->item);
        if (r < 0) {
                commit_memory_unref(item->memory);
                alloc_free(item);
                return r;
        }
        *ret_item = item;
        return 0;
}

int hub_memory(Hub *hub, const Account *account, Text job, CommitMemory **ret_memory)
{
        const Text domain = { (const char *)&account, sizeof(account) };
        JobMemory *item;
        int r = 0;

        if (!job.size)
                return commit_memory_new(hub->key, ret_memory);
        item = (JobMemory *)text_table_find(&hub->jobs, job, domain);
        if (!item)
                r = job_memory_new(hub, job, domain, &item);
        if (r == 0)
                *ret_memory = commit_memory_ref(item->memory);
        return r;
}

void hub_forget_memory(Hub *hub, CommitMemory *memory)
{
        JobMemory *item = (JobMemory *)text_table_next(&hub->jobs, NULL);

        commit_memory_unref(memory);
        while (item && item->memory != memory)
                item = (JobMemory *)text_table_next(&hub->jobs, &item->item);
        if (!memory || !item || commit_memory_is_shared(memory))
                return;
        text_table_remove(&hub->jobs, &item->item);
        commit_memory_unref(item->memory);
        alloc_free(item);
}

/* --- trust --- */

/* Whether any answer about the repository is known: then also whether it was private. */
static bool is_known(const Hub *hub, const HubName *name, const HubFound *found)
{
        bool known = catalog_revision(hub->catalog, name->repo, name->revision) != NULL;

        for (Revision *other = NULL; !known && (other = catalog_next_revision(hub->catalog, other));)
                known = text_equal(other->final_repo, found->repo);
        return known;
}

/* What lies in a user's cache is that user's. In a system's, whether everybody may
 * read it must be known, or the Hub be asked. */
static int judge_private(const Hub *hub, const HubName *name, const HubFound *found, bool offline, Fault *fault)
{
        bool unknown = hub->daemon->config->system && !offline && !is_known(hub, name, found);

        return unknown ? POLICY_ASK : hub_judge_private(hub, found->repo, fault);
}

int hub_judge(const Hub *hub, const HubName *name, const HubFound *found, bool trust_remote_code, bool offline,
              Arena *arena, Text *ret_why, Fault *fault)
{
        const Policy *policy = hub->daemon->config->policy;
        int64_t now_s = hub_now_s();
        TrustFacts asked = catalog_trust_facts(hub->catalog, name->repo, now_s);
        TrustFacts final = catalog_trust_facts(hub->catalog, found->repo, now_s);
        int r = policy_judge(policy, &asked, found->redirect.data ? &final : NULL, trust_remote_code, offline, ret_why,
                             arena, fault);

        if (r != POLICY_OK)
                return r;
        r = judge_private(hub, name, found, offline, fault);
        if (r == POLICY_ASK)
                *ret_why = TEXT_NULL; /* no publisher is asked about, but the repository */
        return r;
}

int hub_judge_private(const Hub *hub, Text repo, Fault *fault)
{
        return policy_judge_private(hub->daemon->config->policy, repo, !catalog_is_private(hub->catalog, repo), fault);
}
