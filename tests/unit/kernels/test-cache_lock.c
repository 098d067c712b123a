#include "tests/unit/kernels/cache_help.h"

#include <errno.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/cache_lock.h"
#include "tests/unit/kernels/cache_wrap.h"

#define ETAG TEXT("08c5825eb2dec80e97469de4014c500989f1b110")
#define LOCK_NAME ".locks/" HELP_FOLDER "/08c5825eb2dec80e97469de4014c500989f1b110.lock"

static void assert_mode(bool system, mode_t mode)
{
        CLEANUP(cache_closep) Cache *cache = help_open(system);
        mode_t before = umask(077);
        struct stat stat_;
        int fd = -1;

        ck_assert_int_eq(cache_lock_blob(cache, HELP_FOLDER, ETAG, &fd), 0);
        (void)umask(before);
        (void)close(fd);
        ck_assert_int_eq(stat(help_at(LOCK_NAME), &stat_), 0);
        ck_assert_uint_eq(stat_.st_mode & 07777, mode);
        ck_assert_int_eq(stat_.st_size, 0);
        ck_assert_int_eq(stat(help_at(".locks/" HELP_FOLDER), &stat_), 0);
        ck_assert_uint_eq(stat_.st_mode & 07777, 0755);
}

START_TEST(test_mode)
{
        assert_mode(false, 0664);
        assert_mode(true, 0600); /* also of one that is there */
}
END_TEST

START_TEST(test_other_process)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        int ready[2], end[2], fd = -1, status;
        char byte;
        pid_t pid;

        ck_assert(pipe(ready) == 0 && pipe(end) == 0);
        pid = fork();
        if (pid == 0) {
                (void)close(end[1]);
                if (cache_lock_blob(cache, HELP_FOLDER, ETAG, &fd) != 0 || write(ready[1], "", 1) != 1)
                        _exit(1);
                (void)!read(end[0], &byte, 1);
                _exit(0);
        }
        (void)close(ready[1]);
        ck_assert_int_eq(read(ready[0], &byte, 1), 1);
        ck_assert_int_eq(cache_lock_blob(cache, HELP_FOLDER, ETAG, &fd), CACHE_LOCK_BUSY);
        (void)close(end[1]);
        ck_assert_int_eq(waitpid(pid, &status, 0), pid);
        ck_assert_int_eq(status, 0);
        ck_assert_int_eq(cache_lock_blob(cache, HELP_FOLDER, ETAG, &fd), 0);
        (void)close(fd);
        (void)close(ready[0]);
        (void)close(end[0]);
}
END_TEST

static void vanish(void)
{
        ck_assert_int_eq(unlink(help_at(LOCK_NAME)), 0);
}

static void replace(void)
{
        vanish();
        help_write(help_at(LOCK_NAME), "", 0);
}

/* Its holder took the file away between our open and our lock. */
START_TEST(test_vanishing)
{
        static void (*const acts[])(void) = { vanish, replace };
        CLEANUP(cache_closep) Cache *cache = help_open(false);

        for (size_t i = 0; i < ARRAY_SIZE(acts); i++) {
                struct stat locked, named;
                int fd = -1;

                wrap_after_flock(acts[i]);
                ck_assert_int_eq(cache_lock_blob(cache, HELP_FOLDER, ETAG, &fd), 0);
                ck_assert_int_eq(fstat(fd, &locked), 0);
                ck_assert_int_eq(stat(help_at(LOCK_NAME), &named), 0);
                ck_assert_uint_eq(locked.st_ino, named.st_ino);
                ck_assert_uint_eq(locked.st_nlink, 1);
                (void)close(fd);
        }
}
END_TEST

START_TEST(test_no_lock_file)
{
        CLEANUP(cache_closep) Cache *cache = help_open(false);
        int fd = -1;

        help_write(help_at(LOCK_NAME), "", 0);
        vanish();
        ck_assert_int_eq(symlink("/etc/passwd", help_at(LOCK_NAME)), 0);
        ck_assert_int_eq(cache_lock_blob(cache, HELP_FOLDER, ETAG, &fd), -ELOOP);
        vanish();
        ck_assert_int_eq(mkdir(help_at(LOCK_NAME), 0755), 0);
        ck_assert_int_eq(cache_lock_blob(cache, HELP_FOLDER, ETAG, &fd), -EISDIR);
}
END_TEST

FIXTURE_MAIN("kernels/cache_lock", test_mode, test_other_process, test_vanishing, test_no_lock_file)
