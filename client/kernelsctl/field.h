/* Reading and writing the fields of maps, absent ones included. */
#pragma once

#include "client/kernelsd.h"

static inline const char *field_text(const kd_value *map, const char *key, const char *otherwise)
{
        const char *text = kd_value_as_string(kd_value_get(map, key), NULL);

        return text ? text : otherwise;
}

/* Numbers are printed as %lld. */
static inline long long field_number(const kd_value *map, const char *key, long long otherwise)
{
        return (long long)kd_value_as_integer(kd_value_get(map, key), otherwise);
}

/* 1, 0, or -1 where the map does not say. */
static inline int field_truth(const kd_value *map, const char *key)
{
        const kd_value *value = kd_value_get(map, key);

        return kd_value_kind(value) == KD_BOOL ? kd_value_as_bool(value) : -1;
}

/* Sets a text; NULL leaves the key out. 0 or -ENOMEM. */
static inline int field_set_text(kd_value *map, const char *key, const char *text)
{
        return text ? kd_value_set(map, key, kd_value_string(text)) : 0;
}

/* Sets a number; a negative one leaves the key out. 0 or -ENOMEM. */
static inline int field_set_number(kd_value *map, const char *key, int64_t number)
{
        return number >= 0 ? kd_value_set(map, key, kd_value_integer(number)) : 0;
}
