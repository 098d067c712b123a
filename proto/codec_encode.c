/* Message structs to bytes, as the schema says. */
#include <errno.h>

#include "proto/base/error.h"
#include "proto/codec.h"
#include "proto/pack.h"

typedef struct Encoder {
        Buffer *buffer;
        bool sparse;
        const char *missing; /* the key that must be there and is not */
} Encoder;

typedef struct ListMember {
        const char *items;
        size_t n;
} ListMember;

typedef struct TableMember {
        const Text *keys;
        const char *items;
        size_t n;
} TableMember;

static int encode_struct(Encoder *encoder, const SchemaStruct *schema, const void *message);

static int encode_list(Encoder *encoder, const SchemaStruct *type, const ListMember *list)
{
        int r = pack_list(encoder->buffer, list->n);

        for (size_t i = 0; !r && i < list->n; i++)
                r = encode_struct(encoder, type, list->items + i * type->size);
        return r;
}

static int encode_strings(const TextList *list, Buffer *buffer)
{
        int r = pack_list(buffer, list->n);

        for (size_t i = 0; !r && i < list->n; i++)
                r = pack_string(buffer, list->items[i]);
        return r;
}

static int encode_table(Encoder *encoder, const SchemaStruct *type, const TableMember *table)
{
        int r = pack_map(encoder->buffer, table->n);

        for (size_t i = 0; !r && i < table->n; i++) {
                r = pack_string(encoder->buffer, table->keys[i]);
                if (!r)
                        r = encode_struct(encoder, type, table->items + i * type->size);
        }
        return r;
}

/* Whether the member says nothing that its absence would not. */
static bool member_is_absent(const SchemaKey *key, const void *member)
{
        switch (key->kind) {
        case KEY_BOOL:
                return !*(const bool *)member;
        case KEY_TRISTATE:
                return *(const int8_t *)member < 0;
        case KEY_INTEGER:
                return false;
        case KEY_OPTIONAL:
                return !((const OptionalInteger *)member)->present;
        case KEY_STRING:
        case KEY_BINARY:
                return !((const Text *)member)->data;
        case KEY_MAP:
                return !*(void *const *)member;
        case KEY_LIST:
        case KEY_STRINGS:
                return !((const ListMember *)member)->n;
        case KEY_TABLE:
                return !((const TableMember *)member)->n;
        }
        return false;
}

static bool key_is_left_out(const SchemaKey *key, const void *message, bool sparse)
{
        return sparse && !key->required && member_is_absent(key, (const char *)message + key->offset);
}

static int encode_text(KeyKind kind, Text text, Buffer *buffer)
{
        if (!text.data)
                return pack_nil(buffer);
        return kind == KEY_STRING ? pack_string(buffer, text) : pack_binary(buffer, text);
}

/* A required list or table is there, empty or not, and so are numbers. */
static bool key_is_missing(const SchemaKey *key, const void *member)
{
        return key->required && (key->kind == KEY_STRING || key->kind == KEY_BINARY || key->kind == KEY_MAP) &&
               member_is_absent(key, member);
}

static int encode_member(Encoder *encoder, const SchemaKey *key, const void *member)
{
        Buffer *buffer = encoder->buffer;

        switch (key->kind) {
        case KEY_BOOL:
                return pack_bool(buffer, *(const bool *)member);
        case KEY_TRISTATE:
                return *(const int8_t *)member < 0 ? pack_nil(buffer) : pack_bool(buffer, *(const int8_t *)member);
        case KEY_INTEGER:
                return pack_integer(buffer, *(const int64_t *)member);
        case KEY_OPTIONAL:
                if (!((const OptionalInteger *)member)->present)
                        return pack_nil(buffer);
                return pack_integer(buffer, ((const OptionalInteger *)member)->value);
        case KEY_STRING:
        case KEY_BINARY:
                return encode_text(key->kind, *(const Text *)member, buffer);
        case KEY_MAP:
                if (!*(void *const *)member)
                        return pack_nil(buffer);
                return encode_struct(encoder, key->type, *(void *const *)member);
        case KEY_LIST:
                return encode_list(encoder, key->type, member);
        case KEY_STRINGS:
                return encode_strings(member, buffer);
        case KEY_TABLE:
                return encode_table(encoder, key->type, member);
        }
        return 0;
}

static int encode_key(Encoder *encoder, const SchemaKey *key, const void *message)
{
        const char *member = (const char *)message + key->offset;
        int r;

        if (key_is_left_out(key, message, encoder->sparse))
                return 0;
        if (key_is_missing(key, member)) {
                encoder->missing = key->name;
                return error_trace(-EINVAL);
        }
        r = pack_string(encoder->buffer, text_of(key->name));
        return r < 0 ? r : encode_member(encoder, key, member);
}

static int encode_struct(Encoder *encoder, const SchemaStruct *schema, const void *message)
{
        size_t n = 0;
        int r;

        for (size_t i = 0; i < schema->n_keys; i++)
                n += !key_is_left_out(&schema->keys[i], message, encoder->sparse);
        r = pack_map(encoder->buffer, n);
        for (size_t i = 0; !r && i < schema->n_keys; i++)
                r = encode_key(encoder, &schema->keys[i], message);
        return r;
}

int codec_encode_naming(const SchemaStruct *schema, const void *message, bool sparse, Buffer *buffer,
                        const char **ret_missing)
{
        Encoder encoder = { .buffer = buffer, .sparse = sparse };
        int r = encode_struct(&encoder, schema, message);

        *ret_missing = encoder.missing;
        return r;
}

int codec_encode(const SchemaStruct *schema, const void *message, bool sparse, Buffer *buffer)
{
        const char *missing;

        return codec_encode_naming(schema, message, sparse, buffer, &missing);
}
