#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/hash.h"

static void check_hex(HashKind kind, const char *text, const char *expected)
{
        CLEANUP(hash_freep) Hash *hash = NULL;
        uint8_t bytes[HASH_MAX];
        char hex[2 * HASH_MAX + 1];
        size_t size;

        ck_assert_int_eq(hash_new(kind, &hash), 0);
        for (int round = 0; round < 2; round++) { /* the second after a restart */
                for (size_t i = 0; i < strlen(text); i++)
                        ck_assert_int_eq(hash_update(hash, text + i, 1), 0);
                ck_assert_int_eq(hash_finish(hash, bytes, &size), 0);
                hash_hex(bytes, size, hex);
                ck_assert_str_eq(hex, expected);
                ck_assert_int_eq(hash_restart(hash), 0);
        }
}

START_TEST(test_known_values)
{
        check_hex(HASH_SHA1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d");
        check_hex(HASH_SHA256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        check_hex(HASH_SHA256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        check_hex(HASH_SHA512, "abc",
                  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}
END_TEST

START_TEST(test_git_blob)
{
        CLEANUP(hash_freep) Hash *hash = NULL;
        uint8_t bytes[HASH_MAX];
        char hex[2 * HASH_MAX + 1];
        size_t size;

        ck_assert_int_eq(hash_new_git_blob(12, &hash), 0);
        ck_assert_int_eq(hash_update(hash, "hello world\n", 12), 0);
        ck_assert_int_eq(hash_finish(hash, bytes, &size), 0);
        hash_hex(bytes, size, hex);
        ck_assert_str_eq(hex, "3b18e512dba79e4c8300dd08aeb37f8e728b8dad"); /* git hash-object */
}
END_TEST

START_TEST(test_base64)
{
        static const struct { const char *bytes, *text; } cases[] = {
                { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "\xff\xff\xfe", "///+" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char text[HASH_BASE64_MAX + 1];
                size_t n = hash_base64((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes), text);

                ck_assert_str_eq(text, cases[i].text);
                ck_assert_uint_eq(n, strlen(cases[i].text));
        }
}
END_TEST

static int make(void)
{
        CLEANUP(hash_freep) Hash *hash = NULL;

        return hash_new_git_blob(1, &hash);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(make());
}
END_TEST

FIXTURE_MAIN("kernels/hash", test_known_values, test_git_blob, test_base64, test_torture)
