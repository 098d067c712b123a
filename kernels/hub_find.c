#include "kernels/hub_find.h"

#include "kernels/choice_memo.h"

void hub_name_init(HubName *name, const Reference *reference)
{
        name->repo = reference->repo;
        name->version = reference->kind == REFERENCE_VERSION && !reference->commit.data;
        name->fixed = reference->commit.data != NULL;
        if (name->fixed)
                name->revision = reference->commit;
        else if (reference->kind == REFERENCE_VERSION)
                name->revision = pin_revision(reference->version, name->storage);
        else
                name->revision = reference->revision;
}

/* Which commit of which repository: what the asker had before, or what is in
 * force now. */
static void find_commit(const Asker *asker, const HubName *name, HubFound *found)
{
        const RememberedCommit *remembered = NULL;
        Revision *revision = catalog_revision(asker->catalog, name->repo, name->revision);

        if (asker->memory && !asker->fresh && !name->fixed)
                remembered = commit_memory_find(asker->memory, name->repo, name->revision);
        if (remembered) {
                found->repo = remembered->final_repo;
                found->commit = remembered->final_commit;
        } else if (revision) {
                found->repo = revision->final_repo;
                found->commit = revision->final_commit;
                found->revision = revision;
        }
        if (revision && !name->fixed && text_equal(revision->final_commit, found->commit))
                found->age_s = INTEGER_PRESENT(asker->now_s > revision->at_s ? asker->now_s - revision->at_s : 0);
}

static int choose(const Asker *asker, Repository *repository, const MsgQuery *query, Device device, Trace *trace,
                  HubFound *found, Fault *fault)
{
        OptionalInteger capability = device_has_capability(device) ? query->capability : INTEGER_ABSENT;
        int r;

        if (trace)
                r = repository_choose(repository, asker->environment, device, capability, query->arch, trace,
                                      &found->variant, &found->arch, fault);
        else
                r = choice_memo_choose(asker->memo, repository, asker->environment, device, capability, query->arch,
                                       &found->variant, &found->arch, fault);
        if (!r)
                found->repository = repository;
        return r;
}

/* What is known to be wrong with the files of the one that was chosen. */
static int judge_chosen(HubFound *found, Fault *fault)
{
        const RepositoryVariant *variant = &found->repository->variants[found->variant];

        if (variant->corrupt.data)
                return fault_set(fault, FAULT_CORRUPT, "%.*s at %.*s, variant %.*s, is not what its metadata.json states: "
                                 "%.*s; its publisher must mend it in another commit", TEXT_PRINT(found->repo),
                                 TEXT_PRINT(found->commit), TEXT_PRINT(variant->folder), TEXT_PRINT(variant->corrupt));
        found->state = variant->complete ? HUB_READY : HUB_ABSENT;
        return 0;
}

/* Of what is here, where nothing else can be had or known: nothing that fits
 * there means that the Hub must be asked, which offline is for the caller. */
static int choose_here(const Asker *asker, const Known *known, const MsgQuery *query, Device device, Trace *trace,
                       HubFound *found, Fault *fault)
{
        int r = choose(asker, known->here, query, device, trace, found, fault);

        if (r > 0)
                return 0;
        return r ? r : judge_chosen(found, fault);
}

static int choose_listed(const Asker *asker, const Known *known, const MsgQuery *query, Device device, Trace *trace,
                         HubFound *found, Fault *fault)
{
        int r = choose(asker, known->all, query, device, trace, found, fault);

        return r ? r : judge_chosen(found, fault);
}

int hub_find(const Asker *asker, const HubName *name, const MsgQuery *query, Device device, Trace *trace,
             HubFound *ret_found, Fault *fault)
{
        const Known *known;

        *ret_found = (HubFound){ .repo = name->repo };
        if (name->fixed)
                ret_found->commit = name->revision;
        if (!asker->catalog)
                return 0;
        find_commit(asker, name, ret_found);
        if (!text_equal(ret_found->repo, name->repo))
                ret_found->redirect = ret_found->repo;
        known = ret_found->commit.data ? catalog_known(asker->catalog, ret_found->repo, ret_found->commit) : NULL;
        if (!known)
                return 0;
        return known->listed && !asker->offline ? choose_listed(asker, known, query, device, trace, ret_found, fault) :
                                                  choose_here(asker, known, query, device, trace, ret_found, fault);
}

Text hub_found_variant(const HubFound *found)
{
        return found->repository ? found->repository->variants[found->variant].folder : TEXT_NULL;
}

Text hub_state_text(HubState state)
{
        switch (state) {
        case HUB_READY:
                return TEXT("ready");
        case HUB_ABSENT:
                return TEXT("absent");
        case HUB_UNKNOWN:
        default:
                return TEXT("unknown");
        }
}
