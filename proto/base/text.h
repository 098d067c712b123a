/* A view of bytes that somebody else owns. `data` NULL means absent (nil on
 * the wire); an empty text has data and size 0. Not NUL-terminated. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

typedef struct Text {
        const char *data;
        size_t size;
} Text;

#define TEXT_NULL ((Text){ 0 })
#define TEXT(literal) ((Text){ "" literal "", sizeof(literal) - 1 })

/* For printf: printf("%.*s", TEXT_PRINT(t)). */
#define TEXT_PRINT(text) (int)(text).size, (text).data ? (text).data : ""

static inline Text text_of(const char *string)
{
        return (Text){ string, string ? strlen(string) : 0 };
}

static inline bool text_equal(Text a, Text b)
{
        return a.size == b.size && !a.data == !b.data && (!a.size || memcmp(a.data, b.data, a.size) == 0);
}

/* By bytes; a prefix sorts first. */
static inline int text_compare(Text a, Text b)
{
        size_t n = a.size < b.size ? a.size : b.size;
        int r = n ? memcmp(a.data, b.data, n) : 0;

        return r ? r : (a.size > b.size) - (a.size < b.size);
}

static inline bool text_starts_with(Text text, Text prefix)
{
        return text.size >= prefix.size && (!prefix.size || memcmp(text.data, prefix.data, prefix.size) == 0);
}

static inline bool text_ends_with(Text text, Text end)
{
        return text.size >= end.size &&
               (!end.size || memcmp(text.data + text.size - end.size, end.data, end.size) == 0);
}

/* The text as far as `limit` bytes go, never cut inside a UTF-8 sequence. */
static inline Text text_cut(Text text, size_t limit)
{
        if (text.size <= limit)
                return text;
        while (limit && ((unsigned char)text.data[limit] & 0xc0) == 0x80)
                limit--;
        return (Text){ text.data, limit };
}

/* The length of the well-formed UTF-8 sequence at the front; 0 if there is none. */
size_t text_utf8_step(Text text);

/* Whether it begins with a control character, which a terminal may act on: of
 * C0, of C1 as UTF-8, or DEL. */
static inline bool text_begins_with_control(Text text)
{
        const unsigned char *p = (const unsigned char *)text.data;

        return text.size && (p[0] < 0x20 || p[0] == 0x7f || (p[0] == 0xc2 && text.size > 1 && p[1] < 0xa0));
}

/* Well-formed UTF-8 by RFC 3629: no surrogates, no overlong forms, at most U+10FFFF. */
bool text_is_utf8(Text text);
