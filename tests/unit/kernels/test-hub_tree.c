#include "tests/lib/fixture.h"

#include <stdio.h>
#include <string.h>

#include "kernels/hub_tree.h"
#include "proto/base/buffer.h"

#define OID "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SHA "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define FILE_OF(path) "{\"type\":\"file\",\"path\":\"" path "\",\"size\":1,\"oid\":\"" OID "\"}"
#define FOLDER_OF(path) "{\"type\":\"directory\",\"path\":\"" path "\",\"size\":0,\"oid\":\"" OID "\"}"

static int list(Text folder, const char *body, HubTree *tree, Fault *fault)
{
        int r = hub_tree_add_page(tree, folder, text_of(body), fault);

        return r ? r : hub_tree_finish(tree, fault);
}

/* Refused as corrupt, with these words. */
static void check_refused(Text folder, const char *body, const char *words)
{
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
        Fault fault = FAULT_NULL;

        ck_assert_msg(list(folder, body, &tree, &fault) == 1, "%s", body);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_msg(strstr(fault.message, "the repository is refused: ") == fault.message, "%s", fault.message);
        ck_assert_msg(strstr(fault.message, words), "%s: %s", words, fault.message);
}

static void add_recorded(HubTree *tree, const char *name)
{
        Fault fault = FAULT_NULL;
        size_t size;
        char *bytes = fixture_read(name, &size);

        ck_assert_int_eq(hub_tree_add_page(tree, TEXT(""), (Text){ bytes, size }, &fault), 0);
        alloc_free(bytes);
}

START_TEST(test_recorded_pages)
{
        CLEANUP_HUB_TREE HubTree tree;
        Fault fault = FAULT_NULL;

        hub_tree_init(&tree);
        add_recorded(&tree, "hub/tree-2.json"); /* in any order */
        add_recorded(&tree, "hub/tree-1.json");
        add_recorded(&tree, "hub/tree-3.json");
        ck_assert_int_eq(hub_tree_finish(&tree, &fault), 0);
        ck_assert_uint_eq(tree.n_entries, 10);
        ck_assert_int_eq(tree.n_bytes, 5 + 5000 + 0 + 2 + 21 + 2);
        for (size_t i = 1; i < tree.n_entries; i++)
                ck_assert_int_lt(text_compare(tree.entries[i - 1].path, tree.entries[i].path), 0);
        ck_assert(text_equal(tree.entries[0].path, TEXT("README.md")));
        ck_assert(text_equal(tree.entries[0].etag, TEXT("652931a421d8246eb33e3848a9c5f100050ea07f")));
        ck_assert(tree.entries[1].folder && !tree.entries[1].etag.data);
        ck_assert(tree.entries[3].lfs && tree.entries[3].size == 5000);
        ck_assert(text_equal(tree.entries[3].etag, TEXT("7ca5bd879f393d9dd05b14f38add9c0fc6b67928f7f2d261b2e47a32ee8219e3")));
        ck_assert(text_equal(tree.entries[3].blob_id, TEXT("6d02bd3be296d92df89d41429b63a2e724a9f59d")));
}
END_TEST

/* A path of `n` bytes in components of at most 255. */
static void check_long(size_t n, const char *words)
{
        char path[5000], body[6000];
        Fault fault = FAULT_NULL;
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;

        for (size_t i = 0; i < n; i++)
                path[i] = i % 200 == 199 ? '/' : 'a';
        path[n] = 0;
        (void)snprintf(body, sizeof(body), "[{\"type\":\"file\",\"path\":\"%s\",\"size\":1,\"oid\":\"" OID "\"}]", path);
        if (words)
                check_refused(TEXT(""), body, words);
        else
                ck_assert_int_eq(list(TEXT(""), body, &tree, &fault), 0);
}

START_TEST(test_paths)
{
        static const struct {
                const char *path, *words;
        } cases[] = {
                { "/etc/passwd", "\"/etc/passwd\" is an absolute path" }, { "", "empty component" },
                { "a//b", "\"a//b\" has an empty component" },            { "a/", "empty component" },
                { "a/../b", "\".\" or \"..\"" },                           { "..", "\".\" or \"..\"" },
                { "./a", "\".\" or \"..\"" },                              { "a/.", "\".\" or \"..\"" },
                { "a\\u001b[2J", "\"a?[2J\" holds a control" },           { "a\\u0085", "control" },
                { "a\\u007f", "control" },                                 { "a\\\\b", "backslash" },
                { "a\\u0000b", "NUL" },                                    { "a\xff", "UTF-8" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                char body[512];

                (void)snprintf(body, sizeof(body), "[{\"type\":\"file\",\"path\":\"%s\",\"size\":1,\"oid\":\"" OID "\"}]",
                               cases[i].path);
                check_refused(TEXT(""), body, cases[i].words);
        }
        check_long(4095, NULL);
        check_long(4096, "4095 bytes");
}
END_TEST

START_TEST(test_long_component)
{
        char name[257], body[512];
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
        Fault fault = FAULT_NULL;

        memset(name, 'n', 256);
        name[256] = 0;
        (void)snprintf(body, sizeof(body), "[{\"type\":\"file\",\"path\":\"a/%s\",\"size\":1,\"oid\":\"" OID "\"}]", name);
        check_refused(TEXT(""), body, "more than 255 bytes");
        (void)snprintf(body, sizeof(body), "[{\"type\":\"file\",\"path\":\"a/%s\",\"size\":1,\"oid\":\"" OID "\"}]", name + 1);
        ck_assert_int_eq(list(TEXT(""), body, &tree, &fault), 0);
}
END_TEST

START_TEST(test_folder)
{
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(list(TEXT("build/v"), "[" FILE_OF("build/v/a") "]", &tree, &fault), 0);
        check_refused(TEXT("build/v"), "[" FILE_OF("build/vv/a") "]", "\"build/vv/a\" lies outside");
        check_refused(TEXT("build/v"), "[" FILE_OF("build/v") "]", "outside");
        check_refused(TEXT("build/v"), "[" FILE_OF("build/v/") "]", "empty component");
        check_refused(TEXT("build/v"), "[" FILE_OF("a") "]", "outside");
}
END_TEST

START_TEST(test_entries)
{
        static const struct {
                const char *rest, *words; /* NULL: fine */
        } cases[] = {
                { "\"size\":0,\"oid\":\"" OID "\"", NULL },
                { "\"size\":0,\"oid\":\"" OID "\",\"lfs\":null", NULL },
                { "\"size\":-1,\"oid\":\"" OID "\",\"lfs\":{\"oid\":\"" SHA "\",\"size\":9}", NULL },
                { "\"size\":-1,\"oid\":\"" OID "\"", "\"f\" has no size" },
                { "\"size\":1.5,\"oid\":\"" OID "\"", "no size" },
                { "\"oid\":\"" OID "\"", "no size" },
                { "\"size\":1,\"oid\":\"" OID "\",\"lfs\":{\"oid\":\"" SHA "\",\"size\":-9}", "no size" },
                { "\"size\":1,\"oid\":\"" OID "\",\"lfs\":{\"oid\":\"" SHA "\"}", "no size" },
                { "\"size\":1", "40 lower-case" },
                { "\"size\":1,\"oid\":\"" SHA "\"", "40 lower-case" },
                { "\"size\":1,\"oid\":\"AAAAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "40 lower-case" },
                { "\"size\":1,\"oid\":\"../aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"", "40 lower-case" },
                { "\"size\":1,\"oid\":\"" OID "\",\"lfs\":{\"oid\":\"" OID "\",\"size\":1}", "64 lower-case" },
                { "\"size\":1,\"oid\":\"" OID "\",\"lfs\":1", "64 lower-case" },
                { "\"size\":1,\"oid\":\"x\",\"lfs\":{\"oid\":\"" SHA "\",\"size\":1}", "40 lower-case" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
                Fault fault = FAULT_NULL;
                char body[512];

                (void)snprintf(body, sizeof(body), "[{\"type\":\"file\",\"path\":\"f\",%s}]", cases[i].rest);
                if (cases[i].words)
                        check_refused(TEXT(""), body, cases[i].words);
                else
                        ck_assert_int_eq(list(TEXT(""), body, &tree, &fault), 0);
        }
        check_refused(TEXT(""), "[{\"type\":\"commit\",\"path\":\"f\"}]", "neither a file nor a directory");
        check_refused(TEXT(""), "[{\"path\":\"f\"}]", "neither a file nor a directory");
        check_refused(TEXT(""),
                      "[" FILE_OF("a") ",{\"type\":\"file\",\"path\":\"b\",\"size\":9223372036854775807,\"oid\":\"" OID "\"}]",
                      "\"b\" makes all files together too large");
}
END_TEST

START_TEST(test_no_listing)
{
        static const char *const bodies[] = { "", "<html>", "{}", "[1]", "[{}]", "[{\"path\":1}]", "[[]]", "[" };

        for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
                CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
                Fault fault = FAULT_NULL;

                ck_assert_int_eq(list(TEXT(""), bodies[i], &tree, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_HUB);
        }
}
END_TEST

START_TEST(test_collisions)
{
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
        Fault fault = FAULT_NULL;

        check_refused(TEXT(""), "[" FILE_OF("a") "," FILE_OF("b") "," FILE_OF("a") "]", "\"a\" is listed twice");
        check_refused(TEXT(""), "[" FILE_OF("a") "," FOLDER_OF("a") "]", "\"a\" is listed twice");
        check_refused(TEXT(""), "[" FOLDER_OF("a") "," FOLDER_OF("a") "]", "\"a\" is listed twice");
        check_refused(TEXT(""), "[" FILE_OF("Read") "," FILE_OF("b") "," FILE_OF("rEAD") "]", "differ in case only");
        check_refused(TEXT(""), "[" FILE_OF("d/x") "," FILE_OF("d-e") "," FILE_OF("D/y") "]", "differ in case only");
        check_refused(TEXT(""), "[" FILE_OF("a/D/x/1") "," FILE_OF("a/d") "]", "differ in case only");
        check_refused(TEXT(""), "[" FOLDER_OF("d") "," FILE_OF("D/x") "]", "differ in case only");
        check_refused(TEXT(""), "[" FILE_OF("a/b/c") "," FILE_OF("a/b-") "," FILE_OF("a/b") "]", "\"a/b\" is a file and a folder");
        ck_assert_int_eq(list(TEXT(""),
                              "[" FILE_OF("ab") "," FILE_OF("a-b") "," FILE_OF("a/B") "," FOLDER_OF("a") "," FILE_OF("a.b")
                              "," FILE_OF("b/A") "," FILE_OF("c/b/x") "," FILE_OF("c/B.x") "," FILE_OF("\xc3\x89") ","
                              FILE_OF("\xc3\xa9") "]", &tree, &fault), 0);
        ck_assert_uint_eq(tree.n_entries, 10);
}
END_TEST

/* `n` entries with names as alike as can be, in one page. */
static Buffer many(unsigned n)
{
        Buffer body = BUFFER_NULL;
        char prefix[181];

        memset(prefix, 'p', 180);
        prefix[180] = 0;
        ck_assert_int_eq(buffer_append(&body, "[", 1), 0);
        for (unsigned i = 0; i < n; i++) {
                char entry[512];
                int size = snprintf(entry, sizeof(entry), "%s{\"type\":\"file\",\"path\":\"%s/%u\",\"size\":1,\"oid\":\"" OID "\"}",
                                    i ? "," : "", prefix, (i * 40503u) % 65536u);

                ck_assert_int_eq(buffer_append(&body, entry, (size_t)size), 0);
        }
        ck_assert_int_eq(buffer_append(&body, "]", 1), 0);
        return body;
}

START_TEST(test_limit)
{
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
        CLEANUP_BUFFER Buffer body = many(LIMIT_KERNEL_FILES);
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(hub_tree_add_page(&tree, TEXT(""), buffer_text(&body), &fault), 0);
        ck_assert_int_eq(hub_tree_finish(&tree, &fault), 0);
        ck_assert_uint_eq(tree.n_entries, LIMIT_KERNEL_FILES);
        ck_assert_int_eq(hub_tree_add_page(&tree, TEXT(""), TEXT("[" FILE_OF("z") "]"), &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_TOO_LARGE);
}
END_TEST

START_TEST(test_empty_pages_end)
{
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
        Fault fault = FAULT_NULL;
        unsigned n = 0;

        while (n < 100000 && hub_tree_add_page(&tree, TEXT(""), TEXT("[]"), &fault) == 0)
                n++;
        ck_assert_uint_lt(n, 100000);
        ck_assert_int_eq(fault.name, FAULT_TOO_LARGE);
        ck_assert_int_eq(hub_tree_finish(&tree, &fault), 0);
}
END_TEST

static int list_some(void)
{
        CLEANUP_HUB_TREE HubTree tree = HUB_TREE_NULL;
        Fault fault = FAULT_NULL;
        int r = hub_tree_add_page(&tree, TEXT(""), TEXT("[" FILE_OF("a") "," FOLDER_OF("b") "]"), &fault);

        return r ? r : list(TEXT(""), "[" FILE_OF("b/c") "]", &tree, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(list_some());
        ck_assert_int_eq(list_some(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/hub_tree", test_recorded_pages, test_paths, test_long_component, test_folder, test_entries,
             test_no_listing, test_collisions, test_limit, test_empty_pages_end, test_torture)
