/* Memory with one common end: what one message or one answer needs while it
 * is handled. Blocks grow as needed; reset keeps the first. */
#pragma once

#include <stdarg.h>
#include <stddef.h>

#include "proto/base/cleanup.h"
#include "proto/base/text.h"

typedef struct ArenaBlock ArenaBlock;

typedef struct Arena {
        ArenaBlock *blocks; /* newest first */
} Arena;

#define ARENA_NULL ((Arena){ 0 })

/* 16-byte aligned, uninitialised; NULL without memory. */
void *arena_bytes(Arena *arena, size_t size) __attribute__((warn_unused_result));

/* n x size zeroed bytes, overflow-checked. */
void *arena_zeroed(Arena *arena, size_t n, size_t size) __attribute__((warn_unused_result));

/* Copies a text into the arena, NUL behind it: 0 or -ENOMEM. An absent text
 * stays absent. */
int arena_copy(Arena *arena, Text text, Text *ret_copy) __attribute__((warn_unused_result));

/* Formats into the arena; returns an absent text without memory. */
Text arena_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
Text arena_format_list(Arena *arena, const char *format, va_list arguments) __attribute__((format(printf, 2, 0)));

/* Forgets all contents, keeps one block for reuse. */
void arena_reset(Arena *arena);

void arena_deinit(Arena *arena);
#define CLEANUP_ARENA CLEANUP(arena_deinit)
