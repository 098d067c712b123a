/* cache.list and cache.verify: the kernels that are here. */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <unistd.h>

#include "daemon/acquire.h"
#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/hub.h"
#include "daemon/hub_verify.h"
#include "proto/base/error.h"
#include "proto/name.h"

/* --- which --- */

/* One kernel of the catalog, at its place in the order of all. */
typedef struct CachePage {
        Known **known;
        size_t n_known;
        size_t first; /* number of the first kernel that is wanted */
        size_t limit;
        Text repo;    /* absent: all */
} CachePage;

typedef struct CacheKernel {
        const Known *known;
        const RepositoryVariant *variant;
} CacheKernel;

static int page_init(const Hub *hub, OptionalInteger after, OptionalInteger limit, Text repo, Arena *arena,
                     CachePage *ret_page, Fault *fault)
{
        CachePage page = { .limit = LIMIT_PAGE, .repo = repo };
        int r;

        if (limit.present && limit.value < 1)
                return fault_set(fault, FAULT_BAD_REQUEST, "limit: at least 1, not %" PRId64, limit.value);
        if (after.present && after.value < 0)
                return fault_set(fault, FAULT_BAD_REQUEST, "after: give back the next of the page before");
        if (limit.present && limit.value < LIMIT_PAGE)
                page.limit = (size_t)limit.value;
        page.first = after.present ? (size_t)after.value : 0;
        r = catalog_list_known(hub->catalog, arena, &page.known, &page.n_known);
        *ret_page = page;
        return r;
}

/* The wanted ones, at most one more than the limit. 0, -ENOMEM. */
static int page_take(const CachePage *page, Arena *arena, CacheKernel **ret_kernels, size_t *ret_n)
{
        CacheKernel *kernels = arena_zeroed(arena, page->limit + 1, sizeof(*kernels));
        size_t n = 0, number = 0;

        if (!kernels)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < page->n_known && n <= page->limit; i++) {
                const Repository *here = page->known[i]->here;

                if (page->repo.data && !text_equal(page->known[i]->repo, page->repo))
                        continue;
                for (size_t k = 0; k < here->n_variants && n <= page->limit; k++)
                        if (number++ >= page->first)
                                kernels[n++] = (CacheKernel){ page->known[i], &here->variants[k] };
        }
        *ret_kernels = kernels;
        *ret_n = n;
        return 0;
}

/* --- list --- */

/* ", " between what stands for the commit. */
static int describe_revisions(const Hub *hub, const Known *known, Arena *arena, Text *ret_text)
{
        Text text = TEXT_NULL;

        for (Revision *revision = catalog_next_revision(hub->catalog, NULL); revision;
             revision = catalog_next_revision(hub->catalog, revision)) {
                if (!text_equal(revision->final_repo, known->repo) || !text_equal(revision->final_commit, known->commit) ||
                    name_is_commit(revision_name(revision)))
                        continue;
                text = arena_format(arena, "%.*s%s%.*s", TEXT_PRINT(text), text.data ? ", " : "",
                                    TEXT_PRINT(revision_name(revision)));
                if (!text.data)
                        return error_trace(-ENOMEM);
        }
        *ret_text = text;
        return 0;
}

static Text digest_word(const CacheKernel *kernel, int64_t used_s)
{
        const Metadata *metadata = kernel->variant->metadata;

        if (kernel->variant->corrupt.data)
                return TEXT("corrupt");
        if (!metadata || !metadata->digest)
                return TEXT("missing");
        return used_s ? TEXT("ok") : TEXT("unchecked");
}

static int list_kernel(Hub *hub, const CacheKernel *kernel, Arena *arena, MsgCached *row)
{
        Text path = cache_snapshot_path(hub->cache, kernel->known->repo, kernel->known->commit, arena);
        int64_t used_s, now_s = hub_now_s();

        if (!path.data)
                return error_trace(-ENOMEM);
        used_s = acquires_used_s(hub->daemon->acquires, path, kernel->variant->folder);
        row->repo = kernel->known->repo;
        row->commit = kernel->known->commit;
        row->variant = kernel->variant->folder;
        row->digest = digest_word(kernel, used_s);
        if (used_s)
                row->used_s = INTEGER_PRESENT(now_s > used_s ? now_s - used_s : 0);
        return describe_revisions(hub, kernel->known, arena, &row->revisions);
}

int handle_cache_list(Request *request)
{
        const MsgPage *params = request->params;
        MsgCacheListResult *result = request->result;
        Hub *hub = request->daemon->hub;
        CacheKernel *kernels = NULL;
        CachePage page;
        size_t n = 0;
        int r = page_init(hub, params->after, params->limit, TEXT_NULL, request->arena, &page, &request->fault);

        if (r == 0)
                r = page_take(&page, request->arena, &kernels, &n);
        if (r != 0)
                return r;
        result->generation = (int64_t)catalog_generation(hub->catalog);
        result->kernels.items = arena_zeroed(request->arena, n + 1, sizeof(*result->kernels.items));
        if (!result->kernels.items)
                return error_trace(-ENOMEM);
        for (; r == 0 && result->kernels.n < n && result->kernels.n < page.limit; result->kernels.n++)
                r = list_kernel(hub, &kernels[result->kernels.n], request->arena, &result->kernels.items[result->kernels.n]);
        if (n > page.limit)
                result->next = INTEGER_PRESENT((int64_t)(page.first + page.limit));
        return r;
}

/* --- verify --- */

int handle_cache_verify(Request *request)
{
        const MsgCacheVerify *params = request->params;
        Hub *hub = request->daemon->hub;
        CLEANUP(hub_verify_freep) HubVerify *verify = NULL;
        CacheKernel *kernels = NULL;
        CachePage page;
        size_t n = 0;
        int r = params->repo.data ? name_check_repository(params->repo, &request->fault) : 0;

        if (r == 0)
                r = page_init(hub, params->after, params->limit, params->repo, request->arena, &page, &request->fault);
        if (r == 0)
                r = page_take(&page, request->arena, &kernels, &n);
        if (r == 0 && params->repo.data && !n && !page.first)
                return fault_set(&request->fault, FAULT_NO_REPOSITORY, "nothing of %.*s is complete on this host",
                                 TEXT_PRINT(params->repo));
        if (r == 0)
                r = hub_verify_new(request, params->deadline_ms, &verify, &request->fault);
        for (size_t i = 0; r == 0 && i < n && i < page.limit; i++)
                r = hub_verify_add(verify, kernels[i].known, kernels[i].variant);
        if (r != 0)
                return r;
        if (n > page.limit)
                hub_verify_set_next(verify, (int64_t)(page.first + page.limit));
        hub_verify_run(STEAL(verify));
        return REQUEST_LATER;
}
