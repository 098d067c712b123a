#include "proto/base/text.h"

#include <stdint.h>

/* The length of the well-formed sequence at p, or 0. Ranges from the Unicode
 * standard, table 3-7. */
static size_t utf8_sequence(const uint8_t *p, size_t left)
{
        uint8_t low = 0x80, high = 0xbf;
        size_t n;

        if (p[0] < 0x80)
                return 1;
        if (p[0] >= 0xc2 && p[0] <= 0xdf)
                n = 2;
        else if (p[0] >= 0xe0 && p[0] <= 0xef)
                n = 3;
        else if (p[0] >= 0xf0 && p[0] <= 0xf4)
                n = 4;
        else
                return 0;
        if (left < n)
                return 0;
        if (p[0] == 0xe0)
                low = 0xa0;
        else if (p[0] == 0xed)
                high = 0x9f;
        else if (p[0] == 0xf0)
                low = 0x90;
        else if (p[0] == 0xf4)
                high = 0x8f;
        if (p[1] < low || p[1] > high)
                return 0;
        for (size_t i = 2; i < n; i++)
                if ((p[i] & 0xc0) != 0x80)
                        return 0;
        return n;
}

static bool is_ascii_word(const uint8_t *p)
{
        uint64_t word;

        memcpy(&word, p, sizeof(word));
        return !(word & 0x8080808080808080u);
}

size_t text_utf8_step(Text text)
{
        return text.size ? utf8_sequence((const uint8_t *)text.data, text.size) : 0;
}

static bool continues(uint8_t byte)
{
        return (byte & 0xc0) == 0x80;
}

/* The bytes of the well-formed sequences at p, which is no ASCII, one after the
 * other, or 0. Such text is mostly runs of two or three bytes, whose commonest
 * leads need no look at the ranges. */
static size_t utf8_run(const uint8_t *p, size_t left)
{
        size_t n = 0;

        while (left - n >= 3) {
                if (p[n] >= 0xc2 && p[n] <= 0xdf && continues(p[n + 1]))
                        n += 2;
                else if (p[n] >= 0xe1 && p[n] <= 0xec && continues(p[n + 1]) && continues(p[n + 2]))
                        n += 3;
                else
                        break;
        }
        return n ? n : utf8_sequence(p, left);
}

bool text_is_utf8(Text text)
{
        const uint8_t *p = (const uint8_t *)text.data;
        size_t left = text.size;

        while (left) {
                size_t n;

                if (left >= 8 && is_ascii_word(p))
                        n = 8;
                else
                        n = p[0] < 0x80 ? 1 : utf8_run(p, left);
                if (!n)
                        return false;
                p += n;
                left -= n;
        }
        return true;
}
