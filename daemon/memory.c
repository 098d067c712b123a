#include "daemon/memory.h"

#include <malloc.h>

/* Two arenas, one for the loop and one for the file thread: a trim of what a
 * load leaves behind takes milliseconds under the lock of the arena it trims. A
 * fixed threshold keeps large blocks in mappings of their own, which go back as
 * soon as they are freed; glibc would raise it with each such block. */
void memory_tune(void)
{
        (void)mallopt(M_ARENA_MAX, 2);
        (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
}

void memory_trim(void)
{
        (void)malloc_trim(0);
}
