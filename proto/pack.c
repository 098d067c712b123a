#include "proto/pack.h"

#include <errno.h>

int pack_nil(Buffer *buffer)
{
        return buffer_append(buffer, "\xc0", 1);
}

int pack_bool(Buffer *buffer, bool value)
{
        return buffer_append(buffer, value ? "\xc3" : "\xc2", 1);
}

/* A type byte and the low n_bytes of value, most significant first; then
 * `more` bytes are sure to fit. */
static int pack_head(Buffer *buffer, uint8_t type, uint64_t value, size_t n_bytes, size_t more)
{
        uint8_t *head;
        int r;

        if (more > SIZE_MAX - 9)
                return -ENOMEM;
        r = buffer_reserve(buffer, 1 + n_bytes + more);
        if (r < 0)
                return r;
        head = buffer->data + buffer->size;
        *head++ = type;
        for (size_t i = n_bytes; i-- > 0;)
                *head++ = (uint8_t)(value >> (8 * i));
        buffer->size += 1 + n_bytes;
        return 0;
}

int pack_integer(Buffer *buffer, int64_t value)
{
        uint64_t bits = (uint64_t)value;

        if (value >= -32 && value <= 127)
                return pack_head(buffer, (uint8_t)bits, 0, 0, 0);
        if (value > 0)
                return value <= UINT8_MAX    ? pack_head(buffer, 0xcc, bits, 1, 0)
                       : value <= UINT16_MAX ? pack_head(buffer, 0xcd, bits, 2, 0)
                       : value <= UINT32_MAX ? pack_head(buffer, 0xce, bits, 4, 0)
                                             : pack_head(buffer, 0xcf, bits, 8, 0);
        return value >= INT8_MIN    ? pack_head(buffer, 0xd0, bits, 1, 0)
               : value >= INT16_MIN ? pack_head(buffer, 0xd1, bits, 2, 0)
               : value >= INT32_MIN ? pack_head(buffer, 0xd2, bits, 4, 0)
                                    : pack_head(buffer, 0xd3, bits, 8, 0);
}

int pack_string(Buffer *buffer, Text text)
{
        int r;

        if (text.size > UINT32_MAX)
                return -ENOMEM;
        r = text.size <= 31           ? pack_head(buffer, (uint8_t)(0xa0 | text.size), 0, 0, text.size)
            : text.size <= UINT8_MAX  ? pack_head(buffer, 0xd9, text.size, 1, text.size)
            : text.size <= UINT16_MAX ? pack_head(buffer, 0xda, text.size, 2, text.size)
                                      : pack_head(buffer, 0xdb, text.size, 4, text.size);
        return r < 0 ? r : buffer_append(buffer, text.data, text.size);
}

int pack_binary(Buffer *buffer, Text bytes)
{
        int r;

        if (bytes.size > UINT32_MAX)
                return -ENOMEM;
        r = bytes.size <= UINT8_MAX    ? pack_head(buffer, 0xc4, bytes.size, 1, bytes.size)
            : bytes.size <= UINT16_MAX ? pack_head(buffer, 0xc5, bytes.size, 2, bytes.size)
                                       : pack_head(buffer, 0xc6, bytes.size, 4, bytes.size);
        return r < 0 ? r : buffer_append(buffer, bytes.data, bytes.size);
}

static int pack_container(Buffer *buffer, size_t n, uint8_t small, uint8_t type)
{
        if (n <= 15)
                return pack_head(buffer, (uint8_t)(small | n), 0, 0, 0);
        if (n <= UINT16_MAX)
                return pack_head(buffer, type, n, 2, 0);
        return n <= UINT32_MAX ? pack_head(buffer, (uint8_t)(type + 1), n, 4, 0) : -ENOMEM;
}

int pack_map(Buffer *buffer, size_t n)
{
        return pack_container(buffer, n, 0x80, 0xde);
}

int pack_list(Buffer *buffer, size_t n)
{
        return pack_container(buffer, n, 0x90, 0xdc);
}
