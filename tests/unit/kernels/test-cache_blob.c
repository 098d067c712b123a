#include "tests/unit/kernels/cache_help.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char hello[] = "hello world";
#define HELLO_SIZE (sizeof(hello) - 1)
#define HELLO_SHA256 "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="
#define HELLO_SHA512 "MJ7MSJwS1utMxA9QyQLytNDtd+5RGnx6m808qG1M2G+YndNbxf9JlnDaNCVbRbDP2DDoH2Bdz33FVC6TrpzXbw=="

static int begin(Cache *cache, const char *etag, int64_t size, CacheBlob **ret_blob, Fault *fault)
{
        return cache_blob_begin(cache, HELP_REPO, text_of(etag), size, false, ret_blob, fault);
}

static unsigned n_in_blobs(void)
{
        CLEANUP_ALLOC char *layout = help_layout();
        unsigned n = 0;

        for (const char *at = layout; (at = strstr(at, HELP_FOLDER "/blobs/")); at++)
                n++;
        return n;
}

START_TEST(test_write)
{
        static const bool kinds[] = { false, true };
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                CLEANUP(cache_blob_freep) CacheBlob *blob = NULL;
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                const char *etag = help_etag(hello, HELLO_SIZE, kinds[i]);
                Fault fault = FAULT_NULL;
                struct stat stat_;
                Text bytes;

                ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &blob, &fault), 0);
                for (size_t n = 0; n < HELLO_SIZE; n++) {
                        ck_assert_int_eq(cache_blob_written(blob), (int64_t)n);
                        ck_assert_int_eq(cache_blob_write(blob, hello + n, 1, &fault), 0);
                }
                ck_assert_ptr_null(cache_blob_digest(blob).data);
                ck_assert_int_eq(cache_blob_end(blob, &fault), 0);
                ck_assert_int_eq(cache_blob_hash_step(blob, 1, &fault), STEP_DONE);
                ck_assert(text_equal(cache_blob_digest(blob), TEXT(HELLO_SHA256)));
                ck_assert_int_eq(cache_blob_read(blob, 100, &arena, &bytes, &fault), 0);
                ck_assert(text_equal(bytes, TEXT("hello world")));
                ck_assert_int_eq(cache_blob_read(blob, 10, &arena, &bytes, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_CORRUPT);
                ck_assert_int_ne(access(help_at(HELP_FOLDER "/blobs/%s", etag), F_OK), 0);
                ck_assert_int_eq(cache_blob_place(blob, &fault), 0);
                ck_assert_int_eq(cache_blob_place(blob, &fault), 0);
                ck_assert_int_eq(stat(help_at(HELP_FOLDER "/blobs/%s", etag), &stat_), 0);
                ck_assert_uint_eq(stat_.st_mode & 07777, 0444);
                ck_assert_int_eq(cache_blob_read(blob, 100, &arena, &bytes, &fault), 0);
        }
        ck_assert_uint_eq(n_in_blobs(), 2);
}
END_TEST

START_TEST(test_sha512)
{
        static const bool kinds[] = { false, true };
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
                CLEANUP(cache_blob_freep) CacheBlob *blob = NULL;
                Fault fault = FAULT_NULL;

                ck_assert_int_eq(cache_blob_begin(cache, HELP_REPO, text_of(help_etag(hello, HELLO_SIZE, kinds[i])), HELLO_SIZE,
                                                  true, &blob, &fault), 0);
                ck_assert_int_eq(cache_blob_write(blob, hello, HELLO_SIZE, &fault), 0);
                ck_assert_int_eq(cache_blob_end(blob, &fault), 0);
                ck_assert_msg(text_equal(cache_blob_digest(blob), TEXT(HELLO_SHA512)), "%s", cache_blob_digest(blob).data);
        }
}
END_TEST

START_TEST(test_empty)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP(cache_blob_freep) CacheBlob *blob = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(begin(cache, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391", 0, &blob, &fault), 0);
        ck_assert_int_eq(cache_blob_write(blob, "", 0, &fault), 0);
        ck_assert_int_eq(cache_blob_end(blob, &fault), 0);
}
END_TEST

/* Larger than the staging, in pieces that do not divide it. */
START_TEST(test_large)
{
        size_t n = 3 * 1024 * 1024 + 17;
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP(cache_blob_freep) CacheBlob *blob = NULL;
        CLEANUP_ALLOC char *bytes = alloc_bytes(n);
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text back;

        for (size_t i = 0; i < n; i++)
                bytes[i] = (char)(i * 2654435761u >> 13);
        ck_assert_int_eq(begin(cache, help_etag(bytes, n, true), (int64_t)n, &blob, &fault), 0);
        ck_assert_int_eq(cache_blob_write(blob, "garbage", 7, &fault), 0);
        ck_assert_int_eq(cache_blob_restart(blob), 0);
        ck_assert_int_eq(cache_blob_written(blob), 0);
        for (size_t at = 0; at < n; at += 99991)
                ck_assert_int_eq(cache_blob_write(blob, bytes + at, n - at < 99991 ? n - at : 99991, &fault), 0);
        ck_assert_msg(cache_blob_end(blob, &fault) == 0, "%s", fault.message);
        ck_assert_int_eq(cache_blob_read(blob, n, &arena, &back, &fault), 0);
        ck_assert(text_equal(back, (Text){ bytes, n }));
}
END_TEST

START_TEST(test_wrong_bytes)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        const char *etag = help_etag(hello, HELLO_SIZE, true), *other = help_etag("hello_world", HELLO_SIZE, true);
        CacheBlob *blob = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &blob, &fault), 0);
        ck_assert_int_eq(cache_blob_write(blob, "hello_world", HELLO_SIZE, &fault), 0);
        ck_assert_int_eq(cache_blob_end(blob, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_ptr_nonnull(strstr(fault.message, etag));
        ck_assert_ptr_nonnull(strstr(fault.message, other));
        ck_assert_int_eq(cache_blob_place(blob, &fault), -EINVAL);
        blob = cache_blob_free(blob);
        ck_assert_uint_eq(n_in_blobs(), 0);
}
END_TEST

START_TEST(test_wrong_size)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP(cache_blob_freep) CacheBlob *blob = NULL;
        const char *etag = help_etag(hello, HELLO_SIZE, false);
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &blob, &fault), 0);
        ck_assert_int_eq(cache_blob_write(blob, hello, HELLO_SIZE - 1, &fault), 0);
        ck_assert_int_eq(cache_blob_write(blob, "dd", 2, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_int_eq(cache_blob_end(blob, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_ptr_nonnull(strstr(fault.message, "expected 11 bytes, got 10"));
}
END_TEST

START_TEST(test_bad_names)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CacheBlob *blob = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(begin(cache, "../../../../../../../../../etc/passwd...", 1, &blob, &fault), CACHE_BLOB_FAULT);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_int_eq(begin(cache, help_etag("", 0, false), -1, &blob, &fault), CACHE_BLOB_FAULT);
        ck_assert_int_eq(cache_blob_begin(cache, TEXT("../x"), text_of(help_etag("", 0, false)), 0, false, &blob, &fault),
                         CACHE_BLOB_FAULT);
        ck_assert_int_eq(fault.name, FAULT_INVALID_NAME);
}
END_TEST

START_TEST(test_busy)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        const char *etag = help_etag(hello, HELLO_SIZE, false);
        CacheBlob *first = NULL, *second = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &first, &fault), 0);
        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &second, &fault), CACHE_BLOB_BUSY);
        first = cache_blob_free(first);
        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &second, &fault), 0);
        second = cache_blob_free(second);
        ck_assert_uint_eq(n_in_blobs(), 0);
}
END_TEST

/* Locks of finished files are let go before descriptors run out. */
START_TEST(test_many)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CacheBlob *blobs[LIMIT_CACHE_LOCKS + 100];
        struct rlimit limit = { LIMIT_CACHE_LOCKS + 32, LIMIT_CACHE_LOCKS + 32 };

        ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
        for (size_t i = 0; i < ARRAY_SIZE(blobs); i++) {
                char text[16];

                (void)snprintf(text, sizeof(text), "%zu", i);
                blobs[i] = help_blob(cache, text, strlen(text), false);
        }
        for (size_t i = 0; i < ARRAY_SIZE(blobs); i++)
                (void)cache_blob_free(blobs[i]);
        ck_assert_uint_eq(n_in_blobs(), 0);
}
END_TEST

START_TEST(test_there)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        CLEANUP(cache_blob_freep) CacheBlob *blob = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const char *etag = help_etag(hello, HELLO_SIZE, false);
        Fault fault = FAULT_NULL;
        Text bytes;
        int n = 0, r;

        help_write(help_at(HELP_FOLDER "/blobs/%s", etag), hello, HELLO_SIZE);
        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &blob, &fault), CACHE_BLOB_THERE);
        ck_assert_int_eq(cache_blob_end(blob, &fault), 0);
        ck_assert_int_eq(cache_blob_place(blob, &fault), -EINVAL); /* nobody looked at it */
        ck_assert_int_eq(cache_blob_read(blob, 100, &arena, &bytes, &fault), 0);
        while ((r = cache_blob_hash_step(blob, 4, &fault)) == STEP_MORE)
                n++;
        ck_assert_int_eq(r, STEP_DONE);
        ck_assert_int_eq(n, 2);
        ck_assert(text_equal(cache_blob_digest(blob), TEXT(HELLO_SHA256)));
        ck_assert_int_eq(cache_blob_place(blob, &fault), 0);
}
END_TEST

START_TEST(test_there_with_wrong_bytes)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        CacheBlob *blob = NULL;
        const char *etag = help_etag(hello, HELLO_SIZE, true);
        Fault fault = FAULT_NULL;
        int r;

        help_write(help_at(HELP_FOLDER "/blobs/%s", etag), "hello_world", HELLO_SIZE);
        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &blob, &fault), CACHE_BLOB_THERE);
        while ((r = cache_blob_hash_step(blob, 100, &fault)) == STEP_MORE)
                ;
        ck_assert_int_eq(r, STEP_FAULT);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_ptr_nonnull(strstr(fault.message, etag));
        blob = cache_blob_free(blob);
        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &blob, &fault), 0);
        (void)cache_blob_free(blob);
}
END_TEST

/* Whoever looked again would hash it again, for ever. */
START_TEST(test_there_with_wrong_bytes_that_stay)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        const char *etag = help_etag(hello, HELLO_SIZE, true);
        CacheBlob *blob = NULL;
        Fault fault = FAULT_NULL;
        int r;

        help_write(help_at(HELP_FOLDER "/blobs/%s", etag), "hello_world", HELLO_SIZE);
        help_write(help_at(".locks/" HELP_FOLDER "/%s.lock/x", etag), "", 0); /* a folder in the lock's place */
        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &blob, &fault), CACHE_BLOB_THERE);
        while ((r = cache_blob_hash_step(blob, 100, &fault)) == STEP_MORE)
                ;
        ck_assert_int_eq(r, STEP_FAULT);
        ck_assert_int_eq(fault.name, FAULT_INTERNAL);
        (void)cache_blob_free(blob);
}
END_TEST

START_TEST(test_there_with_wrong_size)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        const char *etag = help_etag(hello, HELLO_SIZE, true);
        CacheBlob *blob;
        Fault fault = FAULT_NULL;

        help_write(help_at(HELP_FOLDER "/blobs/%s", etag), "hell", 4);
        blob = help_blob(cache, hello, HELLO_SIZE, true);
        ck_assert_int_eq(cache_blob_place(blob, &fault), 0);
        (void)cache_blob_free(blob);
        ck_assert_int_eq(begin(cache, etag, HELLO_SIZE, &blob, &fault), CACHE_BLOB_THERE);
        (void)cache_blob_free(blob);
}
END_TEST

/* Whatever else has the name is no blob, and is never waited for. */
START_TEST(test_there_odd)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        const char *etag = help_etag("", 0, false);
        CacheBlob *blob = NULL;
        Fault fault = FAULT_NULL;

        help_write(help_at(HELP_FOLDER "/blobs/x"), "", 0);
        ck_assert_int_eq(mkfifo(help_at(HELP_FOLDER "/blobs/%s", etag), 0644), 0);
        ck_assert_int_eq(begin(cache, etag, 0, &blob, &fault), 0);
        ck_assert_int_eq(cache_blob_end(blob, &fault), 0);
        ck_assert_int_eq(cache_blob_place(blob, &fault), 0);
        blob = cache_blob_free(blob);
        ck_assert_int_eq(begin(cache, etag, 0, &blob, &fault), CACHE_BLOB_THERE);
        ck_assert_int_eq(unlink(help_at(HELP_FOLDER "/blobs/%s", etag)), 0);
        ck_assert_int_eq(mkfifo(help_at(HELP_FOLDER "/blobs/%s", etag), 0644), 0);
        ck_assert_int_eq(cache_blob_hash_step(blob, 100, &fault), STEP_FAULT);
        (void)cache_blob_free(blob);
}
END_TEST

START_TEST(test_quota)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CacheBlob *blob = NULL;
        static const char zeros[8192];
        struct rlimit limit = { 4096, RLIM_INFINITY }, none = { RLIM_INFINITY, RLIM_INFINITY };
        Fault fault = FAULT_NULL;
        int r;

        (void)signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(begin(cache, help_etag(zeros, sizeof(zeros), true), sizeof(zeros), &blob, &fault), 0);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
        r = cache_blob_write(blob, zeros, sizeof(zeros), &fault);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &none), 0);
        ck_assert_int_eq(r, 1);
        ck_assert_int_eq(fault.name, FAULT_NO_SPACE);
        blob = cache_blob_free(blob);
        ck_assert_uint_eq(n_in_blobs(), 0);
}
END_TEST

/* Fills the file system in two ways: with bytes, with files. */
static void fill(bool with_files)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_ALLOC char *bytes = alloc_zeroed(1, 2 << 20);
        CacheBlob *blob = NULL;
        Fault fault = FAULT_NULL;
        int r = 0;

        for (int i = 0; with_files && r == 0; i++) {
                int fd = open(help_at("fill%d", i), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

                r = fd < 0;
                if (fd >= 0)
                        (void)close(fd);
        }
        r = begin(cache, help_etag(bytes, 2 << 20, true), 2 << 20, &blob, &fault);
        if (!with_files) {
                ck_assert_int_eq(r, 0);
                r = cache_blob_write(blob, bytes, 2 << 20, &fault) == 1 ? CACHE_BLOB_FAULT : 0;
        }
        ck_assert_int_eq(r, CACHE_BLOB_FAULT);
        ck_assert_int_eq(fault.name, FAULT_NO_SPACE);
        ck_assert_ptr_nonnull(strstr(fault.message, HELP_FOLDER));
        blob = cache_blob_free(blob);
        ck_assert_uint_eq(n_in_blobs(), 0);
        cache = cache_close(cache);
        cache = help_open(true); /* what is there is still served */
}

START_TEST(test_full)
{
        for (int with_files = 0; with_files < 2; with_files++) {
                ck_assert(mkdir(help_root(), 0755) == 0 || errno == EEXIST);
                if (mount("none", help_root(), "tmpfs", 0, with_files ? "size=4m,nr_inodes=24,mode=755" : "size=1m,mode=755") < 0) {
                        (void)fprintf(stderr, "SKIPPED %s: needs root, to mount a small file system\n", __func__);
                        return;
                }
                fill(with_files);
                ck_assert_int_eq(umount(help_root()), 0);
        }
}
END_TEST

START_TEST(test_torture)
{
        for (int there = 0; there < 2; there++) {
                CLEANUP(cache_closep) Cache *cache = help_open(false);

                help_write(help_at(HELP_FOLDER "/blobs/%s", help_etag("there", 5, false)), "there", 5);
                for (long k = 0, fired = 1; fired; k++) {
                        CLEANUP(cache_blob_freep) CacheBlob *blob = NULL;
                        const char *etag = there ? help_etag("there", 5, false) : help_etag(hello, HELLO_SIZE, true);
                        Fault fault = FAULT_NULL;
                        int r;

                        alloc_fault_set(k);
                        r = cache_blob_begin(cache, HELP_REPO, text_of(etag), there ? 5 : HELLO_SIZE, true, &blob, &fault);
                        if (r == 0)
                                r = cache_blob_write(blob, hello, HELLO_SIZE, &fault);
                        if (r == 0)
                                r = cache_blob_restart(blob);
                        if (r == 0)
                                r = cache_blob_write(blob, hello, HELLO_SIZE, &fault);
                        if (r == 0)
                                r = cache_blob_end(blob, &fault);
                        while (r == CACHE_BLOB_THERE || r == STEP_MORE)
                                r = cache_blob_hash_step(blob, 100, &fault);
                        fired = alloc_fault_fired();
                        alloc_fault_set(-1);
                        ck_assert_int_eq(r, fired ? -ENOMEM : 0);
                        blob = cache_blob_free(blob);
                        ck_assert_uint_eq(n_in_blobs(), 1);
                }
        }
}
END_TEST

FIXTURE_MAIN("kernels/cache_blob", test_write, test_sha512, test_empty, test_large, test_wrong_bytes, test_wrong_size,
             test_bad_names, test_busy, test_many, test_there, test_there_with_wrong_bytes,
             test_there_with_wrong_bytes_that_stay, test_there_with_wrong_size, test_there_odd, test_quota, test_full, test_torture)
