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

bool text_is_utf8(Text text)
{
        const uint8_t *p = (const uint8_t *)text.data;
        size_t left = text.size;

        while (left) {
                size_t n;

                if (left >= 8 && is_ascii_word(p))
                        n = 8;
                else
                        n = utf8_sequence(p, left);
                if (!n)
                        return false;
                p += n;
                left -= n;
        }
        return true;
}
