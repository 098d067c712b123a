#include "tests/conformance/case.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void verdict_fail(Verdict *verdict, const char *format, ...)
{
        va_list arguments;

        if (verdict->failed)
                return;

        verdict->failed = true;
        va_start(arguments, format);
        (void)vsnprintf(verdict->why, sizeof(verdict->why), format, arguments);
        va_end(arguments);
}

const char *case_text(const json_t *object, const char *key)
{
        const char *text = case_text_or_null(object, key);

        return text ? text : "";
}

const char *case_text_or_null(const json_t *object, const char *key)
{
        return json_string_value(json_object_get(object, key));
}

Text case_bytes(const json_t *value)
{
        return json_is_string(value) ? (Text){ json_string_value(value), json_string_length(value) } : TEXT_NULL;
}

bool case_has_tag(const json_t *one, const char *tag)
{
        const json_t *tags = json_object_get(one, "tags");

        for (size_t i = 0; i < json_array_size(tags); i++)
                if (strcmp(json_string_value(json_array_get(tags, i)) ?: "", tag) == 0)
                        return true;
        return false;
}

void verdict_equal(Verdict *verdict, const char *what, const json_t *expected, const json_t *got)
{
        char *a, *b;

        if (expected && got && json_equal(expected, got))
                return;

        a = json_dumps(expected, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
        b = json_dumps(got, JSON_ENCODE_ANY | JSON_SORT_KEYS | JSON_COMPACT);
        verdict_fail(verdict, "%s: expected %.400s, got %.400s", what, a ? a : "nothing", b ? b : "nothing");
        free(a);
        free(b);
}
