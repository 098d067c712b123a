/* What the two decoders share: checked bytes to the objects of msgpack-c. */
#pragma once

#include <stdint.h>

#include "proto/fault.h"

struct msgpack_object;
struct msgpack_zone;

/* Lets payload_check judge the bytes first, so that msgpack-c never sees any
 * that it has not passed. Objects lie in the zone, which the caller owns and
 * must destroy when 0 is returned (on any other there is none), and texts in
 * the bytes. 0; 1 with FAULT_BAD_REQUEST; -ENOMEM. */
int codec_unpack(const uint8_t *bytes, size_t size, struct msgpack_zone *zone, struct msgpack_object *ret_object,
                 Fault *fault);

/* What an object is, for a sentence: "an integer". */
const char *codec_unpack_describe(const struct msgpack_object *object);
