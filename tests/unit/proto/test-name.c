#include "tests/lib/fixture.h"

#include <string.h>

#include "proto/name.h"

#define EACH(check, expected, ...)                                                                             \
        do {                                                                                                   \
                static const char *const names_[] = { __VA_ARGS__ };                                           \
                for (size_t i_ = 0; i_ < ARRAY_SIZE(names_); i_++) {                                           \
                        Fault fault_ = FAULT_NULL;                                                             \
                        ck_assert_msg(check(text_of(names_[i_]), &fault_) == (expected), "%s", names_[i_]);    \
                        ck_assert_int_eq(fault_.name, (expected) ? FAULT_INVALID_NAME : FAULT_NONE);           \
                }                                                                                              \
        } while (0)

#define N96 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

START_TEST(test_layer)
{
        char longest[258];
        Fault fault;

        memset(longest, 'a', sizeof(longest));
        EACH(name_check_layer, 0, "", "SiluAndMul", "a b", "Schön", "\xf0\x9f\x98\x80");
        EACH(name_check_layer, 1, "a\nb", "a\x7f", "a\xc2\x85", "a\xff", "\xed\xa0\x80");
        ck_assert_int_eq(name_check_layer((Text){ longest, 256 }, &fault), 0);
        ck_assert_int_eq(name_check_layer((Text){ longest, 257 }, &fault), 1);
        ck_assert_int_eq(name_check_layer((Text){ "a\0b", 3 }, &fault), 1);
        ck_assert_int_eq(name_check_layer(TEXT_NULL, &fault), 1);
}
END_TEST

START_TEST(test_repository)
{
        EACH(name_check_repository, 0, "o/n", "kernels-community/activation", "a.b/c_d.e-f", "_o/_n", N96 "/" N96);
        EACH(name_check_repository, 1, "", "n", "/n", "o/", "o/n/m", "o//n", "-o/n", "o-/n", "o/.n", "o/n.", "o/a--b",
             "o/a..b", "o/n.git", "o/n m", "o/n\xc3\xb6", "o/n\n", N96 "a/n", "o/" N96 "a", "o/n|m");
}
END_TEST

START_TEST(test_revision)
{
        EACH(name_check_revision, 0, "main", "v1", "refs/pr/1", "feature/x-y", "1.2.3", "a@b", "0123abcd", "n\xc3\xb6");
        EACH(name_check_revision, 1, "", "/a", "a/", "a//b", "..", "a..b", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "-a",
             "a b", "a~1", "a^", "a:b", "a?", "a*", "a[b", "a\\b", "@", "a@{1}", "a\tb");
}
END_TEST

START_TEST(test_path)
{
        char longest[4097];
        Fault fault;

        memset(longest, 'a', sizeof(longest));
        longest[0] = '/';
        EACH(name_check_path, 0, "/", "/a/b", "/a/..b", "/a/b..", "/a//b/");
        EACH(name_check_path, 1, "", "a/b", "./a", "/a/../b", "/..", "/a/..", "/a\nb");
        ck_assert_int_eq(name_check_path((Text){ longest, 4095 }, &fault), 0);
        ck_assert_int_eq(name_check_path((Text){ longest, 4096 }, &fault), 1);
}
END_TEST

START_TEST(test_used)
{
        char longest[258];
        Fault fault;

        memset(longest, 'a', sizeof(longest));
        EACH(name_check_used, 0, "o/n", "local:n", "local:my kernel", "local:n\xc3\xb6");
        EACH(name_check_used, 1, "", "n", "/opt/n", "local:", "local:/opt/n", "local:..", "local:a\nb", "local:o/n");
        ck_assert_int_eq(name_check_used((Text){ longest, LIMIT_REPOSITORY + 1 }, &fault), 1);
        EACH(name_check_variant, 0, "torch27-cxx11-cu128-x86_64-linux", "torch-cpu");
        EACH(name_check_variant, 1, "", ".", "..", "a/b", "a\x1b", "a\xff");
        ck_assert_int_eq(name_check_variant((Text){ longest, 255 }, &fault), 0);
        ck_assert_int_eq(name_check_variant((Text){ longest, 256 }, &fault), 1);
        EACH(name_check_reason, 0, "no kernel for this device: \"cpu\"", "\xc3\xbc");
        EACH(name_check_reason, 1, "", "two\nlines", "\x1b[2J", "a\xc2\x9b", "a\x7f", "\xff", "\xe2\x80\xae" "evil", "a\xe2\x80\x8b",
             "\xe2\x80\xa8", "\xe2\x81\xa6x", "\xef\xbb\xbfx", "\xd8\x9cx");
        EACH(name_check_reason, 0, "\xe2\x80\x94 a dash", "\xe2\x82\xac", "\xef\xbc\x81");
        ck_assert_int_eq(name_check_reason((Text){ longest, 256 }, &fault), 0);
        ck_assert_int_eq(name_check_reason((Text){ longest, 257 }, &fault), 1);
        ck_assert_int_eq(name_check_reason((Text){ "a\0b", 3 }, &fault), 1);
}
END_TEST

START_TEST(test_version_word_commit)
{
        Fault fault;

        ck_assert_int_eq(name_check_version(0, &fault), 0);
        ck_assert_int_eq(name_check_version(-1, &fault), 1);
        ck_assert_int_eq(name_check_word(TEXT("gfx942"), "arch", &fault), 0);
        ck_assert_int_eq(name_check_word(TEXT("a\x1b[0m"), "arch", &fault), 1);
        ck_assert_int_eq(name_check_word(TEXT("\xe2\x80\x8d"), "job", &fault), 0); /* within many an emoji */
        ck_assert(name_is_commit(TEXT("0123456789abcdef0123456789abcdef01234567")));
        ck_assert(!name_is_commit(TEXT("0123456789abcdef0123456789abcdef0123456")));
        ck_assert(!name_is_commit(TEXT("0123456789ABCDEF0123456789abcdef01234567")));
}
END_TEST

FIXTURE_MAIN("proto/name", test_layer, test_repository, test_revision, test_path, test_used, test_version_word_commit)
