#include "tests/lib/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/folders.h"

static char folders_path[3][512];
static const char *folders[3] = { folders_path[0], folders_path[1], folders_path[2] };

/* usr, etc and run; the last is not there. */
static void make_folders(void)
{
        static const char *const names[] = { "usr", "etc", "run" };

        for (size_t i = 0; i < 3; i++)
                (void)snprintf(folders_path[i], sizeof(folders_path[i]), "%s/%s", fixture_folder(), names[i]);
        ck_assert_int_eq(mkdir(folders[0], 0755), 0);
        ck_assert_int_eq(mkdir(folders[1], 0755), 0);
}

static void write_file(size_t folder, const char *name, const char *content)
{
        char path[600];
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", folders[folder], name);
        file = fopen(path, "we");
        ck_assert_ptr_nonnull(file);
        (void)fputs(content, file);
        (void)fclose(file);
}

static void make_link(size_t folder, const char *name, const char *target)
{
        char path[600];

        (void)snprintf(path, sizeof(path), "%s/%s", folders[folder], name);
        ck_assert_int_eq(symlink(target, path), 0);
}

START_TEST(test_order)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        DropInList list;
        Fault fault = FAULT_NULL;
        char expected[600];

        make_folders();
        write_file(0, "50-a.json", "");
        write_file(0, "10-b.json", "");
        write_file(0, "60-masked.json", "");
        write_file(0, "readme", "");
        write_file(0, ".hidden.json", "");
        write_file(1, "50-a.json", "");
        write_file(1, "20-c.json", "");
        make_link(1, "60-masked.json", "/dev/null");
        ck_assert_int_eq(folders_list(folders, 3, &arena, &list, &fault), 0);
        ck_assert_uint_eq(list.n, 3);
        ck_assert(text_equal(list.items[0].name, TEXT("10-b.json")));
        ck_assert(text_equal(list.items[1].name, TEXT("20-c.json")));
        (void)snprintf(expected, sizeof(expected), "%s/50-a.json", folders[1]);
        ck_assert_str_eq(list.items[2].path.data, expected);
}
END_TEST

START_TEST(test_find)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text path;

        make_folders();
        ck_assert_int_eq(folders_find(folders, 3, "x.json", &arena, &path, &fault), 0);
        ck_assert_ptr_null(path.data);
        write_file(0, "x.json", "");
        ck_assert_int_eq(folders_find(folders, 3, "x.json", &arena, &path, &fault), 0);
        ck_assert_ptr_nonnull(strstr(path.data, "/usr/x.json"));
        make_link(1, "x.json", "/dev/null");
        ck_assert_int_eq(folders_find(folders, 3, "x.json", &arena, &path, &fault), 0);
        ck_assert_ptr_null(path.data);
}
END_TEST

START_TEST(test_read)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        char path[600];
        Text bytes;

        make_folders();
        write_file(0, "x", "hello");
        (void)snprintf(path, sizeof(path), "%s/x", folders[0]);
        ck_assert_int_eq(folders_read(path, 5, &arena, &bytes, &fault), 0);
        ck_assert(text_equal(bytes, TEXT("hello")));
        ck_assert_int_eq(folders_read(path, 4, &arena, &bytes, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_TOO_LARGE);
        ck_assert_int_eq(folders_read(folders[0], 4, &arena, &bytes, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "no regular file"));
        (void)snprintf(path, sizeof(path), "%s/fifo", folders[0]);
        ck_assert_int_eq(mkfifo(path, 0600), 0);
        ck_assert_int_eq(folders_read(path, 4, &arena, &bytes, &fault), 1); /* and does not wait for a writer */
        ck_assert_int_eq(folders_read("/nowhere", 4, &arena, &bytes, &fault), 1);
        ck_assert_int_eq(folders_read("/dev/null", 4, &arena, &bytes, &fault), 1);
}
END_TEST

static int list_all(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        DropInList list;
        Fault fault;
        Text path;
        int r = folders_list(folders, 2, &arena, &list, &fault);

        return r ? r : folders_find(folders, 2, "a.json", &arena, &path, &fault);
}

START_TEST(test_torture)
{
        make_folders();
        for (char name[] = "a.json"; name[0] <= 'z'; name[0]++)
                write_file(0, name, "");
        FIXTURE_TORTURE(list_all());
}
END_TEST

FIXTURE_MAIN("kernels/folders", test_order, test_find, test_read, test_torture)
