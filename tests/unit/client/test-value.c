#include "client/value.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/buffer.h"
#include "tests/lib/fixture.h"

static kd_value *sample(void)
{
        kd_value *map = kd_value_map(), *list = kd_value_list();
        int r = 0;

        if (!map || !list) {
                (void)kd_value_free(list);
                return kd_value_free(map);
        }
        r = kd_value_append(list, kd_value_integer(INT64_MIN));
        r = r ? r : kd_value_append(list, kd_value_bool(true));
        r = r ? r : kd_value_append(list, kd_value_nil());
        r = r ? r : kd_value_append(list, kd_value_binary("\0\1\2\3", 4));
        if (r)
                list = kd_value_free(list);
        r = kd_value_set(map, "list", list);
        r = r ? r : kd_value_set(map, "text", kd_value_string("a\"\\\n\x01é"));
        r = r ? r : kd_value_set(map, "empty", kd_value_map());
        return r ? kd_value_free(map) : map;
}

START_TEST(test_readers)
{
        kd_value *value = sample();
        const kd_value *list = kd_value_get(value, "list");
        size_t size;

        ck_assert_int_eq(kd_value_kind(value), KD_MAP);
        ck_assert_uint_eq(kd_value_count(value), 3);
        ck_assert_str_eq(kd_value_key(value, 2), "empty");
        ck_assert_ptr_null(kd_value_key(value, 3));
        ck_assert_ptr_null(kd_value_get(value, "nothing"));
        ck_assert_uint_eq(kd_value_count(list), 4);
        ck_assert_int_eq(kd_value_as_integer(kd_value_at(list, 0), 0), INT64_MIN);
        ck_assert(kd_value_as_bool(kd_value_at(list, 1)));
        ck_assert_int_eq(kd_value_kind(kd_value_at(list, 2)), KD_NIL);
        ck_assert_mem_eq(kd_value_as_string(kd_value_at(list, 3), &size), "\0\1\2\3", 4);
        ck_assert_uint_eq(size, 4);
        ck_assert_ptr_null(kd_value_at(list, 4));
        ck_assert_int_eq(kd_value_kind(NULL), KD_NIL);
        ck_assert_int_eq(kd_value_as_integer(NULL, 7), 7);
        ck_assert_ptr_null(kd_value_as_string(kd_value_at(list, 0), &size));
        ck_assert_ptr_eq(kd_value_at(value, 0), list);
        (void)kd_value_free(value);
}
END_TEST

START_TEST(test_makers)
{
        kd_value *map = kd_value_map(), *list = kd_value_list();

        for (int i = 0; i < 100; ++i)
                ck_assert_int_eq(kd_value_append(list, kd_value_integer(i)), 0);
        for (int i = 0; i < 100; ++i)
                ck_assert_int_eq(kd_value_as_integer(kd_value_at(list, (size_t)i), -1), i);
        ck_assert_int_eq(kd_value_set(map, "k", list), 0);
        ck_assert_int_eq(kd_value_set(map, "k", kd_value_string("new")), 0);
        ck_assert_uint_eq(kd_value_count(map), 1);
        ck_assert_str_eq(kd_value_as_string(kd_value_get(map, "k"), NULL), "new");
        ck_assert_int_eq(kd_value_set(map, "k", NULL), -ENOMEM);
        ck_assert_int_eq(kd_value_append(map, kd_value_string("freed")), -EINVAL);
        list = kd_value_list();
        ck_assert_int_eq(kd_value_set(list, "k", kd_value_string("freed")), -EINVAL);
        (void)kd_value_free(list);
        (void)kd_value_free(map);
        ck_assert_ptr_null(kd_value_free(NULL));
}
END_TEST

static int make_and_read(void)
{
        Buffer buffer = BUFFER_NULL;
        kd_value *value = sample(), *back = NULL;
        char *one = NULL, *other = NULL;
        int r = value ? codec_encode_value(&value->value, &buffer) : -ENOMEM;

        if (!r)
                r = value_decode(buffer.data, buffer.size, &back, NULL);
        if (!r) {
                one = kd_value_to_json(value, 0);
                other = kd_value_to_json(back, 0);
                r = !one || !other ? -ENOMEM : strcmp(one, other) != 0;
        }
        free(one);
        free(other);
        buffer_deinit(&buffer);
        (void)kd_value_free(value);
        (void)kd_value_free(back);
        return r;
}

START_TEST(test_there_and_back)
{
        ck_assert_int_eq(make_and_read(), 0);
        FIXTURE_TORTURE(make_and_read());
}
END_TEST

FIXTURE_MAIN("client/value", test_readers, test_makers, test_there_and_back)
