/* Bytes that grow, and files read into them. */
#pragma once

#include <stddef.h>

typedef struct Bytes {
        char *data;
        size_t size;
        size_t capacity;
} Bytes;

void bytes_freep(Bytes *bytes);

/* 0 or -ENOMEM. */
int bytes_append(Bytes *bytes, const char *data, size_t size);

/* A file, or with "-" what comes on stdin, of at most `most` bytes: 0, or the
 * exit status after a sentence on stderr. */
int bytes_load(const char *path, size_t most, Bytes *bytes);
