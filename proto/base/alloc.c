#include "proto/base/alloc.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static atomic_long fault_countdown = -1;
static atomic_int fault_fired;

void alloc_fault_set(long countdown)
{
        atomic_store(&fault_fired, 0);
        atomic_store(&fault_countdown, countdown);
}

int alloc_fault_fired(void)
{
        return atomic_load(&fault_fired);
}

static int alloc_fails(void)
{
        if (__builtin_expect(atomic_load_explicit(&fault_countdown, memory_order_relaxed) < 0, 1))
                return 0;
        if (atomic_fetch_sub(&fault_countdown, 1) != 0)
                return 0;
        atomic_store(&fault_fired, 1);
        return 1;
}

void *alloc_bytes(size_t size)
{
        return alloc_fails() ? NULL : malloc(size ? size : 1);
}

void *alloc_zeroed(size_t n, size_t size)
{
        size_t total;

        /* calloc would see it too, but under ASan it ends the process. */
        if (alloc_fails() || __builtin_mul_overflow(n, size, &total))
                return NULL;
        return calloc(1, total ? total : 1);
}

void *alloc_resize(void *block, size_t n, size_t size)
{
        size_t total;

        if (alloc_fails() || __builtin_mul_overflow(n, size, &total))
                return NULL;
        return realloc(block, total ? total : 1);
}

char *alloc_text(const char *data, size_t size)
{
        char *copy;

        if (size == SIZE_MAX)
                return NULL;
        copy = alloc_bytes(size + 1);
        if (!copy)
                return NULL;
        if (size)
                memcpy(copy, data, size);
        copy[size] = 0;
        return copy;
}

void alloc_free(void *block)
{
        free(block);
}
