#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/environment.h"
#include "kernels/environment_pack.h"

static int init(Environment *environment, MsgEnvironment message, Fault *fault)
{
        return environment_init(environment, &message, false, fault);
}

START_TEST(test_copies)
{
        char backend[] = "cu128";
        MsgEnvironment message = { .torch = TEXT("2.10"), .backend = text_of(backend), .python = TEXT("3.14"),
                                   .cxx11_abi = 1, .free_threaded = 0 };
        Environment environment;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(init(&environment, message, &fault), 0);
        backend[0] = 'x';
        ck_assert(text_equal(environment.message.backend, TEXT("cu128")));
        ck_assert(environment.present);
        ck_assert_int_eq(environment.torch.major, 2);
        ck_assert_int_eq(environment.torch.minor, 10);
        ck_assert_int_eq(environment.python.minor, 14);
        ck_assert(!environment.tvm_ffi.present);
        ck_assert_int_eq(environment.message.cxx11_abi, 1);
}
END_TEST

START_TEST(test_native_sets_tvm_ffi)
{
        MsgEnvironment message = { .tvm_ffi = TEXT("0.2"), .cxx11_abi = -1, .free_threaded = -1 };
        Environment environment;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(environment_init(&environment, NULL, true, &fault), 0);
        ck_assert(!environment.present);
        ck_assert(text_equal(environment.message.tvm_ffi, TEXT("0.1")));
        ck_assert_int_eq(environment.tvm_ffi.minor, 1);
        ck_assert_int_eq(environment_init(&environment, &message, true, &fault), 0);
        ck_assert_int_eq(environment.tvm_ffi.minor, 2);
}
END_TEST

START_TEST(test_refuses)
{
        static const struct { MsgEnvironment message; const char *names; } cases[] = {
                { { .torch = { "2", 1 } }, "torch" },          { { .torch = { "2.7.1", 5 } }, "torch" },
                { { .torch = { "2.", 2 } }, "torch" },         { { .torch = { "-2.7", 4 } }, "torch" },
                { { .python = { "3.x", 3 } }, "python" },      { { .tvm_ffi = { "9223372036854775808.1", 21 } }, "tvm_ffi" },
                { { .backend = { "cuda", 4 } }, "backend" },   { { .backend = { "cu9", 3 } }, "backend" },
                { { .cpu = { "a\nb", 3 } }, "cpu" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Environment environment;
                Fault fault = FAULT_NULL;

                ck_assert_int_eq(init(&environment, cases[i].message, &fault), 1);
                ck_assert_msg(fault.name == FAULT_BAD_REQUEST || fault.name == FAULT_INVALID_NAME, "%zu", i);
                ck_assert_msg(strstr(fault.message, cases[i].names), "%s", fault.message);
        }
}
END_TEST

START_TEST(test_packs)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CLEANUP_BUFFER Buffer bytes = BUFFER_NULL, again = BUFFER_NULL;
        MsgEnvironment message = { .torch = TEXT("2.7"), .backend = TEXT("cu128"), .cxx11_abi = 0, .free_threaded = -1 };
        MsgEnvironment read;
        Fault fault;

        ck_assert_int_eq(environment_pack(&message, &bytes), 0);
        ck_assert_int_eq(environment_unpack(buffer_text(&bytes), &arena, &read, &fault), 0);
        ck_assert(text_equal(read.torch, TEXT("2.7")));
        ck_assert(text_equal(read.backend, TEXT("cu128")));
        ck_assert_ptr_null(read.cpu.data);
        ck_assert_int_eq(read.cxx11_abi, 0);
        ck_assert_int_eq(read.free_threaded, -1);
        ck_assert_int_eq(environment_pack(&read, &again), 0);
        ck_assert(text_equal(buffer_text(&bytes), buffer_text(&again)));
}
END_TEST

START_TEST(test_unpack_refuses)
{
        static const Text cases[] = { TEXT(""), TEXT("\xc0"), TEXT("\x81\xa5torch\x01"), TEXT("\x81\xa5torch") };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                MsgEnvironment read;
                Fault fault;

                ck_assert_msg(environment_unpack(cases[i], &arena, &read, &fault) == 1, "%zu", i);
        }
}
END_TEST

static int pack_and_unpack(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CLEANUP_BUFFER Buffer bytes = BUFFER_NULL;
        MsgEnvironment message = { .torch = TEXT("2.7"), .cxx11_abi = -1, .free_threaded = 1 };
        Fault fault;
        int r = environment_pack(&message, &bytes);

        return r ? r : environment_unpack(buffer_text(&bytes), &arena, &message, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(pack_and_unpack());
        ck_assert_int_eq(pack_and_unpack(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/environment", test_copies, test_native_sets_tvm_ffi, test_refuses, test_packs, test_unpack_refuses,
             test_torture)
