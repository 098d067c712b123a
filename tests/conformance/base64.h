#pragma once

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* The bytes of a base64 text, to be given to free(); NULL if it is none. */
uint8_t *base64_decode(const json_t *text, size_t *ret_size);
