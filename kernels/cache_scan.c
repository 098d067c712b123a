#include "kernels/cache_scan.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "kernels/cache_disk.h"
#include "kernels/cache_names.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/name.h"

struct CacheScan {
        const Cache *cache;
        Cached *cached;
        bool started;
        Text only_folder;    /* absent: all repositories */
        Text only_commit;
        Arena names;         /* of the repositories' folders */
        Arena inner;         /* of what lies in the one in hand */
        CacheNames folders;
        size_t at_folder;
        CacheNames commits;  /* of the repository in hand */
        size_t at_commit;
        CacheNames variants; /* of the commit in hand */
        size_t at_variant;
        CacheTrees *trees;
        int repo_fd;
        int build_fd;
        size_t n_commits;    /* in all */
        size_t n_refs;
        size_t n_variants;
        size_t n_metadata;   /* bytes */
};

Cached *cached_free(Cached *cached)
{
        if (!cached)
                return NULL;
        for (size_t i = 0; i < cached->n_repositories; i++)
                for (size_t j = 0; j < cached->repositories[i].n_commits; j++)
                        for (size_t k = 0; k < cached->repositories[i].commits[j].n_variants; k++)
                                cache_variant_deinit(&cached->repositories[i].commits[j].variants[k]);
        arena_deinit(&cached->arena);
        alloc_free(cached);
        return NULL;
}

int cache_scan_new(const Cache *cache, CacheScan **ret_scan)
{
        CLEANUP(cache_scan_freep) CacheScan *scan = alloc_zeroed(1, sizeof(*scan));

        if (!scan)
                return error_trace(-ENOMEM);
        scan->cache = cache;
        scan->repo_fd = scan->build_fd = -1;
        scan->cached = alloc_zeroed(1, sizeof(*scan->cached));
        if (!scan->cached)
                return error_trace(-ENOMEM);
        *ret_scan = STEAL(scan);
        return 0;
}

CacheScan *cache_scan_free(CacheScan *scan)
{
        if (scan) {
                fd_closep(&scan->build_fd);
                fd_closep(&scan->repo_fd);
                (void)cache_trees_free(scan->trees);
                (void)cached_free(scan->cached);
                arena_deinit(&scan->inner);
                arena_deinit(&scan->names);
                alloc_free(scan);
        }
        return NULL;
}

Cached *cache_scan_take(CacheScan *scan)
{
        return STEAL(scan->cached);
}

static void replace_fd(int *fd, int opened)
{
        fd_closep(fd);
        *fd = opened;
}

/* --- repositories --- */

static bool is_repository(Text name)
{
        char repo[LIMIT_REPOSITORY + 1];

        return cache_repo_parse(name, repo);
}

static int start(CacheScan *scan)
{
        int r;

        if (scan->only_folder.data)
                r = cache_names_add(&scan->folders, &scan->names, scan->only_folder);
        else
                r = cache_names_list(scan->cache->fd, ".", is_repository, LIMIT_CACHE_ENTRIES, &scan->names, &scan->folders);
        if (r < 0)
                return error_trace(r);
        scan->cached->cut |= scan->folders.cut;
        scan->cached->repositories =
                arena_zeroed(&scan->cached->arena, scan->folders.n, sizeof(*scan->cached->repositories));
        if (!scan->cached->repositories)
                return error_trace(-ENOMEM);
        scan->started = true;
        return STEP_MORE;
}

static CachedRepository *repository_in_hand(const CacheScan *scan)
{
        return &scan->cached->repositories[scan->cached->n_repositories - 1];
}

static int list_commits(CacheScan *scan, CachedRepository *repository)
{
        CacheNames *commits = &scan->commits;
        int r;

        if (scan->only_commit.data) {
                *commits = (CacheNames){ 0 };
                r = cache_names_add(commits, &scan->inner, scan->only_commit);
        } else {
                r = cache_names_list(scan->repo_fd, "snapshots", name_is_commit, LIMIT_CACHE_ENTRIES - scan->n_commits,
                                     &scan->inner, commits);
        }
        if (r < 0)
                return error_trace(r);
        scan->at_commit = 0;
        scan->cached->cut |= commits->cut;
        repository->commits = arena_zeroed(&scan->cached->arena, commits->n, sizeof(*repository->commits));
        return repository->commits ? 0 : error_trace(-ENOMEM);
}

static int open_repository(CacheScan *scan)
{
        Text folder = scan->folders.items[scan->at_folder++];
        Arena *arena = &scan->cached->arena;
        CachedRepository *repository = &scan->cached->repositories[scan->cached->n_repositories];
        char repo[LIMIT_REPOSITORY + 1];
        int r;

        if (!cache_repo_parse(folder, repo))
                return STEP_MORE;
        replace_fd(&scan->repo_fd, openat(scan->cache->fd, folder.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        if (scan->repo_fd < 0)
                return cache_names_absent(-errno) ? error_trace(-errno) : STEP_MORE;
        if (arena_copy(arena, text_of(repo), &repository->repo) < 0)
                return error_trace(-ENOMEM);
        scan->cached->n_repositories++;
        arena_reset(&scan->inner);
        r = cache_ref_list(scan->repo_fd, LIMIT_CACHE_ENTRIES - scan->n_refs, arena, &repository->refs, &repository->n_refs,
                           &scan->cached->cut);
        scan->n_refs += repository->n_refs;
        if (!r)
                r = list_commits(scan, repository);
        return r < 0 ? error_trace(r) : STEP_MORE;
}

/* --- commits --- */

/* What trees/COMMIT.json does not say well it does not say. */
static int read_trees(CacheScan *scan, Text commit)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        char name[PATH_MAX];
        Fault fault;
        Text bytes;
        int r;

        scan->trees = cache_trees_free(scan->trees);
        cache_disk_name(name, "trees/%.*s.json", TEXT_PRINT(commit));
        r = cache_disk_read(scan->repo_fd, name, 0, LIMIT_CACHE_TREES, &arena, &bytes);
        if (r < 0)
                return error_trace(cache_names_absent(r));
        r = cache_trees_parse(bytes, &scan->trees, &fault);
        return r < 0 ? error_trace(r) : 0;
}

static int take_listing(CacheScan *scan, CachedCommit *commit)
{
        Arena *arena = &scan->cached->arena;

        /* More than a repository may have; the Hub would be refused as well. */
        if (!scan->trees || scan->trees->n_variants > LIMIT_VARIANTS)
                return 0;
        commit->listing = arena_zeroed(arena, scan->trees->n_variants, sizeof(*commit->listing));
        if (!commit->listing)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < scan->trees->n_variants; i++)
                if (arena_copy(arena, scan->trees->variants[i], &commit->listing[commit->n_listing++]) < 0)
                        return error_trace(-ENOMEM);
        commit->listing_known = true;
        return 0;
}

static bool is_variant(Text name)
{
        return name.data[0] != '.' && name_is_file(name) && text_is_utf8(name);
}

static int list_variants(CacheScan *scan, CachedCommit *commit)
{
        int r = 0;

        scan->at_variant = 0;
        scan->variants = (CacheNames){ 0 };
        if (scan->build_fd >= 0)
                r = cache_names_list(scan->build_fd, ".", is_variant, LIMIT_VARIANTS, &scan->inner, &scan->variants);
        if (r < 0)
                return error_trace(r);
        if (scan->variants.n > LIMIT_CACHE_VARIANTS - scan->n_variants) {
                scan->variants.n = LIMIT_CACHE_VARIANTS - scan->n_variants;
                scan->variants.cut = true;
        }
        scan->n_variants += scan->variants.n;
        scan->cached->cut |= scan->variants.cut;
        commit->variants = arena_zeroed(&scan->cached->arena, scan->variants.n, sizeof(*commit->variants));
        return commit->variants ? 0 : error_trace(-ENOMEM);
}

static int open_commit(CacheScan *scan)
{
        CachedRepository *repository = repository_in_hand(scan);
        CachedCommit *commit = &repository->commits[repository->n_commits];
        Text name = scan->commits.items[scan->at_commit++];
        char path[PATH_MAX];
        struct stat stat;
        int r;

        cache_disk_name(path, "snapshots/%.*s", TEXT_PRINT(name));
        if (fstatat(scan->repo_fd, path, &stat, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(stat.st_mode))
                return STEP_MORE;
        cache_disk_name(path, "snapshots/%.*s/build", TEXT_PRINT(name));
        replace_fd(&scan->build_fd, openat(scan->repo_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
        if (scan->build_fd < 0 && cache_names_absent(-errno))
                return error_trace(-errno);
        if (arena_copy(&scan->cached->arena, name, &commit->commit) < 0)
                return error_trace(-ENOMEM);
        repository->n_commits++;
        scan->n_commits++;
        r = read_trees(scan, name);
        if (!r)
                r = take_listing(scan, commit);
        if (!r)
                r = list_variants(scan, commit);
        return r < 0 ? error_trace(r) : STEP_MORE;
}

/* --- variants --- */

static int look_at_variant(CacheScan *scan)
{
        CachedRepository *repository = repository_in_hand(scan);
        CachedCommit *commit = &repository->commits[repository->n_commits - 1];
        CachedVariant *variant = &commit->variants[commit->n_variants];
        Text name;
        int r;

        if (scan->n_metadata > LIMIT_CACHE_METADATA) {
                scan->cached->cut = true;
                scan->at_variant = scan->variants.n;
                return STEP_MORE;
        }
        if (arena_copy(&scan->cached->arena, scan->variants.items[scan->at_variant++], &name) < 0)
                return error_trace(-ENOMEM);
        r = cache_variant_look(scan->build_fd, name, scan->trees, variant);
        if (r < 0)
                return error_trace(r);
        if (!r) {
                commit->n_variants++;
                scan->n_metadata += variant->metadata ? variant->metadata->bytes.size : 0;
        }
        return STEP_MORE;
}

int cache_scan_step(CacheScan *scan, Fault *fault)
{
        if (!scan->started)
                return error_trace(start(scan));
        if (scan->at_variant < scan->variants.n)
                return error_trace(look_at_variant(scan));
        if (scan->at_commit < scan->commits.n)
                return error_trace(open_commit(scan));
        if (scan->at_folder < scan->folders.n)
                return error_trace(open_repository(scan));
        return STEP_DONE;
}

int cache_scan_one(const Cache *cache, Text repo, Text commit, Cached **ret_cached, Fault *fault)
{
        CLEANUP(cache_scan_freep) CacheScan *scan = NULL;
        char folder[CACHE_REPO_MAX];
        int r = cache_repo_folder(repo, folder, fault);

        if (r)
                return r;
        if (!name_is_commit(commit))
                return fault_set(fault, FAULT_INVALID_NAME, "\"%.*s\" is no commit", TEXT_PRINT(text_cut(commit, 80)));
        r = cache_scan_new(cache, &scan);
        if (r < 0)
                return error_trace(r);
        scan->only_folder = text_of(folder);
        scan->only_commit = commit;
        do
                r = cache_scan_step(scan, fault);
        while (r == STEP_MORE);
        if (!r)
                *ret_cached = cache_scan_take(scan);
        return error_trace(r);
}
