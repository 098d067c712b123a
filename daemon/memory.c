#include "daemon/memory.h"

#include <malloc.h>

/* One arena: two threads that allocate little, and an arena of its own would
 * keep for the file thread what a load needed. A fixed threshold keeps large
 * blocks in mappings of their own, which go back as soon as they are freed;
 * glibc would raise it with each such block. */
void memory_tune(void)
{
        (void)mallopt(M_ARENA_MAX, 1);
        (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

void memory_trim(void)
{
        (void)malloc_trim(0);
}
