/* Objects to message structs, as the schema says. Recursion goes as deep as
 * the schema does. */
#include <errno.h>
#include <msgpack.h>
#include <stdio.h>

#include "proto/codec.h"
#include "proto/codec_unpack.h"

/* Where in the message a value stands; printed only in faults. */
typedef struct Place Place;
struct Place {
        const Place *up; /* NULL: the message itself */
        Text key;        /* absent: element `number` of a list */
        size_t number;
};

typedef struct Decoder {
        Arena *arena;
        Fault *fault;
} Decoder;

/* What the members of kind LIST and TABLE look like. */
typedef struct ListMember {
        void *items;
        size_t n;
} ListMember;

typedef struct TableMember {
        Text *keys;
        void *items;
        size_t n;
} TableMember;

typedef struct PlaceText {
        char text[LIMIT_FAULT_MESSAGE / 2];
        size_t size;
} PlaceText;

static void place_append(const Place *place, PlaceText *text)
{
        size_t room;
        int n;

        if (!place->up)
                return;
        place_append(place->up, text);
        room = sizeof(text->text) - text->size;
        if (!place->key.data)
                n = snprintf(text->text + text->size, room, "[%zu]", place->number);
        else
                n = snprintf(text->text + text->size, room, "%s%.*s", text->size ? "." : "", TEXT_PRINT(place->key));
        if (n > 0)
                text->size += (size_t)n < room ? (size_t)n : room - 1;
}

static PlaceText place_text(const Place *place)
{
        PlaceText text = { .size = 0 };

        place_append(place, &text);
        if (!text.size)
                (void)snprintf(text.text, sizeof(text.text), "the message");
        return text;
}

static const char *kind_describe(KeyKind kind)
{
        static const char *const words[] = {
                [KEY_BOOL] = "true or false", [KEY_TRISTATE] = "true, false or nil", [KEY_INTEGER] = "an integer",
                [KEY_OPTIONAL] = "an integer or nil", [KEY_STRING] = "a string", [KEY_BINARY] = "bytes",
                [KEY_MAP] = "a map", [KEY_LIST] = "a list of maps", [KEY_STRINGS] = "a list of strings",
                [KEY_TABLE] = "a map of maps",
        };

        return words[kind];
}

static int fault_type(const Decoder *decoder, const Place *place, KeyKind kind, const msgpack_object *object)
{
        return fault_set(decoder->fault, FAULT_BAD_REQUEST, "%s must be %s, not %s", place_text(place).text,
                         kind_describe(kind), codec_unpack_describe(object));
}

static int fault_limit(const Decoder *decoder, const Place *place, const SchemaKey *key, size_t size)
{
        bool bytes = key->kind == KEY_STRING || key->kind == KEY_BINARY;

        return fault_set(decoder->fault, FAULT_TOO_LARGE, "%s has %zu %s; at most %zu are allowed",
                         place_text(place).text, size, bytes ? "bytes" : "elements", key->limit);
}

static int check_limit(const Decoder *decoder, const Place *place, const SchemaKey *key, size_t size)
{
        return key->limit && size > key->limit ? fault_limit(decoder, place, key, size) : 0;
}

static Text object_text(const char *data, uint32_t size)
{
        return (Text){ size ? data : "", size };
}

static bool object_integer(const msgpack_object *object, int64_t *ret_integer)
{
        if (object->type == MSGPACK_OBJECT_NEGATIVE_INTEGER ||
            (object->type == MSGPACK_OBJECT_POSITIVE_INTEGER && object->via.u64 <= INT64_MAX)) {
                *ret_integer = object->via.i64;
                return true;
        }
        return false;
}

static int decode_struct(const Decoder *decoder, const SchemaStruct *schema, const msgpack_object *object,
                         const Place *place, void *member);

static int decode_list(const Decoder *decoder, const SchemaKey *key, const msgpack_object *object, const Place *place,
                       ListMember *member)
{
        const SchemaStruct *type = key->type;
        size_t n = object->via.array.size;
        char *items;
        int r = check_limit(decoder, place, key, n);

        if (r)
                return r;
        items = n ? arena_zeroed(decoder->arena, n, type->size) : NULL;
        if (n && !items)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                Place inner = { .up = place, .number = i };

                r = decode_struct(decoder, type, &object->via.array.ptr[i], &inner, items + i * type->size);
                if (r)
                        return r;
        }
        *member = (ListMember){ items, n };
        return 0;
}

static int decode_strings(const Decoder *decoder, const SchemaKey *key, const msgpack_object *object,
                          const Place *place, TextList *member)
{
        size_t n = object->via.array.size;
        Text *items;
        int r = check_limit(decoder, place, key, n);

        if (r)
                return r;
        items = n ? arena_zeroed(decoder->arena, n, sizeof(*items)) : NULL;
        if (n && !items)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const msgpack_object *item = &object->via.array.ptr[i];
                Place inner = { .up = place, .number = i };

                if (item->type != MSGPACK_OBJECT_STR)
                        return fault_type(decoder, &inner, KEY_STRING, item);
                items[i] = object_text(item->via.str.ptr, item->via.str.size);
        }
        *member = (TextList){ items, n };
        return 0;
}

static int decode_table(const Decoder *decoder, const SchemaKey *key, const msgpack_object *object, const Place *place,
                        TableMember *member)
{
        const SchemaStruct *type = key->type;
        size_t n = object->via.map.size;
        char *items;
        Text *keys;
        int r = check_limit(decoder, place, key, n);

        if (r)
                return r;
        keys = n ? arena_zeroed(decoder->arena, n, sizeof(*keys)) : NULL;
        items = n ? arena_zeroed(decoder->arena, n, type->size) : NULL;
        if (n && (!keys || !items))
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const msgpack_object_kv *pair = &object->via.map.ptr[i];
                Place inner = { .up = place };

                keys[i] = inner.key = object_text(pair->key.via.str.ptr, pair->key.via.str.size);
                r = decode_struct(decoder, type, &pair->val, &inner, items + i * type->size);
                if (r)
                        return r;
        }
        *member = (TableMember){ keys, items, n };
        return 0;
}

static int decode_map(const Decoder *decoder, const SchemaKey *key, const msgpack_object *object, const Place *place,
                      void **member)
{
        void *inner = arena_bytes(decoder->arena, key->type->size);
        int r;

        if (!inner)
                return -ENOMEM;
        r = decode_struct(decoder, key->type, object, place, inner);
        if (!r)
                *member = inner;
        return r;
}

static int decode_text(const Decoder *decoder, const SchemaKey *key, Text text, const Place *place, Text *member)
{
        *member = text;
        return check_limit(decoder, place, key, text.size);
}

static int decode_container(const Decoder *decoder, const SchemaKey *key, const msgpack_object *object,
                            const Place *place, void *member)
{
        bool is_list = key->kind == KEY_LIST || key->kind == KEY_STRINGS;

        if (object->type != (is_list ? MSGPACK_OBJECT_ARRAY : MSGPACK_OBJECT_MAP))
                return fault_type(decoder, place, key->kind, object);
        if (key->kind == KEY_LIST)
                return decode_list(decoder, key, object, place, member);
        if (key->kind == KEY_STRINGS)
                return decode_strings(decoder, key, object, place, member);
        if (key->kind == KEY_TABLE)
                return decode_table(decoder, key, object, place, member);
        return decode_map(decoder, key, object, place, member);
}

/* A value that is not nil. */
static int decode_member(const Decoder *decoder, const SchemaKey *key, const msgpack_object *object, const Place *place,
                         void *member)
{
        int64_t integer;

        switch (key->kind) {
        case KEY_BOOL:
        case KEY_TRISTATE:
                if (object->type != MSGPACK_OBJECT_BOOLEAN)
                        return fault_type(decoder, place, key->kind, object);
                if (key->kind == KEY_BOOL)
                        *(bool *)member = object->via.boolean;
                else
                        *(int8_t *)member = object->via.boolean;
                return 0;
        case KEY_INTEGER:
        case KEY_OPTIONAL:
                if (!object_integer(object, &integer))
                        return fault_type(decoder, place, key->kind, object);
                if (key->kind == KEY_INTEGER)
                        *(int64_t *)member = integer;
                else
                        *(OptionalInteger *)member = INTEGER_PRESENT(integer);
                return 0;
        case KEY_STRING:
                if (object->type != MSGPACK_OBJECT_STR)
                        return fault_type(decoder, place, key->kind, object);
                return decode_text(decoder, key, object_text(object->via.str.ptr, object->via.str.size), place, member);
        case KEY_BINARY:
                if (object->type != MSGPACK_OBJECT_BIN)
                        return fault_type(decoder, place, key->kind, object);
                return decode_text(decoder, key, object_text(object->via.bin.ptr, object->via.bin.size), place, member);
        default:
                return decode_container(decoder, key, object, place, member);
        }
}

/* The number of the schema's key of that name, or n_keys. Senders keep the
 * schema's order, so `guess` is mostly right. */
static size_t find_key(const SchemaStruct *schema, Text name, size_t guess)
{
        if (guess < schema->n_keys && text_equal(text_of(schema->keys[guess].name), name))
                return guess;
        for (size_t i = 0; i < schema->n_keys; i++)
                if (text_equal(text_of(schema->keys[i].name), name))
                        return i;
        return schema->n_keys;
}

static void struct_clear(const SchemaStruct *schema, void *message)
{
        memset(message, 0, schema->size);
        for (size_t i = 0; i < schema->n_keys; i++)
                if (schema->keys[i].kind == KEY_TRISTATE)
                        *((int8_t *)message + schema->keys[i].offset) = -1;
}

static int check_missing(const Decoder *decoder, const SchemaStruct *schema, uint64_t met, const Place *place)
{
        for (size_t i = 0; i < schema->n_keys; i++) {
                const SchemaKey *key = &schema->keys[i];
                Place inner = { .up = place, .key = text_of(key->name) };

                if (key->required && !(met & UINT64_C(1) << i))
                        return fault_set(decoder->fault, FAULT_BAD_REQUEST, "%s is missing; give %s",
                                         place_text(&inner).text, kind_describe(key->kind));
        }
        return 0;
}

static int decode_struct(const Decoder *decoder, const SchemaStruct *schema, const msgpack_object *object,
                         const Place *place, void *message)
{
        uint64_t met = 0;
        size_t number = 0;

        if (object->type != MSGPACK_OBJECT_MAP)
                return fault_type(decoder, place, KEY_MAP, object);
        struct_clear(schema, message);
        for (uint32_t i = 0; i < object->via.map.size; i++) {
                const msgpack_object_kv *pair = &object->via.map.ptr[i];
                Place inner = { .up = place, .key = object_text(pair->key.via.str.ptr, pair->key.via.str.size) };
                const SchemaKey *key;
                int r;

                number = find_key(schema, inner.key, number);
                if (number == schema->n_keys || pair->val.type == MSGPACK_OBJECT_NIL)
                        continue;
                key = &schema->keys[number];
                r = decode_member(decoder, key, &pair->val, &inner, (char *)message + key->offset);
                if (r)
                        return r;
                met |= UINT64_C(1) << number++;
        }
        return check_missing(decoder, schema, met, place);
}

int codec_decode(const SchemaStruct *schema, const uint8_t *bytes, size_t size, Arena *arena, void *ret_message,
                 Fault *fault)
{
        Decoder decoder = { arena, fault };
        Place place = { 0 };
        msgpack_zone zone;
        msgpack_object object;
        int r;

        r = codec_unpack(bytes, size, &zone, &object, fault);
        if (r)
                return r;
        r = decode_struct(&decoder, schema, &object, &place, ret_message);
        msgpack_zone_destroy(&zone);
        return r;
}
