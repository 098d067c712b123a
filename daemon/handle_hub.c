/* versions and variants: what there is of a repository. */
#include <errno.h>
#include <stdlib.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "daemon/hub_task.h"
#include "kernels/hub_answer.h"
#include "proto/base/error.h"
#include "proto/name.h"

static bool is_offline(const Hub *hub, const Holdings *holdings)
{
        return hub_is_offline(hub) || holdings->offline;
}

/* --- versions --- */

static bool is_version(const MsgRevision *revision)
{
        return revision->version.present;
}

/* Versions first, rising; then branches, then tags, by name. */
static int by_kind_and_name(const void *a, const void *b)
{
        const MsgRevision *left = a, *right = b;

        if (is_version(left) != is_version(right))
                return is_version(left) ? -1 : 1;
        if (is_version(left))
                return (left->version.value > right->version.value) - (left->version.value < right->version.value);
        if (left->tag != right->tag)
                return left->tag ? 1 : -1;
        return text_compare(left->revision, right->revision);
}

static MsgRevision make_revision(Text name, Text commit, bool tag)
{
        MsgRevision revision = { .revision = name, .commit = commit, .tag = tag };

        if (!tag && hub_ref_version(name, &revision.version.value))
                revision.version.present = true;
        return revision;
}

static int answer_versions(Session *session, uint32_t id, MsgRevision *revisions, size_t n, bool asked)
{
        MsgVersionsResult result = { .revisions = { revisions, n }, .asked = asked };

        qsort(revisions, n, sizeof(*revisions), by_kind_and_name);
        (void)answer_result(session, id, METHOD_VERSIONS, &result, -1);
        return 0;
}

static int versions_took(HubTask *task, const HubTaskItem *item, const Fault *fault, const FetchResult *result,
                         Fault *ret_fault)
{
        MsgRevision *revisions;

        (void)item;
        if (fault) {
                *ret_fault = *fault;
                return 1;
        }
        revisions = arena_zeroed(&task->arena, result->n_refs + 1, sizeof(*revisions));
        if (!revisions)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < result->n_refs; i++)
                revisions[i] = make_revision(result->refs[i].name, result->refs[i].commit, result->refs[i].tag);
        return answer_versions(task->session, task->id, revisions, result->n_refs, true);
}

static int versions_answered(HubTask *task, Fault *fault)
{
        (void)task;
        (void)fault;
        return 0;
}

/* What is known without asking. */
static int versions_known(Request *request)
{
        const MsgVersions *params = request->params;
        const Catalog *catalog = request->daemon->hub->catalog;
        MsgRevision *revisions;
        size_t n = 0;

        for (Revision *known = catalog_next_revision(catalog, NULL); known; known = catalog_next_revision(catalog, known))
                n += text_equal(revision_repo(known), params->repo) && !name_is_commit(revision_name(known));
        if (!n)
                return fault_set(&request->fault, FAULT_OFFLINE, "nothing is known of %.*s on this host, and nothing may be "
                                 "asked of the Hub", TEXT_PRINT(params->repo));
        revisions = arena_zeroed(request->arena, n, sizeof(*revisions));
        if (!revisions)
                return error_trace(-ENOMEM);
        n = 0;
        for (Revision *known = catalog_next_revision(catalog, NULL); known; known = catalog_next_revision(catalog, known))
                if (text_equal(revision_repo(known), params->repo) && !name_is_commit(revision_name(known)))
                        revisions[n++] = make_revision(revision_name(known), known->commit, false);
        (void)answer_versions(request->session, request->id, revisions, n, false);
        return REQUEST_LATER;
}

int handle_versions(Request *request)
{
        static const HubTaskKind kind = { .took = versions_took, .answer = versions_answered };
        const MsgVersions *params = request->params;
        CLEANUP(hub_task_freep) HubTask *task = NULL;
        const HubName name = { .repo = params->repo, .revision = TEXT("main") };
        int r = name_check_repository(params->repo, &request->fault);

        if (r == 0 && is_offline(request->daemon->hub, request->holdings))
                return versions_known(request);
        if (r == 0)
                r = hub_task_new(request, &kind, params->deadline_ms, &task, &request->fault);
        if (r == 0)
                r = hub_task_make_items(task, 1);
        if (r == 0)
                r = hub_task_set_name(task, &task->items[0], &name);
        if (r != 0)
                return r;
        task->items[0].goal = FETCH_REFS;
        task->items[0].fresh = true;
        hub_task_run(STEAL(task));
        return REQUEST_LATER;
}

/* --- variants --- */

typedef struct VariantsQuestion {
        Asker asker; /* its environment is the target's */
        Target *target;
        MsgQuery query;
        HubName name;
} VariantsQuestion;

static Text variant_state(const RepositoryVariant *variant)
{
        return variant->complete ? TEXT("ready") : TEXT("absent");
}

/* Why it does not suit; absent: it does. */
static Text variant_refusal(const RepositoryVariant *variant, const Target *target, Arena *arena)
{
        const VariantTarget wanted = variant_target(&target->environment, target->device);
        const TextList *archs = variant->metadata && variant->metadata->has_archs ? &variant->metadata->archs : NULL;
        VariantReason reason = variant->parsed ? variant_judge(&variant->variant, &wanted) : VARIANT_REASON_INVALID;

        if (reason != VARIANT_REASON_ACCEPTED)
                return variant_explain(&variant->variant, reason, &wanted, arena);
        if (variant->corrupt.data)
                return arena_format(arena, "its files are not what its metadata.json states: %.*s", TEXT_PRINT(variant->corrupt));
        if (arch_judge(archs, target->device, target->capability, target_gfx(target)) == ARCH_REFUSED)
                return TEXT("was not built for the device");
        return TEXT_NULL;
}

static int list_variants(const VariantsQuestion *question, const Known *known, Text taken, Arena *arena,
                         MsgVariantsResult *result)
{
        const Repository *all = known->all;

        result->variants.items = arena_zeroed(arena, all->n_variants + 1, sizeof(*result->variants.items));
        if (!result->variants.items)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < all->n_variants; i++) {
                MsgVariant *variant = &result->variants.items[result->variants.n++];

                variant->variant = all->variants[i].folder;
                variant->state = variant_state(&all->variants[i]);
                variant->reason = variant_refusal(&all->variants[i], question->target, arena);
                variant->verdict = text_equal(variant->variant, taken) ? TEXT("taken") :
                                   variant->reason.data ? TEXT("refused") : TEXT("accepted");
        }
        return 0;
}

static int fill_variants(Hub *hub, const VariantsQuestion *question, Arena *arena, MsgVariantsResult *result, Fault *fault)
{
        HubFound found;
        Fault none;
        const Known *known;
        TrustFacts trust;
        int r = hub_find(&question->asker, &question->name, &question->query, question->target->device, NULL, &found, &none);

        if (r < 0)
                return r;
        known = found.commit.data ? catalog_known(hub->catalog, found.repo, found.commit) : NULL;
        if (!known)
                return fault_set(fault, FAULT_OFFLINE, "nothing is known of %.*s at %.*s on this host, and nothing may be asked "
                                 "of the Hub", TEXT_PRINT(question->name.repo), TEXT_PRINT(question->name.revision));
        if (hub_judge_private(hub, found.repo, fault))
                return 1;
        trust = catalog_trust_facts(hub->catalog, found.repo, hub_now_s());
        *result = (MsgVariantsResult){
                .commit = found.commit,
                .commit_age_s = found.age_s,
                .redirect = found.redirect,
                .trust = policy_trust_word(hub->daemon->config->policy, &trust),
                .trust_age_s = trust.age_s,
        };
        return list_variants(question, known, r == 0 ? hub_found_variant(&found) : TEXT_NULL, arena, result);
}

static int variants_took(HubTask *task, const HubTaskItem *item, const Fault *fault, const FetchResult *result,
                         Fault *ret_fault)
{
        (void)task;
        (void)item;
        (void)result;
        if (fault)
                *ret_fault = *fault;
        return fault != NULL;
}

static int variants_answer(HubTask *task, Fault *fault)
{
        MsgVariantsResult result;
        int r = fill_variants(task->hub, task->data, &task->arena, &result, fault);

        if (r == 0)
                (void)answer_result(task->session, task->id, METHOD_VARIANTS, &result, -1);
        return r;
}

/* Everything that the question needs, in the arena of what will answer it. */
static int variants_question(Request *request, Target *target, Arena *arena, const HubName *name,
                             VariantsQuestion **ret_question)
{
        VariantsQuestion *question = arena_zeroed(arena, 1, sizeof(*question));
        const MsgVariants *params = request->params;
        int r;

        if (!question)
                return error_trace(-ENOMEM);
        question->target = target;
        question->asker = (Asker){ .environment = &target->environment, .catalog = request->daemon->hub->catalog,
                                   .now_s = hub_now_s() };
        question->query = (MsgQuery){ .capability = params->capability };
        question->name.version = name->version;
        question->name.fixed = name->fixed;
        r = arena_copy(arena, name->repo, &question->name.repo);
        if (r == 0)
                r = arena_copy(arena, name->revision, &question->name.revision);
        if (r == 0)
                r = arena_copy(arena, params->arch, &question->query.arch);
        *ret_question = question;
        return r;
}

static int answer_variants_now(Request *request, Target *target, const HubName *name)
{
        VariantsQuestion *question = NULL;
        int r = variants_question(request, target, request->arena, name, &question);

        return r ? r : fill_variants(request->daemon->hub, question, request->arena, request->result, &request->fault);
}

static int variants_ask(Request *request, Target *target, const HubName *name)
{
        static const HubTaskKind kind = { .took = variants_took, .answer = variants_answer };
        const MsgVariants *params = request->params;
        CLEANUP(hub_task_freep) HubTask *task = NULL;
        VariantsQuestion *question = NULL;
        HubTaskItem *item;
        int r = hub_task_new(request, &kind, params->deadline_ms, &task, &request->fault);

        if (r == 0)
                r = hub_task_make_items(task, 1);
        if (r != 0)
                return r;
        item = &task->items[0];
        item->goal = FETCH_LISTING;
        item->targets = arena_zeroed(&task->arena, 1, sizeof(*item->targets));
        if (!item->targets)
                return error_trace(-ENOMEM);
        item->targets[item->n_targets++] = target_ref(target); /* the question's */
        r = hub_task_set_name(task, item, name);
        if (r == 0)
                r = variants_question(request, target, &task->arena, name, &question);
        if (r != 0)
                return r;
        task->data = question;
        hub_task_run(STEAL(task));
        return REQUEST_LATER;
}

/* The target that a request speaks of: the session's environment, on the device
 * that it names or on that of the backend; cpu where there is none. */
int request_target(const Holdings *holdings, Text device, OptionalInteger capability, Text arch, Target **ret_target,
                   Fault *fault)
{
        Device number = DEVICE_CPU;

        if (!device.data)
                device = request_device(holdings);
        if (device_parse(device, &number, fault))
                return 1;
        return target_new(holdings->environment, number, capability, arch, ret_target);
}

int handle_variants(Request *request)
{
        const MsgVariants *params = request->params;
        Hub *hub = request->daemon->hub;
        CLEANUP(target_unrefp) Target *target = NULL;
        Reference reference;
        const Revision *revision;
        HubName name;
        int r = request_reference(request, params->repo, params->version, params->revision, &reference, &request->fault);

        if (r == 0)
                r = request_target(request->holdings, params->device, params->capability, params->arch, &target,
                                   &request->fault);
        if (r != 0)
                return r;
        hub_name_init(&name, &reference);
        revision = catalog_revision(hub->catalog, name.repo, name.revision);
        if (is_offline(hub, request->holdings) ||
            (revision && catalog_known(hub->catalog, revision->final_repo, revision->final_commit)))
                return answer_variants_now(request, target, &name);
        return variants_ask(request, target, &name);
}
