/* Values without a schema. */
#include <errno.h>
#include <msgpack.h>

#include "proto/codec.h"
#include "proto/codec_unpack.h"
#include "proto/pack.h"

static int value_from_object(const msgpack_object *object, Arena *arena, Value *ret_value, Fault *fault);

static int value_from_array(const msgpack_object_array *array, Arena *arena, Value *ret_value, Fault *fault)
{
        size_t n = array->size;
        Value *items = n ? arena_zeroed(arena, n, sizeof(*items)) : NULL;

        if (n && !items)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int r = value_from_object(&array->ptr[i], arena, &items[i], fault);

                if (r)
                        return r;
        }
        *ret_value = (Value){ .kind = VALUE_LIST, .list = { items, n } };
        return 0;
}

static int value_from_map(const msgpack_object_map *map, Arena *arena, Value *ret_value, Fault *fault)
{
        size_t n = map->size;
        Text *keys = n ? arena_zeroed(arena, n, sizeof(*keys)) : NULL;
        Value *items = n ? arena_zeroed(arena, n, sizeof(*items)) : NULL;

        if (n && (!keys || !items))
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const msgpack_object_str *key = &map->ptr[i].key.via.str;
                int r = value_from_object(&map->ptr[i].val, arena, &items[i], fault);

                if (r)
                        return r;
                keys[i] = (Text){ key->size ? key->ptr : "", key->size };
        }
        *ret_value = (Value){ .kind = VALUE_MAP, .map = { keys, items, n } };
        return 0;
}

/* The recursion ends at LIMIT_DEPTH, which codec_unpack holds. */
static int value_from_object(const msgpack_object *object, Arena *arena, Value *ret_value, Fault *fault)
{
        const msgpack_object_str *text = &object->via.str;
        const msgpack_object_bin *bytes = &object->via.bin;

        switch (object->type) {
        case MSGPACK_OBJECT_NIL:
                *ret_value = (Value){ .kind = VALUE_NIL };
                return 0;
        case MSGPACK_OBJECT_BOOLEAN:
                *ret_value = (Value){ .kind = VALUE_BOOL, .boolean = object->via.boolean };
                return 0;
        case MSGPACK_OBJECT_POSITIVE_INTEGER:
                if (object->via.u64 > INT64_MAX)
                        break;
                __attribute__((fallthrough));
        case MSGPACK_OBJECT_NEGATIVE_INTEGER:
                *ret_value = (Value){ .kind = VALUE_INTEGER, .integer = object->via.i64 };
                return 0;
        case MSGPACK_OBJECT_STR:
                *ret_value = (Value){ .kind = VALUE_STRING, .text = { text->size ? text->ptr : "", text->size } };
                return 0;
        case MSGPACK_OBJECT_BIN:
                *ret_value = (Value){ .kind = VALUE_BINARY, .text = { bytes->size ? bytes->ptr : "", bytes->size } };
                return 0;
        case MSGPACK_OBJECT_ARRAY:
                return value_from_array(&object->via.array, arena, ret_value, fault);
        case MSGPACK_OBJECT_MAP:
                return value_from_map(&object->via.map, arena, ret_value, fault);
        default:
                break;
        }
        return fault_set(fault, FAULT_BAD_REQUEST, "the message holds %s; protocol 1 has integers of 64 bits with sign and no reals",
                         codec_unpack_describe(object));
}

int codec_decode_value(const uint8_t *bytes, size_t size, Arena *arena, Value *ret_value, Fault *fault)
{
        msgpack_zone zone;
        msgpack_object object;
        int r;

        r = codec_unpack(bytes, size, &zone, &object, fault);
        if (r)
                return r;
        r = value_from_object(&object, arena, ret_value, fault);
        msgpack_zone_destroy(&zone);
        return r;
}

static int encode_value(const Value *value, unsigned depth, Buffer *buffer);

static int encode_list(const Value *value, unsigned depth, Buffer *buffer)
{
        int r = pack_list(buffer, value->list.n);

        for (size_t i = 0; !r && i < value->list.n; i++)
                r = encode_value(&value->list.items[i], depth + 1, buffer);
        return r;
}

static int encode_map(const Value *value, unsigned depth, Buffer *buffer)
{
        int r = pack_map(buffer, value->map.n);

        for (size_t i = 0; !r && i < value->map.n; i++) {
                r = pack_string(buffer, value->map.keys[i]);
                if (!r)
                        r = encode_value(&value->map.items[i], depth + 1, buffer);
        }
        return r;
}

static int encode_value(const Value *value, unsigned depth, Buffer *buffer)
{
        switch (value->kind) {
        case VALUE_NIL:
                return pack_nil(buffer);
        case VALUE_BOOL:
                return pack_bool(buffer, value->boolean);
        case VALUE_INTEGER:
                return pack_integer(buffer, value->integer);
        case VALUE_STRING:
                return pack_string(buffer, value->text);
        case VALUE_BINARY:
                return pack_binary(buffer, value->text);
        case VALUE_LIST:
                return depth == LIMIT_DEPTH - 1 ? -EINVAL : encode_list(value, depth, buffer);
        case VALUE_MAP:
                return depth == LIMIT_DEPTH - 1 ? -EINVAL : encode_map(value, depth, buffer);
        }
        return -EINVAL;
}

int codec_encode_value(const Value *value, Buffer *buffer)
{
        return encode_value(value, 0, buffer);
}
