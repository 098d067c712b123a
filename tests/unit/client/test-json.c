#include <stdlib.h>
#include <string.h>

#include "client/kernelsd.h"
#include "tests/lib/fixture.h"

START_TEST(test_json)
{
        kd_value *value = kd_value_map(), *list = kd_value_list();
        char *text;

        ck_assert_int_eq(kd_value_append(list, kd_value_integer(INT64_MIN)), 0);
        ck_assert_int_eq(kd_value_append(list, kd_value_bool(true)), 0);
        ck_assert_int_eq(kd_value_append(list, kd_value_nil()), 0);
        ck_assert_int_eq(kd_value_append(list, kd_value_binary("\0\1\2\3", 4)), 0);
        ck_assert_int_eq(kd_value_set(value, "list", list), 0);
        ck_assert_int_eq(kd_value_set(value, "text", kd_value_string("a\"\\\n\x01é")), 0);
        ck_assert_int_eq(kd_value_set(value, "empty", kd_value_map()), 0);
        text = kd_value_to_json(value, 0);

        ck_assert_str_eq(text, "{\"list\": [-9223372036854775808, true, null, \"AAECAw==\"], "
                               "\"text\": \"a\\\"\\\\\\n\\u0001é\", \"empty\": {}}");
        free(text);
        text = kd_value_to_json(kd_value_get(value, "list"), 2);
        ck_assert_str_eq(text, "[\n  -9223372036854775808,\n  true,\n  null,\n  \"AAECAw==\"\n]");
        free(text);
        text = kd_value_to_json(NULL, 2);
        ck_assert_str_eq(text, "null");
        free(text);
        (void)kd_value_free(value);
}
END_TEST

START_TEST(test_base64)
{
        static const struct { const char *bytes; const char *text; } cases[] = {
                { "", "\"\"" }, { "f", "\"Zg==\"" }, { "fo", "\"Zm8=\"" }, { "foo", "\"Zm9v\"" },
                { "\xff\xfe\xfd", "\"//79\"" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); ++i) {
                kd_value *value = kd_value_binary(cases[i].bytes, strlen(cases[i].bytes));
                char *text = kd_value_to_json(value, 0);

                ck_assert_str_eq(text, cases[i].text);
                free(text);
                (void)kd_value_free(value);
        }
}
END_TEST

FIXTURE_MAIN("client/json", test_json, test_base64)
