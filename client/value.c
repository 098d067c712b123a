#include "client/value.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include "client/failure.h"
#include "proto/base/alloc.h"

static_assert((int)KD_NIL == (int)VALUE_NIL && (int)KD_MAP == (int)VALUE_MAP, "kd_kind counts as ValueKind does");

static kd_value *value_new(Value value)
{
        kd_value *fresh = alloc_bytes(sizeof(*fresh));

        if (fresh)
                fresh->value = value;
        return fresh;
}

kd_value *kd_value_nil(void)
{
        return value_new((Value){ .kind = VALUE_NIL });
}

kd_value *kd_value_bool(bool value)
{
        return value_new((Value){ .kind = VALUE_BOOL, .boolean = value });
}

kd_value *kd_value_integer(int64_t value)
{
        return value_new((Value){ .kind = VALUE_INTEGER, .integer = value });
}

static kd_value *value_new_text(ValueKind kind, const void *bytes, size_t size)
{
        char *copy = alloc_text(bytes, size);
        kd_value *fresh = copy ? value_new((Value){ .kind = kind, .text = { copy, size } }) : NULL;

        if (!fresh)
                alloc_free(copy);
        return fresh;
}

kd_value *kd_value_string(const char *text)
{
        return text ? value_new_text(VALUE_STRING, text, strlen(text)) : kd_value_nil();
}

kd_value *kd_value_binary(const void *bytes, size_t size)
{
        return value_new_text(VALUE_BINARY, bytes, size);
}

kd_value *kd_value_list(void)
{
        return value_new((Value){ .kind = VALUE_LIST });
}

kd_value *kd_value_map(void)
{
        return value_new((Value){ .kind = VALUE_MAP });
}

static void text_release(Text text)
{
        alloc_free((char *)(uintptr_t)text.data);
}

static void value_release(Value *value)
{
        switch (value->kind) {
        case VALUE_STRING:
        case VALUE_BINARY:
                text_release(value->text);
                break;
        case VALUE_LIST:
                for (size_t i = 0; i < value->list.n; ++i)
                        value_release(&value->list.items[i]);
                alloc_free(value->list.items);
                break;
        case VALUE_MAP:
                for (size_t i = 0; i < value->map.n; ++i) {
                        text_release(value->map.keys[i]);
                        value_release(&value->map.items[i]);
                }
                alloc_free(value->map.keys);
                alloc_free(value->map.items);
                break;
        case VALUE_NIL:
        case VALUE_BOOL:
        case VALUE_INTEGER:
                break;
        }
}

kd_value *kd_value_free(kd_value *value)
{
        if (value)
                value_release(&value->value);
        alloc_free(value);
        return NULL;
}

/* Makes room for one more behind n: sizes are powers of two. */
static int array_grow(void *array, size_t n, size_t size)
{
        void *block;

        if (n & (n - 1))
                return 0;
        block = alloc_resize(*(void **)array, n ? n * 2 : 1, size);
        if (!block)
                return -ENOMEM;
        *(void **)array = block;
        return 0;
}

int kd_value_append(kd_value *list, kd_value *item)
{
        if (!item)
                return -ENOMEM;
        if (kd_value_kind(list) != KD_LIST) {
                (void)kd_value_free(item);
                return -EINVAL;
        }
        if (array_grow(&list->value.list.items, list->value.list.n, sizeof(Value)) < 0) {
                (void)kd_value_free(item);
                return -ENOMEM;
        }
        list->value.list.items[list->value.list.n++] = item->value;
        alloc_free(item);
        return 0;
}

static Value *map_find(const Value *map, Text key)
{
        for (size_t i = 0; i < map->map.n; ++i)
                if (text_equal(map->map.keys[i], key))
                        return &map->map.items[i];
        return NULL;
}

static int map_add(Value *map, Text key, Value item)
{
        char *copy = alloc_text(key.data, key.size);

        if (!copy || array_grow(&map->map.keys, map->map.n, sizeof(Text)) < 0 ||
            array_grow(&map->map.items, map->map.n, sizeof(Value)) < 0) {
                alloc_free(copy);
                return -ENOMEM;
        }
        map->map.keys[map->map.n] = (Text){ copy, key.size };
        map->map.items[map->map.n++] = item;
        return 0;
}

int kd_value_set(kd_value *map, const char *key, kd_value *item)
{
        Value *old;

        if (!item)
                return -ENOMEM;
        if (kd_value_kind(map) != KD_MAP) {
                (void)kd_value_free(item);
                return -EINVAL;
        }
        old = map_find(&map->value, text_of(key));
        if (old) {
                value_release(old);
                *old = item->value;
        } else if (map_add(&map->value, text_of(key), item->value) < 0) {
                (void)kd_value_free(item);
                return -ENOMEM;
        }
        alloc_free(item);
        return 0;
}

/* --- readers --- */

kd_kind kd_value_kind(const kd_value *value)
{
        return value ? (kd_kind)value->value.kind : KD_NIL;
}

bool kd_value_as_bool(const kd_value *value)
{
        return kd_value_kind(value) == KD_BOOL && value->value.boolean;
}

int64_t kd_value_as_integer(const kd_value *value, int64_t otherwise)
{
        return kd_value_kind(value) == KD_INTEGER ? value->value.integer : otherwise;
}

const char *kd_value_as_string(const kd_value *value, size_t *ret_size)
{
        if (kd_value_kind(value) != KD_STRING && kd_value_kind(value) != KD_BINARY)
                return NULL;
        if (ret_size)
                *ret_size = value->value.text.size;
        return value->value.text.data;
}

size_t kd_value_count(const kd_value *value)
{
        if (kd_value_kind(value) == KD_LIST)
                return value->value.list.n;
        return kd_value_kind(value) == KD_MAP ? value->value.map.n : 0;
}

/* A kd_value is nothing but a Value, so an element can be handed out as one. */
static_assert(sizeof(kd_value) == sizeof(Value), "an element of an array is a kd_value");

const kd_value *kd_value_at(const kd_value *value, size_t number)
{
        if (number >= kd_value_count(value))
                return NULL;
        return (const kd_value *)(value->value.kind == VALUE_LIST ? &value->value.list.items[number] :
                                                                    &value->value.map.items[number]);
}

const char *kd_value_key(const kd_value *map, size_t number)
{
        return kd_value_kind(map) == KD_MAP && number < map->value.map.n ? map->value.map.keys[number].data : NULL;
}

const kd_value *kd_value_get(const kd_value *map, const char *key)
{
        return kd_value_kind(map) == KD_MAP ? (const kd_value *)map_find(&map->value, text_of(key)) : NULL;
}

/* --- decoding --- */

static int value_copy(const Value *from, Value *ret);

static int list_copy(const Value *from, Value *ret)
{
        Value list = { .kind = VALUE_LIST };
        int r = 0;

        for (size_t i = 0; !r && i < from->list.n; ++i) {
                r = array_grow(&list.list.items, i, sizeof(Value));
                if (!r)
                        r = value_copy(&from->list.items[i], &list.list.items[i]);
                list.list.n += !r;
        }
        if (r < 0)
                value_release(&list);
        else
                *ret = list;
        return r;
}

static int map_copy(const Value *from, Value *ret)
{
        Value map = { .kind = VALUE_MAP }, item;
        int r = 0;

        for (size_t i = 0; !r && i < from->map.n; ++i) {
                r = value_copy(&from->map.items[i], &item);
                if (r < 0)
                        break;
                r = map_add(&map, from->map.keys[i], item);
                if (r < 0)
                        value_release(&item);
        }
        if (r < 0)
                value_release(&map);
        else
                *ret = map;
        return r;
}

static int value_copy(const Value *from, Value *ret)
{
        if (from->kind == VALUE_LIST)
                return list_copy(from, ret);
        if (from->kind == VALUE_MAP)
                return map_copy(from, ret);
        *ret = *from;
        if (from->kind != VALUE_STRING && from->kind != VALUE_BINARY)
                return 0;
        ret->text.data = alloc_text(from->text.data, from->text.size);
        return ret->text.data ? 0 : -ENOMEM;
}

int value_decode(const uint8_t *bytes, size_t size, kd_value **ret_value, kd_error *error)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Value value, copy;
        int r;

        r = codec_decode_value(bytes, size, &arena, &value, &fault);
        if (r > 0)
                return failure_fault(error, &fault);
        if (!r)
                r = value_copy(&value, &copy);
        if (r < 0)
                return failure_memory(error);
        *ret_value = value_new(copy);
        if (*ret_value)
                return 0;
        value_release(&copy);
        return failure_memory(error);
}
