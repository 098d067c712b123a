#include "tests/unit/kernels/cache_help.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/cache_ref.h"
#include "tests/unit/kernels/cache_wrap.h"

static void assert_ref(const char *name, const char *expected)
{
        char bytes[100];
        struct stat stat_;
        int fd = open(help_at(HELP_FOLDER "/refs/%s", name), O_RDONLY | O_CLOEXEC);
        ssize_t n = read(fd, bytes, sizeof(bytes));

        ck_assert_int_eq(n, 40);
        ck_assert_int_eq(memcmp(bytes, expected, 40), 0);
        ck_assert_int_eq(fstat(fd, &stat_), 0);
        ck_assert_uint_eq(stat_.st_mode & 07777, 0644);
        (void)close(fd);
}

START_TEST(test_write)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        static const char other[] = "0123456789012345678901234567890123456789";
        Fault fault = FAULT_NULL;
        mode_t before = umask(077);
        struct stat first, second;

        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("v1"), HELP_COMMIT, &fault), 0);
        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("refs/pr/1"), HELP_COMMIT, &fault), 0);
        (void)umask(before);
        assert_ref("v1", HELP_COMMIT_TEXT);
        assert_ref("refs/pr/1", HELP_COMMIT_TEXT);
        ck_assert_int_eq(stat(help_at(HELP_FOLDER "/refs/v1"), &first), 0);
        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("v1"), HELP_COMMIT, &fault), 0);
        ck_assert_int_eq(stat(help_at(HELP_FOLDER "/refs/v1"), &second), 0);
        ck_assert_uint_eq(first.st_ino, second.st_ino);
        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("v1"), text_of(other), &fault), 0);
        assert_ref("v1", other);
        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, HELP_COMMIT, HELP_COMMIT, &fault), 0);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/refs/" HELP_COMMIT_TEXT), F_OK), 0);
}
END_TEST

START_TEST(test_refused)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("../../x"), HELP_COMMIT, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_INVALID_NAME);
        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("v1"), TEXT("short"), &fault), 1);
        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("a"), HELP_COMMIT, &fault), 0);
        ck_assert_int_eq(cache_ref_write(cache, HELP_REPO, TEXT("a/b"), HELP_COMMIT, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_INTERNAL);
        ck_assert_ptr_nonnull(strstr(fault.message, "refs/a/b"));
}
END_TEST

/* Every call fails in turn: the old or the new one is there, and nothing else. */
START_TEST(test_failures)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        bool struck = true;

        for (long k = 0; struck; k++) {
                CLEANUP_ALLOC char *layout = NULL;
                char commit[41];
                Fault fault = FAULT_NULL;
                int r;

                (void)snprintf(commit, sizeof(commit), "%040ld", k);
                wrap_set(WRAP_FAIL, k, ENOSPC);
                r = cache_ref_write(cache, HELP_REPO, TEXT("v1"), text_of(commit), &fault);
                struck = wrap_struck();
                wrap_set(WRAP_NOTHING, 0, 0);
                ck_assert_int_eq(r, struck);
                if (struck)
                        ck_assert_int_eq(fault.name, FAULT_NO_SPACE);
                layout = help_layout();
                ck_assert_ptr_null(strstr(layout, "incomplete"));
                if (!struck)
                        assert_ref("v1", commit);
        }
}
END_TEST

static int write_once(Cache *cache)
{
        Fault fault;

        (void)unlink(help_at(HELP_FOLDER "/refs/v1"));
        return cache_ref_write(cache, HELP_REPO, TEXT("v1"), HELP_COMMIT, &fault);
}

START_TEST(test_torture)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        FIXTURE_TORTURE(write_once(cache));
}
END_TEST

FIXTURE_MAIN("kernels/cache_ref", test_write, test_refused, test_failures, test_torture)
