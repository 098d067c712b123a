#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/cache_paths.h"

START_TEST(test_repo)
{
        char folder[CACHE_REPO_MAX], repo[LIMIT_REPOSITORY + 1];
        static const char *const none[] = { "kernels--a", "kernels--a--b--c", "kernels---a--b", "models--a--b", "kernels--a---b",
                                            "kernels--.a--b", "kernels--a--b.git", "kernels--", "kernels--a--", "" };
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(cache_repo_folder(TEXT("my-org/a.b"), folder, &fault), 0);
        ck_assert_str_eq(folder, "kernels--my-org--a.b");
        ck_assert(cache_repo_parse(text_of(folder), repo));
        ck_assert_str_eq(repo, "my-org/a.b");
        ck_assert_int_eq(cache_repo_folder(TEXT("a/../b"), folder, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_INVALID_NAME);
        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                ck_assert_msg(!cache_repo_parse(text_of(none[i]), repo), "%s", none[i]);
}
END_TEST

START_TEST(test_longest_repo)
{
        char name[LIMIT_REPOSITORY + 1], folder[CACHE_REPO_MAX], repo[LIMIT_REPOSITORY + 1];
        Fault fault = FAULT_NULL;

        memset(name, 'a', 2 * LIMIT_REPOSITORY_PART + 1);
        name[LIMIT_REPOSITORY_PART] = '/';
        name[2 * LIMIT_REPOSITORY_PART + 1] = 0;
        ck_assert_int_eq(cache_repo_folder(text_of(name), folder, &fault), 0);
        ck_assert_uint_eq(strlen(folder), 9 + 2 * LIMIT_REPOSITORY_PART + 2);
        ck_assert(cache_repo_parse(text_of(folder), repo));
        ck_assert_str_eq(repo, name);
}
END_TEST

START_TEST(test_names)
{
        Text etag = TEXT_NULL;
        char name[CACHE_TEMPORARY_MAX];
#define SHA1 "08c5825eb2dec80e97469de4014c500989f1b110"

        ck_assert(cache_is_etag(TEXT(SHA1)));
        ck_assert(!cache_is_etag(TEXT("08C5825eb2dec80e97469de4014c500989f1b110")));
        ck_assert(!cache_is_etag(TEXT("../../../../../../../../../../etc/passwd")));
        ck_assert(cache_is_incomplete_blob(TEXT(SHA1 ".0123abcd.incomplete"), &etag));
        ck_assert(text_equal(etag, TEXT(SHA1)));
        ck_assert(!cache_is_incomplete_blob(TEXT(SHA1 ".incomplete"), &etag));
        ck_assert(!cache_is_incomplete_blob(TEXT(SHA1 ".0123abcg.incomplete"), &etag));
        ck_assert(!cache_is_incomplete_blob(TEXT("x.0123abcd.incomplete"), &etag));
        cache_temporary_name("build", 0xffffffff, name);
        ck_assert_str_eq(name, ".build.ffffffff.incomplete");
        ck_assert(cache_is_temporary(text_of(name)));
        ck_assert(!cache_is_temporary(TEXT(".other.ffffffff.incomplete")));
        ck_assert(!cache_is_temporary(TEXT("build.ffffffff.incomplete")));
        ck_assert(cache_is_foreign_ref(TEXT("main.0123abcd.tmp")));
        ck_assert(!cache_is_foreign_ref(TEXT("main.tmp")));
}
END_TEST

START_TEST(test_plain_path)
{
        static const char *const none[] = { "", "/a", "a/", "a//b", "..", "a/..", "a/../b", "./a", "a/." };
        char deep[2 * (LIMIT_CACHE_DEPTH + 1) + 1] = "";

        ck_assert(cache_is_plain_path(TEXT("build/v/x.py")));
        ck_assert(cache_is_plain_path(TEXT("...")));
        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                ck_assert_msg(!cache_is_plain_path(text_of(none[i])), "%s", none[i]);
        ck_assert(!cache_is_plain_path((Text){ "a\0b", 3 }));
        for (int i = 0; i < LIMIT_CACHE_DEPTH; i++)
                (void)strcat(deep, i ? "/a" : "a");
        ck_assert(cache_is_plain_path(text_of(deep)));
        (void)strcat(deep, "/a");
        ck_assert(!cache_is_plain_path(text_of(deep)));
}
END_TEST

START_TEST(test_variant)
{
        Text variant = TEXT_NULL, rest = TEXT_NULL;

        ck_assert(cache_path_variant(TEXT("build/v/a/b"), &variant, &rest));
        ck_assert(text_equal(variant, TEXT("v")) && text_equal(rest, TEXT("a/b")));
        ck_assert(!cache_path_variant(TEXT("build/v"), &variant, &rest));
        ck_assert(!cache_path_variant(TEXT("build"), &variant, &rest));
        ck_assert(!cache_path_variant(TEXT("other/v/x"), &variant, &rest));
}
END_TEST

FIXTURE_MAIN("kernels/cache_paths", test_repo, test_longest_repo, test_names, test_plain_path, test_variant)
