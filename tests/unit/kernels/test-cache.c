#include "tests/unit/kernels/cache_help.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernels/cache_check.h"
#include "tests/unit/kernels/users.h"

static int try_open(const char *path, bool system, uid_t owner, Cache **ret_cache, Fault *fault)
{
        CacheOptions options = { .path = path, .system = system, .owner = owner };

        return cache_open(&options, ret_cache, fault);
}

START_TEST(test_open)
{
        static const mode_t umasks[] = { 022, 027, 077 };
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        for (size_t i = 0; i < ARRAY_SIZE(umasks); i++) {
                char path[400], expected[600];
                CLEANUP(cache_closep) Cache *cache = NULL;
                Fault fault = FAULT_NULL;
                struct stat stat_;
                Text snapshot;
                mode_t before = umask(umasks[i]);

                (void)snprintf(path, sizeof(path), "%s/%zu/b/hub", fixture_folder(), i);
                ck_assert_msg(try_open(path, true, geteuid(), &cache, &fault) == 0, "%s", fault.message);
                (void)umask(before);
                ck_assert_str_eq(cache_path(cache), path);
                ck_assert_ptr_null(cache_warning(cache));
                ck_assert_int_eq(stat(path, &stat_), 0);
                ck_assert_uint_eq(stat_.st_mode & 07777, 0755);
                (void)snprintf(path + strlen(path), 32, "/.kernelsd.lock");
                ck_assert_int_eq(stat(path, &stat_), 0);
                ck_assert_uint_eq(stat_.st_mode & 07777, 0600);
                snapshot = cache_snapshot_path(cache, HELP_REPO, HELP_COMMIT, &arena);
                (void)snprintf(expected, sizeof(expected), "%s/" HELP_FOLDER "/snapshots/" HELP_COMMIT_TEXT, cache_path(cache));
                ck_assert_str_eq(snapshot.data, expected);
        }
}
END_TEST

START_TEST(test_one_daemon)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        Cache *second = NULL;
        char says[64];
        Fault fault = FAULT_NULL;

        (void)snprintf(says, sizeof(says), "kernelsd with process %d has ", (int)getpid());
        ck_assert_int_eq(try_open(help_root(), false, geteuid(), &second, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_BUSY);
        ck_assert_ptr_nonnull(strstr(fault.message, says));
        ck_assert_ptr_nonnull(strstr(fault.message, help_root()));
        cache = cache_close(cache);
        ck_assert_int_eq(try_open(help_root(), true, geteuid(), &cache, &fault), 0);
}
END_TEST

START_TEST(test_refused_paths)
{
        Cache *cache = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(try_open("relative", true, 0, &cache, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_INVALID_NAME);
        help_write(help_at("file"), "", 0);
        ck_assert_int_eq(try_open(help_at("file"), true, 0, &cache, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_INTERNAL);
        ck_assert_ptr_nonnull(strstr(fault.message, help_at("file")));
        ck_assert_int_eq(try_open(help_at("file/below"), false, 0, &cache, &fault), 1);
}
END_TEST

START_TEST(test_writable_for_others)
{
        CLEANUP(cache_closep) Cache *cache = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(mkdir(help_root(), 0755), 0);
        ck_assert_int_eq(chmod(help_root(), 0757), 0);
        ck_assert_int_eq(try_open(help_root(), true, geteuid(), &cache, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_UNTRUSTED);
        ck_assert_ptr_nonnull(strstr(fault.message, "chmod o-w"));
        ck_assert_int_eq(try_open(help_root(), false, geteuid(), &cache, &fault), 0);
        ck_assert_ptr_nonnull(strstr(cache_warning(cache), "writable for everybody"));
}
END_TEST

START_TEST(test_foreign_owner)
{
        CLEANUP(cache_closep) Cache *cache = NULL;
        Fault fault = FAULT_NULL;

        USERS_OR_SKIP;
        ck_assert_int_eq(mkdir(help_root(), 0755), 0);
        ck_assert_int_eq(chown(help_root(), USER_OTHER, USER_OTHER), 0);
        ck_assert_int_eq(try_open(help_root(), true, USER_OWNER, &cache, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_UNTRUSTED);
        ck_assert_int_eq(try_open(help_root(), true, USER_OTHER, &cache, &fault), 0);
}
END_TEST

START_TEST(test_file_systems)
{
        char big[] = "\x42\x4d\x53\xff"; /* CIFS, whose number has its top bit set */
        int32_t as_signed;

        memcpy(&as_signed, big, sizeof(as_signed));
        ck_assert_str_eq(cache_check_network(NFS_SUPER_MAGIC), "NFS");
        ck_assert_str_eq(cache_check_network(V9FS_MAGIC), "9p");
        ck_assert_str_eq(cache_check_network(FUSE_SUPER_MAGIC), "FUSE");
        ck_assert_str_eq(cache_check_network(0x0bd00bd0), "Lustre");
        ck_assert_str_eq(cache_check_network(as_signed), "CIFS");
        ck_assert_ptr_null(cache_check_network(EXT4_SUPER_MAGIC));
        ck_assert_ptr_null(cache_check_network(TMPFS_MAGIC));
        ck_assert_ptr_null(cache_check_network(OVERLAYFS_SUPER_MAGIC));
}
END_TEST

START_TEST(test_doubt)
{
        static const bool systems[] = { false, true };

        for (size_t i = 0; i < ARRAY_SIZE(systems); i++) {
                CLEANUP(cache_closep) Cache *cache = help_open(systems[i]);
                Fault fault = FAULT_NULL;
                int r = cache_check_doubt(cache, FAULT_INTERNAL, "it leaks", "mend it", &fault);

                ck_assert_int_eq(r, systems[i]);
                if (systems[i]) {
                        ck_assert_ptr_nonnull(strstr(fault.message, "it leaks; mend it"));
                } else {
                        ck_assert_int_eq(cache_check_doubt(cache, FAULT_INTERNAL, "it rusts", "mend it", &fault), 0);
                        ck_assert_str_eq(cache_warning(cache), "it leaks; it rusts");
                }
        }
}
END_TEST

START_TEST(test_links_probe)
{
        CLEANUP_FD int fd = open(fixture_folder(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CLEANUP_FD int sys = open("/sys", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

        ck_assert_int_eq(cache_check_links(fd, 7), 0);
        ck_assert_int_ne(faccessat(fd, ".probe.00000007.incomplete", F_OK, AT_SYMLINK_NOFOLLOW), 0);
        if (geteuid() == 0 && sys >= 0) /* sysfs takes none */
                ck_assert_int_eq(cache_check_links(sys, 7), 1);
        else
                (void)fprintf(stderr, "SKIPPED a file system without links: needs root and /sys\n");
}
END_TEST

static const char old[] = HELP_FOLDER "/blobs/08c5825eb2dec80e97469de4014c500989f1b110.0123abcd.incomplete";
static const char held[] = HELP_FOLDER "/blobs/e3e67bef1f2790a471aa7b1ea6715cee858dcbe5.0123abcd.incomplete";

static void make_leftovers(void)
{
        help_write(help_at("%s", old), "x", 1);
        help_write(help_at("%s", held), "x", 1);
        help_write(help_at(HELP_FOLDER "/blobs/other"), "x", 1);
        help_write(help_at(HELP_FOLDER "/.build.00000001.incomplete/a/b/c"), "x", 1);
        help_write(help_at(HELP_FOLDER "/.ref.00000001.incomplete"), "x", 1);
        ck_assert_int_eq(symlink("/etc", help_at(HELP_FOLDER "/.link.00000001.incomplete")), 0);
        ck_assert_int_eq(symlink("/etc", help_at(HELP_FOLDER "/.build.00000001.incomplete/etc")), 0);
        help_write(help_at(".tag.00000001.incomplete"), "x", 1);
        help_write(help_at("models--a--b/blobs/08c5825eb2dec80e97469de4014c500989f1b110.0123abcd.incomplete"), "x", 1);
}

static void assert_swept(void)
{
        ck_assert_int_ne(access(help_at("%s", old), F_OK), 0);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/.build.00000001.incomplete"), F_OK), 0);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/.ref.00000001.incomplete"), F_OK), 0);
        ck_assert_int_ne(faccessat(AT_FDCWD, help_at(HELP_FOLDER "/.link.00000001.incomplete"), F_OK, AT_SYMLINK_NOFOLLOW), 0);
        ck_assert_int_ne(access(help_at(".tag.00000001.incomplete"), F_OK), 0);
        ck_assert_int_eq(access(help_at(HELP_FOLDER "/blobs/other"), F_OK), 0);
        ck_assert_int_eq(access(help_at("models--a--b/blobs/08c5825eb2dec80e97469de4014c500989f1b110.0123abcd.incomplete"), F_OK), 0);
        ck_assert_int_eq(access("/etc/passwd", F_OK), 0);
}

START_TEST(test_sweep)
{
        CLEANUP(cache_closep) Cache *cache = NULL;
        int fd;

        make_leftovers();
        help_write(help_at(".locks/" HELP_FOLDER "/e3e67bef1f2790a471aa7b1ea6715cee858dcbe5.lock"), "", 0);
        fd = open(help_at(".locks/" HELP_FOLDER "/e3e67bef1f2790a471aa7b1ea6715cee858dcbe5.lock"), O_RDWR | O_CLOEXEC);
        ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
        cache = help_open(false);
        assert_swept();
        ck_assert_int_eq(access(help_at("%s", held), F_OK), 0); /* Python may be fetching it */
        cache = cache_close(cache);
        (void)close(fd);
        cache = help_open(false);
        ck_assert_int_ne(access(help_at("%s", held), F_OK), 0);
}
END_TEST

START_TEST(test_sweep_system)
{
        CLEANUP(cache_closep) Cache *cache = NULL;

        make_leftovers();
        cache = help_open(true);
        assert_swept();
        ck_assert_int_ne(access(help_at("%s", held), F_OK), 0);
        ck_assert_int_ne(access(help_at(".locks"), F_OK), 0);
}
END_TEST

START_TEST(test_torture)
{
        help_write(help_at("%s", old), "x", 1);
        for (long k = 0, fired = 1; fired; k++) {
                CLEANUP(cache_closep) Cache *cache = NULL;
                Fault fault = FAULT_NULL;
                int r;

                alloc_fault_set(k);
                r = try_open(help_root(), false, geteuid(), &cache, &fault);
                fired = alloc_fault_fired();
                alloc_fault_set(-1);
                ck_assert_int_eq(r, fired ? -ENOMEM : 0);
        }
        ck_assert_int_ne(access(help_at("%s", old), F_OK), 0);
}
END_TEST

FIXTURE_MAIN("kernels/cache", test_open, test_one_daemon, test_refused_paths, test_writable_for_others, test_foreign_owner,
             test_file_systems, test_doubt, test_links_probe, test_sweep, test_sweep_system, test_torture)
