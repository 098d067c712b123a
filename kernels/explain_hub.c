#include "kernels/explain_hub.h"

#include "kernels/hub_find.h"
#include "proto/base/error.h"

static bool is_remembered(const Asker *asker, const HubName *name)
{
        return asker->memory && !asker->fresh && !name->fixed && commit_memory_find(asker->memory, name->repo, name->revision);
}

static const char *commit_reason(const Asker *asker, const HubName *name, const HubFound *found, const Found *reference)
{
        const Revision *revision = catalog_revision(asker->catalog, name->repo, name->revision);

        if (reference->pinned)
                return "the pin names it";
        if (name->fixed)
                return "the reference names it";
        if (is_remembered(asker, name) && (!revision || !text_equal(revision->final_commit, found->commit)))
                return "the session, or its job, has had it since before the newest one";
        return revision && revision->asked ? "the Hub said so" : "found in the cache";
}

static Text commit_source(const Asker *asker, const HubName *name, const Found *reference)
{
        const Revision *revision = catalog_revision(asker->catalog, name->repo, name->revision);

        if (reference->pinned || name->fixed)
                return reference->source;
        return revision && revision->asked ? TEXT("hub") : TEXT("cache");
}

int explain_commit(const Asker *asker, const Found *found, const MsgQuery *query, Device device, Trace *trace)
{
        HubFound hub;
        HubName name;
        Fault none;
        int r;

        hub_name_init(&name, &found->reference);
        r = hub_find(asker, &name, query, device, NULL, &hub, &none);
        if (r < 0)
                return r;
        if (hub.redirect.data)
                trace_add(trace, "commit", hub.redirect, true, TEXT("hub"), INTEGER_ABSENT, "the repository has moved there");
        if (hub.commit.data)
                trace_add(trace, "commit", hub.commit, true, commit_source(asker, &name, found), hub.age_s, "%s",
                          commit_reason(asker, &name, &hub, found));
        else
                trace_add(trace, "commit", name.revision, false, TEXT_NULL, INTEGER_ABSENT,
                          "not known on this host: an acquire asks the Hub");
        if (hub.commit.data && !hub.repository && r == 0)
                trace_add(trace, "variant", hub.commit, false, TEXT("cache"), INTEGER_ABSENT, asker->offline ?
                          "nothing of it that fits is complete on this host, and nothing may be fetched" :
                          "its variants are not known on this host: an acquire asks the Hub");
        return 0;
}

/* What the Hub's word is, without what allows or denies. */
static void explain_publisher(const Asker *asker, Text repo, Trace *trace)
{
        const TrustFacts facts = catalog_trust_facts(asker->catalog, repo, asker->now_s);

        if (facts.publisher == PUBLISHER_UNKNOWN)
                trace_add(trace, "trust", policy_publisher(repo), false, TEXT_NULL, INTEGER_ABSENT,
                          "whether the Hub trusts the publisher is not known on this host");
        else
                trace_add(trace, "trust", policy_publisher(repo), facts.publisher == PUBLISHER_TRUSTED, TEXT("hub"),
                          facts.age_s, "%s", facts.publisher == PUBLISHER_TRUSTED ? "the Hub trusts the publisher" :
                                                                                   "the Hub does not trust the publisher");
}

static int explain_verdict(const Asker *asker, const HubName *name, const HubFound *hub, Trace *trace)
{
        const TrustFacts asked = catalog_trust_facts(asker->catalog, name->repo, asker->now_s);
        const TrustFacts final = catalog_trust_facts(asker->catalog, hub->repo, asker->now_s);
        Text why = TEXT_NULL;
        Fault fault;
        int r = policy_judge(asker->policy, &asked, hub->redirect.data ? &final : NULL, false, asker->offline, &why,
                             trace->arena, &fault);

        if (r < 0)
                return r;
        if (r == POLICY_ASK)
                why = TEXT("an acquire asks the Hub first");
        else if (r == POLICY_FAULT)
                why = text_of(fault.message);
        trace_add(trace, "trust", hub->repo, r == POLICY_OK, TEXT("policy"), INTEGER_ABSENT, "%.*s", TEXT_PRINT(why));
        return 0;
}

static void explain_files(const HubFound *hub, Trace *trace)
{
        const RepositoryVariant *variant = hub->repository ? &hub->repository->variants[hub->variant] : NULL;

        if (!variant || !variant->metadata)
                return;
        trace_add(trace, "digest", variant->folder, true, TEXT("cache"), INTEGER_ABSENT, "%s", variant->metadata->digest ?
                  "metadata.json states one, which the files are compared with" : "metadata.json states none");
        trace_add(trace, "signature", variant->folder, true, TEXT_NULL, INTEGER_ABSENT, "not checked");
}

int explain_trust(const Asker *asker, const Found *found, const MsgQuery *query, Device device, Trace *trace)
{
        HubFound hub;
        HubName name;
        Fault none;
        int r;

        hub_name_init(&name, &found->reference);
        r = hub_find(asker, &name, query, device, NULL, &hub, &none);
        if (r < 0)
                return r;
        explain_publisher(asker, name.repo, trace);
        if (hub.redirect.data)
                explain_publisher(asker, hub.redirect, trace);
        r = explain_verdict(asker, &name, &hub, trace);
        if (r == 0)
                explain_files(&hub, trace);
        return r;
}
