/* Message structs to bytes, as the schema says. */
#include <assert.h>

#include "proto/codec.h"
#include "proto/pack.h"

typedef struct ListMember {
        const char *items;
        size_t n;
} ListMember;

typedef struct TableMember {
        const Text *keys;
        const char *items;
        size_t n;
} TableMember;

static int encode_list(const SchemaStruct *type, const ListMember *list, bool sparse, Buffer *buffer)
{
        int r = pack_list(buffer, list->n);

        for (size_t i = 0; !r && i < list->n; i++)
                r = codec_encode(type, list->items + i * type->size, sparse, buffer);
        return r;
}

static int encode_strings(const TextList *list, Buffer *buffer)
{
        int r = pack_list(buffer, list->n);

        for (size_t i = 0; !r && i < list->n; i++)
                r = pack_string(buffer, list->items[i]);
        return r;
}

static int encode_table(const SchemaStruct *type, const TableMember *table, bool sparse, Buffer *buffer)
{
        int r = pack_map(buffer, table->n);

        for (size_t i = 0; !r && i < table->n; i++) {
                r = pack_string(buffer, table->keys[i]);
                if (!r)
                        r = codec_encode(type, table->items + i * type->size, sparse, buffer);
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

static int encode_member(const SchemaKey *key, const void *member, bool sparse, Buffer *buffer)
{
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
                return codec_encode(key->type, *(void *const *)member, sparse, buffer);
        case KEY_LIST:
                return encode_list(key->type, member, sparse, buffer);
        case KEY_STRINGS:
                return encode_strings(member, buffer);
        case KEY_TABLE:
                return encode_table(key->type, member, sparse, buffer);
        }
        return 0;
}

int codec_encode(const SchemaStruct *schema, const void *message, bool sparse, Buffer *buffer)
{
        size_t n = 0;
        int r;

        for (size_t i = 0; i < schema->n_keys; i++)
                n += !key_is_left_out(&schema->keys[i], message, sparse);
        r = pack_map(buffer, n);
        for (size_t i = 0; !r && i < schema->n_keys; i++) {
                const SchemaKey *key = &schema->keys[i];
                const char *member = (const char *)message + key->offset;

                if (key_is_left_out(key, message, sparse))
                        continue;
                assert(!key->required || (key->kind != KEY_STRING && key->kind != KEY_BINARY && key->kind != KEY_MAP) ||
                       !member_is_absent(key, member));
                r = pack_string(buffer, text_of(key->name));
                if (!r)
                        r = encode_member(key, member, sparse, buffer);
        }
        return r;
}
