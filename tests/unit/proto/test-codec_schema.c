#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

#include "proto/codec.h"

static const SchemaStruct *const structs[] = {
#define S(type, title, keys) &schema_##type,
        SCHEMA_STRUCTS(S)
#undef S
};

START_TEST(test_names_are_distinct)
{
        for (size_t i = 0; i < ARRAY_SIZE(structs); i++) {
                for (size_t j = 0; j < i; j++)
                        ck_assert_str_ne(structs[i]->title, structs[j]->title);
                for (size_t k = 0; k < structs[i]->n_keys; k++)
                        for (size_t j = 0; j < k; j++)
                                ck_assert_str_ne(structs[i]->keys[k].name, structs[i]->keys[j].name);
        }
}
END_TEST

START_TEST(test_types_stand_before_their_use)
{
        for (size_t i = 0; i < ARRAY_SIZE(structs); i++)
                for (size_t k = 0; k < structs[i]->n_keys; k++) {
                        const SchemaKey *key = &structs[i]->keys[k];
                        bool typed = key->kind == KEY_MAP || key->kind == KEY_LIST || key->kind == KEY_TABLE;
                        bool found = false;

                        for (size_t j = 0; j < i; j++)
                                found = found || structs[j] == key->type;
                        ck_assert_msg(found == typed, "%s.%s", structs[i]->type, key->name);
                }
}
END_TEST

/* Of a struct by hand. */
START_TEST(test_offsets)
{
        ck_assert_uint_eq(schema_Query.size, sizeof(MsgQuery));
        ck_assert_uint_eq(schema_Query.n_keys, 5);
        ck_assert_str_eq(schema_Query.keys[2].name, "capability");
        ck_assert_int_eq(schema_Query.keys[2].kind, KEY_OPTIONAL);
        ck_assert_uint_eq(schema_Query.keys[2].offset, offsetof(MsgQuery, capability));
        ck_assert(!schema_Query.keys[2].required);
        ck_assert(schema_Query.keys[3].required);
        ck_assert_uint_eq(schema_Query.keys[4].limit, LIMIT_WORD);
        ck_assert_ptr_eq(schema_Resolve.keys[1].type, &schema_Query);
        ck_assert_uint_eq(schema_Empty.n_keys, 0);
        ck_assert_uint_eq(schema_Empty.size, sizeof(MsgEmpty));
}
END_TEST

/* Depth in lists and maps, the struct's own map included. */
static unsigned depth(const SchemaStruct *schema)
{
        unsigned deepest = 0;

        for (size_t i = 0; i < schema->n_keys; i++) {
                const SchemaKey *key = &schema->keys[i];
                unsigned inner = key->type ? depth(key->type) : 0;

                inner += key->kind == KEY_LIST || key->kind == KEY_STRINGS || key->kind == KEY_TABLE;
                if (inner > deepest)
                        deepest = inner;
        }
        return deepest + 1;
}

START_TEST(test_messages_are_not_too_deep)
{
        for (size_t i = 0; i < ARRAY_SIZE(structs); i++)
                ck_assert_uint_le(depth(structs[i]) + 1, LIMIT_DEPTH); /* in the envelope's list */
}
END_TEST

FIXTURE_MAIN("proto/codec_schema", test_names_are_distinct, test_types_stand_before_their_use, test_offsets,
             test_messages_are_not_too_deep)
