#include "tests/lib/fixture.h"

#include <errno.h>
#include <string.h>

#include "kernels/cache_trees.h"

static const char two[] =
        "{\n \"format_version\": 1,\n \"files\": {\n"
        "  \".gitattributes\": {\n   \"size\": 5,\n   \"blob_id\": \"08c5825eb2dec80e97469de4014c500989f1b110\"\n  },\n"
        "  \"build/v.x/a\": {\"size\": 7, \"blob_id\": \"08c5825eb2dec80e97469de4014c500989f1b110\"},\n"
        "  \"build/v/b\": {\"size\": 2, \"blob_id\": \"08c5825eb2dec80e97469de4014c500989f1b110\", \"lfs_sha256\": "
        "\"23e03c5d14f5510c821ae62ba27259f2caa7db1c8985423c0bf29f62574d2a2c\", \"lfs_size\": 2, \"xet_hash\": "
        "\"23e03c5d14f5510c821ae62ba27259f2caa7db1c8985423c0bf29f62574d2a2c\"},\n"
        "  \"build/v/a\\u00e9\": {\"size\": 1, \"xet_hash\": null},\n"
        "  \"build/readme\": {\"size\": 1}\n }\n}";

START_TEST(test_parse)
{
        CLEANUP(cache_trees_freep) CacheTrees *trees = NULL;
        const CacheTreesFile *files;
        Fault fault = FAULT_NULL;
        size_t n;

        ck_assert_msg(cache_trees_parse(text_of(two), &trees, &fault) == 0, "%s", fault.message);
        ck_assert_uint_eq(trees->n_files, 5);
        ck_assert_uint_eq(trees->n_variants, 2);
        ck_assert(text_equal(trees->variants[0], TEXT("v.x")) && text_equal(trees->variants[1], TEXT("v")));
        files = cache_trees_find(trees, TEXT("v"), &n);
        ck_assert_uint_eq(n, 2);
        ck_assert_str_eq(files[0].path.data, "build/v/aé");
        ck_assert_str_eq(files[1].path.data, "build/v/b");
        ck_assert_int_eq(files[1].size, 2);
        ck_assert_ptr_nonnull(cache_trees_find(trees, TEXT("v.x"), &n));
        ck_assert_uint_eq(n, 1);
        ck_assert_ptr_null(cache_trees_find(trees, TEXT("readme"), &n));
        ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(test_passed_over)
{
        static const char *const bad[] = {
                "", "[]", "{}", "{\"format_version\": 1}", "{\"format_version\": 2, \"files\": {}}",
                "{\"format_version\": \"1\", \"files\": {}}", "{\"format_version\": 1, \"files\": []}",
                "{\"format_version\": 1, \"files\": {\"a\": 1}}", "{\"format_version\": 1, \"files\": {\"a\": {}}}",
                "{\"format_version\": 1, \"files\": {\"a\": {\"size\": -1}}}",
                "{\"format_version\": 1, \"files\": {\"a\": {\"size\": 1.5}}}",
                "{\"format_version\": 1, \"files\": {\"../a\": {\"size\": 1}}}",
                "{\"format_version\": 1, \"files\": {\"/a\": {\"size\": 1}}}",
                "{\"format_version\": 1, \"files\": {\"a\": {\"size\": 1, \"xet_hash\": 7}}}",
                "{\"format_version\": 1, \"files\": {\"a\": {\"size\": 1, \"xet_hash\": \"*\"}}}",
                "{\"format_version\": 1, \"files\": {\"a\": {\"size\": 1}}",
        };

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                CacheTrees *trees = NULL;
                Fault fault = FAULT_NULL;

                ck_assert_msg(cache_trees_parse(text_of(bad[i]), &trees, &fault) == 1, "%s", bad[i]);
                ck_assert_int_eq(fault.name, FAULT_CORRUPT);
                ck_assert_ptr_null(trees);
        }
}
END_TEST

static int parse_once(void)
{
        CLEANUP(cache_trees_freep) CacheTrees *trees = NULL;
        Fault fault;

        return cache_trees_parse(text_of(two), &trees, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(parse_once());
}
END_TEST

FIXTURE_MAIN("kernels/cache_trees", test_parse, test_passed_over, test_torture)
