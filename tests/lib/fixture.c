#include "tests/lib/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Generous, since sanitizers and a busy machine slow everything; only a hang
 * takes so long. */
#define TEST_TIMEOUT_S 120

/* A body that allocates more often would take hours, being run once for each. */
#define TORTURE_MAX 20000

/* Higher descriptors than a test opens. */
#define CENSUS_MAX 65536

static uint8_t census_before[CENSUS_MAX / 8];
static uint8_t census_after[CENSUS_MAX / 8];
static char folder[256];

static void census_take(uint8_t census[CENSUS_MAX / 8])
{
        DIR *directory = opendir("/proc/self/fd");
        struct dirent *entry;

        ck_assert_ptr_nonnull(directory);
        memset(census, 0, CENSUS_MAX / 8);
        while ((entry = readdir(directory))) {
                unsigned long fd = strtoul(entry->d_name, NULL, 10);

                if (entry->d_name[0] == '.' || fd == (unsigned long)dirfd(directory))
                        continue;
                ck_assert_uint_lt(fd, CENSUS_MAX);
                census[fd / 8] |= (uint8_t)(1u << fd % 8);
        }
        closedir(directory);
}

static bool census_has(const uint8_t census[CENSUS_MAX / 8], unsigned fd)
{
        return census[fd / 8] & 1u << fd % 8;
}

static void census_compare(void)
{
        census_take(census_after);
        for (unsigned fd = 0; fd < CENSUS_MAX; fd++) {
                char link[64], target[256] = "";

                if (census_has(census_before, fd) == census_has(census_after, fd))
                        continue;
                (void)snprintf(link, sizeof(link), "/proc/self/fd/%u", fd);
                if (readlink(link, target, sizeof(target) - 1) < 0)
                        ck_abort_msg("descriptor %u was open before the test and is closed now", fd);
                ck_abort_msg("descriptor %u (%s) was left open by the test", fd, target);
        }
}

static int folder_remove_one(const char *path, const struct stat *status, int kind, struct FTW *ftw)
{
        if (kind == FTW_DNR || kind == FTW_D)
                (void)chmod(path, 0700);
        return remove(path);
}

static void test_begin(void)
{
        alloc_fault_set(-1);
        folder[0] = 0;
        census_take(census_before);
}

static void test_end(void)
{
        alloc_fault_set(-1);
        if (folder[0])
                ck_assert_int_eq(nftw(folder, folder_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
        census_compare();
}

int fixture_run(const char *name, const TTest *const *tests, size_t n_tests)
{
        Suite *suite = suite_create(name);
        TCase *tcase = tcase_create(name);
        SRunner *runner;
        int n_failed;

        tcase_set_timeout(tcase, TEST_TIMEOUT_S);
        tcase_add_checked_fixture(tcase, test_begin, test_end);
        for (size_t i = 0; i < n_tests; i++)
                tcase_add_test(tcase, tests[i]);
        suite_add_tcase(suite, tcase);
        runner = srunner_create(suite);
        srunner_run_all(runner, CK_ENV);
        n_failed = srunner_ntests_failed(runner);
        srunner_free(runner);
        return n_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

bool fixture_torture_again(FixtureTorture *torture, int answer, const char *body)
{
        bool fired = alloc_fault_fired();

        alloc_fault_set(-1);
        if (!fired || answer != -ENOMEM) {
                ck_assert_msg(!torture->answered || answer == torture->answer,
                              "%s: %d with allocation %ld failing, but %d otherwise", body, torture->answer,
                              torture->k - 1, answer);
                torture->answer = answer;
                torture->answered = true;
        }
        ck_assert_msg(fired || answer >= 0, "%s: %d with no allocation failing", body, answer);
        ck_assert_msg(torture->k < TORTURE_MAX, "%s: allocates more than %d times", body, TORTURE_MAX);
        torture->k++;
        return fired;
}

char *fixture_read(const char *name, size_t *ret_size)
{
        char path[512];
        CLEANUP_ALLOC char *bytes = NULL;
        long size;
        FILE *file;

        (void)snprintf(path, sizeof(path), "%s/%s", FIXTURE_DATA, name);
        file = fopen(path, "re");
        ck_assert_msg(file, "%s: %s", path, strerror(errno));
        ck_assert_int_eq(fseek(file, 0, SEEK_END), 0);
        size = ftell(file);
        ck_assert_int_ge(size, 0);
        rewind(file);
        bytes = alloc_bytes((size_t)size + 1);
        ck_assert_ptr_nonnull(bytes);
        ck_assert_uint_eq(fread(bytes, 1, (size_t)size, file), (size_t)size);
        bytes[size] = 0;
        fclose(file);
        *ret_size = (size_t)size;
        return STEAL(bytes);
}

const char *fixture_folder(void)
{
        const char *parent = getenv("TMPDIR");

        if (!folder[0]) {
                (void)snprintf(folder, sizeof(folder), "%s/kernelsd-test-XXXXXX", parent && *parent ? parent : "/tmp");
                ck_assert_ptr_nonnull(mkdtemp(folder));
        }
        return folder;
}
