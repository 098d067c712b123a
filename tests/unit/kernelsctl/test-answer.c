#include <stdlib.h>
#include <string.h>

#include "client/kernelsctl/answer.h"
#include "client/kernelsctl/output.h"
#include "tests/lib/fixture.h"

static const kd_answer nothing = { .version = -1, .min_capability = -1, .max_capability = -1, .commit_age_s = -1 };

START_TEST(test_kernels_in_words)
{
        char text[ANSWER_TEXT];
        kd_answer answer = nothing;

        ck_assert_str_eq(answer_kernel(&answer, text), "-");
        answer.repo = "o/n";
        answer.version = 0;
        ck_assert_str_eq(answer_kernel(&answer, text), "o/n version 0");
        answer.version = -1;
        answer.revision = "main";
        ck_assert_str_eq(answer_kernel(&answer, text), "o/n at main");
        answer.locked = "/etc/l.lock";
        ck_assert_str_eq(answer_kernel(&answer, text), "o/n locked by /etc/l.lock");
        answer.path = "/opt/k";
        ck_assert_str_eq(answer_kernel(&answer, text), "/opt/k");
}
END_TEST

START_TEST(test_ranges_in_words)
{
        char text[ANSWER_TEXT];

        ck_assert_str_eq(answer_range(-1, -1, text), "-");
        ck_assert_str_eq(answer_range(75, 89, text), "75 to 89");
        ck_assert_str_eq(answer_range(90, -1, text), "90 and up");
        ck_assert_str_eq(answer_range(90, INT64_MAX, text), "90 and up");
        ck_assert_str_eq(answer_range(-1, 89, text), "0 to 89");
}
END_TEST

START_TEST(test_absent_keys_are_left_out)
{
        kd_answer answer = nothing;
        kd_value *map;
        char *json;

        answer.layer = "L";
        answer.repo = "o/n";
        answer.version = 3;
        map = answer_to_value(&answer);
        json = kd_value_to_json(map, 0);
        ck_assert_str_eq(json, "{\"layer\": \"L\", \"reference\": {\"repo\": \"o/n\", \"version\": 3}}");
        free(json);
        kd_value_free(map);
}
END_TEST

START_TEST(test_ages)
{
        char text[32];

        ck_assert_str_eq(output_age(0, text, sizeof(text)), "0 s");
        ck_assert_str_eq(output_age(119, text, sizeof(text)), "119 s");
        ck_assert_str_eq(output_age(120, text, sizeof(text)), "2 min");
        ck_assert_str_eq(output_age(7200, text, sizeof(text)), "2 h");
        ck_assert_str_eq(output_age(172800, text, sizeof(text)), "2 d");
}
END_TEST

/* What others say reaches a terminal as text, and no more. */
START_TEST(test_odd_characters)
{
        char text[] = "a\x1b[2J \xc2\x9b \xc3\xbc \xe2\x80\xae" "evil \xe2\x80\x94 \xe2\x81\xa6 \xef\xbb\xbf \xd8\x9c \xe2\x82\xac \x7f";

        output_clean(text);
        ck_assert_str_eq(text, "a?[2J ?? \xc3\xbc ???evil \xe2\x80\x94 ??? ??? ?? \xe2\x82\xac ?");
}
END_TEST

FIXTURE_MAIN("kernelsctl/answer", test_kernels_in_words, test_ranges_in_words, test_absent_keys_are_left_out, test_ages,
             test_odd_characters)
