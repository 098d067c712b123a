/* A kd_value as JSON text. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/value.h"
#include "proto/base/alloc.h"

typedef struct Json {
        Buffer buffer;
        int indent;
        unsigned depth;
        bool failed; /* memory ran out */
} Json;

static void json_put(Json *json, const char *bytes, size_t size)
{
        if (!json->failed && buffer_append(&json->buffer, bytes, size) < 0)
                json->failed = true;
}

static void json_break(Json *json)
{
        static const char blanks[] = "                                ";

        if (!json->indent)
                return;
        json_put(json, "\n", 1);
        for (size_t left = (size_t)json->indent * json->depth; left;) {
                size_t n = left < sizeof(blanks) - 1 ? left : sizeof(blanks) - 1;

                json_put(json, blanks, n);
                left -= n;
        }
}

static void json_escape(Json *json, unsigned char c)
{
        static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
        const char *at = c ? strchr(plain, c) : NULL;
        char text[8];

        if (at)
                (void)snprintf(text, sizeof(text), "\\%c", letters[at - plain]);
        else
                (void)snprintf(text, sizeof(text), "\\u%04x", c);
        json_put(json, text, strlen(text));
}

/* The controls U+0080 to U+009F, whose second byte is their number: a terminal
 * may act on them, and JSON gets printed. */
static bool is_c1(Text text, size_t at)
{
        return (unsigned char)text.data[at] == 0xc2 && at + 1 < text.size && (unsigned char)text.data[at + 1] < 0xa0;
}

static void json_string(Json *json, Text text)
{
        size_t begin = 0;

        json_put(json, "\"", 1);
        for (size_t i = 0; i < text.size; ++i) {
                unsigned char c = (unsigned char)text.data[i];
                bool c1 = is_c1(text, i);

                if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f && !c1)
                        continue;
                json_put(json, text.data + begin, i - begin);
                i += c1;
                json_escape(json, (unsigned char)text.data[i]);
                begin = i + 1;
        }
        json_put(json, text.data + begin, text.size - begin);
        json_put(json, "\"", 1);
}

static void json_base64(Json *json, Text text)
{
        static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const unsigned char *bytes = (const unsigned char *)text.data;

        json_put(json, "\"", 1);
        for (size_t i = 0; i < text.size; i += 3) {
                size_t left = text.size - i;
                unsigned group = (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) |
                                 (left > 2 ? bytes[i + 2] : 0);
                char out[4] = { digits[group >> 18], digits[group >> 12 & 63], digits[group >> 6 & 63],
                                digits[group & 63] };

                if (left < 3)
                        out[3] = '=';
                if (left < 2)
                        out[2] = '=';
                json_put(json, out, sizeof(out));
        }
        json_put(json, "\"", 1);
}

static void json_value(Json *json, const Value *value);

/* The items of a list, or, with keys, of a map. */
static void json_items(Json *json, const Value *items, const Text *keys, size_t n, const char *brackets)
{
        json_put(json, brackets, 1);
        ++json->depth;
        for (size_t i = 0; i < n; ++i) {
                if (i)
                        json_put(json, ",", 1);
                if (i && !json->indent)
                        json_put(json, " ", 1);
                json_break(json);
                if (keys) {
                        json_string(json, keys[i]);
                        json_put(json, ": ", 2);
                }
                json_value(json, &items[i]);
        }
        --json->depth;
        if (n)
                json_break(json);
        json_put(json, brackets + 1, 1);
}

static void json_value(Json *json, const Value *value)
{
        char text[32];

        switch (value->kind) {
        case VALUE_NIL:
                json_put(json, "null", 4);
                break;
        case VALUE_BOOL:
                json_put(json, value->boolean ? "true" : "false", value->boolean ? 4 : 5);
                break;
        case VALUE_INTEGER:
                (void)snprintf(text, sizeof(text), "%" PRId64, value->integer);
                json_put(json, text, strlen(text));
                break;
        case VALUE_STRING:
                json_string(json, value->text);
                break;
        case VALUE_BINARY:
                json_base64(json, value->text);
                break;
        case VALUE_LIST:
                json_items(json, value->list.items, NULL, value->list.n, "[]");
                break;
        case VALUE_MAP:
                json_items(json, value->map.items, value->map.keys, value->map.n, "{}");
                break;
        }
}

/* The text is for free(), which is what alloc_free is. */
char *kd_value_to_json(const kd_value *value, int indent)
{
        static const Value nil = { .kind = VALUE_NIL };
        Json json = { .indent = indent > 0 ? indent : 0 };
        char *text = NULL;

        json_value(&json, value ? &value->value : &nil);
        if (!json.failed)
                text = alloc_text((const char *)json.buffer.data, json.buffer.size);
        buffer_deinit(&json.buffer);
        return text;
}
