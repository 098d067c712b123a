#include "proto/codec_unpack.h"

#include <errno.h>
#include <msgpack.h>

#include "proto/payload.h"

/* Room for the objects of an ordinary message: a view of 28 entries has some
 * 700 values of 24 bytes. */
#define ZONE_CHUNK 16384

int codec_unpack(const uint8_t *bytes, size_t size, msgpack_zone *zone, msgpack_object *ret_object, Fault *fault)
{
        PayloadAnswer answer = payload_check(bytes, size);
        msgpack_unpack_return r;
        size_t offset = 0;

        if (answer)
                return fault_set(fault, FAULT_BAD_REQUEST, "%s", payload_explain(answer));
        if (!msgpack_zone_init(zone, ZONE_CHUNK))
                return -ENOMEM;
        r = msgpack_unpack((const char *)bytes, size, &offset, zone, ret_object);
        if (r == MSGPACK_UNPACK_SUCCESS)
                return 0;
        msgpack_zone_destroy(zone);
        if (r == MSGPACK_UNPACK_NOMEM_ERROR)
                return -ENOMEM;
        return fault_set(fault, FAULT_BAD_REQUEST, "the message is no msgpack");
}

const char *codec_unpack_describe(const msgpack_object *object)
{
        switch (object->type) {
        case MSGPACK_OBJECT_NIL:
                return "nil";
        case MSGPACK_OBJECT_BOOLEAN:
                return "a boolean";
        case MSGPACK_OBJECT_POSITIVE_INTEGER:
                return object->via.u64 > INT64_MAX ? "an integer above 9223372036854775807" : "an integer";
        case MSGPACK_OBJECT_NEGATIVE_INTEGER:
                return "an integer";
        case MSGPACK_OBJECT_FLOAT32:
        case MSGPACK_OBJECT_FLOAT64:
                return "a real";
        case MSGPACK_OBJECT_STR:
                return "a string";
        case MSGPACK_OBJECT_BIN:
                return "bytes";
        case MSGPACK_OBJECT_ARRAY:
                return "a list";
        case MSGPACK_OBJECT_MAP:
                return "a map";
        case MSGPACK_OBJECT_EXT:
                break;
        }
        return "something else";
}
