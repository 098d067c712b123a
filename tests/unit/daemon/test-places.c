#include "daemon/places.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/lib/fixture.h"

static void expect(const PlacesFacts *facts, const char *folder, const char *runtime, const char *socket)
{
        CLEANUP(places_deinit) Places places = PLACES_NULL;

        ck_assert_int_eq(places_init(&places, facts), 0);
        ck_assert_uint_eq(places.n_folders, 1);
        ck_assert_str_eq(places.folders[0], folder);
        ck_assert_str_eq(places.runtime, runtime);
        ck_assert_str_eq(places.socket, socket);
        ck_assert_ptr_null(places.admin_socket);
}

START_TEST(test_system)
{
        CLEANUP(places_deinit) Places places = PLACES_NULL;
        PlacesFacts facts = { .system = true, .home = "/root", .xdg_config_home = "/x", .xdg_runtime_dir = "/y" };

        ck_assert_int_eq(places_init(&places, &facts), 0);
        ck_assert_uint_eq(places.n_folders, 3);
        ck_assert_str_eq(places.folders[0], "/usr/lib/kernelsd");
        ck_assert_str_eq(places.folders[1], "/etc/kernelsd");
        ck_assert_str_eq(places.folders[2], "/run/kernelsd-conf");
        ck_assert_ptr_null(places.runtime);
        ck_assert_str_eq(places.socket, "/run/kernelsd/kernelsd.sock");
        ck_assert_str_eq(places.admin_socket, "/run/kernelsd-admin/admin.sock");
}
END_TEST

START_TEST(test_user)
{
        expect(&(PlacesFacts){ .uid = 7, .home = "/home/u", .xdg_config_home = "/c", .xdg_runtime_dir = "/r", .has_run_user = true },
               "/c/kernelsd", "/r/kernelsd", "/r/kernelsd/kernelsd.sock");
        expect(&(PlacesFacts){ .uid = 7, .home = "/home/u", .has_run_user = true }, "/home/u/.config/kernelsd",
               "/run/user/7/kernelsd", "/run/user/7/kernelsd/kernelsd.sock");
        expect(&(PlacesFacts){ .uid = 7, .home = "/home/u" }, "/home/u/.config/kernelsd", "/tmp/kernelsd-7",
               "/tmp/kernelsd-7/kernelsd.sock");
}
END_TEST

/* XDG: what is not absolute is as if it were not set. */
START_TEST(test_relative)
{
        expect(&(PlacesFacts){ .uid = 7, .home = "/home/u", .xdg_config_home = "c", .xdg_runtime_dir = "" },
               "/home/u/.config/kernelsd", "/tmp/kernelsd-7", "/tmp/kernelsd-7/kernelsd.sock");
}
END_TEST

START_TEST(test_no_home)
{
        Places places = PLACES_NULL;

        ck_assert_int_eq(places_init(&places, &(PlacesFacts){ .uid = 7, .home = "" }), -ENOENT);
        ck_assert_ptr_null(places.socket);
}
END_TEST

START_TEST(test_config_dir)
{
        CLEANUP(places_deinit) Places places = PLACES_NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const char *folders[PLACES_MAX_FOLDERS];

        ck_assert_int_eq(places_init(&places, &(PlacesFacts){ .system = true, .config_dir = "/d" }), 0);
        ck_assert_uint_eq(places.n_folders, 1);
        ck_assert_str_eq(places.folders[0], "/d");
        ck_assert_str_eq(places.socket, "/run/kernelsd/kernelsd.sock");
        ck_assert_int_eq(places_mapping_folders(&places, &arena, folders), 0);
        ck_assert_str_eq(folders[0], "/d/mapping.d");
        ck_assert_int_eq(places_environment_folders(&places, &arena, folders), 0);
        ck_assert_str_eq(folders[0], "/d/environment.d");
}
END_TEST

static void expect_state(PlacesFacts facts, const char *path)
{
        CLEANUP(places_deinit) Places places = PLACES_NULL;

        ck_assert_int_eq(places_init(&places, &facts), 0);
        if (path)
                ck_assert_str_eq(places.state, path);
        else
                ck_assert_ptr_null(places.state);
}

START_TEST(test_state)
{
        expect_state((PlacesFacts){ .system = true, .home = "/home/u" }, "/var/lib/kernelsd");
        expect_state((PlacesFacts){ .home = "/home/u" }, "/home/u/.local/state/kernelsd");
        expect_state((PlacesFacts){ .home = "/home/u", .xdg_state_home = "/s" }, "/s/kernelsd");
        expect_state((PlacesFacts){ .home = "/home/u", .xdg_state_home = "s" }, "/home/u/.local/state/kernelsd");
        expect_state((PlacesFacts){ .config_dir = "/d" }, NULL);
        expect_state((PlacesFacts){ .config_dir = "/d", .home = "/home/u", .xdg_state_home = "/s" }, NULL);
        expect_state((PlacesFacts){ .config_dir = "/d", .system = true }, NULL);
}
END_TEST

static void expect_cache(PlacesFacts facts, const char *cache, const char *token)
{
        CLEANUP(places_deinit) Places places = PLACES_NULL;

        ck_assert_int_eq(places_init(&places, &facts), 0);
        if (cache)
                ck_assert_str_eq(places.cache, cache);
        else
                ck_assert_ptr_null(places.cache);
        if (token)
                ck_assert_str_eq(places.token, token);
        else
                ck_assert_ptr_null(places.token);
}

START_TEST(test_cache)
{
        expect_cache((PlacesFacts){ .system = true, .home = "/home/u" }, "/var/cache/kernelsd/hub", NULL);
        expect_cache((PlacesFacts){ .home = "/home/u" }, "/home/u/.cache/huggingface/hub", "/home/u/.cache/huggingface/token");
        expect_cache((PlacesFacts){ .config_dir = "/d", .home = "/home/u" }, NULL, NULL);
        expect_cache((PlacesFacts){ .config_dir = "/d", .system = true }, NULL, NULL);
}
END_TEST

static int init_all(void)
{
        CLEANUP(places_deinit) Places places = PLACES_NULL;

        return places_init(&places, &(PlacesFacts){ .uid = 7, .home = "/home/u" });
}

START_TEST(test_no_memory)
{
        FIXTURE_TORTURE(init_all());
}
END_TEST

START_TEST(test_runtime)
{
        char path[512], link[600];

        (void)snprintf(path, sizeof(path), "%s/runtime", fixture_folder());
        (void)snprintf(link, sizeof(link), "%s-link", path);
        ck_assert_int_eq(places_make_runtime(path, geteuid()), 0);
        ck_assert_int_eq(places_make_runtime(path, geteuid()), 0);
        ck_assert_int_eq(places_make_runtime(path, geteuid() + 1), -EPERM);
        ck_assert_int_eq(symlink(path, link), 0);
        ck_assert_int_eq(places_make_runtime(link, geteuid()), -EPERM);
        ck_assert_int_eq(chmod(path, 0710), 0);
        ck_assert_int_eq(places_make_runtime(path, geteuid()), -EPERM);
        ck_assert_int_eq(chmod(path, 0702), 0);
        ck_assert_int_eq(places_make_runtime(path, geteuid()), -EPERM);
        (void)snprintf(link, sizeof(link), "%s/no/parent", path);
        ck_assert_int_eq(places_make_runtime(link, geteuid()), -ENOENT);
}
END_TEST

FIXTURE_MAIN("daemon/places", test_system, test_user, test_relative, test_no_home, test_config_dir, test_state, test_cache, test_no_memory,
             test_runtime)
