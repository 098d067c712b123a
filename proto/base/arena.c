#include "proto/base/arena.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/base/alloc.h"

/* Randomly picked, no tuning done: a resolve of 8 queries fits. */
#define ARENA_BLOCK_MIN 4032

struct ArenaBlock {
        ArenaBlock *next;
        size_t size;
        size_t used;
        _Alignas(16) char data[];
};

static ArenaBlock *arena_grow(Arena *arena, size_t size)
{
        ArenaBlock *block;
        size_t room = arena->blocks ? arena->blocks->size * 2 : ARENA_BLOCK_MIN;

        if (room > 1024 * 1024)
                room = 1024 * 1024;
        if (room < size)
                room = size;
        block = alloc_bytes(sizeof(*block) + room);
        if (!block)
                return NULL;
        block->next = arena->blocks;
        block->size = room;
        block->used = 0;
        arena->blocks = block;
        return block;
}

void *arena_bytes(Arena *arena, size_t size)
{
        ArenaBlock *block = arena->blocks;
        void *bytes;

        if (size > SIZE_MAX / 4)
                return NULL;
        size = (size + 15) & ~(size_t)15;
        if (!block || block->size - block->used < size) {
                block = arena_grow(arena, size);
                if (!block)
                        return NULL;
        }
        bytes = block->data + block->used;
        block->used += size;
        return bytes;
}

void *arena_zeroed(Arena *arena, size_t n, size_t size)
{
        size_t total;
        void *bytes;

        if (__builtin_mul_overflow(n, size, &total))
                return NULL;
        bytes = arena_bytes(arena, total);
        return bytes ? memset(bytes, 0, total) : NULL;
}

int arena_copy(Arena *arena, Text text, Text *ret_copy)
{
        char *copy;

        if (!text.data) {
                *ret_copy = TEXT_NULL;
                return 0;
        }
        copy = arena_bytes(arena, text.size + 1);
        if (!copy)
                return -ENOMEM;
        memcpy(copy, text.data, text.size);
        copy[text.size] = 0;
        *ret_copy = (Text){ copy, text.size };
        return 0;
}

Text arena_format_list(Arena *arena, const char *format, va_list arguments)
{
        va_list again;
        char *text;
        int n;

        va_copy(again, arguments);
        n = vsnprintf(NULL, 0, format, again);
        va_end(again);
        text = n < 0 ? NULL : arena_bytes(arena, (size_t)n + 1);
        if (!text)
                return TEXT_NULL;
        (void)vsnprintf(text, (size_t)n + 1, format, arguments);
        return (Text){ text, (size_t)n };
}

Text arena_format(Arena *arena, const char *format, ...)
{
        va_list arguments;
        Text text;

        va_start(arguments, format);
        text = arena_format_list(arena, format, arguments);
        va_end(arguments);
        return text;
}

void arena_reset(Arena *arena)
{
        ArenaBlock *block = arena->blocks;

        while (block && block->next) {
                ArenaBlock *next = block->next;

                alloc_free(block);
                block = next;
        }
        if (block)
                block->used = 0;
        arena->blocks = block;
}

void arena_deinit(Arena *arena)
{
        arena_reset(arena);
        alloc_free(arena->blocks);
        arena->blocks = NULL;
}
