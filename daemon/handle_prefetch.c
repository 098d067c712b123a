/* refresh and prefetch: fetching before anybody asks. */
#include <errno.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "daemon/hub_task.h"
#include "daemon/state.h"
#include "kernels/hub_answer.h"
#include "kernels/lock.h"
#include "kernels/stored.h"
#include "proto/base/error.h"
#include "proto/name.h"

/* What a task has gathered for its answer. */
typedef struct Gathering {
        MsgFetched *rows;
        size_t n;
        size_t capacity;
        int64_t failed;
} Gathering;

/* --- rows --- */

static MsgFetched *add_row(HubTask *task, const HubTaskItem *item)
{
        Gathering *gathering = task->data;
        MsgFetched *row;

        if (gathering->n == gathering->capacity)
                return NULL;
        row = &gathering->rows[gathering->n++];
        row->repo = item->name.repo;
        row->revision = item->name.revision;
        return row;
}

static int fail_row(HubTask *task, MsgFetched *row, const Fault *fault)
{
        ((Gathering *)task->data)->failed++;
        if (!row)
                return 0;
        row->name = text_of(fault_spelling(fault->name));
        return arena_copy(&task->arena, text_cut(text_of(fault->message), LIMIT_ANSWER_MESSAGE), &row->message);
}

/* The fetch may have been somebody else's, for more and in another order. */
static const FetchedTarget *find_fetched(const FetchResult *result, const Target *target)
{
        for (size_t i = 0; i < result->n_targets; i++)
                if (target_is_same(result->targets[i].target, target))
                        return &result->targets[i];
        return NULL;
}

static int take_target(HubTask *task, const HubTaskItem *item, size_t i, const FetchResult *result)
{
        const FetchedTarget *fetched = find_fetched(result, item->targets[i]);
        MsgFetched *row = fetched ? add_row(task, item) : NULL;
        int r;

        if (!fetched)
                return 0;
        if (row && item->names)
                row->environment = item->names[i];
        if (!fetched->variant.data)
                return fail_row(task, row, &fetched->fault);
        if (!row)
                return 0;
        r = arena_copy(&task->arena, result->final_commit, &row->commit);
        return r == 0 ? arena_copy(&task->arena, fetched->variant, &row->variant) : r;
}

static int fetched_took(HubTask *task, const HubTaskItem *item, const Fault *fault, const FetchResult *result,
                        Fault *ret_fault)
{
        MsgFetched *row;
        int r = 0;

        (void)ret_fault;
        if (fault)
                return fail_row(task, add_row(task, item), fault);
        for (size_t i = 0; r == 0 && i < item->n_targets; i++)
                r = take_target(task, item, i, result);
        if (r < 0 || item->n_targets)
                return r;
        row = add_row(task, item);
        return row ? arena_copy(&task->arena, result->final_commit, &row->commit) : 0;
}

static int fetched_answer(HubTask *task, Fault *fault)
{
        const Gathering *gathering = task->data;
        const MsgFetchedResult result = { .fetched = { gathering->rows, gathering->n }, .failed = gathering->failed };

        (void)fault;
        (void)answer_result(task->session, task->id, task->method, &result, -1);
        return 0;
}

static const HubTaskKind fetched_kind = { .took = fetched_took, .answer = fetched_answer };

static int gathering_new(HubTask *task)
{
        Gathering *gathering = arena_zeroed(&task->arena, 1, sizeof(*gathering));

        if (!gathering)
                return error_trace(-ENOMEM);
        gathering->capacity = LIMIT_PAGE;
        gathering->rows = arena_zeroed(&task->arena, LIMIT_PAGE, sizeof(*gathering->rows));
        task->data = gathering;
        return gathering->rows ? 0 : error_trace(-ENOMEM);
}

static int fetched_task(const Request *request, OptionalInteger deadline_ms, HubTask **ret_task, Fault *fault)
{
        CLEANUP(hub_task_freep) HubTask *task = NULL;
        int r;

        if (hub_is_offline(request->daemon->hub) || request->holdings->offline)
                return fault_set(fault, FAULT_OFFLINE, "nothing may be fetched: %s", request->daemon->hub->cache ?
                                 "the configuration or the session says offline" : "this daemon has no cache_dir");
        r = hub_task_new(request, &fetched_kind, deadline_ms, &task, fault);
        if (r == 0)
                r = gathering_new(task);
        if (r == 0)
                *ret_task = STEAL(task);
        return r;
}

/* --- refresh --- */

/* Somebody trusted what has been fetched, and is judged anew when he acquires it;
 * what was only looked up nobody has trusted. */
static bool is_fetched(const Catalog *catalog, const HubName *name)
{
        const Revision *revision = catalog_revision(catalog, name->repo, name->revision);
        const Known *known = revision ? catalog_known(catalog, revision->final_repo, revision->final_commit) : NULL;

        for (size_t i = 0; known && i < known->all->n_variants; i++)
                if (known->all->variants[i].complete)
                        return true;
        return false;
}

static int refresh_item(HubTask *task, HubTaskItem *item, const HubName *name)
{
        int r = hub_task_set_name(task, item, name);

        item->goal = FETCH_FILES;
        item->fresh = item->takes_effect = true;
        item->judged_later = is_fetched(task->hub->catalog, name);
        if (r == 0)
                r = hub_targets_of(task->hub, name->repo, name->revision, &task->arena, &item->targets, &item->n_targets);
        return r;
}

static HubName name_of(const Revision *revision)
{
        int64_t version;

        return (HubName){ .repo = revision_repo(revision), .revision = revision_name(revision),
                          .version = hub_ref_version(revision_name(revision), &version) };
}

/* All of a repository that is named; else what has been fetched. */
static bool is_refreshed(const Catalog *catalog, const MsgRefresh *params, const Revision *revision)
{
        HubName name = name_of(revision);

        if (name_is_commit(name.revision))
                return false;
        return params->repo.data ? text_equal(name.repo, params->repo) : is_fetched(catalog, &name);
}

static int refresh_known(HubTask *task, const MsgRefresh *params, Fault *fault)
{
        const Catalog *catalog = task->hub->catalog;
        size_t n = 0, at = 0;
        int r;

        for (Revision *known = catalog_next_revision(catalog, NULL); known; known = catalog_next_revision(catalog, known))
                n += is_refreshed(catalog, params, known);
        if (!n && params->repo.data)
                return fault_set(fault, FAULT_NO_REPOSITORY, "no version and no branch of %.*s is known on this host: name one, or "
                                 "prefetch it", TEXT_PRINT(params->repo));
        r = hub_task_make_items(task, n);
        for (Revision *known = catalog_next_revision(catalog, NULL); r == 0 && known;
             known = catalog_next_revision(catalog, known)) {
                HubName name = name_of(known);

                if (is_refreshed(catalog, params, known))
                        r = refresh_item(task, &task->items[at++], &name);
        }
        return r;
}

static int refresh_one(HubTask *task, const Request *request, const MsgRefresh *params, Fault *fault)
{
        Reference reference;
        HubName name;
        int r = request_reference(request, params->repo, params->version, params->revision, &reference, fault);

        if (r != 0)
                return r;
        hub_name_init(&name, &reference);
        if (name.fixed)
                return fault_set(fault, FAULT_BAD_REQUEST, "a commit never changes, nor does what is pinned to one: `pins` shows those");
        r = hub_task_make_items(task, 1);
        return r == 0 ? refresh_item(task, &task->items[0], &name) : r;
}

int handle_refresh(Request *request)
{
        const MsgRefresh *params = request->params;
        CLEANUP(hub_task_freep) HubTask *task = NULL;
        bool one = params->version.present || params->revision.data;
        int r = 0;

        if (one && !params->repo.data)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "repo: it goes with version or revision");
        if (params->repo.data)
                r = name_check_repository(params->repo, &request->fault);
        if (r == 0)
                r = fetched_task(request, params->deadline_ms, &task, &request->fault);
        if (r == 0)
                r = one ? refresh_one(task, request, params, &request->fault) : refresh_known(task, params, &request->fault);
        if (r != 0)
                return r;
        hub_task_run(STEAL(task));
        return REQUEST_LATER;
}

/* --- prefetch: for whom --- */

typedef struct Targets {
        Target **items;
        Text *names;
        size_t n;
} Targets;

/* Whether the session said what it runs with, beyond what every client says. */
static bool says_environment(const Holdings *holdings)
{
        const MsgEnvironment *environment = &holdings->environment->message;

        return environment->torch.data || environment->backend.data || environment->tvm_ffi.data;
}

static int targets_of_session(const Request *request, const MsgPrefetch *params, Targets *targets, Fault *fault)
{
        int r = request_target(request->holdings, params->device, params->capability, params->arch, &targets->items[0], fault);

        targets->n = r == 0;
        return r;
}

static int add_named(const NamedEnvironment *named, Targets *targets)
{
        int r = target_new(&named->environment, named->device, named->capability, named->arch, &targets->items[targets->n]);

        if (r == 0)
                targets->names[targets->n++] = named->name;
        return r;
}

static int add_stored(const StoredEnvironment *stored, Targets *targets)
{
        int r = hub_stored_target(stored, &targets->items[targets->n]);

        if (r == 0)
                targets->names[targets->n++] = stored->name;
        return r < 0 ? r : 0;
}

/* `name` absent: all of them. */
static int targets_of_named(const Hub *hub, Text name, Targets *targets)
{
        const NamedEnvironments *named = hub->daemon->environments;
        const StoredEnvironment *stored;
        size_t n_stored;
        int r = 0;

        state_named_environments(hub->daemon->state, &stored, &n_stored);
        for (size_t i = 0; r == 0 && i < named->n; i++)
                if (!name.data || text_equal(named->items[i].name, name))
                        r = add_named(&named->items[i], targets);
        for (size_t i = 0; r == 0 && i < n_stored; i++)
                if (!name.data || text_equal(stored[i].name, name))
                        r = add_stored(&stored[i], targets);
        return r;
}

static int find_targets(const Request *request, Arena *arena, Targets *targets, Fault *fault)
{
        const MsgPrefetch *params = request->params;
        const Hub *hub = request->daemon->hub;
        const StoredEnvironment *stored;
        size_t n;
        int r;

        state_named_environments(request->daemon->state, &stored, &n);
        n += request->daemon->environments->n + 1;
        targets->items = arena_zeroed(arena, n, sizeof(*targets->items));
        targets->names = arena_zeroed(arena, n, sizeof(*targets->names));
        if (!targets->items || !targets->names)
                return error_trace(-ENOMEM);
        if (!params->environment.data && says_environment(request->holdings))
                return targets_of_session(request, params, targets, fault);
        r = targets_of_named(hub, params->environment, targets);
        if (r < 0 || targets->n)
                return r;
        if (params->environment.data)
                return fault_set(fault, FAULT_BAD_REQUEST, "no environment is called %.*s: `environment list` shows them",
                                 TEXT_PRINT(params->environment));
        return fault_set(fault, FAULT_BAD_REQUEST, "for which environment? name one, or say what the session runs with, or add "
                         "one with `environment add`");
}

/* Copies of the set, for one item. */
static int item_take_targets(HubTask *task, HubTaskItem *item, const Targets *targets)
{
        item->targets = arena_zeroed(&task->arena, targets->n, sizeof(*item->targets));
        item->names = arena_zeroed(&task->arena, targets->n, sizeof(*item->names));
        if (!item->targets || !item->names)
                return error_trace(-ENOMEM);
        for (; item->n_targets < targets->n; item->n_targets++) {
                if (arena_copy(&task->arena, targets->names[item->n_targets], &item->names[item->n_targets]) < 0)
                        return error_trace(-ENOMEM);
                item->targets[item->n_targets] = target_ref(targets->items[item->n_targets]);
        }
        return 0;
}

/* --- prefetch: what --- */

static int prefetch_item(HubTask *task, HubTaskItem *item, const HubName *name, const MsgPrefetch *params,
                         const Targets *targets)
{
        int r = hub_task_set_name(task, item, name);

        item->goal = FETCH_FILES;
        item->takes_effect = true;
        item->trust_remote_code = params->trust_remote_code;
        return r == 0 ? item_take_targets(task, item, targets) : r;
}

static int prefetch_one(HubTask *task, const Request *request, const MsgPrefetch *params, const Targets *targets, Fault *fault)
{
        Reference reference;
        HubName name;
        int r = request_reference(request, params->repo, params->version, params->revision, &reference, fault);

        if (r != 0)
                return r;
        hub_name_init(&name, &reference);
        r = hub_task_make_items(task, 1);
        return r == 0 ? prefetch_item(task, &task->items[0], &name, params, targets) : r;
}

static int prefetch_lock(HubTask *task, const MsgPrefetch *params, const Targets *targets, Fault *fault)
{
        LockPin *pins;
        size_t n;
        int r = lock_list(params->lock, &task->arena, &pins, &n, fault);

        if (r == 0 && n > LIMIT_PAGE)
                return fault_set(fault, FAULT_TOO_LARGE, "the lock file has %zu repositories; at most %d at a time", n, LIMIT_PAGE);
        if (r == 0)
                r = hub_task_make_items(task, n);
        for (size_t i = 0; r == 0 && i < n; i++) {
                const HubName name = { .repo = pins[i].repo, .revision = pins[i].commit, .fixed = true };

                r = prefetch_item(task, &task->items[i], &name, params, targets);
        }
        return r;
}

/* The distinct repositories and revisions of the host mapping. */
typedef struct Wanted {
        Arena *arena;
        const Pins *pins;
        TextTable table;
        HubName *names;
        size_t n;
        Fault *fault;
} Wanted;

/* HostReferenceFunction. */
static int want_reference(void *data, const Reference *reference)
{
        Wanted *wanted = data;
        Reference pinned = *reference;
        const Pin *pin = pins_find(wanted->pins, reference);
        HubName name;
        TableItem *item;

        if (reference->kind == REFERENCE_PATH)
                return 0;
        if (pin)
                pinned.commit = pin->commit;
        hub_name_init(&name, &pinned);
        if (text_table_find(&wanted->table, name.repo, name.revision))
                return 0;
        if (wanted->n == LIMIT_PAGE)
                return fault_set(wanted->fault, FAULT_TOO_LARGE, "the host mapping names more than %d repositories and revisions: "
                                 "prefetch them by name", LIMIT_PAGE);
        item = arena_zeroed(wanted->arena, 1, sizeof(*item));
        if (!item || arena_copy(wanted->arena, name.repo, &item->a) < 0 ||
            arena_copy(wanted->arena, name.revision, &item->b) < 0)
                return error_trace(-ENOMEM);
        wanted->names[wanted->n++] = (HubName){ .repo = item->a, .revision = item->b, .version = name.version,
                                                .fixed = name.fixed };
        return text_table_put(&wanted->table, item);
}

static int prefetch_mapping(HubTask *task, const MsgPrefetch *params, const Targets *targets, Fault *fault)
{
        Wanted wanted = { .arena = &task->arena, .pins = task->hub->daemon->mapping->pins,
                          .table = TEXT_TABLE_OF(task->hub->key), .fault = fault };
        int r;

        wanted.names = arena_zeroed(&task->arena, LIMIT_PAGE, sizeof(*wanted.names));
        if (!wanted.names)
                return error_trace(-ENOMEM);
        r = host_mapping_each_reference(task->hub->daemon->mapping, want_reference, &wanted);
        (void)text_table_take_all(&wanted.table);
        if (r == 0)
                r = hub_task_make_items(task, wanted.n);
        for (size_t i = 0; r == 0 && i < wanted.n; i++)
                r = prefetch_item(task, &task->items[i], &wanted.names[i], params, targets);
        return r;
}

int handle_prefetch(Request *request)
{
        const MsgPrefetch *params = request->params;
        CLEANUP(hub_task_freep) HubTask *task = NULL;
        Targets targets = { 0 };
        int r;

        if (params->repo.data && params->lock.data)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "prefetch: either a repo or a lock");
        r = fetched_task(request, params->deadline_ms, &task, &request->fault);
        if (r == 0)
                r = find_targets(request, request->arena, &targets, &request->fault);
        if (r == 0 && params->repo.data)
                r = prefetch_one(task, request, params, &targets, &request->fault);
        else if (r == 0 && params->lock.data)
                r = prefetch_lock(task, params, &targets, &request->fault);
        else if (r == 0)
                r = prefetch_mapping(task, params, &targets, &request->fault);
        for (size_t i = 0; i < targets.n; i++)
                target_unref(targets.items[i]);
        if (r != 0)
                return r;
        hub_task_run(STEAL(task));
        return REQUEST_LATER;
}
