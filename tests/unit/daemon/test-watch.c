#include "daemon/watch.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "tests/lib/fixture.h"

static uv_loop_t loop;
static int n_changes;
static char root[PATH_MAX]; /* without links */

static void on_changed(void *data)
{
        n_changes++;
}

static const char *at(const char *name)
{
        static char paths[4][PATH_MAX + 64];
        static unsigned n;
        char *path = paths[n++ % 4];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", root, name);
        return path;
}

static void put(const char *name, const char *text)
{
        int fd = open(at(name), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
        close(fd);
}

static void make(const char *name)
{
        ck_assert_int_eq(mkdir(at(name), 0755), 0);
}

static Watch *begin(const char *const *paths, bool contents)
{
        Watch *watch;
        WatchPoints points = WATCH_POINTS_NULL;

        ck_assert_int_eq(uv_loop_init(&loop), 0);
        ck_assert_int_eq(watch_new(&loop, on_changed, NULL, &watch), 0);
        for (; *paths; paths++)
                ck_assert_int_eq(watch_points_add(&points, at(*paths), contents), 0);
        watch_points_settle(&points);
        ck_assert_int_eq(watch_set(watch, &points), 1);
        ck_assert_ptr_null(points.items);
        n_changes = 0;
        return watch;
}

static void again(Watch *watch, const char *path, bool contents, int expected)
{
        WatchPoints points = WATCH_POINTS_NULL;

        ck_assert_int_eq(watch_points_add(&points, at(path), contents), 0);
        watch_points_settle(&points);
        ck_assert_int_eq(watch_set(watch, &points), expected);
        n_changes = 0;
}

static void wait_for_change(void)
{
        while (n_changes == 0)
                uv_run(&loop, UV_RUN_ONCE);
        n_changes = 0;
}

static void end(Watch *watch)
{
        watch_close(watch);
        uv_run(&loop, UV_RUN_DEFAULT);
        ck_assert_int_eq(uv_loop_close(&loop), 0);
        uv_library_shutdown();
}

static void prepare(void)
{
        ck_assert_ptr_nonnull(realpath(fixture_folder(), root));
}

START_TEST(test_files)
{
        Watch *watch;

        prepare();
        make("d");
        watch = begin((const char *[]){ "d", NULL }, true);
        put("d/a.json", "1");
        wait_for_change();
        put("d/a.json", "2");
        wait_for_change();
        put("d/b.tmp", "3");
        wait_for_change();
        ck_assert_int_eq(rename(at("d/b.tmp"), at("d/a.json")), 0);
        wait_for_change();
        ck_assert_int_eq(unlink(at("d/a.json")), 0);
        wait_for_change();
        end(watch);
}
END_TEST

START_TEST(test_burst)
{
        Watch *watch;

        prepare();
        make("d");
        watch = begin((const char *[]){ "d", NULL }, true);
        for (int i = 0; i < 100; i++)
                put("d/a.json", "1");
        while (n_changes == 0)
                uv_run(&loop, UV_RUN_ONCE);
        uv_run(&loop, UV_RUN_NOWAIT);
        ck_assert_int_eq(n_changes, 1);
        end(watch);
}
END_TEST

/* The folder comes later, one level at a time. */
START_TEST(test_missing)
{
        Watch *watch;

        prepare();
        watch = begin((const char *[]){ "a/b", NULL }, true);
        make("a");
        wait_for_change();
        again(watch, "a/b", true, 1);
        make("a/b");
        wait_for_change();
        again(watch, "a/b", true, 1);
        put("a/b/x.json", "1");
        wait_for_change();
        again(watch, "a/b", true, 0);
        end(watch);
}
END_TEST

/* A folder that another one of the same name takes the place of. */
START_TEST(test_replaced)
{
        Watch *watch;

        prepare();
        make("d");
        make("new");
        put("new/x.json", "1");
        watch = begin((const char *[]){ "d", NULL }, true);
        ck_assert_int_eq(rename(at("d"), at("old")), 0);
        ck_assert_int_eq(rename(at("new"), at("d")), 0);
        wait_for_change();
        again(watch, "d", true, 0);
        put("d/x.json", "2");
        wait_for_change();
        end(watch);
}
END_TEST

/* As Kubernetes mounts a ConfigMap: files are links through ..data, which is
 * swapped by rename. */
START_TEST(test_link_swap)
{
        Watch *watch;

        prepare();
        make("m");
        make("m/..1");
        make("m/..2");
        put("m/..1/x.json", "1");
        put("m/..2/x.json", "2");
        ck_assert_int_eq(symlink("..1", at("m/..data")), 0);
        ck_assert_int_eq(symlink("..data/x.json", at("m/x.json")), 0);
        ck_assert_int_eq(symlink(at("m"), at("mapping.d")), 0);
        watch = begin((const char *[]){ "mapping.d/x.json", NULL }, false);
        ck_assert_int_eq(symlink("..2", at("m/..tmp")), 0);
        ck_assert_int_eq(rename(at("m/..tmp"), at("m/..data")), 0);
        wait_for_change();
        again(watch, "mapping.d/x.json", false, 1);
        put("m/..2/x.json", "3");
        wait_for_change();
        ck_assert_int_eq(unlink(at("mapping.d")), 0);
        wait_for_change();
        end(watch);
}
END_TEST

/* A name that does not matter, in a folder that does: no burst begins, so the
 * loop would wait for ever. */
START_TEST(test_other_names)
{
        Watch *watch;

        prepare();
        put("lock", "1");
        watch = begin((const char *[]){ "lock", NULL }, false);
        put("other", "1");
        uv_run(&loop, UV_RUN_NOWAIT);
        ck_assert_int_eq(uv_backend_timeout(&loop), -1);
        put("lock", "2");
        uv_run(&loop, UV_RUN_NOWAIT);
        ck_assert_int_ge(uv_backend_timeout(&loop), 0);
        wait_for_change();
        end(watch);
}
END_TEST

START_TEST(test_points)
{
        CLEANUP_WATCH_POINTS WatchPoints points = WATCH_POINTS_NULL;

        prepare();
        make("d");
        ck_assert_int_eq(symlink("loop", at("loop")), 0);
        ck_assert_int_eq(watch_points_add(&points, at("loop/x"), true), 0);
        ck_assert_int_eq(watch_points_add(&points, at("d/../d/./missing/below"), true), 0);
        watch_points_settle(&points);
        ck_assert(watch_points_matter(&points, root, "loop"));
        ck_assert(watch_points_matter(&points, root, "d"));
        ck_assert(!watch_points_matter(&points, root, "other"));
        ck_assert(watch_points_matter(&points, at("d"), "missing"));
        ck_assert(!watch_points_matter(&points, at("d"), "below"));
        ck_assert(watch_points_matter(&points, "/", "tmp") || strncmp(root, "/tmp/", 5) != 0);
}
END_TEST

static int points_all(void)
{
        CLEANUP_WATCH_POINTS WatchPoints points = WATCH_POINTS_NULL;

        return watch_points_add(&points, at("d/e/f"), true);
}

START_TEST(test_no_memory)
{
        prepare();
        FIXTURE_TORTURE(points_all());
}
END_TEST

FIXTURE_MAIN("daemon/watch", test_files, test_burst, test_missing, test_replaced, test_link_swap, test_other_names,
             test_points, test_no_memory)
