#include "tests/lib/fixture.h"

#include <stdint.h>
#include <string.h>

#include "proto/base/buffer.h"
#include "proto/limits.h"
#include "proto/payload.h"

#define CHECK(literal) payload_check((const uint8_t *)(literal), sizeof(literal) - 1)

static void put(Buffer *buffer, const char *bytes, size_t size)
{
        ck_assert_int_eq(buffer_append(buffer, bytes, size), 0);
}

static PayloadAnswer check(const Buffer *buffer)
{
        /* A copy of exactly that size, so that ASan sees each byte too many. */
        CLEANUP_ALLOC uint8_t *copy = alloc_bytes(buffer->size);

        ck_assert_ptr_nonnull(copy);
        memcpy(copy, buffer->data, buffer->size);
        return payload_check(copy, buffer->size);
}

START_TEST(test_every_type_byte_alone)
{
        /* Bytes that each type byte wants behind it, contents aside. */
        static const int8_t wanted[32] = { 0, -1, 0, 0, 1, 2, 4, -1, -1, -1, 4, 8, 1, 2, 4, 8,
                                           1, 2, 4, 8, -1, -1, -1, -1, -1, 1, 2, 4, 2, 4, 2, 4 };

        for (unsigned type = 0; type < 256; type++) {
                uint8_t bytes[16] = { (uint8_t)type };
                bool word = type >= 0xc0 && type < 0xe0;
                int n = word ? wanted[type - 0xc0] : 0;

                if (word && n < 0) {
                        ck_assert_int_eq(payload_check(bytes, 16), PAYLOAD_E_TYPE);
                } else if (type == 0x80 || type == 0x90 || type == 0xa0 || word || type < 0x80 || type >= 0xe0) {
                        ck_assert_int_eq(payload_check(bytes, 1 + (size_t)n), PAYLOAD_OK);
                        ck_assert_int_eq(payload_check(bytes, 2 + (size_t)n), PAYLOAD_E_TRAILING);
                        for (size_t size = 1; size < 1 + (size_t)n; size++)
                                ck_assert_int_eq(payload_check(bytes, size), PAYLOAD_E_TRUNCATED);
                } else {
                        ck_assert_int_eq(payload_check(bytes, 1), type < 0xa0 ? PAYLOAD_E_COUNT : PAYLOAD_E_TRUNCATED);
                }
        }
        ck_assert_int_eq(payload_check((const uint8_t *)"", 0), PAYLOAD_E_TRUNCATED);
}
END_TEST

START_TEST(test_answers_by_example)
{
        ck_assert_int_eq(CHECK("\x94\x00\x01\xa6status\x80"), PAYLOAD_OK);
        ck_assert_int_eq(CHECK("\x82\xa1" "a\x01\xa1" "b\x02"), PAYLOAD_OK);
        ck_assert_int_eq(CHECK("\x82\xa1" "a\x01\xa1" "a\x02"), PAYLOAD_E_KEY);
        ck_assert_int_eq(CHECK("\x82\xa1" "a\x01\xd9\x01" "a\x02"), PAYLOAD_E_KEY); /* in another width */
        ck_assert_int_eq(CHECK("\x81\x01\x02"), PAYLOAD_E_KEY);
        ck_assert_int_eq(CHECK("\x81\xc4\x01" "a\x02"), PAYLOAD_E_KEY); /* bin */
        ck_assert_int_eq(CHECK("\x81\xc0\x02"), PAYLOAD_E_KEY);
        ck_assert_int_eq(CHECK("\x82\xa1" "a\x81\xa1" "a\x01\xa1" "b\x02"), PAYLOAD_OK); /* the same one level down */
        ck_assert_int_eq(CHECK("\xa1\x80"), PAYLOAD_E_UTF8);
        ck_assert_int_eq(CHECK("\x81\xa1\x80\x01"), PAYLOAD_E_UTF8);
        ck_assert_int_eq(CHECK("\xac" "01234567\xf0\x9f\x98\x80"), PAYLOAD_OK);
        ck_assert_int_eq(CHECK("\xac" "012345678\xf0\x9f\x98"), PAYLOAD_E_UTF8);
        ck_assert_int_eq(CHECK("\xc4\x01\x80"), PAYLOAD_OK);
        ck_assert_int_eq(CHECK("\xdd\xff\xff\xff\xff"), PAYLOAD_E_COUNT);
        ck_assert_int_eq(CHECK("\xdf\xff\xff\xff\xff"), PAYLOAD_E_COUNT);
        ck_assert_int_eq(CHECK("\xdb\xff\xff\xff\xff"), PAYLOAD_E_TRUNCATED);
        ck_assert_int_eq(CHECK("\xc6\xff\xff\xff\xff"), PAYLOAD_E_TRUNCATED);
        ck_assert_int_eq(CHECK("\xdc\x00\x02\x01"), PAYLOAD_E_COUNT);
        ck_assert_int_eq(CHECK("\x81\xa1" "a"), PAYLOAD_E_TRUNCATED);
        ck_assert_int_eq(CHECK("\x82\xa1" "a\x01"), PAYLOAD_E_COUNT); /* a pair takes two bytes */
}
END_TEST

START_TEST(test_depth)
{
        uint8_t bytes[LIMIT_DEPTH + 2];

        memset(bytes, 0x91, sizeof(bytes));
        bytes[LIMIT_DEPTH] = 7;
        ck_assert_int_eq(payload_check(bytes, LIMIT_DEPTH + 1), PAYLOAD_OK);
        bytes[LIMIT_DEPTH] = 0x90;
        ck_assert_int_eq(payload_check(bytes, LIMIT_DEPTH + 1), PAYLOAD_E_DEPTH);
}
END_TEST

START_TEST(test_items)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        put(&buffer, "\xdc\xff\xff", 3);
        for (unsigned i = 0; i < 65535; i++)
                put(&buffer, "\xc0", 1);
        ck_assert_int_eq(check(&buffer), PAYLOAD_OK); /* 65,535 and the list */
        buffer.data[3] = 0x91;
        put(&buffer, "\xc0", 1);
        ck_assert_int_eq(check(&buffer), PAYLOAD_E_ITEMS);
}
END_TEST

static void put_keys(Buffer *buffer, unsigned n, size_t size)
{
        uint8_t header[3] = { 0xde, (uint8_t)(n >> 8), (uint8_t)n };

        put(buffer, (char *)header, 3);
        for (unsigned i = 0; i < n; i++) {
                uint8_t length[3] = { 0xda, (uint8_t)(size >> 8), (uint8_t)size };
                char key[LIMIT_KEY + 1];

                /* The front and the end alike: only the middle tells them apart. */
                memset(key, 'k', sizeof(key));
                key[size / 2] = (char)('0' + i % 10);
                key[size / 2 - 1] = (char)('0' + i / 10 % 10);
                key[size / 2 - 2] = (char)('0' + i / 100);
                put(buffer, (char *)length, 3);
                put(buffer, key, size);
                put(buffer, "\xc0", 1);
        }
}

START_TEST(test_keys)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

        put_keys(&buffer, LIMIT_KEYS, LIMIT_KEY);
        ck_assert_int_eq(check(&buffer), PAYLOAD_OK);
        memcpy(buffer.data + 3, buffer.data + buffer.size - LIMIT_KEY - 4, LIMIT_KEY + 3);
        ck_assert_int_eq(check(&buffer), PAYLOAD_E_KEY);
        buffer.size = 0;
        put_keys(&buffer, LIMIT_KEYS + 1, 30);
        ck_assert_int_eq(check(&buffer), PAYLOAD_E_KEYS);
        buffer.size = 0;
        put_keys(&buffer, 1, LIMIT_KEY + 1);
        ck_assert_int_eq(check(&buffer), PAYLOAD_E_KEY);
}
END_TEST

START_TEST(test_short_keys_of_every_size)
{
        for (size_t size = 4; size < 40; size++) {
                CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;

                put_keys(&buffer, 100, size);
                ck_assert_int_eq(check(&buffer), PAYLOAD_OK);
                memcpy(buffer.data + 3, buffer.data + 3 + 50 * (size + 4), size + 3);
                ck_assert_int_eq(check(&buffer), PAYLOAD_E_KEY);
        }
}
END_TEST

/* A bad byte at every place of a string and of a key, of every short size. */
START_TEST(test_utf8_at_every_place)
{
        for (size_t size = 1; size < 32; size++)
                for (size_t place = 0; place < size; place++) {
                        uint8_t text[40], key[40];

                        memset(text, 'a', sizeof(text));
                        text[0] = (uint8_t)(0xa0 | size);
                        ck_assert_int_eq(payload_check(text, 1 + size), PAYLOAD_OK);
                        text[1 + place] = 0xff;
                        ck_assert_int_eq(payload_check(text, 1 + size), PAYLOAD_E_UTF8);
                        key[0] = 0x81;
                        memcpy(key + 1, text, 1 + size);
                        key[2 + size] = 0xc0;
                        ck_assert_int_eq(payload_check(key, 3 + size), PAYLOAD_E_UTF8);
                }
}
END_TEST

/* Every front of a message is truncated, whatever byte it ends at. */
START_TEST(test_truncated_everywhere)
{
        static const char message[] = "\x94\x00\xce\x00\x00\x00\x07\xa7resolve\x82\xa4view\x01\xa7queries\x91\x82"
                                      "\xa5layer\xaaSiluAndMul\xaa" "capability\xcd\x00\x5a";

        ck_assert_int_eq(CHECK(message), PAYLOAD_OK);
        for (size_t size = 0; size < sizeof(message) - 1; size++) {
                CLEANUP_ALLOC uint8_t *copy = alloc_bytes(size);
                PayloadAnswer answer;

                memcpy(copy, message, size);
                answer = payload_check(copy, size);
                ck_assert(answer == PAYLOAD_E_TRUNCATED || answer == PAYLOAD_E_COUNT);
                ck_assert_ptr_nonnull(payload_explain(answer));
        }
}
END_TEST

FIXTURE_MAIN("proto/payload", test_every_type_byte_alone, test_answers_by_example, test_depth, test_items, test_keys,
             test_short_keys_of_every_size, test_utf8_at_every_place, test_truncated_everywhere)
