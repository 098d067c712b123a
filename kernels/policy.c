#include "kernels/policy.h"

#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/name.h"

struct Policy {
        unsigned n_users;
        bool trust_hub;
        Arena arena;
        TextList allow;
        TextList deny;
        TextList private;
};

/* --- the lists --- */

int policy_check_repository(Text item, Fault *fault)
{
        return name_check_repository(item, fault);
}

/* An organisation keeps the rules of its half of a repository's name. */
int policy_check_publisher(Text item, Fault *fault)
{
        char buffer[LIMIT_REPOSITORY_PART + 3];

        if (!item.size || memchr(item.data, '/', item.size))
                return name_check_repository(item, fault);
        if (item.size > LIMIT_REPOSITORY_PART)
                return fault_set(fault, FAULT_INVALID_NAME, "a publisher has at most %d bytes, this one has %zu",
                                 LIMIT_REPOSITORY_PART, item.size);
        memcpy(buffer, item.data, item.size);
        memcpy(buffer + item.size, "/x", 2);
        if (!name_check_repository((Text){ buffer, item.size + 2 }, fault))
                return 0;
        return fault_set(fault, FAULT_INVALID_NAME, "\"%.*s\" cannot be a publisher; write it as on the Hub",
                         TEXT_PRINT(item));
}

static int list_copy(Policy *policy, TextList from, int (*check)(Text, Fault *), TextList *to, Fault *fault)
{
        int r;

        to->items = arena_zeroed(&policy->arena, from.n + 1, sizeof(*to->items));
        if (!to->items)
                return error_trace(-ENOMEM);
        for (; to->n < from.n; to->n++) {
                r = check(from.items[to->n], fault);
                if (!r)
                        r = arena_copy(&policy->arena, from.items[to->n], &to->items[to->n]);
                if (r)
                        return error_trace(r);
        }
        return 0;
}

static void policy_free(Policy *policy)
{
        arena_deinit(&policy->arena);
        alloc_free(policy);
}

Policy *policy_ref(Policy *policy)
{
        if (policy)
                (void)__atomic_add_fetch(&policy->n_users, 1, __ATOMIC_RELAXED);
        return policy;
}

Policy *policy_unref(Policy *policy)
{
        if (policy && !__atomic_sub_fetch(&policy->n_users, 1, __ATOMIC_ACQ_REL))
                policy_free(policy);
        return NULL;
}

int policy_new(TextList allow, TextList deny, TextList private, bool trust_hub, Policy **ret_policy, Fault *fault)
{
        CLEANUP(policy_unrefp) Policy *policy = alloc_zeroed(1, sizeof(*policy));
        int r;

        if (!policy)
                return error_trace(-ENOMEM);
        policy->n_users = 1;
        policy->trust_hub = trust_hub;
        r = list_copy(policy, allow, policy_check_publisher, &policy->allow, fault);
        if (!r)
                r = list_copy(policy, deny, policy_check_publisher, &policy->deny, fault);
        if (!r)
                r = list_copy(policy, private, policy_check_repository, &policy->private, fault);
        if (r)
                return r;
        *ret_policy = STEAL(policy);
        return 0;
}

Text policy_publisher(Text repo)
{
        const char *slash = repo.size ? memchr(repo.data, '/', repo.size) : NULL;

        return slash ? (Text){ repo.data, (size_t)(slash - repo.data) } : repo;
}

/* The item that names the repository or its publisher; NULL: none does. */
static const Text *list_find(TextList list, Text repo, bool (*equal)(Text, Text))
{
        Text publisher = policy_publisher(repo);

        for (size_t i = 0; i < list.n; i++)
                if (equal(list.items[i], repo) || equal(list.items[i], publisher))
                        return &list.items[i];
        return NULL;
}

/* Whatever the Hub makes of another case, nobody gets round a denial by it. */
static bool equal_in_any_case(Text a, Text b)
{
        return a.size == b.size && !strncasecmp(a.data, b.data, a.size);
}

static const Text *policy_denies(const Policy *policy, Text repo)
{
        return list_find(policy->deny, repo, equal_in_any_case);
}

static bool policy_allows(const Policy *policy, Text repo)
{
        return list_find(policy->allow, repo, text_equal);
}

/* --- judging --- */

/* One repository of a question, and how it came into it. */
typedef struct Judged {
        const TrustFacts *facts;
        const TrustFacts *from; /* the one whose redirect leads here; NULL: it was asked for */
        Text why;
} Judged;

/* "org/name" or "a/b leads to org/name": 0 or -ENOMEM. */
static int judged_describe(const Judged *judged, Arena *arena, Text *ret_text)
{
        *ret_text = judged->facts->repo;
        if (judged->from)
                *ret_text = arena_format(arena, "%.*s leads to %.*s, which", TEXT_PRINT(judged->from->repo),
                                         TEXT_PRINT(judged->facts->repo));
        return ret_text->data ? 0 : error_trace(-ENOMEM);
}

static int judge_denial(const Policy *policy, const Judged *judged, Arena *arena, Fault *fault)
{
        const Text *item = policy_denies(policy, judged->facts->repo);
        Text what;

        if (!item)
                return POLICY_OK;
        if (judged_describe(judged, arena, &what) < 0)
                return -ENOMEM;
        return fault_set(fault, FAULT_DENIED_BY_POLICY,
                         "%.*s is denied by this host's configuration: \"trust\": {\"deny\": [\"%.*s\"]}",
                         TEXT_PRINT(what), TEXT_PRINT(*item));
}

static int judge_unknown(Judged *judged, bool offline, Text what, Fault *fault)
{
        Text publisher = policy_publisher(judged->facts->repo);

        judged->why = publisher;
        if (!offline)
                return POLICY_ASK;
        return fault_set(fault, FAULT_OFFLINE,
                         "%.*s is of a publisher, %.*s, whom nobody here can judge: the Hub has not said whether it "
                         "trusts him and cannot be asked now; the configuration \"trust\": {\"allow\": [\"%.*s\"]} "
                         "would allow it",
                         TEXT_PRINT(what), TEXT_PRINT(publisher), TEXT_PRINT(publisher));
}

static int judge_untrusted(const Policy *policy, const Judged *judged, Text what, Fault *fault)
{
        Text publisher = policy_publisher(judged->facts->repo);
        const OptionalInteger *age = &judged->facts->age_s;
        char said[64] = "";

        if (!policy->trust_hub)
                return fault_set(fault, FAULT_UNTRUSTED,
                                 "%.*s is not allowed by this host's configuration, and the Hub's word does not count "
                                 "here; \"trust\": {\"allow\": [\"%.*s\"]} would allow it",
                                 TEXT_PRINT(what), TEXT_PRINT(publisher));
        if (age->present)
                (void)snprintf(said, sizeof(said), " (it said so %lld s ago)", (long long)age->value);
        return fault_set(fault, FAULT_UNTRUSTED,
                         "%.*s is of a publisher, %.*s, whom the Hub does not trust with kernels%s; if you trust him, "
                         "the configuration \"trust\": {\"allow\": [\"%.*s\"]} would allow it",
                         TEXT_PRINT(what), TEXT_PRINT(publisher), said, TEXT_PRINT(publisher));
}

/* After denials: who vouches for it? */
static int judge_trust(const Policy *policy, Judged *judged, bool trust_remote_code, bool offline, Arena *arena,
                       Fault *fault)
{
        const TrustFacts *facts = judged->facts;
        Text what;

        if (policy_allows(policy, facts->repo))
                judged->why = TEXT("allowed by trust.allow");
        else if (policy->trust_hub && facts->publisher == PUBLISHER_TRUSTED)
                judged->why = TEXT("the Hub trusts the publisher");
        else if (trust_remote_code)
                judged->why = TEXT("the asker said trust_remote_code");
        if (judged->why.data)
                return POLICY_OK;
        if (judged_describe(judged, arena, &what) < 0)
                return -ENOMEM;
        if (policy->trust_hub && facts->publisher == PUBLISHER_UNKNOWN)
                return judge_unknown(judged, offline, what, fault);
        return judge_untrusted(policy, judged, what, fault);
}

/* Both may be good for other reasons. */
static int judged_why(const Judged *judged, size_t n, Arena *arena, Text *ret_why)
{
        *ret_why = judged[0].why;
        if (n == 2 && !text_equal(judged[0].why, judged[1].why))
                *ret_why = arena_format(arena, "%.*s: %.*s; %.*s: %.*s", TEXT_PRINT(judged[0].facts->repo),
                                        TEXT_PRINT(judged[0].why), TEXT_PRINT(judged[1].facts->repo),
                                        TEXT_PRINT(judged[1].why));
        return ret_why->data ? POLICY_OK : error_trace(-ENOMEM);
}

/* A refusal goes before a question, so that the Hub is not asked in vain. */
static int judge_all(const Policy *policy, Judged *judged, size_t n, bool trust_remote_code, bool offline, Arena *arena,
                     Text *ret_publisher, Fault *fault)
{
        Text publisher = TEXT_NULL;

        for (size_t i = 0; i < n; i++) {
                int r = judge_trust(policy, &judged[i], trust_remote_code, offline, arena, fault);

                if (r != POLICY_OK && r != POLICY_ASK)
                        return r;
                if (r == POLICY_ASK && !publisher.data)
                        publisher = judged[i].why;
        }
        if (!publisher.data)
                return POLICY_OK;
        *ret_publisher = publisher;
        return POLICY_ASK;
}

int policy_judge(const Policy *policy, const TrustFacts *asked, const TrustFacts *final, bool trust_remote_code,
                 bool offline, Text *ret_why, Arena *arena, Fault *fault)
{
        Judged judged[2] = { { .facts = asked }, { .facts = final, .from = asked } };
        size_t n = final ? 2 : 1;
        int r = POLICY_OK;

        for (size_t i = 0; i < n && r == POLICY_OK; i++)
                r = judge_denial(policy, &judged[i], arena, fault);
        if (r == POLICY_OK)
                r = judge_all(policy, judged, n, trust_remote_code, offline, arena, ret_why, fault);
        return r == POLICY_OK ? judged_why(judged, n, arena, ret_why) : r;
}

int policy_judge_renamed(const Policy *policy, Text asked, Text renamed, Fault *fault)
{
        const TrustFacts from = { .repo = asked }, to = { .repo = renamed };
        const Judged judged = { .facts = &to, .from = &from };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        int r = judge_denial(policy, &judged, &arena, fault);

        if (r != POLICY_OK)
                return r;
        if (equal_in_any_case(policy_publisher(asked), policy_publisher(renamed)))
                return 0;
        return fault_set(fault, FAULT_UNTRUSTED, "%.*s is called %.*s on the Hub now and is another publisher's; if that is "
                         "meant, ask for it by that name", TEXT_PRINT(asked), TEXT_PRINT(renamed));
}

bool policy_is_private(const Policy *policy, Text repo)
{
        for (size_t i = 0; i < policy->private.n; i++)
                if (text_equal(policy->private.items[i], repo))
                        return true;
        return false;
}

int policy_judge_private(const Policy *policy, Text repo, bool served_anonymously, Fault *fault)
{
        if (served_anonymously || policy_is_private(policy, repo))
                return 0;
        return fault_set(fault, FAULT_DENIED_BY_POLICY,
                         "the Hub does not serve %.*s to everybody, but everybody who reaches this daemon could read "
                         "it; if that is meant, the configuration \"trust\": {\"private\": [\"%.*s\"]} would allow it",
                         TEXT_PRINT(repo), TEXT_PRINT(repo));
}

Text policy_trust_word(const Policy *policy, const TrustFacts *facts)
{
        if (policy_denies(policy, facts->repo))
                return TEXT("denied");
        if (policy_allows(policy, facts->repo))
                return TEXT("allowed");
        if (!policy->trust_hub || facts->publisher == PUBLISHER_UNTRUSTED)
                return TEXT("untrusted");
        return facts->publisher == PUBLISHER_TRUSTED ? TEXT("trusted") : TEXT("unknown");
}
