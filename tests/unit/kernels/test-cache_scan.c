#include "tests/unit/kernels/cache_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define V "build/" HELP_VARIANT "/"
#define SNAPSHOT HELP_FOLDER "/snapshots/" HELP_COMMIT_TEXT "/"
#define KEYS "\"name\": \"fake-relu\", \"id\": \"x\", \"version\": 1, \"license\": \"MIT\", \"python-depends\": [], " \
             "\"backend\": {\"type\": \"cpu\"}"

static const char plain[] = "{" KEYS "}";
static const char with_digest[] = "{" KEYS ", \"digest\": {\"algorithm\": \"sha256\", \"files\": {\"__init__.py\": \"a\", "
                                  "\"x/y.so\": \"b\"}}}";

static void file(const char *path, const char *bytes)
{
        help_python_file(HELP_COMMIT_TEXT, path, bytes, false);
}

static void trees(const char *format_version)
{
        char json[1024];
        int n = snprintf(json, sizeof(json),
                         "{\n \"format_version\": %s,\n \"files\": {\n  \"README.md\": {\"size\": 3},\n  \"" V "__init__.py\": "
                         "{\"size\": 9},\n  \"" V "metadata.json\": {\"size\": %zu},\n  \"" V "x/__pycache__/a.pyc\": {\"size\": 9},\n"
                         "  \"build/torch28-cxx11-cpu-x86_64-linux/a\": {\"size\": 1}\n }\n}", format_version, strlen(plain));

        help_write(help_at(HELP_FOLDER "/trees/" HELP_COMMIT_TEXT ".json"), json, (size_t)n);
}

static const CachedVariant *look(Cached **cached)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        const CachedVariant *variant;

        (void)cached_free(*cached);
        *cached = help_scan(cache);
        variant = help_find(*cached, HELP_VARIANT);
        ck_assert_ptr_nonnull(variant);
        return variant;
}

START_TEST(test_empty)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        CLEANUP(cached_freep) Cached *all = help_scan(cache), *one = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_uint_eq(all->n_repositories, 0);
        ck_assert(!all->cut);
        ck_assert_int_eq(cache_scan_one(cache, HELP_REPO, HELP_COMMIT, &one, &fault), 0);
        ck_assert_uint_eq(one->n_repositories, 0);
        ck_assert_int_eq(cache_scan_one(cache, TEXT("../x"), HELP_COMMIT, &one, &fault), 1);
        ck_assert_int_eq(cache_scan_one(cache, HELP_REPO, TEXT("../x"), &one, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_INVALID_NAME);
}
END_TEST

START_TEST(test_by_trees)
{
        CLEANUP(cached_freep) Cached *cached = NULL;
        const CachedVariant *variant;
        const CachedCommit *commit;

        file(V "metadata.json", plain);
        trees("1");
        variant = look(&cached);
        ck_assert(variant->listed && !variant->complete && variant->metadata);
        file(V "__init__.py", "too short"); /* as long as it must be */
        variant = look(&cached);
        ck_assert(variant->listed && variant->complete && !variant->whole);
        commit = &cached->repositories[0].commits[0];
        ck_assert(commit->listing_known);
        ck_assert_uint_eq(commit->n_listing, 2);
        ck_assert(text_equal(commit->listing[1], TEXT("torch28-cxx11-cpu-x86_64-linux")));
        ck_assert_int_eq(unlink(help_at(SNAPSHOT V "__init__.py")), 0);
        file(V "__init__.py", "short");
        ck_assert(!look(&cached)->complete);
        trees("2");
        variant = look(&cached);
        ck_assert(!variant->listed && !variant->complete && variant->whole);
        ck_assert(!cached->repositories[0].commits[0].listing_known);
}
END_TEST

/* `gather` on the loop goes through them for each. */
START_TEST(test_trees_of_too_many_variants)
{
        CLEANUP(cached_freep) Cached *cached = NULL;
        char json[64 * LIMIT_VARIANTS];
        int n = snprintf(json, sizeof(json), "{\"format_version\": 1, \"files\": {");

        file(V "metadata.json", plain);
        for (int i = 0; i <= LIMIT_VARIANTS; i++)
                n += snprintf(json + n, sizeof(json) - (size_t)n, "%s\"build/v%d/a\": {\"size\": 1}", i ? ", " : "", i);
        n += snprintf(json + n, sizeof(json) - (size_t)n, "}}");
        help_write(help_at(HELP_FOLDER "/trees/" HELP_COMMIT_TEXT ".json"), json, (size_t)n);
        ck_assert(!look(&cached)->complete);
        ck_assert(!cached->repositories[0].commits[0].listing_known);
}
END_TEST

START_TEST(test_by_digest)
{
        CLEANUP(cached_freep) Cached *cached = NULL;
        const CachedVariant *variant;

        file(V "metadata.json", with_digest);
        file(V "__init__.py", "x");
        variant = look(&cached);
        ck_assert(variant->listed && !variant->complete);
        ck_assert_int_eq(mkdir(help_at(SNAPSHOT V "x"), 0755), 0);
        ck_assert_int_eq(symlink("../../../../../blobs/gone", help_at(SNAPSHOT V "x/y.so")), 0);
        ck_assert(!look(&cached)->complete);
        help_write(help_at(HELP_FOLDER "/blobs/gone"), "x", 1);
        variant = look(&cached);
        ck_assert(variant->complete);
        ck_assert(text_equal(variant->metadata->name, TEXT("fake-relu")));
        ck_assert_int_eq(unlink(help_at(SNAPSHOT V "x/y.so")), 0);
        help_write(help_at(SNAPSHOT V "x/y.so"), "x", 1); /* of a cache without links */
        ck_assert(look(&cached)->complete);
        ck_assert_int_eq(unlink(help_at(SNAPSHOT V "x/y.so")), 0);
        ck_assert_int_eq(mkfifo(help_at(SNAPSHOT V "x/y.so"), 0644), 0);
        ck_assert(!look(&cached)->complete);
}
END_TEST

START_TEST(test_whole)
{
        CLEANUP(cached_freep) Cached *cached = NULL;
        const CachedVariant *variant;

        help_write(help_at(SNAPSHOT V "x"), "", 0);
        ck_assert_int_eq(unlink(help_at(SNAPSHOT V "x")), 0);
        variant = look(&cached);
        ck_assert(!variant->listed && !variant->complete && !variant->whole && !variant->metadata);
        file(V "__init__.py", "x");
        ck_assert(look(&cached)->whole);
        ck_assert_int_eq(symlink("nowhere", help_at(SNAPSHOT V "y")), 0);
        ck_assert(!look(&cached)->whole);
        ck_assert_int_eq(unlink(help_at(SNAPSHOT V "y")), 0);
        file(V "a/b.incomplete", "x");
        ck_assert(!look(&cached)->whole);
}
END_TEST

static void assert_bad_metadata(Cached **cached)
{
        const CachedVariant *variant = look(cached);

        ck_assert_ptr_null(variant->metadata);
        ck_assert_int_eq(variant->fault.name, FAULT_CORRUPT);
        ck_assert_int_eq(unlink(help_at(SNAPSHOT V "metadata.json")), 0);
}

START_TEST(test_hostile_metadata)
{
        CLEANUP(cached_freep) Cached *cached = NULL;

        file(V "metadata.json", "no JSON");
        assert_bad_metadata(&cached);
        ck_assert_int_eq(mkfifo(help_at(SNAPSHOT V "metadata.json"), 0644), 0);
        assert_bad_metadata(&cached);
        ck_assert_int_eq(symlink("/dev/zero", help_at(SNAPSHOT V "metadata.json")), 0);
        assert_bad_metadata(&cached);
        ck_assert_int_eq(symlink("/etc/passwd", help_at(SNAPSHOT V "metadata.json")), 0);
        assert_bad_metadata(&cached);
        ck_assert_int_eq(symlink("metadata.json", help_at(SNAPSHOT V "metadata.json")), 0);
        assert_bad_metadata(&cached);
        file(V "metadata.json", "x");
        ck_assert_int_eq(truncate(help_at(SNAPSHOT V "metadata.json"), 1ll << 40), 0);
        assert_bad_metadata(&cached);
}
END_TEST

START_TEST(test_refs)
{
        CLEANUP(cache_closep) Cache *cache = NULL;
        CLEANUP(cached_freep) Cached *cached = NULL;
        static const char *const good[] = { "a/b/c", "main", "v1" };
        const CachedRepository *repository;

        help_write(help_at(HELP_FOLDER "/refs/v1"), HELP_COMMIT_TEXT, 40);
        help_write(help_at(HELP_FOLDER "/refs/main"), HELP_COMMIT_TEXT " \n", 42);
        help_write(help_at(HELP_FOLDER "/refs/a/b/c"), HELP_COMMIT_TEXT, 40);
        help_write(help_at(HELP_FOLDER "/refs/main.0123abcd.tmp"), HELP_COMMIT_TEXT, 40);
        help_write(help_at(HELP_FOLDER "/refs/empty"), "", 0);
        help_write(help_at(HELP_FOLDER "/refs/short"), "cc926a01", 8);
        help_write(help_at(HELP_FOLDER "/refs/a b"), HELP_COMMIT_TEXT, 40);
        ck_assert_int_eq(mkfifo(help_at(HELP_FOLDER "/refs/fifo"), 0644), 0);
        ck_assert_int_eq(symlink("..", help_at(HELP_FOLDER "/refs/up")), 0);
        ck_assert_int_eq(symlink("v1", help_at(HELP_FOLDER "/refs/link")), 0);
        cache = help_open(false);
        cached = help_scan(cache);
        ck_assert_uint_eq(cached->n_repositories, 1);
        repository = &cached->repositories[0];
        ck_assert(text_equal(repository->repo, HELP_REPO));
        ck_assert_uint_eq(repository->n_refs, ARRAY_SIZE(good));
        for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
                struct stat stat_;

                ck_assert_int_eq(stat(help_at(HELP_FOLDER "/refs/%s", good[i]), &stat_), 0);
                ck_assert(text_equal(repository->refs[i].name, text_of(good[i])));
                ck_assert(text_equal(repository->refs[i].commit, HELP_COMMIT));
                ck_assert_int_eq(repository->refs[i].written_s, stat_.st_mtim.tv_sec);
        }
}
END_TEST

START_TEST(test_names)
{
        CLEANUP(cache_closep) Cache *cache = NULL;
        CLEANUP(cached_freep) Cached *all = NULL, *one = NULL;
        static const char other[] = "0123456789012345678901234567890123456789";
        Fault fault = FAULT_NULL;

        file(V "a", "x");
        file("build/.hidden/a", "x");
        file("build/file", "x");
        file("build/\xff/a", "x");
        help_python_file(other, "README.md", "x", false);
        help_python_file("main", "README.md", "x", false);
        ck_assert_int_eq(symlink("/", help_at(HELP_FOLDER "/snapshots/1111111111222222222233333333334444444444")), 0);
        ck_assert_int_eq(symlink("/etc", help_at(SNAPSHOT "build/etc")), 0);
        help_write(help_at("models--a--b/refs/main"), "", 0);
        help_write(help_at("kernels--a/refs/main"), "", 0);
        help_write(help_at("kernels--a--b"), "a file", 6);
        cache = help_open(false);
        all = help_scan(cache);
        ck_assert_uint_eq(all->n_repositories, 1);
        ck_assert_uint_eq(all->repositories[0].n_commits, 2);
        ck_assert(text_equal(all->repositories[0].commits[0].commit, text_of(other)));
        ck_assert_uint_eq(all->repositories[0].commits[0].n_variants, 0);
        ck_assert_uint_eq(all->repositories[0].commits[1].n_variants, 1);
        ck_assert_ptr_nonnull(help_find(all, HELP_VARIANT));
        ck_assert_int_eq(cache_scan_one(cache, HELP_REPO, HELP_COMMIT, &one, &fault), 0);
        ck_assert_uint_eq(one->repositories[0].n_commits, 1);
        ck_assert_ptr_nonnull(help_find(one, HELP_VARIANT));
}
END_TEST

START_TEST(test_many_folders)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        CLEANUP(cached_freep) Cached *cached = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CLEANUP_FD int fd = -1;
        CachedRef *refs;
        bool cut = false;
        size_t n;

        file(V "a", "x");
        ck_assert_int_eq(mkdir(help_at(HELP_FOLDER "/refs"), 0755), 0);
        for (int i = 0; i < LIMIT_VARIANTS + 100; i++)
                ck_assert_int_eq(mkdir(help_at(SNAPSHOT "build/v%d", i), 0755), 0);
        for (int i = 0; i < 100; i++)
                ck_assert_int_eq(mkdir(help_at(HELP_FOLDER "/refs/%d", i), 0755), 0);
        cached = help_scan(cache);
        ck_assert(cached->cut);
        ck_assert_uint_eq(cached->repositories[0].commits[0].n_variants, LIMIT_VARIANTS);
        fd = open(help_at(HELP_FOLDER), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_eq(cache_ref_list(fd, 101, &arena, &refs, &n, &cut), 0);
        ck_assert(!cut);
        ck_assert_int_eq(cache_ref_list(fd, 50, &arena, &refs, &n, &cut), 0);
        ck_assert(cut);
}
END_TEST

static int scan_once(Cache *cache)
{
        CLEANUP(cached_freep) Cached *cached = NULL;
        Fault fault;

        return cache_scan_one(cache, HELP_REPO, HELP_COMMIT, &cached, &fault);
}

START_TEST(test_torture)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);

        file(V "metadata.json", with_digest);
        file("build/other/a", "x");
        trees("1");
        help_write(help_at(HELP_FOLDER "/refs/a/v1"), HELP_COMMIT_TEXT, 40);
        FIXTURE_TORTURE(scan_once(cache));
}
END_TEST

FIXTURE_MAIN("kernels/cache_scan", test_empty, test_by_trees, test_trees_of_too_many_variants, test_by_digest, test_whole, test_hostile_metadata, test_refs,
             test_names, test_many_folders, test_torture)
