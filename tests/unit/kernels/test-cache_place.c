#include "tests/unit/kernels/cache_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/cache_place.h"
#include "tests/unit/kernels/cache_wrap.h"

#define V "build/" HELP_VARIANT "/"
#define SNAPSHOT HELP_FOLDER "/snapshots/" HELP_COMMIT_TEXT "/"

typedef struct File {
        const char *path;
        const char *bytes;
        bool lfs;
} File;

/* metadata.json names all others, so that a scan can tell whether they are there. */
static const char metadata[] =
        "{\"name\": \"fake-relu\", \"id\": \"x\", \"version\": 1, \"license\": \"MIT\", \"python-depends\": [], "
        "\"backend\": {\"type\": \"cpu\"}, \"digest\": {\"algorithm\": \"sha256\", \"files\": {\"__init__.py\": \"a\", "
        "\"_x.abi3.so\": \"a\", \"empty.py\": \"a\", \"fake_relu/__init__.py\": \"a\", \"fake_relu/empty.py\": \"a\"}}}";

static const File fake_relu[] = {
        { V "metadata.json", metadata, false },       { V "__init__.py", "import x\n", false },
        { V "_x.abi3.so", "\x7f" "ELF", true },       { V "empty.py", "", false },
        { V "fake_relu/__init__.py", "x\n", false },  { V "fake_relu/empty.py", "", false },
};

#define N_FILES ARRAY_SIZE(fake_relu)

/* Worked out once, so that no allocation of it fails in place of ours. */
static const char *etag_of(const File *file)
{
        static struct {
                File file;
                char etag[65];
        } known[32];
        size_t n = 0;

        for (; known[n].file.bytes; n++)
                if (strcmp(known[n].file.bytes, file->bytes) == 0 && known[n].file.lfs == file->lfs)
                        return known[n].etag;
        ck_assert_uint_lt(n + 1, ARRAY_SIZE(known));
        known[n].file = *file;
        (void)snprintf(known[n].etag, sizeof(known[n].etag), "%s", help_etag(file->bytes, strlen(file->bytes), file->lfs));
        return known[n].etag;
}

/* Takes what is needed of `cache` to have these files in place. */
static int fetch_files(Cache *cache, const File *files, size_t n, Fault *fault)
{
        CachePlacement places[16] = { 0 };
        CacheBlob *blobs[16] = { NULL };
        int r = 0;

        for (size_t i = 0; r == 0 && i < n; i++) {
                const char *etag = etag_of(&files[i]);

                places[i].path = text_of(files[i].path);
                for (size_t j = 0; j < i; j++)
                        if (text_equal(cache_blob_etag(places[j].blob), text_of(etag)))
                                places[i].blob = places[j].blob;
                if (places[i].blob)
                        continue;
                r = cache_blob_begin(cache, HELP_REPO, text_of(etag), (int64_t)strlen(files[i].bytes), false, &blobs[i], fault);
                places[i].blob = blobs[i];
                if (r == CACHE_BLOB_THERE) {
                        r = 0;
                        continue;
                }
                if (r == 0)
                        r = cache_blob_write(blobs[i], files[i].bytes, strlen(files[i].bytes), fault);
                if (r == 0)
                        r = cache_blob_end(blobs[i], fault);
        }
        if (r == 0)
                r = cache_place(cache, HELP_REPO, HELP_COMMIT, places, n, fault);
        for (size_t i = 0; i < n; i++)
                (void)cache_blob_free(blobs[i]);
        return r == CACHE_BLOB_FAULT ? 1 : r;
}

static void fetch(Cache *cache)
{
        Fault fault = FAULT_NULL;
        int r = fetch_files(cache, fake_relu, N_FILES, &fault);

        ck_assert_msg(r == 0, "%d %s", r, fault.message);
}

static void assert_complete(Cache *cache, bool may_be_absent)
{
        CLEANUP(cached_freep) Cached *cached = help_scan(cache);
        const CachedVariant *variant = help_find(cached, HELP_VARIANT);

        help_assert_links();
        if (variant)
                ck_assert(variant->listed && variant->complete);
        else
                ck_assert(may_be_absent);
}

static void assert_complete_if_described(Cache *cache)
{
        CLEANUP(cached_freep) Cached *cached = help_scan(cache);
        const CachedVariant *variant = help_find(cached, HELP_VARIANT);

        ck_assert_ptr_nonnull(variant);
        ck_assert(!variant->metadata || variant->complete);
}

/* The facts' layout, modes as designed, with the names that the contents have. */
static void expect_layout(bool system, char *expected, size_t size)
{
        size_t n = 0;

        n += (size_t)snprintf(expected + n, size - n, "f 644 40 " HELP_FOLDER "/refs/v1\nf 644 191 CACHEDIR.TAG\n");
        for (size_t i = 0; i < N_FILES; i++) {
                const char *etag = etag_of(&fake_relu[i]);
                const char *up = strchr(fake_relu[i].path + strlen(V), '/') ? "../../../../../" : "../../../../";

                n += (size_t)snprintf(expected + n, size - n,
                                      "f %o 0 .locks/" HELP_FOLDER "/%s.lock\nf 444 %zu " HELP_FOLDER "/blobs/%s\n"
                                      "l 777 %zu " SNAPSHOT "%s -> %sblobs/%s\n",
                                      system ? 0600 : 0664, etag, strlen(fake_relu[i].bytes), etag, strlen(up) + 6 + strlen(etag), fake_relu[i].path,
                                      up, etag);
        }
        (void)snprintf(expected + n, size - n,
                       "d 755 .locks\nd 755 .locks/" HELP_FOLDER "\nd 755 " HELP_FOLDER "\nd 755 " HELP_FOLDER "/blobs\n"
                       "d 755 " HELP_FOLDER "/refs\nd 755 " HELP_FOLDER "/snapshots\nd 755 " HELP_FOLDER "/snapshots/" HELP_COMMIT_TEXT
                       "\nd 755 " SNAPSHOT "build\nd 755 " SNAPSHOT "build/" HELP_VARIANT "\nd 755 " SNAPSHOT V "fake_relu\n");
}

/* Each line of one stands in the other, and both have as many different ones. */
static void assert_layout(bool system)
{
        CLEANUP_ALLOC char *layout = help_layout();
        char expected[8192], *line, *rest;
        unsigned n = 0, n_layout = 0;

        expect_layout(system, expected, sizeof(expected));
        for (rest = expected; (line = strsep(&rest, "\n")) && *line;) {
                ck_assert_msg(strstr(layout, line) != NULL, "\"%s\" is not in\n%s", line, layout);
                n++;
        }
        for (const char *at = layout; (at = strchr(at, '\n')); at++)
                n_layout++;
        /* empty.py has one blob and lock for two links; .kernelsd.lock is the one extra file */
        ck_assert_msg(n_layout == n - 2 + 1, "%u lines, expected %u, in\n%s", n_layout, n - 1, layout);
        ck_assert_ptr_nonnull(strstr(layout, " .kernelsd.lock\n"));
}

START_TEST(test_layout)
{
        static const mode_t umasks[] = { 022, 027, 077 };
        char command[400];

        for (size_t i = 0; i < ARRAY_SIZE(umasks); i++) {
                mode_t before = umask(umasks[i]);
                CLEANUP(cache_closep) Cache *cache = help_open(i % 2 == 0);
                Fault fault = FAULT_NULL;

                fetch(cache);
                ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("v1"), HELP_COMMIT, &fault), 0);
                (void)umask(before);
                ck_assert(!wrap_unsynced());
                assert_layout(i % 2 == 0);
                assert_complete(cache, false);
                (void)snprintf(command, sizeof(command),
                               "cd '%s' && echo 'f6572428f6d5e1575e73a1502895a8731f10757dfbb634909c6e154b849af91d  CACHEDIR.TAG' | "
                               "sha256sum --status -c", help_root());
                ck_assert_int_eq(system(command), 0);
                help_clear();
        }
}
END_TEST

START_TEST(test_again_changes_nothing)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_ALLOC char *first = NULL, *second = NULL;

        fetch(cache);
        first = help_layout();
        fetch(cache);
        second = help_layout();
        ck_assert_str_eq(first, second);
}
END_TEST

/* Files of no variant, and a second variant that shares blobs with the first. */
START_TEST(test_others)
{
        static const File others[] = {
                { "kernel-status.toml", "kind\n", false }, { "build/other/__init__.py", "import x\n", false },
                { "build/readme", "x\n", false },          { V "metadata.json", metadata, false },
        };
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        Fault fault = FAULT_NULL;
        char target[200] = "";

        fetch(cache);
        ck_assert_msg(fetch_files(cache, others, ARRAY_SIZE(others), &fault) == 0, "%s", fault.message);
        for (size_t i = 0; i < ARRAY_SIZE(others); i++)
                ck_assert_int_eq(access(help_at(SNAPSHOT "%s", others[i].path), R_OK), 0);
        ck_assert_int_gt(readlink(help_at(SNAPSHOT "kernel-status.toml"), target, sizeof(target) - 1), 0);
        ck_assert_int_eq(strncmp(target, "../../blobs/", 12), 0);
        help_assert_links();
}
END_TEST

/* What the Hub's client left: a dangling link, a link to another blob, a file without a link, one with other bytes. */
START_TEST(test_existing_folder)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        struct stat stat_;
        char target[200] = "";

        help_python_file(HELP_COMMIT_TEXT, V "empty.py", "", false);
        help_python_file(HELP_COMMIT_TEXT, V "_x.abi3.so", "gone", true);
        ck_assert_int_eq(unlink(help_at(HELP_FOLDER "/blobs/%s", help_etag("gone", 4, true))), 0);
        help_python_file(HELP_COMMIT_TEXT, V "__init__.py", "other", false);
        help_write(help_at(SNAPSHOT V "fake_relu/__init__.py"), "x\n", 2);
        help_write(help_at(SNAPSHOT V "fake_relu/empty.py"), "not empty", 9);
        fetch(cache);
        assert_complete(cache, false);
        ck_assert_int_eq(lstat(help_at(SNAPSHOT V "fake_relu/__init__.py"), &stat_), 0);
        ck_assert(S_ISREG(stat_.st_mode));
        ck_assert_int_gt(readlink(help_at(SNAPSHOT V "__init__.py"), target, sizeof(target) - 1), 0);
        ck_assert_ptr_nonnull(strstr(target, help_etag("import x\n", 9, false)));
        ck_assert_int_eq(lstat(help_at(SNAPSHOT V "fake_relu/empty.py"), &stat_), 0);
        ck_assert(S_ISLNK(stat_.st_mode));
}
END_TEST

static void link_folder(void)
{
        help_write(help_at(SNAPSHOT "x"), "", 0);
        ck_assert_int_eq(mkdir(help_at(SNAPSHOT "build"), 0755), 0);
        ck_assert(mkdir(help_at("../elsewhere"), 0755) == 0);
        ck_assert_int_eq(symlink("../../../../../elsewhere", help_at(SNAPSHOT "build/" HELP_VARIANT)), 0);
        ck_assert_int_eq(access(help_at(SNAPSHOT "build/" HELP_VARIANT "/."), F_OK), 0);
}

static void folder_for_file(void)
{
        help_write(help_at(SNAPSHOT V "__init__.py/x"), "", 0);
}

/* In the way stands what no client makes: refused, nothing outside is touched. */
START_TEST(test_in_the_way)
{
        static void (*const acts[])(void) = { link_folder, folder_for_file };

        for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
                CLEANUP(cache_closep) Cache *cache = help_open(false);
                Fault fault = FAULT_NULL;

                acts[i]();
                ck_assert_int_eq(fetch_files(cache, fake_relu, N_FILES, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_INTERNAL);
                ck_assert_ptr_nonnull(strstr(fault.message, SNAPSHOT V));
                ck_assert(rmdir(help_at("../elsewhere")) == 0 || errno == ENOENT);
                help_assert_placed();
                help_clear();
        }
}
END_TEST

START_TEST(test_refused)
{
        static const File bad[][2] = {
                { { V "../../../x", "", false } }, { { "/etc/x", "", false } }, { { V "a//b", "", false } },
                { { V "a", "", false }, { V "a", "other", false } },
        };
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                Fault fault = FAULT_NULL;

                ck_assert_int_eq(fetch_files(cache, bad[i], bad[i][1].path ? 2 : 1, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_CORRUPT);
                ck_assert_int_ne(access(help_at(HELP_FOLDER "/snapshots"), F_OK), 0);
        }
}
END_TEST

/* A blob of the Hub's client with other bytes than its name says is never linked to. */
START_TEST(test_wrong_blob_there)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        Fault fault = FAULT_NULL;

        help_write(help_at(HELP_FOLDER "/blobs/%s", help_etag("import x\n", 9, false)), "import y\n", 9);
        ck_assert_int_eq(fetch_files(cache, fake_relu, N_FILES, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_int_ne(access(help_at(SNAPSHOT V), F_OK), 0);
        fetch(cache);
        assert_complete(cache, false);
}
END_TEST

/* Removes all but what a daemon before us, or the Hub's client, left at the start of a case. */
static void start_case(int number)
{
        help_clear();
        if (number == 1) {
                help_python_file(HELP_COMMIT_TEXT, V "empty.py", "", false);
                help_python_file(HELP_COMMIT_TEXT, V "_x.abi3.so", "gone", true);
                ck_assert_int_eq(unlink(help_at(HELP_FOLDER "/blobs/%s", help_etag("gone", 4, true))), 0);
        }
}

static int killed_at(long k)
{
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                CacheOptions options = { .path = help_root(), .owner = geteuid() };
                Fault fault = FAULT_NULL;
                Cache *cache = NULL;

                wrap_set(WRAP_KILL, k, 0);
                if (cache_open(&options, &cache, &fault) != 0 || fetch_files(cache, fake_relu, N_FILES, &fault) != 0 ||
                    cache_ref_write(cache, HELP_REPO, TEXT("v1"), HELP_COMMIT, &fault) != 0)
                        _exit(1);
                _exit(0);
        }
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert(WIFEXITED(status));
        return WEXITSTATUS(status);
}

START_TEST(test_killed)
{
        for (int number = 0; number < 2; number++) {
                int status = WRAP_KILLED;

                for (long k = 0; status == WRAP_KILLED; k++) {
                        CLEANUP(cache_closep) Cache *cache = NULL;
                        Fault fault = FAULT_NULL;

                        start_case(number);
                        status = killed_at(k);
                        ck_assert(status == 0 || status == WRAP_KILLED);
                        help_assert_links();
                        cache = help_open(false);
                        if (number == 0)
                                assert_complete(cache, status != 0);
                        else /* others began the folder: it gets its metadata.json last */
                                assert_complete_if_described(cache);
                        fetch(cache);
                        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("v1"), HELP_COMMIT, &fault), 0);
                        assert_complete(cache, false);
                        help_assert_placed();
                        if (number == 0 && k % 8 == 0) /* which takes several programs each time */
                                assert_layout(false);
                        ck_assert_int_lt(k, 1000);
                }
        }
}
END_TEST

/* The disk is full from call k on once: said so, half-written files are gone, what is there is right. */
START_TEST(test_no_space)
{
        for (int number = 0; number < 2; number++) {
                bool struck = true;

                for (long k = 0; struck; k++) {
                        CLEANUP(cache_closep) Cache *cache = NULL;
                        Fault fault = FAULT_NULL;
                        int r;

                        start_case(number);
                        cache = help_open(true);
                        wrap_set(WRAP_FAIL, k, ENOSPC);
                        r = fetch_files(cache, fake_relu, N_FILES, &fault);
                        struck = wrap_struck();
                        wrap_set(WRAP_NOTHING, 0, 0);
                        ck_assert_msg(r == 0 || (struck && r == 1 && fault.name == FAULT_NO_SPACE), "%ld: %d %s", k, r,
                                      fault.message);
                        help_assert_links();
                        help_assert_placed();
                        fetch(cache);
                        assert_complete(cache, false);
                }
        }
}
END_TEST

START_TEST(test_torture)
{
        for (size_t i = 0; i < N_FILES; i++)
                (void)etag_of(&fake_relu[i]);
        for (int number = 0; number < 2; number++) {
                bool fired = true;

                for (long k = 0; fired; k++) {
                        CLEANUP(cache_closep) Cache *cache = NULL;
                        Fault fault = FAULT_NULL;
                        int r;

                        start_case(number);
                        cache = help_open(false);
                        alloc_fault_set(k);
                        r = fetch_files(cache, fake_relu, N_FILES, &fault);
                        fired = alloc_fault_fired();
                        alloc_fault_set(-1);
                        ck_assert_msg(r == 0 || (fired && r == -ENOMEM), "%ld: %d %s", k, r, fault.message);
                        help_assert_placed();
                        help_assert_links();
                }
        }
}
END_TEST

FIXTURE_MAIN("kernels/cache_place", test_layout, test_again_changes_nothing, test_others, test_existing_folder,
             test_in_the_way, test_refused, test_wrong_blob_there, test_killed, test_no_space, test_torture)
