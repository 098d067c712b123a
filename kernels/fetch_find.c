/* Which commit, of which repository, trusted or not, and what variants it has. */
#include <errno.h>
#include <stdio.h>

#include "kernels/fetch_private.h"
#include "kernels/hub_answer.h"
#include "kernels/hub_redirect.h"
#include "kernels/hub_url.h"
#include "proto/base/error.h"
#include "proto/name.h"

#define STATUS_FILE "kernel-status.toml"
#define STATUS_BYTES (64 * 1024) /* guess: such a file has three lines */

/* --- the commit --- */

static int copy_ref(FetchResult *result, const HubRef *from, bool tag)
{
        FetchRef *ref = &result->refs[result->n_refs++];

        ref->tag = tag;
        return arena_copy(&result->arena, from->name, &ref->name) < 0 ||
                               arena_copy(&result->arena, from->commit, &ref->commit) < 0 ?
                       error_trace(-ENOMEM) : 0;
}

static int keep_refs(FetchResult *result, const HubRefs *refs)
{
        int r = 0;

        result->n_refs = 0;
        result->refs = arena_zeroed(&result->arena, refs->n_branches + refs->n_tags, sizeof(*result->refs));
        if (!result->refs)
                return error_trace(-ENOMEM);
        for (size_t i = 0; !r && i < refs->n_branches; i++)
                r = copy_ref(result, &refs->branches[i], false);
        for (size_t i = 0; !r && i < refs->n_tags; i++)
                r = copy_ref(result, &refs->tags[i], true);
        return r;
}

/* "versions 1, 2" or "branches main, dev", as far as a message goes. */
static Text describe_refs(const HubRefs *refs, bool versions, Arena *arena)
{
        Text text = TEXT("");
        int64_t version;

        for (size_t i = 0; i < refs->n_branches && text.size < 300 && text.data; i++) {
                Text name = refs->branches[i].name;

                if (versions && !hub_ref_version(name, &version))
                        continue;
                if (versions)
                        name = (Text){ name.data + 1, name.size - 1 };
                text = arena_format(arena, "%.*s%s%.*s", TEXT_PRINT(text), text.size ? ", " : "", TEXT_PRINT(name));
        }
        return text;
}

static int refuse_version(const Fetch *fetch, Text there, Fault *fault)
{
        return fault_set(fault, FAULT_NO_REVISION, "%.*s has no version %.*s; its versions: %.*s",
                         TEXT_PRINT(fetch->repo), (int)fetch->revision.size - 1, fetch->revision.data + 1,
                         there.size ? (int)there.size : 4, there.size ? there.data : "none");
}

static int refuse_branch(const Fetch *fetch, Text revision, Fault *fault)
{
        Text there = fetch->branches;

        if (!there.data)
                return fault_set(fault, FAULT_NO_REVISION, "%.*s has no commit %.*s", TEXT_PRINT(fetch->repo),
                                 TEXT_PRINT(revision));
        return fault_set(fault, FAULT_NO_REVISION, "%.*s has no branch, tag or commit %.*s; its branches: %.*s",
                         TEXT_PRINT(fetch->repo), TEXT_PRINT(revision), there.size ? (int)there.size : 4,
                         there.size ? there.data : "none");
}

/* The Hub only says that it knows no such revision. */
static int judge_revision(const Fetch *fetch, const FetchStep *step, const HubReply *reply, Text revision, Fault *fault)
{
        int r = hub_reply_judge(reply, step->what, step->call.with_token, fault);

        if (r != 1 || fault->name != FAULT_NO_REVISION)
                return r;
        return refuse_branch(fetch, revision, fault);
}

static int take_revision(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault)
{
        int r = judge_revision(fetch, step, reply, fetch->revision, fault);

        return r ? r : hub_revision_parse(reply->body, &fetch->arena, &fetch->commit, fault);
}

/* What is neither branch nor tag, but may be known to the Hub: a pull request's
 * ref, the beginning of a commit. */
static bool may_be_other(Text revision)
{
        size_t n = 0;

        while (n < revision.size && ((revision.data[n] >= '0' && revision.data[n] <= '9') ||
                                     (revision.data[n] >= 'a' && revision.data[n] <= 'f')))
                n++;
        return text_starts_with(revision, TEXT("refs/")) || (n == revision.size && n >= 7);
}

/* A commit that had not moved away when it was looked at has not moved since. */
static int take_commit(Fetch *fetch, Text commit)
{
        const FetchOrder *order = fetch->order;

        if (!fetch->moved && text_equal(commit, order->last_commit) && text_equal(order->last_final_repo, order->repo))
                fetch->settled = true;
        return arena_copy(&fetch->arena, commit, &fetch->commit);
}

static int take_refs(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        HubRefs refs;
        Text commit;
        int r = hub_reply_judge(reply, step->what, step->call.with_token, fault);

        if (!r)
                r = hub_refs_parse(reply->body, &arena, &refs, fault);
        if (!r && !fetch->moved)
                r = keep_refs(fetch->result, &refs);
        if (r)
                return r;
        fetch->result->asked = true;
        fetch->has_refs = true;
        if (fetch->order->goal == FETCH_REFS)
                return 0;
        if (hub_refs_find(&refs, fetch->revision, &commit))
                return take_commit(fetch, commit);
        if (fetch->order->version)
                return refuse_version(fetch, describe_refs(&refs, true, &arena), fault);
        fetch->branches = describe_refs(&refs, false, &fetch->arena);
        if (may_be_other(fetch->revision))
                return fetch_ask(fetch, hub_url_revision(fetch->order->endpoint, fetch->repo, fetch->revision,
                                                         &fetch->arena),
                                 HUB_CALL_FIRST, take_revision, NULL, fetch->repo);
        return refuse_branch(fetch, fetch->revision, fault);
}

static int ask_commit(Fetch *fetch)
{
        return fetch_ask(fetch, hub_url_refs(fetch->order->endpoint, fetch->repo, &fetch->arena), HUB_CALL_FIRST,
                         take_refs, NULL, fetch->repo);
}

/* --- whether the repository has moved --- */

static int take_root(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault)
{
        Text next;
        int r = judge_revision(fetch, step, reply, fetch->commit, fault);

        if (!r)
                r = hub_tree_add_page(&fetch->root, TEXT(""), reply->body, fault);
        if (!r)
                r = hub_reply_next(reply, fetch->order->endpoint, &fetch->arena, &next, fault);
        if (r)
                return r;
        if (next.data)
                return fetch_ask(fetch, next, HUB_CALL_PAGE, take_root, NULL, fetch->repo);
        fetch->looked = true;
        return hub_tree_finish(&fetch->root, fault);
}

static int ask_root(Fetch *fetch)
{
        return fetch_ask(fetch, hub_url_tree(fetch->order->endpoint, fetch->repo, fetch->commit, TEXT(""), false,
                                             &fetch->arena),
                         HUB_CALL_FIRST, take_root, NULL, fetch->repo);
}

static const HubEntry *find_entry(const HubTree *tree, Text path)
{
        for (size_t i = 0; i < tree->n_entries; i++)
                if (text_equal(tree->entries[i].path, path))
                        return &tree->entries[i];
        return NULL;
}

static int begin_status(Fetch *fetch, const HubEntry *entry, Fault *fault)
{
        FetchFile *file = arena_zeroed(&fetch->arena, 1, sizeof(*file));
        int r;

        if (!file)
                return error_trace(-ENOMEM);
        if (entry->size > STATUS_BYTES)
                return fault_set(fault, FAULT_CORRUPT, "%.*s: " STATUS_FILE " is larger than %d bytes",
                                 TEXT_PRINT(fetch->repo), STATUS_BYTES);
        r = fetch_add_blob(fetch, entry, false, &file->blob);
        if (r)
                return r;
        file->path = TEXT(STATUS_FILE);
        fetch->status_file = file;
        return 0;
}

/* Goes on with the repository that it has moved to, whose files lie in a folder
 * of their own: the status file is in its place, and none of those. */
static int follow(Fetch *fetch, Text repo, Text revision, Fault *fault)
{
        if (text_equal(repo, fetch->repo))
                return fault_set(fault, FAULT_CORRUPT, "%.*s: " STATUS_FILE " redirects to itself", TEXT_PRINT(repo));
        fetch_forget_blobs(fetch);
        fetch->status_file = NULL;
        fetch->result->commit = fetch->commit;
        fetch->moved = fetch->settled = true;
        fetch->branches = TEXT_NULL;
        fetch->repo = repo;
        if (!fetch->order->version)
                fetch->revision = revision;
        fetch->fixed = name_is_commit(fetch->revision);
        fetch->commit = fetch->fixed ? fetch->revision : TEXT_NULL;
        return 0;
}

static int read_status(Fetch *fetch, Fault *fault)
{
        Text bytes, repo, revision;
        int r = fetch_load_blob(fetch, fetch->status_file->blob, fault);

        if (!r)
                r = cache_blob_read(fetch->status_file->blob->blob, STATUS_BYTES, &fetch->arena, &bytes, fault);
        if (!r)
                r = hub_redirect_parse(bytes, &fetch->arena, &repo, &revision, fault);
        if (!r)
                r = fetch_place_status(fetch, fault);
        return r ? r : follow(fetch, repo, revision, fault);
}

/* 0: it has not, or what it has moved to is in hand. */
static int find_redirect(Fetch *fetch, Fault *fault)
{
        const HubEntry *entry;
        int r = 0;

        if (fetch->settled)
                return 0;
        if (!fetch->looked)
                return ask_root(fetch);
        entry = find_entry(&fetch->root, TEXT(STATUS_FILE));
        if (!entry || entry->folder) {
                fetch->settled = true;
                return 0;
        }
        if (!fetch->status_file)
                r = begin_status(fetch, entry, fault);
        return r ? r : read_status(fetch, fault);
}

/* --- trust --- */

static int take_overview(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault)
{
        FetchPublisher *publisher = &fetch->result->publishers[fetch->result->n_publishers];
        bool trusted = false;
        int r = 0;

        /* A person has no overview as an organization. */
        if (reply->trouble != HUB_REPLIED || reply->status != 404) {
                r = hub_reply_judge(reply, step->what, false, fault);
                if (!r)
                        r = hub_overview_parse(reply->body, &trusted, fault);
        }
        if (!r)
                r = arena_copy(&fetch->result->arena, step->what, &publisher->name);
        if (r)
                return r;
        publisher->trusted = trusted;
        fetch->result->n_publishers++;
        return 0;
}

static const FetchPublisher *find_publisher(const Fetch *fetch, Text name)
{
        for (size_t i = 0; i < fetch->result->n_publishers; i++)
                if (text_equal(fetch->result->publishers[i].name, name))
                        return &fetch->result->publishers[i];
        for (size_t i = 0; i < fetch->order->n_publishers; i++)
                if (text_equal(fetch->order->publishers[i].name, name))
                        return &fetch->order->publishers[i];
        return NULL;
}

static TrustFacts trust_of(const Fetch *fetch, Text repo)
{
        const FetchPublisher *publisher = find_publisher(fetch, policy_publisher(repo));

        return (TrustFacts){
                .repo = repo,
                .publisher = !publisher ? PUBLISHER_UNKNOWN : publisher->trusted ? PUBLISHER_TRUSTED : PUBLISHER_UNTRUSTED,
        };
}

static int ask_publisher(Fetch *fetch, Text name)
{
        return fetch_ask(fetch, hub_url_overview(fetch->order->endpoint, name, &fetch->arena), HUB_CALL_FIRST,
                         take_overview, NULL, name);
}

int fetch_find_publisher(Fetch *fetch)
{
        if (fetch_is_asking(fetch))
                return FETCH_WAITS;
        if (find_publisher(fetch, fetch->repo))
                return 0;
        return fetch_ask(fetch, hub_url_overview(fetch->order->endpoint, fetch->repo, &fetch->arena), HUB_CALL_FIRST,
                         take_overview, NULL, fetch->repo);
}

/* Who only looks is told, not refused. What is in force stays trusted by whoever
 * trusted it, until he acquires it again; a repository that has just moved was trusted by nobody. */
static bool is_judged_later(const Fetch *fetch)
{
        bool as_before = !fetch->moved || text_equal(fetch->repo, fetch->order->last_final_repo);

        return fetch->order->goal < FETCH_FILES || (fetch->order->judged_later && as_before);
}

int fetch_judge(Fetch *fetch, Fault *fault)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        TrustFacts asked = trust_of(fetch, fetch->order->repo), final = trust_of(fetch, fetch->repo);
        Text why;
        int r = policy_judge(fetch->order->policy, &asked, fetch->moved ? &final : NULL, fetch->order->trust_remote_code,
                             false, &why, &arena, fault);

        if (r == POLICY_ASK)
                return ask_publisher(fetch, why);
        return r == POLICY_FAULT && fault->name == FAULT_UNTRUSTED && is_judged_later(fetch) ? 0 : r;
}

int fetch_find_commit(Fetch *fetch, Fault *fault)
{
        int r = 0;

        if (fetch_is_asking(fetch))
                return FETCH_WAITS;
        if (fetch->order->goal == FETCH_REFS)
                return fetch->has_refs ? 0 : ask_commit(fetch);
        if (!fetch->commit.data && !fetch->moved)
                r = ask_commit(fetch);
        if (!r)
                r = find_redirect(fetch, fault);
        if (!r)
                r = fetch_judge(fetch, fault);
        if (!r && !fetch->commit.data)
                r = ask_commit(fetch);
        return r;
}

/* --- the variants --- */

static int add_variant(Fetch *fetch, Text name, const RepositoryVariant *known)
{
        FetchVariant *variant = &fetch->variants[fetch->n_variants];

        hub_tree_init(&variant->tree);
        if (arena_copy(&fetch->arena, name, &variant->name) < 0)
                return error_trace(-ENOMEM);
        fetch->n_variants++;
        if (!known)
                return 0;
        variant->complete = known->complete;
        variant->metadata = metadata_ref(known->metadata);
        if (known->complete || known->corrupt.data)
                variant->state = VARIANT_DESCRIBED;
        return arena_copy(&fetch->arena, known->corrupt, &variant->corrupt);
}

static int make_variants(Fetch *fetch, size_t n)
{
        fetch->listed = true;
        fetch->variants = arena_zeroed(&fetch->arena, n, sizeof(*fetch->variants));
        return fetch->variants ? 0 : error_trace(-ENOMEM);
}

/* What is known already, if it is of this commit. */
static const Known *known_here(const Fetch *fetch)
{
        const Known *known = fetch->order->known;

        return known && text_equal(known->repo, fetch->repo) && text_equal(known->commit, fetch->commit) ? known : NULL;
}

static int take_known_variants(Fetch *fetch, const Known *known)
{
        const Repository *all = known->all;
        int r = make_variants(fetch, all->n_variants);

        for (size_t i = 0; !r && i < all->n_variants; i++)
                r = add_variant(fetch, all->variants[i].folder, &all->variants[i]);
        return r;
}

static Text last_part(Text path)
{
        const char *slash = memrchr(path.data, '/', path.size);

        return slash ? (Text){ slash + 1, path.size - (size_t)(slash + 1 - path.data) } : path;
}

static int take_listing(Fetch *fetch, const HubTree *tree, Fault *fault)
{
        const Known *known = known_here(fetch);
        size_t n = 0;
        int r;

        for (size_t i = 0; i < tree->n_entries; i++)
                n += tree->entries[i].folder;
        if (n > LIMIT_VARIANTS)
                return fault_set(fault, FAULT_TOO_LARGE, "%.*s has more than %d variants", TEXT_PRINT(fetch->repo),
                                 LIMIT_VARIANTS);
        r = make_variants(fetch, n);
        for (size_t i = 0; !r && i < tree->n_entries; i++) {
                Text name = last_part(tree->entries[i].path);

                if (tree->entries[i].folder && name_is_file(name))
                        r = add_variant(fetch, name, known ? known_variant(known, name) : NULL);
        }
        return r;
}

/* Its pages are gathered in `root`, which has done its own work. */
static int take_build(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault)
{
        Text next;
        int r;

        if (hub_reply_is_missing(reply))
                return make_variants(fetch, 0);
        r = judge_revision(fetch, step, reply, fetch->commit, fault);
        if (!r)
                r = hub_tree_add_page(&fetch->root, TEXT("build"), reply->body, fault);
        if (!r)
                r = hub_reply_next(reply, fetch->order->endpoint, &fetch->arena, &next, fault);
        if (r)
                return r;
        if (next.data)
                return fetch_ask(fetch, next, HUB_CALL_PAGE, take_build, NULL, fetch->repo);
        r = hub_tree_finish(&fetch->root, fault);
        return r ? r : take_listing(fetch, &fetch->root, fault);
}

int fetch_find_variants(Fetch *fetch, Fault *fault)
{
        const Known *known = known_here(fetch);

        if (fetch->listed)
                return 0;
        if (known && known->listed)
                return take_known_variants(fetch, known);
        hub_tree_deinit(&fetch->root);
        hub_tree_init(&fetch->root);
        return fetch_ask(fetch, hub_url_tree(fetch->order->endpoint, fetch->repo, fetch->commit, TEXT("build"), false,
                                             &fetch->arena),
                         HUB_CALL_FIRST, take_build, NULL, fetch->repo);
}
