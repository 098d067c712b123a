#include "tests/conformance/base64.h"

#include <stdlib.h>
#include <string.h>

uint8_t *base64_decode(const json_t *text, size_t *ret_size)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        const char *from = json_string_value(text);
        uint8_t *bytes = from ? malloc(json_string_length(text) + 1) : NULL;
        uint32_t bits = 0;
        unsigned n_bits = 0;
        size_t n = 0;

        if (!bytes)
                return NULL;
        for (; *from && *from != '='; from++) {
                const char *digit = strchr(alphabet, *from);

                if (!digit) {
                        free(bytes);
                        return NULL;
                }
                bits = bits << 6 | (uint32_t)(digit - alphabet);
                n_bits += 6;
                if (n_bits >= 8)
                        bytes[n++] = (uint8_t)(bits >> (n_bits -= 8));
        }
        *ret_size = n;
        return bytes;
}
