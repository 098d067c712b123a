#include "tests/unit/kernels/cache_help.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/hash.h"
#include "proto/base/buffer.h"

const char *help_root(void)
{
        static char root[300];

        (void)snprintf(root, sizeof(root), "%s/hub", fixture_folder());
        return root;
}

const char *help_at(const char *format, ...)
{
        static char paths[8][1024];
        static unsigned next;
        char *path = paths[next++ % 8];
        va_list arguments;
        int n = snprintf(path, sizeof(paths[0]), "%s/", help_root());

        va_start(arguments, format);
        (void)vsnprintf(path + n, sizeof(paths[0]) - (size_t)n, format, arguments);
        va_end(arguments);
        return path;
}

Cache *help_open(bool system)
{
        CacheOptions options = { .path = help_root(), .system = system, .owner = geteuid() };
        Fault fault = FAULT_NULL;
        Cache *cache = NULL;
        int r = cache_open(&options, &cache, &fault);

        ck_assert_msg(r == 0, "%d %s", r, fault.message);
        return cache;
}

const char *help_etag(const char *bytes, size_t n, bool lfs)
{
        static char names[8][2 * HASH_MAX + 1];
        static unsigned next;
        CLEANUP(hash_freep) Hash *hash = NULL;
        char *name = names[next++ % 8];
        uint8_t raw[HASH_MAX];
        size_t size;

        ck_assert_int_eq(lfs ? hash_new(HASH_SHA256, &hash) : hash_new_git_blob(n, &hash), 0);
        ck_assert_int_eq(hash_update(hash, bytes, n), 0);
        ck_assert_int_eq(hash_finish(hash, raw, &size), 0);
        hash_hex(raw, size, name);
        return name;
}

CacheBlob *help_blob(Cache *cache, const char *bytes, size_t n, bool lfs)
{
        Fault fault = FAULT_NULL;
        CacheBlob *blob = NULL;
        int r = cache_blob_begin(cache, HELP_REPO, text_of(help_etag(bytes, n, lfs)), (int64_t)n, false, &blob, &fault);

        if (r == 0)
                r = cache_blob_write(blob, bytes, n, &fault);
        if (r == 0)
                r = cache_blob_end(blob, &fault);
        while (r == CACHE_BLOB_THERE || r == STEP_MORE)
                r = cache_blob_hash_step(blob, 1 << 20, &fault);
        ck_assert_msg(r == 0, "%d %s", r, fault.message);
        return blob;
}

char *help_layout(void)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        char command[600], chunk[4096];
        FILE *stream;
        size_t n;

        (void)snprintf(command, sizeof(command), "cd '%s' && find . -mindepth 1 '(' -type l -printf '%%y %%m %%s %%P -> %%l\\n' ')' -o "
                       "'(' -type d -printf '%%y %%m %%P\\n' ')' -o -printf '%%y %%m %%s %%P\\n' | LC_ALL=C sort -k 4 | LC_ALL=C sort",
                       help_root());
        stream = popen(command, "re");
        ck_assert_ptr_nonnull(stream);
        while ((n = fread(chunk, 1, sizeof(chunk), stream)) > 0)
                ck_assert_int_eq(buffer_append(&buffer, chunk, n), 0);
        ck_assert_int_eq(pclose(stream), 0);
        return alloc_text((const char *)buffer.data, buffer.size);
}

void help_write(const char *path, const char *bytes, size_t n)
{
        char folder[1024];
        int fd;

        for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                (void)snprintf(folder, sizeof(folder), "%.*s", (int)(slash - path), path);
                ck_assert(mkdir(folder, 0755) == 0 || errno == EEXIST);
        }
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, bytes, n), (ssize_t)n);
        ck_assert_int_eq(close(fd), 0);
}

void help_python_file(const char *commit, const char *path, const char *bytes, bool lfs)
{
        const char *etag = help_etag(bytes, strlen(bytes), lfs);
        char target[512] = "../../";

        help_write(help_at(".locks/" HELP_FOLDER "/%s.lock", etag), "", 0);
        help_write(help_at(HELP_FOLDER "/blobs/%s", etag), bytes, strlen(bytes));
        help_write(help_at(HELP_FOLDER "/snapshots/%s/%s", commit, path), "", 0);
        ck_assert_int_eq(unlink(help_at(HELP_FOLDER "/snapshots/%s/%s", commit, path)), 0);
        for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/'))
                (void)snprintf(target + strlen(target), sizeof(target) - strlen(target), "../");
        (void)snprintf(target + strlen(target), sizeof(target) - strlen(target), "blobs/%s", etag);
        ck_assert_int_eq(symlink(target, help_at(HELP_FOLDER "/snapshots/%s/%s", commit, path)), 0);
}

static int check_link(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
        char target[1024], bytes[1 << 16];
        const char *name;
        ssize_t n;
        int fd;

        if (kind != FTW_SL || !strstr(path, "/snapshots/"))
                return 0;
        n = readlink(path, target, sizeof(target) - 1);
        ck_assert_int_gt(n, 0);
        target[n] = 0;
        fd = open(path, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return 0;
        n = read(fd, bytes, sizeof(bytes));
        (void)close(fd);
        ck_assert(n >= 0 && n < (ssize_t)sizeof(bytes));
        name = strrchr(target, '/') + 1;
        ck_assert_msg(strcmp(help_etag(bytes, (size_t)n, strlen(name) == 64), name) == 0, "%s leads to other bytes", path);
        return 0;
}

void help_assert_links(void)
{
        if (access(help_root(), F_OK) == 0)
                ck_assert_int_eq(nftw(help_root(), check_link, 16, FTW_PHYS), 0);
}

static int check_name(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
        ck_assert_msg(!strstr(path, "incomplete"), "%s was left", path);
        return 0;
}

void help_assert_placed(void)
{
        if (access(help_root(), F_OK) == 0)
                ck_assert_int_eq(nftw(help_root(), check_name, 16, FTW_PHYS), 0);
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *ftw)
{
        return remove(path);
}

void help_clear(void)
{
        if (access(help_root(), F_OK) == 0)
                ck_assert_int_eq(nftw(help_root(), remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

Cached *help_scan(Cache *cache)
{
        CLEANUP(cache_scan_freep) CacheScan *scan = NULL;
        Fault fault = FAULT_NULL;
        int r = cache_scan_new(cache, &scan);

        while (r == 0 || r == STEP_MORE) {
                r = cache_scan_step(scan, &fault);
                if (r == STEP_DONE)
                        return cache_scan_take(scan);
        }
        ck_abort_msg("%d %s", r, fault.message);
}

const CachedVariant *help_find(const Cached *cached, const char *variant)
{
        for (size_t i = 0; i < cached->n_repositories; i++)
                for (size_t j = 0; j < cached->repositories[i].n_commits; j++)
                        for (size_t k = 0; k < cached->repositories[i].commits[j].n_variants; k++) {
                                const CachedCommit *commit = &cached->repositories[i].commits[j];

                                if (text_equal(commit->commit, HELP_COMMIT) &&
                                    text_equal(commit->variants[k].name, text_of(variant)))
                                        return &commit->variants[k];
                        }
        return NULL;
}
