#include "proto/base/buffer.h"

#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"

int buffer_reserve(Buffer *buffer, size_t more)
{
        size_t wanted, capacity;
        uint8_t *data;

        if (__builtin_add_overflow(buffer->size, more, &wanted))
                return -ENOMEM;
        if (wanted <= buffer->capacity)
                return 0;
        capacity = buffer->capacity ? buffer->capacity : 256;
        while (capacity < wanted)
                if (__builtin_mul_overflow(capacity, (size_t)2, &capacity))
                        return -ENOMEM;
        data = alloc_resize(buffer->data, capacity, 1);
        if (!data)
                return -ENOMEM;
        buffer->data = data;
        buffer->capacity = capacity;
        return 0;
}

int buffer_append(Buffer *buffer, const void *data, size_t size)
{
        int r = buffer_reserve(buffer, size);

        if (r < 0)
                return r;
        if (size)
                memcpy(buffer->data + buffer->size, data, size);
        buffer->size += size;
        return 0;
}

void buffer_consume(Buffer *buffer, size_t n)
{
        if (n && n < buffer->size)
                memmove(buffer->data, buffer->data + n, buffer->size - n);
        buffer->size -= n;
}

void buffer_deinit(Buffer *buffer)
{
        alloc_free(buffer->data);
        *buffer = BUFFER_NULL;
}
