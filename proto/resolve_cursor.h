/* The hot path: reads the params of `resolve` straight from checked bytes, in
 * any order of keys, without msgpack-c and without allocating. A fuzzer holds
 * it equal to codec_decode(&schema_Resolve, …). */
#pragma once

#include "proto/schema.h"

/* Reads at most n_queries queries into `queries`, which ret->queries then
 * points to. 0: done; 1: unusual or faulty, ask codec_decode, which knows why. */
int resolve_cursor_read(const uint8_t *bytes, size_t size, MsgQuery *queries, size_t n_queries, MsgResolve *ret);
