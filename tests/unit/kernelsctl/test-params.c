#include "client/kernelsctl/params.h"

#include "tests/lib/fixture.h"

static int version_of(const char *version, const char *revision, bool must, int64_t *ret_version)
{
        Arguments arguments = { 0 };

        arguments.values[OPTION_VERSION] = version;
        arguments.values[OPTION_REVISION] = revision;
        return version_from_arguments(&arguments, must, ret_version);
}

START_TEST(test_versions)
{
        int64_t version = 77;

        ck_assert_int_eq(version_of("3", NULL, true, &version), 0);
        ck_assert_int_eq(version, 3);
        ck_assert_int_eq(version_of("0", NULL, false, &version), 0);
        ck_assert_int_eq(version, 0);
        ck_assert_int_eq(version_of(NULL, "main", true, &version), 0);
        ck_assert_int_eq(version, -1);
        ck_assert_int_eq(version_of(NULL, NULL, false, &version), 0);
        ck_assert_int_eq(version_of(NULL, NULL, true, &version), 2);
        ck_assert_int_eq(version_of("1", "main", true, &version), 2);
        ck_assert_int_eq(version_of("v1", NULL, true, &version), 2);
        ck_assert_int_eq(version_of("-1", NULL, true, &version), 2);
        ck_assert_int_eq(version_of("", NULL, true, &version), 2);
        ck_assert_int_eq(version_of("9223372036854775808", NULL, true, &version), 2);
}
END_TEST

START_TEST(test_deadlines)
{
        static const char *const bad[] = { "", "0", "-1", "86401", "1.5", "5s", "99999999999999999999" };
        Arguments arguments = { 0 };
        int64_t deadline_ms = 77;

        ck_assert_int_eq(deadline_from_arguments(&arguments, &deadline_ms), 0);
        ck_assert_int_eq(deadline_ms, 0);
        arguments.values[OPTION_DEADLINE] = "86400";
        ck_assert_int_eq(deadline_from_arguments(&arguments, &deadline_ms), 0);
        ck_assert_int_eq(deadline_ms, 86400000);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                arguments.values[OPTION_DEADLINE] = bad[i];
                ck_assert_int_eq(deadline_from_arguments(&arguments, &deadline_ms), 2);
        }
}
END_TEST

/* What is not given is not in the map. */
START_TEST(test_maps)
{
        Arguments arguments = { 0 };
        kd_value *params = kd_value_map();

        ck_assert_int_eq(params_set_repository(params, &arguments, "o/n", false), 0);
        ck_assert_int_eq(params_set_device(params, &arguments), 0);
        ck_assert_int_eq(params_set_deadline(params, &arguments), 0);
        ck_assert_uint_eq(kd_value_count(params), 1);
        arguments.values[OPTION_VERSION] = "2";
        arguments.values[OPTION_DEVICE] = "cuda";
        arguments.values[OPTION_CAPABILITY] = "9.0";
        arguments.values[OPTION_ARCH] = "gfx942";
        arguments.values[OPTION_DEADLINE] = "5";
        ck_assert_int_eq(params_set_repository(params, &arguments, "o/n", true), 0);
        ck_assert_int_eq(params_set_device(params, &arguments), 0);
        ck_assert_int_eq(params_set_deadline(params, &arguments), 0);
        ck_assert_uint_eq(kd_value_count(params), 6);
        ck_assert_int_eq(kd_value_as_integer(kd_value_get(params, "version"), -1), 2);
        ck_assert_int_eq(kd_value_as_integer(kd_value_get(params, "capability"), -1), 90);
        ck_assert_int_eq(kd_value_as_integer(kd_value_get(params, "deadline_ms"), -1), 5000);
        arguments.values[OPTION_CAPABILITY] = "nine";
        ck_assert_int_eq(params_set_device(params, &arguments), 2);
        kd_value_free(params);
}
END_TEST

FIXTURE_MAIN("kernelsctl/params", test_versions, test_deadlines, test_maps)
