#include "daemon/http_headers.h"

#include <limits.h>
#include <stdlib.h>
#include <strings.h>

#include "proto/base/cleanup.h"

static const struct {
        Text name;
        size_t offset, size;
} kept[] = {
        { TEXT("x-error-code"), offsetof(HubReply, error_code), sizeof(((HubReply *)0)->error_code) },
        { TEXT("x-error-message"), offsetof(HubReply, error_message), sizeof(((HubReply *)0)->error_message) },
        { TEXT("link"), offsetof(HubReply, link), sizeof(((HubReply *)0)->link) },
        { TEXT("ratelimit"), offsetof(HubReply, rate_limit), sizeof(((HubReply *)0)->rate_limit) },
        { TEXT("retry-after"), offsetof(HubReply, retry_after), sizeof(((HubReply *)0)->retry_after) },
};

/* What one character becomes; the text begins behind it afterwards. */
static Text clean_step(Text *bytes)
{
        size_t step = text_utf8_step(*bytes);
        Text character = { bytes->data, step };

        if (!step)
                character = TEXT("?");
        else if (text_begins_with_control(*bytes))
                character = TEXT(" ");
        step = step ? step : 1;
        bytes->data += step;
        bytes->size -= step;
        return character;
}

bool http_clean(Text bytes, char *ret_text, size_t size)
{
        size_t n = 0;

        while (bytes.size) {
                Text character = clean_step(&bytes);

                if (character.size > size - 1 - n) {
                        ret_text[n] = 0;
                        return false;
                }
                memcpy(ret_text + n, character.data, character.size);
                n += character.size;
        }
        ret_text[n] = 0;
        return true;
}

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static Text trim(Text text)
{
        while (text.size && is_blank(text.data[0])) {
                text.data++;
                text.size--;
        }
        while (text.size && is_blank(text.data[text.size - 1]))
                text.size--;
        return text;
}

static bool text_is_name(Text text, Text name)
{
        return text.size == name.size && strncasecmp(text.data, name.data, name.size) == 0;
}

/* "bytes 100-199/200". */
static int64_t range_from(Text value)
{
        int64_t from = 0;
        size_t i;

        if (value.size < 6 || strncasecmp(value.data, "bytes ", 6))
                return -1;
        for (i = 6; i < value.size && value.data[i] >= '0' && value.data[i] <= '9'; i++)
                if (__builtin_mul_overflow(from, 10, &from) || __builtin_add_overflow(from, value.data[i] - '0', &from))
                        return -1;
        return i > 6 && i < value.size && value.data[i] == '-' ? from : -1;
}

static void headers_forget(HttpHeaders *headers)
{
        headers->from = -1;
        headers->link_is_cut = false;
        for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
                ((char *)headers->reply)[kept[i].offset] = 0;
}

static void headers_take_value(HttpHeaders *headers, Text name, Text value)
{
        for (size_t i = 0; i < ARRAY_SIZE(kept); i++) {
                char *place = (char *)headers->reply + kept[i].offset;
                bool whole;

                if (!text_is_name(name, kept[i].name))
                        continue;
                whole = http_clean(value, place, kept[i].size); /* the last of a name counts */
                if (place == headers->reply->link)
                        headers->link_is_cut = !whole;
        }
        if (text_is_name(name, TEXT("content-range")))
                headers->from = range_from(value);
}

void http_headers_take(HttpHeaders *headers, Text line)
{
        const char *colon;

        if (text_starts_with(line, TEXT("HTTP/"))) {
                headers_forget(headers);
                return;
        }
        colon = memchr(line.data, ':', line.size);
        if (colon) {
                Text name = { line.data, (size_t)(colon - line.data) };

                headers_take_value(headers, name, trim((Text){ colon + 1, line.size - name.size - 1 }));
        }
}
