#include "client/local.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/fixture.h"

static char path[200];

static void begin(void)
{
        (void)snprintf(path, sizeof(path), "%s", fixture_folder());
}

static void make_folder(const char *name)
{
        char whole[512];

        (void)snprintf(whole, sizeof(whole), "%s/%s", path, name);
        ck_assert_int_eq(mkdir(whole, 0755), 0);
}

static void make_file(const char *name, size_t size)
{
        char whole[512];
        int fd;

        (void)snprintf(whole, sizeof(whole), "%s/%s", path, name);
        fd = open(whole, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(ftruncate(fd, (off_t)size), 0);
        close(fd);
}

START_TEST(test_build)
{
        LocalRepository *local;
        char base[256];

        begin();
        make_folder("build");
        make_folder("src");
        make_folder("build/torch-cuda");
        make_folder("build/torch-cpu");
        make_folder("build/.hidden");
        make_file("build/torch-cpu/metadata.json", 5);
        make_file("build/README.md", 5);
        (void)snprintf(base, sizeof(base), "%s/build", path);
        ck_assert_int_eq(local_read(path, &local, NULL), 0);
        ck_assert_str_eq(local->path, path);
        ck_assert_str_eq(local->base, base);
        ck_assert_uint_eq(local->n_variants, 2);
        ck_assert(text_equal(local->variants[0].variant, TEXT("torch-cpu")));
        ck_assert_uint_eq(local->variants[0].metadata.size, 5);
        ck_assert(text_equal(local->variants[1].variant, TEXT("torch-cuda")));
        ck_assert_ptr_null(local->variants[1].metadata.data);
        (void)local_unref(local);
}
END_TEST

START_TEST(test_itself)
{
        LocalRepository *local;

        begin();
        make_folder("torch-cpu");
        ck_assert_int_eq(local_read(path, &local, NULL), 0);
        ck_assert_str_eq(local->base, path);
        ck_assert_uint_eq(local->n_variants, 1);
        (void)local_unref(local);
}
END_TEST

START_TEST(test_refused)
{
        LocalRepository *local;
        kd_error error;
        char name[64];

        begin();
        ck_assert_int_eq(local_read("relative", &local, &error), KD_INVALID_NAME);
        ck_assert_int_eq(local_read("/nowhere/at/all", &local, &error), KD_NO_REPOSITORY);
        ck_assert_ptr_nonnull(strstr(error.message, "/nowhere/at/all"));
        make_folder("a");
        make_file("a/metadata.json", LIMIT_LOCAL_METADATA);
        ck_assert_int_eq(local_read(path, &local, NULL), 0);
        (void)local_unref(local);
        make_folder("b");
        make_file("b/metadata.json", LIMIT_LOCAL_METADATA + 1);
        ck_assert_int_eq(local_read(path, &local, &error), KD_TOO_LARGE);
        ck_assert_ptr_nonnull(strstr(error.message, "65536"));
        make_folder("build");
        for (unsigned i = 0; i <= LIMIT_LOCAL_VARIANTS; ++i) {
                (void)snprintf(name, sizeof(name), "build/v%u", i);
                make_folder(name);
                ck_assert_int_eq(local_read(path, &local, &error), i < LIMIT_LOCAL_VARIANTS ? 0 : KD_TOO_LARGE);
                if (i < LIMIT_LOCAL_VARIANTS)
                        (void)local_unref(local);
        }
        ck_assert_ptr_nonnull(strstr(error.message, "64"));
}
END_TEST

/* A pipe named metadata.json must not hang the caller. */
START_TEST(test_pipe)
{
        LocalRepository *local;
        char whole[256];

        begin();
        make_folder("a");
        (void)snprintf(whole, sizeof(whole), "%s/a/metadata.json", path);
        ck_assert_int_eq(mkfifo(whole, 0644), 0);
        ck_assert_int_lt(local_read(path, &local, NULL), 0);
}
END_TEST

static int read_once(void)
{
        LocalSet set = LOCAL_SET_NULL;
        LocalRepository *first, *second;
        int r = local_set_read(&set, path, &first, NULL);

        if (!r)
                r = local_set_read(&set, path, &second, NULL);
        if (!r && (first != second || set.n != 1))
                r = 1;
        local_set_deinit(&set);
        return r;
}

START_TEST(test_memory)
{
        begin();
        make_folder("a");
        make_file("a/metadata.json", 100);
        make_folder("b");
        FIXTURE_TORTURE(read_once());
        ck_assert_int_eq(read_once(), 0);
}
END_TEST

START_TEST(test_numbers)
{
        LocalNumbers numbers = LOCAL_NUMBERS_NULL;
        LocalSet set = LOCAL_SET_NULL;
        LocalRepository *local, *found;

        begin();
        ck_assert_int_eq(local_set_read(&set, path, &local, NULL), 0);
        ck_assert_int_eq(local_numbers_add(&numbers, 41, &set), 0);
        ck_assert_int_eq(local_numbers_add(&numbers, -1, &set), -EBADMSG);
        ck_assert_int_eq(local_numbers_add(&numbers, INT64_MAX, &set), -EBADMSG);
        ck_assert_uint_eq(numbers.n, 1);
        found = local_numbers_find(&numbers, 41);
        ck_assert_ptr_eq(found, local);
        ck_assert_ptr_null(local_numbers_find(&numbers, 42));
        local_set_deinit(&set);
        local_numbers_sweep(&numbers); /* still held by `found` */
        ck_assert_uint_eq(numbers.n, 1);
        (void)local_unref(found);
        local_numbers_sweep(&numbers);
        ck_assert_uint_eq(numbers.n, 0);
        local_numbers_clear(&numbers);
}
END_TEST

FIXTURE_MAIN("client/local", test_build, test_itself, test_refused, test_pipe, test_memory, test_numbers)
