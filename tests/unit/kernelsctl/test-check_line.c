#include <string.h>

#include "client/kernelsctl/check_line.h"
#include "client/kernelsctl/field.h"
#include "tests/lib/fixture.h"

static char first[] = "/etc/a.json", second[] = "b:1.json";
static char *files[] = { first, second };

static void check_parse(const char *line, const char *file, long long row, long long column, const char *pointer,
                        const char *message)
{
        kd_value *map = check_line_parse(line, files, ARRAY_SIZE(files));

        ck_assert_str_eq(field_text(map, "file", "-"), file);
        ck_assert_int_eq(field_number(map, "line", -1), row);
        ck_assert_int_eq(field_number(map, "column", -1), column);
        ck_assert_str_eq(field_text(map, "pointer", "-"), pointer);
        ck_assert_str_eq(field_text(map, "message", "-"), message);
        kd_value_free(map);
}

START_TEST(test_places)
{
        check_parse("/etc/a.json:3:14: what: it is", "/etc/a.json", 3, 14, "-", "what: it is");
        check_parse("/etc/a.json: /mapping/X/0: what: it is", "/etc/a.json", -1, -1, "/mapping/X/0", "what: it is");
        check_parse("/etc/a.json: cannot be read", "/etc/a.json", -1, -1, "-", "cannot be read");
        check_parse("b:1.json:2:1: what", "b:1.json", 2, 1, "-", "what");
}
END_TEST

START_TEST(test_other_lines)
{
        check_parse("/etc/other.json:3:14: what", "-", -1, -1, "-", "/etc/other.json:3:14: what");
        check_parse("", "-", -1, -1, "-", "");
        check_parse("/etc/a.json:", "/etc/a.json", -1, -1, "-", "");
        check_parse("/etc/a.json: /half", "/etc/a.json", -1, -1, "-", "/half");
}
END_TEST

FIXTURE_MAIN("kernelsctl/check_line", test_places, test_other_lines)
