#include "client/environment.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "tests/lib/fixture.h"

/* What the caller leaves open: machine, system and program. */
START_TEST(test_defaults)
{
        ClientEnvironment environment;
        struct utsname system;

        ck_assert_int_eq(uname(&system), 0);
        ck_assert_int_eq(client_environment_init(&environment, NULL), 0);
        ck_assert(text_equal(environment.message.cpu, text_of(system.machine)));
        ck_assert(text_equal(environment.message.os, TEXT("linux")));
        ck_assert(text_equal(environment.message.program, text_of(program_invocation_short_name)));
        ck_assert_ptr_null(environment.message.torch.data);
        ck_assert_int_eq(environment.message.cxx11_abi, -1);
        ck_assert_int_eq(environment.message.free_threaded, -1);
        client_environment_deinit(&environment);
}
END_TEST

START_TEST(test_copied)
{
        char torch[] = "2.7";
        kd_environment from = KD_ENVIRONMENT_INIT;
        ClientEnvironment environment;

        from.torch = torch;
        from.cxx11_abi = 7;
        from.free_threaded = 0;
        from.cpu = "riscv64";
        from.program = "prog";
        ck_assert_int_eq(client_environment_init(&environment, &from), 0);
        torch[0] = '9';
        ck_assert(text_equal(environment.message.torch, TEXT("2.7")));
        ck_assert(text_equal(environment.message.cpu, TEXT("riscv64")));
        ck_assert(text_equal(environment.message.program, TEXT("prog")));
        ck_assert(environment.message.cxx11_abi == 1 && environment.message.free_threaded == 0);
        client_environment_deinit(&environment);
}
END_TEST

/* A program's name may be anything: it must not cost the session. */
START_TEST(test_odd_program)
{
        ClientEnvironment environment;
        char name[100];

        memset(name, 'x', sizeof(name) - 1);
        name[sizeof(name) - 1] = 0;
        memcpy(name, "a\xff\n", 3);
        program_invocation_short_name = name;
        ck_assert_int_eq(client_environment_init(&environment, NULL), 0);
        ck_assert_uint_eq(environment.message.program.size, LIMIT_WORD);
        ck_assert(text_starts_with(environment.message.program, TEXT("a??xx")));
        client_environment_deinit(&environment);
}
END_TEST

static int make_once(void)
{
        ClientEnvironment environment;
        int r = client_environment_init(&environment, NULL);

        if (!r)
                client_environment_deinit(&environment);
        return r;
}

START_TEST(test_memory)
{
        FIXTURE_TORTURE(make_once());
        ck_assert_int_eq(make_once(), 0);
}
END_TEST

FIXTURE_MAIN("client/environment", test_defaults, test_copied, test_odd_program, test_memory)
