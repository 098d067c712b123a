/* Writes msgpack values by hand, for the hot path: in the shortest form, as
 * msgpack-c does. Each appends one value (or the head of one) to the buffer: 0
 * or -ENOMEM, with nothing appended. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buffer.h"
#include "proto/base/text.h"

int pack_nil(Buffer *buffer);
int pack_bool(Buffer *buffer, bool value);
int pack_integer(Buffer *buffer, int64_t value);
int pack_string(Buffer *buffer, Text text); /* absent: as empty, here and below */
int pack_binary(Buffer *buffer, Text bytes);

/* Heads: n pairs, or n items, follow. */
int pack_map(Buffer *buffer, size_t n);
int pack_list(Buffer *buffer, size_t n);
