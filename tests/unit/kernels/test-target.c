#include "tests/lib/fixture.h"

#include <errno.h>
#include <string.h>

#include "kernels/target.h"

static const MsgEnvironment usual = { .torch = TEXT("2.7"), .cxx11_abi = 1, .tvm_ffi = TEXT("0.1"), .backend = TEXT("cu128"),
                                      .cpu = TEXT("x86_64"), .os = TEXT("linux"), .python = TEXT("3.11"), .glibc = TEXT("2.36"),
                                      .program = TEXT("vllm"), .free_threaded = 0 };

static void environment_of(const MsgEnvironment *message, bool native, Environment *environment)
{
        Fault fault;

        ck_assert_msg(environment_init(environment, message, native, &fault) == 0, "%s", fault.message);
}

static Target *make(const MsgEnvironment *message, Device device, OptionalInteger capability, Text gfx)
{
        Environment environment;
        Target *target = NULL;

        environment_of(message, false, &environment);
        ck_assert_int_eq(target_new(&environment, device, capability, gfx, &target), 0);
        memset(&environment, 'x', sizeof(environment)); /* it is copied */
        return target;
}

START_TEST(test_new)
{
        CLEANUP(target_unrefp) Target *target = make(&usual, DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL);
        CLEANUP(target_unrefp) Target *none = make(NULL, DEVICE_CPU, INTEGER_PRESENT(90), TEXT_NULL);
        CLEANUP(target_unrefp) Target *rocm = make(&usual, DEVICE_ROCM, INTEGER_ABSENT, TEXT("gfx942"));

        ck_assert(text_equal(target->environment.message.torch, TEXT("2.7")) && target->environment.present);
        ck_assert(target->environment.torch.present && target->environment.torch.minor == 7);
        ck_assert(target->capability.present && target->capability.value == 90);
        ck_assert_ptr_null(target_gfx(target).data);
        ck_assert(!none->environment.present && !none->capability.present);
        ck_assert(text_equal(target_gfx(rocm), TEXT("gfx942")));
}
END_TEST

START_TEST(test_gfx)
{
        char name[LIMIT_WORD + 2];
        CLEANUP(target_unrefp) Target *longest = NULL, *longer = NULL;

        memset(name, 'g', sizeof(name));
        longest = make(&usual, DEVICE_ROCM, INTEGER_ABSENT, (Text){ name, LIMIT_WORD });
        longer = make(&usual, DEVICE_ROCM, INTEGER_ABSENT, (Text){ name, LIMIT_WORD + 1 });
        ck_assert_uint_eq(target_gfx(longest).size, LIMIT_WORD);
        ck_assert_ptr_null(target_gfx(longer).data);
}
END_TEST

/* What a native program has of tvm-ffi goes with it. */
START_TEST(test_native)
{
        CLEANUP(target_unrefp) Target *target = NULL;
        Environment environment;

        environment_of(NULL, true, &environment);
        ck_assert_int_eq(target_new(&environment, DEVICE_CPU, INTEGER_ABSENT, TEXT_NULL, &target), 0);
        ck_assert(target->environment.tvm_ffi.present && target->environment.tvm_ffi.minor == 1);
        ck_assert(target->environment.present == environment.present);
}
END_TEST

START_TEST(test_same)
{
        CLEANUP(target_unrefp) Target *first = make(&usual, DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL);
        CLEANUP(target_unrefp) Target *renamed = NULL;
        MsgEnvironment changed[9];

        for (size_t i = 0; i < ARRAY_SIZE(changed); i++)
                changed[i] = usual;
        changed[0].program = TEXT("sglang");
        changed[0].glibc = TEXT("2.40");
        renamed = make(&changed[0], DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL);
        ck_assert(target_is_same(first, renamed));
        changed[1].torch = TEXT("2.8");
        changed[2].cxx11_abi = 0;
        changed[3].tvm_ffi = TEXT_NULL;
        changed[4].backend = TEXT("cu126");
        changed[5].cpu = TEXT("aarch64");
        changed[6].os = TEXT("darwin");
        changed[7].python = TEXT("3.12");
        changed[8].free_threaded = 1;
        for (size_t i = 1; i < ARRAY_SIZE(changed); i++) {
                CLEANUP(target_unrefp) Target *other = make(&changed[i], DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL);

                ck_assert_msg(!target_is_same(first, other), "%zu", i);
        }
}
END_TEST

START_TEST(test_same_device)
{
        CLEANUP(target_unrefp) Target *a = make(&usual, DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL);
        CLEANUP(target_unrefp) Target *b = make(&usual, DEVICE_CUDA, INTEGER_PRESENT(80), TEXT_NULL);
        CLEANUP(target_unrefp) Target *c = make(&usual, DEVICE_CUDA, INTEGER_ABSENT, TEXT_NULL);
        CLEANUP(target_unrefp) Target *d = make(&usual, DEVICE_CPU, INTEGER_ABSENT, TEXT_NULL);
        CLEANUP(target_unrefp) Target *e = make(&usual, DEVICE_CPU, INTEGER_PRESENT(90), TEXT_NULL);
        CLEANUP(target_unrefp) Target *f = make(&usual, DEVICE_CUDA, INTEGER_ABSENT, TEXT("gfx90a"));
        CLEANUP(target_unrefp) Target *zero = make(&usual, DEVICE_CUDA, INTEGER_PRESENT(0), TEXT_NULL);

        ck_assert(!target_is_same(a, b) && !target_is_same(a, c) && !target_is_same(c, d) && !target_is_same(c, f));
        ck_assert(!target_is_same(c, zero));
        ck_assert(target_is_same(d, e)); /* a processor has none */
        ck_assert(target_is_same(a, a));
}
END_TEST

START_TEST(test_count)
{
        Target *target = make(&usual, DEVICE_CPU, INTEGER_ABSENT, TEXT_NULL);

        ck_assert_ptr_eq(target_ref(target), target);
        ck_assert_ptr_null(target_unref(target));
        ck_assert_uint_eq(target->n_users, 1);
        ck_assert_ptr_null(target_unref(target));
        ck_assert_ptr_null(target_unref(NULL));
}
END_TEST

START_TEST(test_among)
{
        CLEANUP(target_unrefp) Target *a = make(&usual, DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL);
        CLEANUP(target_unrefp) Target *b = make(&usual, DEVICE_CPU, INTEGER_ABSENT, TEXT_NULL);
        CLEANUP(target_unrefp) Target *same = make(&usual, DEVICE_CPU, INTEGER_ABSENT, TEXT_NULL);
        Target *const both[] = { a, b };

        ck_assert(target_is_among(both, 2, same));
        ck_assert(!target_is_among(both, 1, same));
        ck_assert(!target_is_among(NULL, 0, same));
}
END_TEST

static Environment environment;

static int make_one(void)
{
        CLEANUP(target_unrefp) Target *target = NULL;

        return target_new(&environment, DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL, &target);
}

START_TEST(test_torture)
{
        environment_of(&usual, false, &environment);
        FIXTURE_TORTURE(make_one());
}
END_TEST

FIXTURE_MAIN("kernels/target", test_new, test_gfx, test_native, test_same, test_same_device, test_among, test_count,
             test_torture)
