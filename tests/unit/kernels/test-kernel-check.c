#include "tests/lib/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/kernel_check.h"
#include "tests/unit/kernels/users.h"

#define HELLO "uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek="
#define META(more) "{\"name\": \"my-kernel\", \"id\": \"x\", \"version\": 1, \"license\": \"MIT\", \"python-depends\": []," \
                   " \"backend\": {\"type\": \"cpu\"}" more "}"
#define META_DIGEST META(", \"digest\": {\"algorithm\": \"sha256\", \"files\": {\"k.so\": \"" HELLO "\"}}")
#define VARIANT "torch27-cpu-x86_64-linux"

static char base[256];

static const char *at(const char *name)
{
        static char paths[4][512];
        static unsigned next;
        char *path = paths[next++ % 4];

        (void)snprintf(path, sizeof(paths[0]), "%s/%s", base, name);
        return path;
}

static void write_file(const char *name, const char *content)
{
        FILE *file = fopen(at(name), "we");

        ck_assert_ptr_nonnull(file);
        (void)fputs(content, file);
        (void)fclose(file);
}

static void make_kernel(const char *metadata)
{
        (void)snprintf(base, sizeof(base), "%s", fixture_folder());
        ck_assert_int_eq(chmod(base, 0755), 0);
        ck_assert_int_eq(mkdir(at("repo"), 0755), 0);
        ck_assert_int_eq(mkdir(at("repo/build"), 0755), 0);
        ck_assert_int_eq(mkdir(at("repo/build/" VARIANT), 0755), 0);
        write_file("repo/build/" VARIANT "/k.so", "hello world");
        if (metadata)
                write_file("repo/build/" VARIANT "/metadata.json", metadata);
}

/* Runs a check to its end; the fault's name where it refuses. */
static int run(KernelCheck *check, size_t max_bytes, unsigned *ret_n_steps, Fault *fault)
{
        int r;

        *ret_n_steps = 0;
        do {
                r = kernel_check_step(check, max_bytes, fault);
                ++*ret_n_steps;
        } while (r == STEP_MORE);
        return r;
}

static KernelCheck *new_check(const KernelReceipt *receipt)
{
        KernelCheck *check;

        ck_assert_int_eq(kernel_check_new(at("repo"), TEXT(VARIANT), geteuid(), receipt, &check), 0);
        return check;
}

static FaultName refusal(void)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = new_check(NULL);
        Fault fault = FAULT_NULL;
        unsigned n_steps;

        return run(check, 1 << 20, &n_steps, &fault) == 0 ? FAULT_NONE : fault.name;
}

START_TEST(test_good)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = NULL, *again = NULL;
        CLEANUP(metadata_freep) Metadata *metadata = NULL;
        CLEANUP_FD int fd = -1, other = -1;
        Progress progress;
        Fault fault = FAULT_NULL;
        unsigned n_steps;

        make_kernel(META_DIGEST);
        check = new_check(NULL);
        ck_assert_msg(run(check, 4, &n_steps, &fault) == 0, "%s", fault.message);
        ck_assert_uint_gt(n_steps, 5); /* eleven bytes, four at a time */
        ck_assert(kernel_check_hashed(check));
        kernel_check_progress(check, &progress);
        ck_assert_int_eq(progress.files, 1);
        ck_assert_int_eq(progress.bytes, 11);
        ck_assert_int_eq(progress.bytes_total.value, 11);
        metadata = kernel_check_take_metadata(check);
        ck_assert(text_equal(metadata->name, TEXT("my-kernel")));
        fd = kernel_check_take_fd(check);
        ck_assert_int_eq(faccessat(fd, "k.so", R_OK, 0), 0);
        ck_assert_int_eq(fcntl(fd, F_GETFD), FD_CLOEXEC);

        /* the next one is another open file description: their flocks collide */
        again = new_check(NULL);
        ck_assert_int_eq(run(again, 1 << 20, &n_steps, &fault), 0);
        other = kernel_check_take_fd(again);
        ck_assert_int_eq(flock(fd, LOCK_EX | LOCK_NB), 0);
        ck_assert_int_eq(flock(other, LOCK_SH | LOCK_NB), -1);
}
END_TEST

START_TEST(test_receipt)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = NULL;
        KernelReceipt receipt;
        Fault fault = FAULT_NULL;
        unsigned n_steps;

        make_kernel(META_DIGEST);
        check = new_check(NULL);
        ck_assert_int_eq(run(check, 1 << 20, &n_steps, &fault), 0);
        receipt = kernel_check_receipt(check);
        (void)kernel_check_free(check);
        check = new_check(&receipt);
        ck_assert_int_eq(run(check, 1 << 20, &n_steps, &fault), 0);
        ck_assert(!kernel_check_hashed(check));
        (void)kernel_check_free(check);
        write_file("repo/build/" VARIANT "/k.so", "hello w0rld"); /* same size */
        check = new_check(&receipt);
        ck_assert_int_eq(run(check, 1 << 20, &n_steps, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_ptr_nonnull(strstr(fault.message, "k.so is not what"));
}
END_TEST

START_TEST(test_without_metadata_or_digest)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = NULL;
        Fault fault = FAULT_NULL;
        unsigned n_steps;

        make_kernel(NULL);
        check = new_check(NULL);
        ck_assert_int_eq(run(check, 1 << 20, &n_steps, &fault), 0);
        ck_assert_ptr_null(kernel_check_take_metadata(check));
        ck_assert(!kernel_check_hashed(check));
        write_file("repo/build/" VARIANT "/metadata.json", META(""));
        ck_assert_int_eq(refusal(), FAULT_NONE);
        write_file("repo/build/" VARIANT "/metadata.json", "{}");
        ck_assert_int_eq(refusal(), FAULT_CORRUPT);
}
END_TEST

START_TEST(test_refusals)
{
        make_kernel(META_DIGEST);
        ck_assert_int_eq(refusal(), FAULT_NONE);
        write_file("repo/build/" VARIANT "/extra", "");
        ck_assert_int_eq(refusal(), FAULT_CORRUPT);
        ck_assert_int_eq(unlink(at("repo/build/" VARIANT "/extra")), 0);
        ck_assert_int_eq(symlink("nowhere", at("repo/build/" VARIANT "/x.pyc")), 0);
        ck_assert_int_eq(refusal(), FAULT_CORRUPT);
        ck_assert_int_eq(unlink(at("repo/build/" VARIANT "/x.pyc")), 0);
        ck_assert_int_eq(chmod(at("repo/build/" VARIANT "/k.so"), 0646), 0);
        ck_assert_int_eq(refusal(), FAULT_UNTRUSTED);
        ck_assert_int_eq(chmod(at("repo/build/" VARIANT "/k.so"), 0644), 0);
        ck_assert_int_eq(chmod(at("repo/build/" VARIANT), 0757), 0);
        ck_assert_int_eq(refusal(), FAULT_UNTRUSTED);
        ck_assert_int_eq(chmod(at("repo/build/" VARIANT), 0755), 0);
        ck_assert_int_eq(rename(at("repo/build/" VARIANT), at("gone")), 0);
        ck_assert_int_eq(refusal(), FAULT_NO_REPOSITORY);
}
END_TEST

/* Links may lead out, if what they reach passes the same rule. */
START_TEST(test_links_out)
{
        make_kernel(META(""));
        ck_assert_int_eq(mkdir(at("outside"), 0755), 0);
        write_file("outside/data", "x");
        ck_assert_int_eq(symlink("../../../outside/data", at("repo/build/" VARIANT "/file")), 0);
        ck_assert_int_eq(symlink("../../../outside", at("repo/build/" VARIANT "/folder")), 0);
        ck_assert_int_eq(symlink("..", at("repo/build/" VARIANT "/up")), 0); /* round in a circle */
        ck_assert_int_eq(refusal(), FAULT_NONE);
        ck_assert_int_eq(chmod(at("outside/data"), 0666), 0);
        ck_assert_int_eq(refusal(), FAULT_UNTRUSTED);
        ck_assert_int_eq(unlink(at("repo/build/" VARIANT "/file")), 0);
        ck_assert_int_eq(refusal(), FAULT_UNTRUSTED); /* through the folder still */
        ck_assert_int_eq(chmod(at("outside/data"), 0644), 0);
        ck_assert_int_eq(refusal(), FAULT_NONE);
        ck_assert_int_eq(chmod(at("outside"), 0777), 0);
        ck_assert_int_eq(refusal(), FAULT_UNTRUSTED);
}
END_TEST

static int overwrite(const char *path)
{
        int fd = open(path, O_WRONLY | O_CLOEXEC), r;

        if (fd < 0)
                return 1;
        r = write(fd, "evil", 4) != 4;
        (void)close(fd);
        return r;
}

START_TEST(test_file_of_another_user)
{
        USERS_OR_SKIP;
        make_kernel(META(""));
        ck_assert_int_eq(users_run(USER_OTHER, overwrite, at("repo/build/" VARIANT "/k.so")), 1);
        ck_assert_int_eq(refusal(), FAULT_NONE);
        ck_assert_int_eq(chown(at("repo/build/" VARIANT "/k.so"), USER_OTHER, USER_OTHER), 0);
        ck_assert_int_eq(users_run(USER_OTHER, overwrite, at("repo/build/" VARIANT "/k.so")), 0);
        ck_assert_int_eq(refusal(), FAULT_UNTRUSTED);
}
END_TEST

static int add_file(const char *path)
{
        char name[600];
        int fd;

        (void)snprintf(name, sizeof(name), "%s/added.py", path);
        fd = open(name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0644);
        return fd < 0 || close(fd) < 0;
}

/* By hand first: to a sticky folder others can add what a process imports after
 * the check. Only above `build` nothing that is added counts. */
START_TEST(test_sticky_folders)
{
        static const char *const folders[] = { "repo/build", "repo/build/" VARIANT, "repo/build/" VARIANT "/below" };
        char added[600];

        USERS_OR_SKIP;
        make_kernel(META(""));
        ck_assert_int_eq(mkdir(at("repo/build/" VARIANT "/below"), 0755), 0);
        ck_assert_int_eq(chmod(at("repo"), 01777), 0);
        ck_assert_int_eq(users_run(USER_OTHER, add_file, at("repo")), 0);
        ck_assert_int_eq(refusal(), FAULT_NONE);
        for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
                ck_assert_int_eq(users_run(USER_OTHER, add_file, at(folders[i])), 1);
                ck_assert_int_eq(chmod(at(folders[i]), 01777), 0);
                ck_assert_int_eq(refusal(), FAULT_UNTRUSTED);
                ck_assert_int_eq(users_run(USER_OTHER, add_file, at(folders[i])), 0);
                (void)snprintf(added, sizeof(added), "%s/added.py", at(folders[i]));
                ck_assert_int_eq(unlink(added), 0);
                ck_assert_int_eq(chown(at(folders[i]), 0, 61003), 0);
                ck_assert_int_eq(chmod(at(folders[i]), 01775), 0); /* a group that is nobody's own */
                ck_assert_int_eq(refusal(), FAULT_UNTRUSTED);
                ck_assert_int_eq(chmod(at(folders[i]), 01755), 0);
                ck_assert_int_eq(refusal(), FAULT_NONE);
        }
        ck_assert_int_eq(mkdir(at("outside"), 01777), 0);
        ck_assert_int_eq(chmod(at("outside"), 01777), 0);
        ck_assert_int_eq(symlink("../../../outside", at("repo/build/" VARIANT "/linked")), 0);
        ck_assert_int_eq(refusal(), FAULT_UNTRUSTED);
}
END_TEST

START_TEST(test_change_during_the_check)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = NULL;
        Fault fault = FAULT_NULL;
        Progress progress;
        int r;

        make_kernel(META_DIGEST);
        check = new_check(NULL);
        do {
                r = kernel_check_step(check, 4, &fault);
                kernel_check_progress(check, &progress);
        } while (r == STEP_MORE && progress.bytes == 0);
        ck_assert_int_eq(r, STEP_MORE);
        write_file("repo/build/" VARIANT "/k.so", "hello world, and more");
        do
                r = kernel_check_step(check, 4, &fault);
        while (r == STEP_MORE);
        ck_assert_int_eq(r, STEP_FAULT);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_ptr_nonnull(strstr(fault.message, "k.so changed while it was being checked"));
}
END_TEST

START_TEST(test_variant_is_a_folder_name)
{
        KernelCheck *check;
        Fault fault = FAULT_NULL;

        make_kernel(NULL);
        ck_assert_int_eq(kernel_check_new(at("repo"), TEXT("../build"), geteuid(), NULL, &check), 0);
        ck_assert_int_eq(kernel_check_step(check, 1, &fault), STEP_FAULT);
        (void)kernel_check_free(check);
}
END_TEST

static int check_once(void)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = NULL;
        Fault fault;
        unsigned n_steps;
        int r = kernel_check_new(at("repo"), TEXT(VARIANT), geteuid(), NULL, &check);

        return r ? r : run(check, 1 << 20, &n_steps, &fault);
}

START_TEST(test_torture)
{
        make_kernel(META_DIGEST);
        FIXTURE_TORTURE(check_once());
        ck_assert_int_eq(check_once(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/kernel_check", test_good, test_receipt, test_without_metadata_or_digest, test_refusals,
             test_links_out, test_file_of_another_user, test_sticky_folders, test_change_during_the_check,
             test_variant_is_a_folder_name, test_torture)
