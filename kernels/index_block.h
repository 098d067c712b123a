/* The memory of an index: aligned to 64 bytes, so that a record is one cache
 * line. Given back with index_block_free of kernels/index_builder.h. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* `size` zeroed bytes, or NULL. Pages that are never written cost nothing. */
uint8_t *index_block_new(size_t size);

/* Resizes to `size` bytes, keeping the first `used`; what comes behind those is
 * not cleared. NULL without memory: the old block stays. */
uint8_t *index_block_resize(uint8_t *block, size_t used, size_t size);
