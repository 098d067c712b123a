/* Who used what, and asking the Hub again behind everybody's back. */
#include <errno.h>
#include <stddef.h>

#include "daemon/daemon.h"
#include "daemon/hub.h"
#include "daemon/log.h"
#include "daemon/state.h"
#include "kernels/environment_pack.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* An attempt that failed is not made again at once; as for refusals. */
#define RETRY_S 60

/* --- for whom --- */

/* Takes the target over. */
static void add_target(Target **targets, size_t *n, Target *target)
{
        if (target_is_among(targets, *n, target))
                target_unref(target);
        else
                targets[(*n)++] = target;
}

int hub_named_targets(const Hub *hub, Target **targets, size_t *n)
{
        const NamedEnvironments *named = hub->daemon->environments;
        size_t n_stored = 0;
        const StoredEnvironment *stored = NULL;
        Target *target;
        int r = 0;

        for (size_t i = 0; r == 0 && i < named->n; i++) {
                const NamedEnvironment *environment = &named->items[i];

                r = target_new(&environment->environment, environment->device, environment->capability, environment->arch,
                               &target);
                if (r == 0)
                        add_target(targets, n, target);
        }
        state_named_environments(hub->daemon->state, &stored, &n_stored);
        for (size_t i = 0; r == 0 && i < n_stored; i++) {
                r = hub_stored_target(&stored[i], &target);
                if (r == 0)
                        add_target(targets, n, target);
        }
        return r < 0 ? r : 0;
}

/* 1: it cannot be read any more. */
int hub_stored_target(const StoredEnvironment *stored, Target **ret_target)
{
        CLEANUP_ALLOC Environment *environment = alloc_zeroed(1, sizeof(*environment));
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgEnvironment message;
        Backend backend;
        Version2 version;
        Device device = DEVICE_CPU;
        Fault fault;
        int r;

        if (!environment)
                return error_trace(-ENOMEM);
        r = environment_unpack(stored->environment, &arena, &message, &fault);
        if (r == 0)
                r = environment_init(environment, &message, false, &fault);
        if (r == 0 && stored->device.data)
                r = device_parse(stored->device, &device, &fault);
        else if (r == 0 && backend_parse_variant(message.backend, &backend, &version))
                device = device_of_backend(backend);
        if (r)
                return r;
        return target_new(environment, device, stored->capability < 0 ? INTEGER_ABSENT : INTEGER_PRESENT(stored->capability),
                          stored->arch, ret_target);
}

static size_t n_named(const Hub *hub)
{
        const StoredEnvironment *stored;
        size_t n;

        state_named_environments(hub->daemon->state, &stored, &n);
        return n + hub->daemon->environments->n;
}

int hub_targets_of(const Hub *hub, Text repo, Text revision, Arena *arena, Target ***ret_targets, size_t *ret_n)
{
        Target **used, **targets;
        size_t n_used, n = 0;
        int r = uses_of(hub->uses, repo, revision, hub_now_s(), arena, &used, &n_used);

        if (r < 0)
                return r;
        targets = arena_zeroed(arena, n_used + n_named(hub) + 1, sizeof(Target *));
        if (!targets)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < n_used; i++)
                targets[n++] = target_ref(used[i]);
        r = hub_named_targets(hub, targets, &n);
        if (r < 0) {
                while (n > 0)
                        target_unref(targets[--n]);
                return r;
        }
        *ret_targets = targets;
        *ret_n = n;
        return 0;
}

void hub_note_use(Hub *hub, const HubName *name, Target *target, uid_t uid)
{
        CLEANUP_BUFFER Buffer packed = BUFFER_NULL;
        Fact fact = {
                .kind = FACT_USE,
                .use = { .domain_uid = uid, .repo = name->repo, .revision = name->revision,
                         .device = text_of(device_spelling(target->device)),
                         .capability = target->capability.present ? target->capability.value : -1,
                         .arch = target_gfx(target), .at_s = hub_now_s() },
        };
        bool news = false;

        /* Without memory it is not known, and noted the next time. */
        if (uses_note(hub->uses, name->repo, name->revision, target, uid, fact.use.at_s, &news) < 0 || !news ||
            environment_pack(&target->environment.message, &packed) < 0)
                return;
        fact.use.environment = packed.size ? buffer_text(&packed) : TEXT("");
        state_note(hub->daemon->state, &fact);
}

/* --- in the background --- */

struct Refresh {
        FetchWaiter waiter;
        Hub *hub;
        Refresh *next;
};

static void refresh_forget(Refresh *refresh)
{
        Refresh **link = &refresh->hub->refreshes;

        while (*link != refresh)
                link = &(*link)->next;
        *link = refresh->next;
        alloc_free(refresh);
}

/* What failed has been logged, and the old answer stands. */
static void refresh_done(FetchWaiter *waiter, const FetchOutcome *outcome)
{
        (void)outcome;
        refresh_forget((Refresh *)((char *)waiter - offsetof(Refresh, waiter)));
}

void hub_stop_refreshes(Hub *hub)
{
        while (hub->refreshes) {
                fetches_leave(&hub->refreshes->waiter);
                refresh_forget(hub->refreshes);
        }
}

static int refresh_start(Hub *hub, const FetchWish *wish)
{
        Refresh *refresh = alloc_zeroed(1, sizeof(*refresh));
        Fault fault;
        int r;

        if (!refresh)
                return error_trace(-ENOMEM);
        refresh->hub = hub;
        refresh->waiter.done = refresh_done;
        r = fetches_join(hub->fetches, wish, &refresh->waiter, &fault);
        if (r != 0) {
                alloc_free(refresh);
                return r;
        }
        refresh->next = hub->refreshes;
        hub->refreshes = refresh;
        return 0;
}

int hub_refresh_wish(Hub *hub, const HubName *name, Arena *arena, FetchWish *ret_wish)
{
        Target **targets = NULL;
        size_t n = 0;
        int r = hub_targets_of(hub, name->repo, name->revision, arena, &targets, &n);

        if (r < 0)
                return r;
        *ret_wish = (FetchWish){
                .goal = FETCH_FILES, .repo = name->repo, .revision = name->revision, .version = name->version,
                .fixed = name->fixed, .fresh = true, .takes_effect = true, .judged_later = true,
                .targets = targets, .n_targets = n,
        };
        return 0;
}

void hub_refresh_wish_clear(FetchWish *wish)
{
        for (size_t i = 0; i < wish->n_targets; i++)
                target_unref(wish->targets[i]);
        wish->n_targets = 0;
}

/* What is fetched again was trusted by somebody, who is judged anew when he
 * acquires it, by what the Hub says of the publisher now. */
void hub_refresh_stale(Hub *hub, const HubName *name, Account *account)
{
        Revision *revision = catalog_revision(hub->catalog, name->repo, name->revision);
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        int64_t now_s = hub_now_s();
        FetchWish wish;

        if (!revision || name->fixed || hub_is_offline(hub) ||
            (now_s >= revision->at_s && now_s - revision->at_s < hub->daemon->config->fresh_s) ||
            (now_s >= revision->tried_s && now_s - revision->tried_s < RETRY_S && revision->tried_s))
                return;
        revision->tried_s = now_s;
        if (hub_refresh_wish(hub, name, &arena, &wish) < 0)
                return;
        wish.account = account;
        (void)refresh_start(hub, &wish);
        hub_refresh_wish_clear(&wish);
}
