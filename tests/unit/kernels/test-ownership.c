#include "tests/lib/fixture.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "kernels/ownership.h"
#include "tests/unit/kernels/users.h"

static char base[256];

static const char *at(const char *name)
{
        static char paths[4][512];
        static unsigned next;
        char *path = paths[next++ % 4];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
        return path;
}

/* A folder `real` with a file in it, all of this process's user. */
static void make_base(void)
{
        int fd;

        (void)snprintf(base, sizeof(base), "%s", fixture_folder());
        ck_assert_int_eq(chmod(base, 0755), 0);
        ck_assert_int_eq(mkdir(at("real"), 0755), 0);
        fd = open(at("real/file"), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        (void)close(fd);
}

static int try_open(const char *path, uid_t owner, Fault *fault)
{
        CLEANUP_FD int fd = -1;
        Ownership ownership = OWNERSHIP_OF(owner);
        struct stat stat, real;
        int r = ownership_open(&ownership, AT_FDCWD, path, &fd, &stat, fault);

        if (r == 0) { /* it is what the kernel finds there */
                ck_assert_int_eq(fstatat(AT_FDCWD, path, &real, 0), 0);
                ck_assert(real.st_ino == stat.st_ino && real.st_dev == stat.st_dev);
        }
        return r;
}

START_TEST(test_walks_as_the_kernel_does)
{
        static const char *const good[] = { "real/file", "real/../real/./file", "real//file", "link", "chain", "folder/file",
                                            "real/" };
        Fault fault = FAULT_NULL;

        make_base();
        ck_assert_int_eq(symlink("real/file", at("link")), 0);
        ck_assert_int_eq(symlink("link", at("chain")), 0);
        ck_assert_int_eq(symlink(at("real"), at("folder")), 0);
        ck_assert_int_eq(symlink("loop", at("loop")), 0);
        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                ck_assert_msg(try_open(at(good[i]), geteuid(), &fault) == 0, "%s: %s", good[i], fault.message);
        ck_assert_int_eq(try_open("/", geteuid(), &fault), 0);
        ck_assert_int_eq(try_open(at("loop"), geteuid(), &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "40 links"));
        ck_assert_int_eq(try_open(at("gone/x"), geteuid(), &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_NO_REPOSITORY);
        ck_assert_ptr_nonnull(strstr(fault.message, "no \"gone\""));
        ck_assert_int_eq(try_open(at("real/file/x"), geteuid(), &fault), 1);
}
END_TEST

START_TEST(test_modes)
{
        static const struct { mode_t mode; int r; } cases[] = {
                { 0755, 0 }, { 0700, 0 }, { 0757, 1 }, { 01777, 0 }, { 0755, 0 },
        };
        Fault fault = FAULT_NULL;

        make_base();
        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_int_eq(chmod(at("real"), cases[i].mode), 0);
                ck_assert_msg(try_open(at("real/file"), geteuid(), &fault) == cases[i].r, "%o", cases[i].mode);
        }
        ck_assert_int_eq(chmod(at("real/file"), 0646), 0);
        ck_assert_int_eq(try_open(at("real/file"), geteuid(), &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_UNTRUSTED);
        ck_assert_ptr_nonnull(strstr(fault.message, "real/file"));
}
END_TEST

/* What is gone through may be sticky, what is opened whole may not. */
START_TEST(test_sticky)
{
        CLEANUP_FD int fd = -1;
        Ownership ownership = OWNERSHIP_OF(geteuid());
        Fault fault = FAULT_NULL;

        make_base();
        ck_assert_int_eq(mkdir(at("real/inner"), 0755), 0);
        ck_assert_int_eq(chmod(at("real"), 01777), 0);
        ck_assert_int_eq(try_open(at("real"), geteuid(), &fault), 0);
        ck_assert_int_eq(ownership_open_whole(&ownership, AT_FDCWD, at("real/inner"), &fd, NULL, &fault), 0);
        fd_closep(&fd);
        fd = -1;
        ck_assert_int_eq(ownership_open_whole(&ownership, AT_FDCWD, at("real"), &fd, NULL, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_UNTRUSTED);
        ck_assert_ptr_nonnull(strstr(fault.message, "/real is writable for everybody"));
}
END_TEST

static int replace_file(const char *path)
{
        char name[600];

        (void)snprintf(name, sizeof(name), "%s/file", path);
        return unlink(name) < 0 || symlink("/etc/hostname", name) < 0;
}

/* By hand first: the folder's mode lets the other user put something else
 * where the file was. */
START_TEST(test_folder_that_others_write)
{
        Fault fault = FAULT_NULL;

        USERS_OR_SKIP;
        make_base();
        ck_assert_int_eq(chmod(at("real"), 0777), 0);
        ck_assert_int_eq(users_run(USER_OTHER, replace_file, at("real")), 0);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_UNTRUSTED);
        ck_assert_int_eq(chmod(at("real"), 0755), 0);
        ck_assert_int_eq(users_run(USER_OTHER, replace_file, at("real")), 1);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 1); /* what he put there stays his */
        ck_assert_ptr_nonnull(strstr(fault.message, "the link"));
        ck_assert_int_eq(lchown(at("real/file"), 0, 0), 0);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 0);
}
END_TEST

START_TEST(test_owners)
{
        Fault fault = FAULT_NULL;

        USERS_OR_SKIP;
        make_base();
        ck_assert_int_eq(chown(at("real/file"), USER_OWNER, USER_OWNER), 0);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 0);
        ck_assert_int_eq(try_open(at("real/file"), 0, &fault), 1);
        ck_assert_int_eq(try_open(at("real/file"), USER_OTHER, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "61001"));
}
END_TEST

/* root's own group may write; a group that is nobody's primary one may not. */
START_TEST(test_groups)
{
        Fault fault = FAULT_NULL;

        USERS_OR_SKIP;
        make_base();
        ck_assert_int_eq(chmod(at("real/file"), 0664), 0);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 0);
        ck_assert_int_eq(chown(at("real/file"), 0, 61003), 0);
        ck_assert_int_eq(chmod(at("real/file"), 0664), 0);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "group 61003"));
        ck_assert_int_eq(chown(at("real/file"), USER_OWNER, USER_OWNER), 0); /* no such user: no group of his own */
        ck_assert_int_eq(chmod(at("real/file"), 0664), 0);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 1);
}
END_TEST

static int overwrite(const char *path)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        return fd < 0 || close(fd) < 0;
}

/* Of an access control list the mode shows the mask, as if it were the group's bits. */
START_TEST(test_access_list)
{
        static const struct __attribute__((packed)) { uint32_t version; struct { uint16_t tag, bits; uint32_t id; } entries[5]; }
                list = { 2, { { 0x01, 6, ~0u }, { 0x02, 6, USER_OTHER }, { 0x04, 4, ~0u }, { 0x10, 6, ~0u }, { 0x20, 4, ~0u } } };
        Fault fault = FAULT_NULL;

        USERS_OR_SKIP;
        make_base();
        if (setxattr(at("real/file"), "system.posix_acl_access", &list, sizeof(list), 0) < 0) {
                (void)fprintf(stderr, "SKIPPED %s: no access control lists on this file system\n", __func__);
                return;
        }
        ck_assert_int_eq(users_run(USER_OTHER, overwrite, at("real/file")), 0);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "access control list"));
        ck_assert_int_eq(chmod(at("real/file"), 0644), 0); /* narrows the mask */
        ck_assert_int_eq(users_run(USER_OTHER, overwrite, at("real/file")), 1);
        ck_assert_int_eq(try_open(at("real/file"), USER_OWNER, &fault), 0);
}
END_TEST

static int plant_link(const char *path)
{
        char name[600];

        (void)snprintf(name, sizeof(name), "%s/planted", path);
        return symlink("/usr", name) < 0;
}

/* In a sticky folder everybody may plant a link; it must not be followed. */
START_TEST(test_planted_link)
{
        Fault fault = FAULT_NULL;

        USERS_OR_SKIP;
        make_base();
        ck_assert_int_eq(chmod(at("real"), 01777), 0);
        ck_assert_int_eq(users_run(USER_OTHER, plant_link, at("real")), 0);
        ck_assert_int_eq(try_open("/usr", USER_OWNER, &fault), 0);
        ck_assert_int_eq(try_open(at("real/planted"), USER_OWNER, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_UNTRUSTED);
}
END_TEST

static int open_it(void)
{
        Fault fault;

        return try_open(at("folder/file"), geteuid(), &fault);
}

START_TEST(test_torture)
{
        make_base();
        ck_assert_int_eq(symlink("real", at("folder")), 0);
        FIXTURE_TORTURE(open_it());
}
END_TEST

FIXTURE_MAIN("kernels/ownership", test_walks_as_the_kernel_does, test_modes, test_sticky, test_folder_that_others_write, test_owners,
             test_groups, test_access_list, test_planted_link, test_torture)
