#include "kernels/index_block.h"

#include <string.h>
#include <sys/mman.h>

#include "kernels/index_builder.h"
#include "proto/base/alloc.h"

/* Room to align in, and for the allocation's address before the block. */
#define BLOCK_SLACK (64 + sizeof(void *))

#define HUGE_PAGE ((uintptr_t)2 << 20)

static uint8_t *block_align(void *raw)
{
        uintptr_t address = ((uintptr_t)raw + sizeof(void *) + 63) & ~(uintptr_t)63;

        return (uint8_t *)address;
}

static void *block_raw(void *block)
{
        void *raw;

        memcpy(&raw, (uint8_t *)block - sizeof(raw), sizeof(raw));
        return raw;
}

static uint8_t *block_adopt(void *raw, uint8_t *block)
{
        memcpy(block - sizeof(raw), &raw, sizeof(raw));
        return block;
}

/* Asks for huge pages: a large block then costs a twentieth of the page faults.
 * Without them it is as good, so the answer does not matter. */
static void block_advise(uint8_t *raw, size_t size)
{
        uintptr_t from = ((uintptr_t)raw + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
        uintptr_t to = ((uintptr_t)raw + size) & ~(HUGE_PAGE - 1);

        if (size >= 2 * HUGE_PAGE)
                (void)madvise((void *)from, to - from, MADV_HUGEPAGE);
}

uint8_t *index_block_new(size_t size)
{
        void *raw = size <= SIZE_MAX - BLOCK_SLACK ? alloc_zeroed(1, size + BLOCK_SLACK) : NULL;

        if (!raw)
                return NULL;
        block_advise(raw, size);
        return block_adopt(raw, block_align(raw));
}

uint8_t *index_block_resize(uint8_t *block, size_t used, size_t size)
{
        uint8_t *raw = block_raw(block), *resized;
        size_t before = (size_t)(block - raw);

        resized = size <= SIZE_MAX - BLOCK_SLACK ? alloc_resize(raw, size + BLOCK_SLACK, 1) : NULL;
        if (!resized)
                return NULL;
        block = block_align(resized);
        if ((size_t)(block - resized) != before)
                memmove(block, resized + before, used);
        return block_adopt(resized, block);
}

void *index_block_free(void *block)
{
        if (block)
                alloc_free(block_raw(block));
        return NULL;
}
