/* The one door to the heap. Everything in proto/, kernels/, daemon/ and
 * client/ allocates here, so that a test can make allocation number k fail
 * (style: curl's torture). Returned memory is given back with alloc_free. */
#pragma once

#include <stddef.h>

#include "proto/base/cleanup.h"

/* Returns `size` bytes, uninitialised, or NULL. */
void *alloc_bytes(size_t size) __attribute__((malloc, warn_unused_result));

/* Returns n x size zeroed bytes, or NULL, also when the product overflows. */
void *alloc_zeroed(size_t n, size_t size) __attribute__((malloc, warn_unused_result));

/* Resizes to n x size bytes; on failure NULL, and the old block stays. */
void *alloc_resize(void *block, size_t n, size_t size) __attribute__((warn_unused_result));

/* Copies `size` bytes and appends a NUL. */
char *alloc_text(const char *data, size_t size) __attribute__((malloc, warn_unused_result));

void alloc_free(void *block);

static inline void alloc_freep(void *pointer)
{
        alloc_free(*(void **)pointer);
}
#define CLEANUP_ALLOC CLEANUP(alloc_freep)

/* For tests only: let the next `countdown` allocations pass and fail the one
 * after; negative switches the fault off. Not thread-safe against allocating
 * threads. alloc_fault_fired tells whether it has struck since. */
void alloc_fault_set(long countdown);
int alloc_fault_fired(void);
