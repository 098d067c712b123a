/* kd_value: what a message without a schema holds. The codec's Value, with all
 * texts and arrays owned, every text NUL-terminated. Arrays are full when
 * their size is a power of two. */
#pragma once

#include "client/kernelsd.h"
#include "proto/codec.h"

struct kd_value {
        Value value;
};

/* From checked bytes. 0, or with an error. */
int value_decode(const uint8_t *bytes, size_t size, kd_value **ret_value, kd_error *error);
