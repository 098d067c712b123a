#include <string.h>

#include "client/kernelsctl/environment.h"
#include "tests/lib/fixture.h"

static int environment_of(OptionNumber option, const char *value, EnvironmentTexts *texts, kd_environment *environment,
                          kd_error *error)
{
        Arguments arguments = { 0 };

        arguments.values[option] = value;
        return environment_from_arguments(&arguments, texts, environment, error);
}

START_TEST(test_versions_become_backends)
{
        EnvironmentTexts texts;
        kd_environment environment;
        kd_error error;

        ck_assert_int_eq(environment_of(OPTION_CUDA, "12.8", &texts, &environment, &error), 0);
        ck_assert_str_eq(environment.backend, "cu128");
        ck_assert_int_eq(environment_of(OPTION_ROCM, "6.3", &texts, &environment, &error), 0);
        ck_assert_str_eq(environment.backend, "rocm63");
        ck_assert_int_eq(environment_of(OPTION_BACKEND, "cpu", &texts, &environment, &error), 0);
        ck_assert_str_eq(environment.backend, "cpu");
}
END_TEST

START_TEST(test_versions_that_are_none)
{
        static const char *const bad[] = { "", "12", "12.", ".8", "12.80", "12.8.1", "x.8", "12.x", "123456789.1" };
        EnvironmentTexts texts;
        kd_environment environment;
        kd_error error;

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                ck_assert_int_eq(environment_of(OPTION_CUDA, bad[i], &texts, &environment, &error), KD_INVALID_NAME);
                ck_assert_ptr_nonnull(strstr(error.message, "--cuda"));
        }
}
END_TEST

START_TEST(test_one_backend_at_most)
{
        Arguments arguments = { 0 };
        EnvironmentTexts texts;
        kd_environment environment;
        kd_error error;

        arguments.values[OPTION_CUDA] = "12.8";
        arguments.values[OPTION_BACKEND] = "cpu";
        ck_assert_int_eq(environment_from_arguments(&arguments, &texts, &environment, &error), KD_INVALID_NAME);
}
END_TEST

START_TEST(test_abi)
{
        EnvironmentTexts texts;
        kd_environment environment;
        kd_error error;

        ck_assert_int_eq(environment_of(OPTION_ABI, "cxx11", &texts, &environment, &error), 0);
        ck_assert_int_eq(environment.cxx11_abi, 1);
        ck_assert_int_eq(environment_of(OPTION_ABI, "cxx98", &texts, &environment, &error), 0);
        ck_assert_int_eq(environment.cxx11_abi, 0);
        ck_assert_int_eq(environment_of(OPTION_ABI, "c++11", &texts, &environment, &error), KD_INVALID_NAME);
        ck_assert_int_eq(environment_of(OPTION_TORCH, "2.7", &texts, &environment, &error), 0);
        ck_assert_int_eq(environment.cxx11_abi, -1);
}
END_TEST

START_TEST(test_like_a_session)
{
        kd_value *map = kd_value_map();
        kd_environment environment;

        ck_assert_int_eq(kd_value_set(map, "torch", kd_value_string("2.7")), 0);
        ck_assert_int_eq(kd_value_set(map, "cxx11_abi", kd_value_bool(false)), 0);
        environment_from_value(map, &environment);
        ck_assert_str_eq(environment.torch, "2.7");
        ck_assert_int_eq(environment.cxx11_abi, 0);
        ck_assert_int_eq(environment.free_threaded, -1);
        ck_assert_ptr_null(environment.backend);
        kd_value_free(map);
}
END_TEST

FIXTURE_MAIN("kernelsctl/environment", test_versions_become_backends, test_versions_that_are_none,
             test_one_backend_at_most, test_abi, test_like_a_session)
