#include "tests/lib/fixture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/repository.h"
#include "tests/unit/kernels/users.h"

#define META(backend) "{\"name\": \"my-kernel\", \"id\": \"x\", \"version\": 1, \"license\": \"MIT\", \"python-depends\": []," \
                      " \"backend\": " backend "}"

static const MsgEnvironment message = { .torch = { "2.7", 3 }, .cxx11_abi = 1, .tvm_ffi = { "0.1", 3 },
                                        .backend = { "cu128", 5 }, .cpu = { "x86_64", 6 }, .os = { "linux", 5 },
                                        .free_threaded = -1 };

static Environment environment;

static void make_environment(void)
{
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(environment_init(&environment, &message, false, &fault), 0);
}

static Repository *from_message(MsgLocalVariant *variants, size_t n)
{
        MsgLocal local = { .variants = { variants, n } };
        Repository *repository;
        Fault fault = FAULT_NULL;

        ck_assert_msg(repository_from_message(&local, &repository, &fault) == 0, "%s", fault.message);
        return repository;
}

/* --- named by a client --- */

START_TEST(test_from_message)
{
        MsgLocalVariant variants[] = {
                { TEXT("torch-cpu"), TEXT_NULL },
                { TEXT("nonsense"), TEXT(META("{\"type\": \"cpu\"}")) },
                { TEXT("torch-cuda"), TEXT("{") },
        };
        CLEANUP(repository_unrefp) Repository *repository = from_message(variants, 3), *nameless = NULL;

        ck_assert(text_equal(repository->name, TEXT("local:my-kernel")));
        ck_assert_uint_eq(repository->n_variants, 3);
        ck_assert(repository->variants[0].parsed);
        ck_assert_ptr_null(repository->variants[0].metadata);
        ck_assert_int_eq(repository->variants[0].metadata_fault.name, FAULT_NONE);
        ck_assert(!repository->variants[1].parsed);
        ck_assert_int_eq(repository->variants[2].metadata_fault.name, FAULT_CORRUPT);
        nameless = from_message(variants, 1);
        ck_assert(text_equal(nameless->name, TEXT("local:unnamed")));
        ck_assert_ptr_eq(repository_ref(nameless), nameless);
        ck_assert_ptr_null(repository_unref(nameless));
}
END_TEST

static int refused(MsgLocalVariant *variants, size_t n, FaultName name)
{
        MsgLocal local = { .variants = { variants, n } };
        Repository *repository;
        Fault fault = FAULT_NULL;

        return repository_from_message(&local, &repository, &fault) == 1 && fault.name == name;
}

START_TEST(test_message_limits)
{
        MsgLocalVariant variants[LIMIT_LOCAL_VARIANTS + 1];
        char *bytes = alloc_bytes(LIMIT_LOCAL_METADATA + 1);

        memset(bytes, ' ', LIMIT_LOCAL_METADATA + 1);
        for (size_t i = 0; i < ARRAY_SIZE(variants); i++)
                variants[i] = (MsgLocalVariant){ TEXT("torch-cpu"), TEXT_NULL };
        ck_assert(refused(variants, ARRAY_SIZE(variants), FAULT_TOO_LARGE));
        repository_unref(from_message(variants, LIMIT_LOCAL_VARIANTS));
        variants[0].metadata = (Text){ bytes, LIMIT_LOCAL_METADATA + 1 };
        ck_assert(refused(variants, 1, FAULT_TOO_LARGE));
        for (size_t i = 0; i < 33; i++) /* 33 times 64 KiB are over 2 MiB */
                variants[i].metadata = (Text){ bytes, LIMIT_LOCAL_METADATA };
        ck_assert(refused(variants, 33, FAULT_TOO_LARGE));
        for (size_t i = 0; i < 5; i++) {
                static const Text names[] = { { "", 0 }, { "a/b", 3 }, { "..", 2 }, { "a\0b", 3 }, { "\xff", 1 } };

                variants[0] = (MsgLocalVariant){ names[i], TEXT_NULL };
                ck_assert(refused(variants, 1, FAULT_INVALID_NAME));
        }
        alloc_free(bytes);
}
END_TEST

/* --- choosing --- */

static int choose(const Repository *repository, Device device, int64_t capability, Trace *trace, size_t *ret_variant,
                  ArchVerdict *ret_arch, Fault *fault)
{
        return repository_choose(repository, &environment, device,
                                 capability ? INTEGER_PRESENT(capability) : INTEGER_ABSENT, TEXT_NULL, trace, ret_variant,
                                 ret_arch, fault);
}

START_TEST(test_choose_gives_way)
{
        MsgLocalVariant variants[] = {
                { TEXT("torch-cuda"), TEXT_NULL },
                { TEXT("torch27-cu126-x86_64-linux"), TEXT(META("{\"type\": \"cuda\", \"archs\": [\"8.0\"]}")) },
                { TEXT("torch27-cu128-x86_64-linux"), TEXT(META("{\"type\": \"cuda\", \"archs\": [\"9.0a\"]}")) },
                { TEXT("torch28-cu128-x86_64-linux"), TEXT_NULL },
                { TEXT("torch-stable-abi25-cu128-x86_64-linux"), TEXT("{\"broken\": true}") },
        };
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        size_t variant = 99;
        ArchVerdict arch;
        Fault fault = FAULT_NULL;

        make_environment();
        repository = from_message(variants, ARRAY_SIZE(variants));
        ck_assert_int_eq(choose(repository, DEVICE_CUDA, 90, NULL, &variant, &arch, &fault), 0);
        ck_assert_uint_eq(variant, 2);
        ck_assert_int_eq(arch, ARCH_OK);
        ck_assert_int_eq(choose(repository, DEVICE_CUDA, 86, NULL, &variant, &arch, &fault), 0);
        ck_assert_uint_eq(variant, 1);
        ck_assert_int_eq(choose(repository, DEVICE_CUDA, 120, NULL, &variant, &arch, &fault), 0);
        ck_assert_uint_eq(variant, 0);
        ck_assert_int_eq(arch, ARCH_UNKNOWN);
        ck_assert_int_eq(choose(repository, DEVICE_CPU, 0, NULL, &variant, &arch, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_NO_VARIANT);
        for (size_t i = 0; i < 4; i++) /* each, and why not */
                ck_assert_msg(strstr(fault.message, variants[i].variant.data), "%s", fault.message);
        ck_assert_ptr_nonnull(strstr(fault.message, "the environment has cpu"));
}
END_TEST

START_TEST(test_choose_faults)
{
        MsgLocalVariant old[] = { { TEXT("torch27-cu128-x86_64-linux"), TEXT(META("{\"type\": \"cuda\", \"archs\": [\"8.0\"]}")) } };
        MsgLocalVariant broken[] = { { TEXT("torch27-cu128-x86_64-linux"), TEXT("{}") } };
        CLEANUP(repository_unrefp) Repository *a = NULL, *b = NULL, *none = NULL;
        size_t variant = 99;
        ArchVerdict arch;
        Fault fault = FAULT_NULL;

        make_environment();
        a = from_message(old, 1);
        b = from_message(broken, 1);
        none = from_message(NULL, 0);
        ck_assert_int_eq(choose(a, DEVICE_CUDA, 90, NULL, &variant, &arch, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_ARCH);
        ck_assert_ptr_nonnull(strstr(fault.message, "is built for 8.0, the device has 9.0"));
        ck_assert_int_eq(choose(b, DEVICE_CUDA, 90, NULL, &variant, &arch, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_ptr_nonnull(strstr(fault.message, "/name: is missing"));
        ck_assert_int_eq(choose(none, DEVICE_CUDA, 90, NULL, &variant, &arch, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_NO_VARIANT);
        ck_assert_int_eq(environment_init(&environment, NULL, false, &fault), 0);
        ck_assert_int_eq(choose(a, DEVICE_CUDA, 90, NULL, &variant, &arch, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "has not said what it runs with"));
        ck_assert_uint_eq(variant, 99);
}
END_TEST

START_TEST(test_trace)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Trace trace = TRACE_NULL(&arena);
        MsgLocalVariant variants[] = {
                { TEXT("torch27-cu128-x86_64-linux"), TEXT(META("{\"type\": \"cuda\", \"archs\": [\"8.0\"]}")) },
                { TEXT("torch-rocm"), TEXT_NULL },
                { TEXT("torch-cuda"), TEXT_NULL },
        };
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        size_t variant;
        ArchVerdict arch;
        Fault fault = FAULT_NULL;

        make_environment();
        repository = from_message(variants, 3);
        ck_assert_int_eq(choose(repository, DEVICE_CUDA, 90, &trace, &variant, &arch, &fault), 0);
        ck_assert_uint_eq(trace.n, 4);
        ck_assert(text_equal(trace.items[0].candidate, TEXT("torch-rocm")));
        ck_assert(text_equal(trace.items[0].verdict, TEXT("refused")));
        ck_assert(text_equal(trace.items[1].step, TEXT("arch")));
        ck_assert(text_equal(trace.items[1].verdict, TEXT("refused")));
        ck_assert(text_equal(trace.items[2].candidate, TEXT("torch-cuda")));
        ck_assert(text_equal(trace.items[2].verdict, TEXT("taken")));
        ck_assert(text_equal(trace.items[3].step, TEXT("arch")));
        ck_assert(text_equal(trace.items[3].reason, TEXT("not judged: no metadata.json states archs")));
}
END_TEST

/* A reason that has to be cut is UTF-8 still, else no client would read it. */
static void check_long_reason(const char *before)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Trace trace = TRACE_NULL(&arena);
        char metadata[4096] = META("{\"type\": \"cuda\"}");
        MsgLocalVariant variants[] = { { TEXT("torch-cuda"), TEXT_NULL } };
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        size_t variant;
        ArchVerdict arch;
        Fault fault = FAULT_NULL;

        metadata[strlen(metadata) - 1] = 0;
        (void)strcat(strcat(metadata, ", \"digest\": {\"files\": {}, \"algorithm\": \""), before);
        for (size_t i = 0; i < 700; i++)
                (void)strcat(metadata, "é");
        (void)strcat(metadata, "\"}}");
        variants[0].metadata = text_of(metadata);
        make_environment();
        repository = from_message(variants, 1);
        ck_assert_int_eq(choose(repository, DEVICE_CUDA, 90, &trace, &variant, &arch, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_uint_ge(trace.items[0].reason.size, 500);
        ck_assert(text_is_utf8(trace.items[0].reason));
}

START_TEST(test_long_reason)
{
        check_long_reason("");
        check_long_reason("x");
}
END_TEST

/* --- on disk --- */

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

static void make_repository(void)
{
        (void)snprintf(base, sizeof(base), "%s", fixture_folder());
        ck_assert_int_eq(chmod(base, 0755), 0);
        ck_assert_int_eq(mkdir(at("repo"), 0755), 0);
        ck_assert_int_eq(mkdir(at("repo/build"), 0755), 0);
        ck_assert_int_eq(mkdir(at("repo/build/torch-cuda"), 0755), 0);
        ck_assert_int_eq(mkdir(at("repo/build/torch-cpu"), 0755), 0);
        write_file("repo/build/torch-cpu/metadata.json", META("{\"type\": \"cpu\"}"));
        write_file("repo/build/README", "");
        ck_assert_int_eq(symlink("torch-cpu", at("repo/build/torch-universal")), 0);
}

static int scan(const char *path, Repository **ret_repository, Fault *fault)
{
        return repository_scan(path, geteuid(), ret_repository, fault);
}

START_TEST(test_scan)
{
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        Fault fault = FAULT_NULL;

        make_repository();
        ck_assert_int_eq(mkdir(at("repo/build/torch-\xff"), 0755), 0);
        write_file("repo/build/torch-cuda/metadata.json", "[");
        ck_assert_msg(scan(at("repo"), &repository, &fault) == 0, "%s", fault.message);
        ck_assert(text_equal(repository->name, text_of(at("repo"))));
        ck_assert_uint_eq(repository->n_variants, 3);
        ck_assert(text_equal(repository->variants[0].folder, TEXT("torch-cpu")));
        ck_assert_ptr_nonnull(repository->variants[0].metadata);
        ck_assert(text_equal(repository->variants[1].folder, TEXT("torch-cuda")));
        ck_assert_int_eq(repository->variants[1].metadata_fault.name, FAULT_CORRUPT);
        ck_assert(text_equal(repository->variants[2].folder, TEXT("torch-universal")));
        ck_assert_ptr_nonnull(repository->variants[2].metadata);
}
END_TEST

START_TEST(test_scan_refuses)
{
        Repository *repository = NULL;
        Fault fault = FAULT_NULL;

        make_repository();
        ck_assert_int_eq(scan(at("nowhere"), &repository, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_NO_REPOSITORY);
        ck_assert_int_eq(scan(at("repo/build"), &repository, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_NO_REPOSITORY);
        ck_assert_int_eq(scan(at("repo/build/README"), &repository, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_NO_REPOSITORY);
        ck_assert_int_eq(chmod(at("repo"), 0757), 0);
        ck_assert_int_eq(scan(at("repo"), &repository, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_UNTRUSTED);
        ck_assert_int_eq(chmod(at("repo"), 0755), 0);
        ck_assert_int_eq(chmod(at("repo/build"), 0757), 0);
        ck_assert_int_eq(scan(at("repo"), &repository, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_UNTRUSTED);
        ck_assert_ptr_null(repository);
}
END_TEST

/* One variant that others can write is refused, the others go on. */
START_TEST(test_scan_untrusted_variant)
{
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        Fault fault = FAULT_NULL;

        make_repository();
        ck_assert_int_eq(chmod(at("repo/build/torch-cuda"), 0757), 0);
        ck_assert_int_eq(chmod(at("repo/build/torch-cpu/metadata.json"), 0646), 0);
        ck_assert_int_eq(scan(at("repo"), &repository, &fault), 0);
        ck_assert_int_eq(repository->variants[0].metadata_fault.name, FAULT_UNTRUSTED);
        ck_assert_int_eq(repository->variants[1].metadata_fault.name, FAULT_UNTRUSTED);
}
END_TEST

START_TEST(test_scan_limit)
{
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        Fault fault = FAULT_NULL;

        make_repository();
        for (int i = 0; i < LIMIT_VARIANTS - 4; i++) {
                char name[64];

                (void)snprintf(name, sizeof(name), "repo/build/torch-%d", i);
                ck_assert_int_eq(mkdir(at(name), 0755), 0);
        }
        ck_assert_int_eq(scan(at("repo"), &repository, &fault), 0);
        repository = repository_unref(repository);
        ck_assert_int_eq(mkdir(at("repo/build/torch-more"), 0755), 0);
        ck_assert_int_eq(scan(at("repo"), &repository, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_TOO_LARGE);
        ck_assert_ptr_nonnull(strstr(fault.message, "1024"));
}
END_TEST

static int scan_it(const char *path)
{
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        Fault fault = FAULT_NULL;
        int r = scan(path, &repository, &fault);

        return r == 1 ? 10 + (int)fault.name : r;
}

static int write_metadata(const char *path)
{
        char name[600];
        FILE *file;

        (void)snprintf(name, sizeof(name), "%s/build/torch-cpu/metadata.json", path);
        file = fopen(name, "we");
        return !file || fclose(file) != 0;
}

/* A repository of one user, asked for by a daemon of another. */
START_TEST(test_two_users)
{
        USERS_OR_SKIP;
        make_repository();
        ck_assert_int_eq(users_run(USER_OTHER, scan_it, at("repo")), 0); /* root's */
        ck_assert_int_eq(chown(at("repo/build/torch-cpu/metadata.json"), USER_OWNER, USER_OWNER), 0);
        ck_assert_int_eq(users_run(USER_OWNER, write_metadata, at("repo")), 0); /* he could, at any time */
        ck_assert_int_eq(users_run(USER_OTHER, write_metadata, at("repo")), 1);
        ck_assert_int_eq(users_run(USER_OWNER, scan_it, at("repo")), 0);
        ck_assert_int_eq(chown(at("repo/build"), USER_OWNER, USER_OWNER), 0);
        ck_assert_int_eq(users_run(USER_OTHER, scan_it, at("repo")), 10 + FAULT_UNTRUSTED);
        ck_assert_int_eq(chown(at("repo/build"), 0, 0), 0);
        ck_assert_int_eq(chmod(at("repo/build"), 0700), 0);
        ck_assert_int_eq(users_run(USER_OTHER, scan_it, at("repo")), 10 + FAULT_NO_REPOSITORY);
}
END_TEST

static int scan_and_choose(void)
{
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        Fault fault;
        size_t variant;
        ArchVerdict arch;
        int r = scan(at("repo"), &repository, &fault);

        return r ? r : choose(repository, DEVICE_CPU, 0, NULL, &variant, &arch, &fault);
}

static int from_message_once(void)
{
        MsgLocalVariant variants[] = { { TEXT("torch-cpu"), TEXT(META("{\"type\": \"cpu\"}")) } };
        MsgLocal local = { .variants = { variants, 1 } };
        CLEANUP(repository_unrefp) Repository *repository = NULL;
        Fault fault;

        return repository_from_message(&local, &repository, &fault);
}

START_TEST(test_torture)
{
        make_environment();
        make_repository();
        FIXTURE_TORTURE(scan_and_choose());
        ck_assert_int_eq(scan_and_choose(), 0);
        FIXTURE_TORTURE(from_message_once());
}
END_TEST

FIXTURE_MAIN("kernels/repository", test_from_message, test_message_limits, test_choose_gives_way, test_choose_faults,
             test_trace, test_long_reason, test_scan, test_scan_refuses, test_scan_untrusted_variant, test_scan_limit, test_two_users,
             test_torture)
