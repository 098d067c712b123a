#include "kernels/cache_ref.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernels/cache_disk.h"
#include "kernels/cache_listing.h"
#include "kernels/cache_names.h"
#include "proto/base/error.h"
#include "proto/name.h"

#define COMMIT_SIZE 40
#define REF_SIZE_MAX 256 /* with the blanks behind it that a person may have left */

/* --- writing --- */

static bool is_written(int at, const char *name, Text commit)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text bytes;

        return cache_disk_read(at, name, O_NOFOLLOW, COMMIT_SIZE, &arena, &bytes) == 0 && text_equal(bytes, commit);
}

/* By a name of our own at the repository's top, so that no list of refs shows it. */
static int replace(Cache *cache, int repo_fd, int at, const char *name, Text commit)
{
        char made[CACHE_TEMPORARY_MAX];
        int r = cache_disk_temporary(cache, repo_fd, "ref", commit, made);

        if (r < 0)
                return r;
        if (renameat(repo_fd, made, at, name) == 0)
                return fsync(at) < 0 ? -errno : 0;
        r = -errno;
        (void)unlinkat(repo_fd, made, 0);
        return r;
}

static int write_ref(Cache *cache, const char *folder, Text name, Text commit)
{
        CLEANUP_FD int repo_fd = -1, refs_fd = -1, parent_fd = -1;
        char refs[PATH_MAX], last[NAME_MAX + 1];
        int r;

        cache_disk_name(refs, "%s/refs", folder);
        r = cache_disk_folders(cache, refs);
        if (r < 0)
                return r;
        repo_fd = openat(cache->fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        refs_fd = repo_fd < 0 ? -1 : openat(repo_fd, "refs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (refs_fd < 0)
                return -errno;
        r = cache_disk_parent(cache, refs_fd, name, &parent_fd, last);
        if (!r && !is_written(parent_fd, last, commit))
                r = replace(cache, repo_fd, parent_fd, last, commit);
        return r;
}

int cache_ref_write(Cache *cache, Text repo, Text name, Text commit, Fault *fault)
{
        char folder[CACHE_REPO_MAX], path[PATH_MAX];
        int r = cache_repo_folder(repo, folder, fault);

        if (!r)
                r = name_check_revision(name, fault);
        if (r)
                return r;
        if (!name_is_commit(commit))
                return fault_set(fault, FAULT_INVALID_NAME, "\"%.*s\" is no commit", TEXT_PRINT(text_cut(commit, 80)));
        if (text_equal(name, commit))
                return 0;
        cache_disk_name(path, "%s/refs/%.*s", folder, TEXT_PRINT(name));
        return cache_disk_fault(cache, write_ref(cache, folder, name, commit), path, fault);
}

/* --- reading --- */

typedef struct RefList {
        int fd;              /* of refs/ */
        Arena *arena;
        CacheNames folders;  /* still to be listed, paths from refs/ */
        CachedRef *refs;
        size_t n;
        size_t capacity;
        size_t n_seen;
        size_t limit;
} RefList;

static Text without_blanks(Text text)
{
        while (text.size && strchr(" \t\r\n", text.data[text.size - 1]))
                text.size--;
        return text;
}

/* What an arena holds cannot grow: it is copied whenever it doubles. */
static CachedRef *new_ref(RefList *list)
{
        CachedRef *larger;

        if (list->n == list->capacity) {
                list->capacity = list->capacity ? 2 * list->capacity : 16;
                larger = arena_zeroed(list->arena, list->capacity, sizeof(*larger));
                if (!larger)
                        return NULL;
                if (list->n)
                        memcpy(larger, list->refs, list->n * sizeof(*larger));
                list->refs = larger;
        }
        return &list->refs[list->n];
}

static int take_ref(RefList *list, Text name, const struct stat *stat)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CachedRef *ref;
        Fault fault;
        Text bytes;
        int r;

        if (name_check_revision(name, &fault) != 0 || cache_is_foreign_ref(name))
                return 0;
        r = cache_disk_read(list->fd, name.data, O_NOFOLLOW, REF_SIZE_MAX, &arena, &bytes);
        if (r < 0)
                return cache_names_absent(r);
        bytes = without_blanks(bytes);
        if (!name_is_commit(bytes))
                return 0;
        ref = new_ref(list);
        if (!ref || arena_copy(list->arena, bytes, &ref->commit) < 0)
                return -ENOMEM;
        ref->name = name;
        ref->written_s = stat->st_mtim.tv_sec;
        list->n++;
        return 0;
}

static int take_entry(RefList *list, Text folder, Text entry)
{
        struct stat stat;
        Text name;

        if (folder.size + 1 + entry.size > LIMIT_REVISION)
                return 0;
        name = arena_format(list->arena, "%.*s%s%s", TEXT_PRINT(folder), folder.size ? "/" : "", entry.data);
        if (!name.data)
                return -ENOMEM;
        if (fstatat(list->fd, name.data, &stat, AT_SYMLINK_NOFOLLOW) < 0)
                return 0;
        if (S_ISDIR(stat.st_mode))
                return cache_names_add(&list->folders, list->arena, name);
        return S_ISREG(stat.st_mode) ? take_ref(list, name, &stat) : 0;
}

static int list_folder(RefList *list, Text folder)
{
        CLEANUP(cache_listing_freep) CacheListing *listing = NULL;
        Text entry;
        int r = cache_listing_new(list->fd, folder.size ? folder.data : ".", O_NOFOLLOW, &listing);

        if (r < 0)
                return cache_names_absent(r);
        while (!r && list->n_seen < list->limit && cache_listing_next(listing, &entry) > 0) {
                list->n_seen++;
                r = take_entry(list, folder, entry);
        }
        return r;
}

static int by_name(const void *a, const void *b)
{
        return text_compare(((const CachedRef *)a)->name, ((const CachedRef *)b)->name);
}

int cache_ref_list(int repo_fd, size_t limit, Arena *arena, CachedRef **ret_refs, size_t *ret_n, bool *ret_cut)
{
        CLEANUP_FD int fd = openat(repo_fd, "refs", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        RefList list = { .fd = fd, .arena = arena, .limit = limit };
        int r;

        *ret_refs = NULL;
        *ret_n = 0;
        if (fd < 0)
                return error_trace(cache_names_absent(-errno));
        r = list_folder(&list, TEXT(""));
        while (!r && list.folders.n && list.n_seen < limit)
                r = list_folder(&list, list.folders.items[--list.folders.n]);
        if (r < 0)
                return error_trace(r);
        if (list.n)
                qsort(list.refs, list.n, sizeof(*list.refs), by_name);
        *ret_cut |= list.n_seen == limit;
        *ret_refs = list.refs;
        *ret_n = list.n;
        return 0;
}
