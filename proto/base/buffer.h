/* A growing run of bytes with one owner: what a frame is written into. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"
#include "proto/base/text.h"

typedef struct Buffer {
        uint8_t *data;
        size_t size;
        size_t capacity;
} Buffer;

#define BUFFER_NULL ((Buffer){ 0 })

/* Makes room for `more` bytes behind what is there: 0 or -ENOMEM. */
int buffer_reserve(Buffer *buffer, size_t more) __attribute__((warn_unused_result));

/* Appends: 0 or -ENOMEM; on failure nothing is appended. */
int buffer_append(Buffer *buffer, const void *data, size_t size) __attribute__((warn_unused_result));

/* Drops the first n bytes. */
void buffer_consume(Buffer *buffer, size_t n);

/* Empties it and gives the memory back. */
void buffer_deinit(Buffer *buffer);
#define CLEANUP_BUFFER CLEANUP(buffer_deinit)

static inline Text buffer_text(const Buffer *buffer)
{
        return (Text){ (const char *)buffer->data, buffer->size };
}
