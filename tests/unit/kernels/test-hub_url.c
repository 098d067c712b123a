#include "tests/lib/fixture.h"

#include <errno.h>
#include <string.h>

#include "kernels/hub_url.h"

#define HUB TEXT("https://huggingface.co/")
#define REPO TEXT("org/name")
#define COMMIT TEXT("0123456789012345678901234567890123456789")

static void check(Text url, const char *expected)
{
        ck_assert_msg(text_equal(url, text_of(expected)), "%.*s", TEXT_PRINT(url));
}

START_TEST(test_addresses)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;

        check(hub_url_refs(HUB, REPO, &arena), "https://huggingface.co/api/kernels/org/name/refs");
        check(hub_url_revision(HUB, REPO, TEXT("refs/pr/1"), &arena),
              "https://huggingface.co/api/kernels/org/name/revision/refs%2Fpr%2F1");
        check(hub_url_tree(TEXT("http://127.0.0.1:80/hf//"), REPO, COMMIT, TEXT(""), true, &arena),
              "http://127.0.0.1:80/hf/api/kernels/org/name/tree/0123456789012345678901234567890123456789"
              "?recursive=true&expand=false");
        check(hub_url_tree(HUB, REPO, COMMIT, TEXT("build/a b"), false, &arena),
              "https://huggingface.co/api/kernels/org/name/tree/0123456789012345678901234567890123456789"
              "/build%2Fa%20b?recursive=false&expand=false");
        check(hub_url_overview(HUB, TEXT("org"), &arena), "https://huggingface.co/api/organizations/org/overview");
        check(hub_url_file(HUB, REPO, COMMIT, TEXT("build/_x-~.1/%?#&+\xc3\xa9:"), &arena),
              "https://huggingface.co/kernels/org/name/resolve/0123456789012345678901234567890123456789"
              "/build/_x-~.1/%25%3F%23%26%2B%C3%A9%3A");
}
END_TEST

START_TEST(test_same_origin)
{
        static const struct {
                const char *a, *b;
                bool same;
        } cases[] = {
                { "https://huggingface.co", "HTTPS://HuggingFace.CO:443/a?b", true },
                { "http://h", "http://h:80/", true },
                { "http://h:/", "http://h:0080?x", true },
                { "http://[::1]:8/", "http://[::1]:8/x", true },
                { "http://h", "https://h", false },
                { "http://h:443", "https://h:443", false },
                { "http://h:1", "http://h:2", false },
                { "http://h", "http://h.", false },
                { "http://h", "http://hh", false },
                { "http://[::1]", "http://[::2]", false },
                /* whatever could be read in two ways */
                { "http://h", "http://h@h/", false },
                { "http://u@h", "http://u@h", false },
                { "http://h", "http://h\\@evil/", false },
                { "http://h", "http://h/\\x", false },
                { "http://h", "http://h/\n", false },
                { "http://h", " http://h/", false },
                { "http://h", "//h/", false },
                { "http://h", "/", false },
                { "http://h", "", false },
                { "http://", "http://", false },
                { "http://h", "http://h:65536/", false },
                { "http://h", "http://h:4294967376/", false },
                { "http://h:0", "http://h:0/", false },
                { "http://h", "http://h:8a/", false },
                { "http://h", "http://h%2e/", false },
                { "http://[::1", "http://[::1", false },
                { "ftp://h", "ftp://h", false },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                ck_assert_msg(hub_url_same_origin(text_of(cases[i].a), text_of(cases[i].b)) == cases[i].same, "%s %s",
                              cases[i].a, cases[i].b);
                ck_assert(hub_url_same_origin(text_of(cases[i].b), text_of(cases[i].a)) == cases[i].same);
        }
}
END_TEST

START_TEST(test_endpoint)
{
        static const char *const good[] = { "https://huggingface.co", "http://127.0.0.1:8080/", "http://[::1]:1/hf/" };
        static const char *const bad[] = { "", "huggingface.co", "ftp://h", "http:///x", "http://h?x", "http://h/#x",
                                           "http://h:x", "http://h /", "http://h\xc3\xa9" };
        Fault fault = FAULT_NULL;

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                ck_assert_msg(hub_endpoint_check(text_of(good[i]), &fault) == 0, "%s", good[i]);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                ck_assert_msg(hub_endpoint_check(text_of(bad[i]), &fault) == 1, "%s", bad[i]);
                ck_assert_int_eq(fault.name, FAULT_INVALID_NAME);
        }
        ck_assert_int_eq(hub_endpoint_check(TEXT("https://me:secret@h/"), &fault), 1);
        ck_assert_ptr_null(strstr(fault.message, "secret"));
}
END_TEST

static int make(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text folder = { NULL, 3000 };
        char bytes[3000];

        memset(bytes, '/', sizeof(bytes));
        folder.data = bytes; /* more than one block's worth of escapes */
        if (!hub_url_refs(HUB, REPO, &arena).data || !hub_url_revision(HUB, REPO, folder, &arena).data ||
            !hub_url_tree(HUB, REPO, COMMIT, folder, true, &arena).data || !hub_url_overview(HUB, folder, &arena).data ||
            !hub_url_file(HUB, REPO, COMMIT, folder, &arena).data)
                return -ENOMEM;
        return 0;
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(make());
        ck_assert_int_eq(make(), 0);
}
END_TEST

START_TEST(test_repo)
{
        static const char *const none[] = { "", "https://hub/api/models/a/b/refs", "https://hub/api/kernels/", "https://hub/api/kernels/a",
                                            "https://hub/api/kernels/../b/refs", "https://hub/api/kernels/a?b/c" };
        Text repo;

        ck_assert(hub_url_repo(TEXT("https://hub/api/kernels/org/name/tree/x?recursive=true"), &repo));
        ck_assert(text_equal(repo, TEXT("org/name")));
        ck_assert(hub_url_repo(TEXT("http://other:80/mirror/api/kernels/org/name"), &repo));
        ck_assert(text_equal(repo, TEXT("org/name")));
        for (size_t i = 0; i < ARRAY_SIZE(none); i++)
                ck_assert_msg(!hub_url_repo(text_of(none[i]), &repo), "%s", none[i]);
}
END_TEST

FIXTURE_MAIN("kernels/hub_url", test_addresses, test_same_origin, test_endpoint, test_torture, test_repo)
