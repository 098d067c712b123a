#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/json.h"

static int parse(const char *text, size_t size, unsigned flags, JsonError *ret_error)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;

        return json_document_new((Text){ text, size }, flags, NULL, &document, ret_error);
}

START_TEST(test_positions)
{
        static const struct { const char *text; size_t line, column; const char *says; } cases[] = {
                { "{\"a\": 1,\n  \"a\": 2}", 2, 3, "stands in the object already" },
                { "{\"a\": 1,\n\n   \"b\": 9223372036854775808}", 3, 9, "does not fit" },
                { "{\"a\": -9223372036854775809}", 1, 7, "does not fit" },
                { "{\"a\": \"x\\u0000\"}", 1, 7, "NUL" },
                { "{\"a\\u0000\": 1}", 1, 2, "NUL" },
                { "{\"a\" 1}", 1, 6, "':' expected" },
                { "[1,\n 2,\n nonsense]", 3, 2, "nonsense" },
                { "{\"a\": [1, 2}", 1, 12, "']' expected" },
                { "{\"a\": 1", 1, 8, "ends too early" },
                { "", 1, 1, "ends too early" },
                { "{} x", 1, 4, "end of file expected" },
                { "[\"abc\ndef\"]", 1, 6, "unexpected newline" },
                { "[\"a\\qb\"]", 1, 5, "invalid escape" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                JsonError error = { 0 };

                ck_assert_int_eq(parse(cases[i].text, strlen(cases[i].text), 0, &error), 1);
                ck_assert_msg(error.line == cases[i].line && error.column == cases[i].column, "%s: %zu:%zu %s",
                              cases[i].text, error.line, error.column, error.message);
                ck_assert_msg(strstr(error.message, cases[i].says), "%s: %s", cases[i].text, error.message);
        }
}
END_TEST

START_TEST(test_nul_byte)
{
        static const char text[] = "{\n \"a\0b\": 1}";
        JsonError error = { 0 };

        ck_assert_int_eq(parse(text, sizeof(text) - 1, 0, &error), 1);
        ck_assert_uint_eq(error.line, 2);
        ck_assert_uint_eq(error.column, 4);
        ck_assert_int_eq(parse("{\"el\\\xe0\xa4\x84\xd4", 9, 0, &error), 1);
        ck_assert(text_is_utf8(text_of(error.message)));
        ck_assert_int_eq(parse("[\"\xff\"]", 5, 0, &error), 1);
        ck_assert_uint_eq(error.column, 3);
}
END_TEST

START_TEST(test_comments_keep_lines)
{
        static const char text[] = "# one\n{\n  # \"two\": {\n  \"a\": \"# no comment\",\n\t#three\n \"b\": x }";
        JsonError error = { 0 };

        ck_assert_int_eq(parse(text, sizeof(text) - 1, JSON_COMMENTS, &error), 1);
        ck_assert_uint_eq(error.line, 6);
        ck_assert_uint_eq(error.column, 7);
        ck_assert_int_eq(parse(text, sizeof(text) - 1, 0, &error), 1);
        ck_assert_uint_eq(error.line, 1);
}
END_TEST

START_TEST(test_values)
{
        static const char text[] = "{\"z\": 1, \"a\": [true, null, 2.5, \"t\", {}], \"i\": -9223372036854775808}";
        static const JsonKind kinds[] = { JSON_KIND_BOOLEAN, JSON_KIND_NULL, JSON_KIND_REAL, JSON_KIND_TEXT,
                                          JSON_KIND_OBJECT };
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        const JsonValue *root, *array;
        JsonMember member;
        JsonError error;

        ck_assert_int_eq(json_document_new(text_of(text), 0, NULL, &document, &error), 0);
        root = json_document_root(document);
        ck_assert_int_eq(json_value_kind(root), JSON_KIND_OBJECT);
        ck_assert_uint_eq(json_value_size(root), 3);
        member = json_member_first(root);
        ck_assert(text_equal(member.key, TEXT("z"))); /* the file's order */
        ck_assert_int_eq(json_value_integer(member.value), 1);
        member = json_member_next(root, member);
        array = member.value;
        ck_assert_uint_eq(json_value_size(array), 5);
        for (size_t i = 0; i < 5; i++)
                ck_assert_int_eq(json_value_kind(json_value_at(array, i)), kinds[i]);
        ck_assert(text_equal(json_value_text(json_value_at(array, 3)), TEXT("t")));
        ck_assert(json_value_integer(json_value_get(root, "i")) == INT64_MIN);
        member = json_member_next(root, json_member_next(root, member));
        ck_assert_ptr_null(member.value);
}
END_TEST

START_TEST(test_open_objects)
{
        static const char *const way[] = { "digest", "files", NULL };
        static const struct { const char *text; int r; } cases[] = {
                { "{\"digest\": {\"files\": {\"a\": 1, \"a\": 2}}}", 0 },
                { "{\"digest\": {\"files\": {\"a\": 1, \"a\": {\"b\": 1, \"b\": 2}}, \"x\": 1}}", 0 },
                { "{\"digest\": {\"files\": {}, \"files\": {}}}", 1 },
                { "{\"digest\": {\"x\": {\"files\": {\"a\": 1, \"a\": 2}}}}", 1 },
                { "{\"x\": [\"digest\", {\"files\": {\"a\": 1, \"a\": 2}}]}", 1 },
                { "{\"x\": \"digest\", \"y\": {\"files\": {\"a\": 1, \"a\": 2}}}", 1 },
                { "{\"digest\": 1, \"files\": {\"a\": 1, \"a\": 2}}", 1 },
                { "{\"digest\": {\"files\": {\"a\": 1, \"a\": 2}}, \"b\": 1, \"b\": 1}", 1 },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(json_document_freep) JsonDocument *document = NULL;
                JsonError error = { 0 };

                ck_assert_msg(json_document_new(text_of(cases[i].text), 0, way, &document, &error) == cases[i].r,
                              "%s: %s", cases[i].text, error.message);
        }
}
END_TEST

START_TEST(test_path)
{
        JsonPath mapping = JSON_PATH_KEY(NULL, TEXT("mapping")), layer = JSON_PATH_KEY(&mapping, TEXT("a/b~c"));
        JsonPath item = JSON_PATH_INDEX(&layer, 12);
        Fault fault = FAULT_NULL;
        char buffer[64], tight[8];

        ck_assert_uint_eq(json_path_print(&item, buffer, sizeof(buffer)), 19);
        ck_assert_str_eq(buffer, "/mapping/a~1b~0c/12");
        ck_assert_uint_eq(json_path_print(NULL, buffer, sizeof(buffer)), 0);
        ck_assert_str_eq(buffer, "");
        ck_assert_uint_eq(json_path_print(&item, tight, sizeof(tight)), 7);
        layer.key = TEXT("\xc3\xa4\xc3\xa4");
        layer.parent = NULL;
        ck_assert_uint_eq(json_path_print(&layer, tight, 5), 3); /* "/", one of the two */
        ck_assert_int_eq(json_fault(&fault, FAULT_CORRUPT, &mapping, "is %d", 3), 1);
        ck_assert_str_eq(fault.message, "/mapping: is 3");
}
END_TEST

static int parse_all(void)
{
        static const char text[] = "# c\n{\"a\": [1, \"two\", {\"b\": null}], \"d\": {\"x\": 1, \"x\": 2}}";
        static const char *const way[] = { "d", NULL };
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        JsonError error;

        return json_document_new((Text){ text, sizeof(text) - 1 }, JSON_COMMENTS, way, &document, &error);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(parse_all());
        ck_assert_int_eq(parse_all(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/json", test_positions, test_nul_byte, test_comments_keep_lines, test_values, test_open_objects,
             test_path, test_torture)
