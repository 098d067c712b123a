#include "tests/lib/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/tree.h"
#include "proto/limits.h"

static char base[256];

static const char *at(const char *name)
{
        static char paths[4][512];
        static unsigned next;
        char *path = paths[next++ % 4];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
        return path;
}

static void touch(const char *name)
{
        int fd = open(at(name), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        (void)close(fd);
}

static void make_tree(void)
{
        (void)snprintf(base, sizeof(base), "%s", fixture_folder());
        ck_assert_int_eq(mkdir(at("v"), 0755), 0);
        ck_assert_int_eq(mkdir(at("v/b"), 0755), 0);
        ck_assert_int_eq(mkdir(at("v/b/empty"), 0755), 0);
        ck_assert_int_eq(mkdir(at("other"), 0755), 0);
        touch("v/z");
        touch("v/b/a");
        touch("v/a.txt");
        touch("other/x");
        ck_assert_int_eq(symlink("../z", at("v/b/link")), 0);
        ck_assert_int_eq(symlink("../other", at("v/c")), 0);
        ck_assert_int_eq(symlink("../v", at("v/round")), 0);
        ck_assert_int_eq(mkfifo(at("v/fifo"), 0600), 0);
}

static int walk(Ownership *ownership, Tree **ret_tree, Fault *fault)
{
        CLEANUP_FD int fd = open(at("v"), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        CLEANUP(tree_freep) Tree *tree = NULL;
        int r = tree_new(fd, ownership, &tree);

        if (r)
                return r;
        do
                r = tree_step(tree, fault);
        while (r == STEP_MORE);
        if (!r)
                *ret_tree = STEAL(tree);
        return r;
}

static void assert_files(const Tree *tree, const char *expected)
{
        char list[512] = "";
        size_t n;
        const TreeFile *files = tree_files(tree, &n);

        for (size_t i = 0; i < n; i++)
                (void)snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s ", files[i].path.data,
                               files[i].linked ? "*" : "");
        ck_assert_str_eq(list, expected);
}

START_TEST(test_list)
{
        CLEANUP(tree_freep) Tree *judged = NULL, *plain = NULL;
        Ownership ownership = OWNERSHIP_OF(geteuid()), any = OWNERSHIP_ANY;
        Fault fault = FAULT_NULL;

        make_tree();
        ck_assert_msg(walk(&ownership, &judged, &fault) == 0, "%s", fault.message);
        assert_files(judged, "a.txt b/a b/link c/x* z ");
        ck_assert_int_eq(walk(&any, &plain, &fault), 0);
        assert_files(plain, "a.txt b/a b/link z ");
}
END_TEST

START_TEST(test_open_sees_changes)
{
        CLEANUP(tree_freep) Tree *tree = NULL;
        CLEANUP_FD int fd = -1;
        Ownership ownership = OWNERSHIP_OF(geteuid());
        Fault fault = FAULT_NULL;
        const TreeFile *files;
        size_t n;

        make_tree();
        ck_assert_int_eq(walk(&ownership, &tree, &fault), 0);
        files = tree_files(tree, &n);
        ck_assert_int_eq(tree_open(tree, &files[0], &fd, &fault), 0);
        ck_assert_int_eq(unlink(at("v/a.txt")), 0);
        ck_assert_int_eq(symlink("z", at("v/a.txt")), 0);
        ck_assert_int_eq(tree_open(tree, &files[0], &(int){ -1 }, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
}
END_TEST

START_TEST(test_limit)
{
        CLEANUP(tree_freep) Tree *tree = NULL;
        Ownership any = OWNERSHIP_ANY;
        Fault fault = FAULT_NULL;

        make_tree();
        ck_assert_int_eq(chdir(at("v/b/empty")), 0);
        for (int i = 0; i < LIMIT_KERNEL_FILES; i++) {
                char name[16];

                (void)snprintf(name, sizeof(name), "%d", i);
                ck_assert_int_eq(i ? link("0", name) : mknod(name, S_IFREG | 0644, 0), 0);
                if (i == 60000) /* ext4 allows 65,000 links to one file */
                        ck_assert_int_eq(unlink("0") || mknod("0", S_IFREG | 0644, 0), 0);
        }
        ck_assert_int_eq(walk(&any, &tree, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_TOO_LARGE);
        ck_assert_ptr_nonnull(strstr(fault.message, "65536"));
}
END_TEST

static int walk_once(void)
{
        CLEANUP(tree_freep) Tree *tree = NULL;
        Ownership ownership = OWNERSHIP_OF(geteuid());
        Fault fault;

        return walk(&ownership, &tree, &fault);
}

START_TEST(test_torture)
{
        make_tree();
        FIXTURE_TORTURE(walk_once());
        ck_assert_int_eq(walk_once(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/tree", test_list, test_open_sees_changes, test_limit, test_torture)
