#include "tests/unit/kernels/fetch_help.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define B_CPU "build/" CPU_27
#define B_126 "build/" CUDA_126
#define B_128 "build/" CUDA_128

static const char *listing_of(const char *variant)
{
        return hub_text(TREE "/build%%2F%s" LISTED_ALL, variant);
}

/* Of 12.8 for 9.0 alone, of 12.6 for 8.0 and later ones. */
static const HubFile kernel[] = {
        { B_CPU "/a.py", "cpu", false },
        { B_CPU "/metadata.json", META_CPU, false },
        { B_126 "/a.py", "cu126", false },
        { B_126 "/metadata.json", META_CUDA("\"8.0\""), false },
        { B_128 "/a.py", "cu128", false },
        { B_128 "/metadata.json", META_CUDA("\"9.0\""), false },
};

static void have(const HubFile *files, size_t n)
{
        hub_forget();
        hub_have_refs(REPO, "main=" COMMIT, "");
        hub_have(REPO, COMMIT, files, n);
}

static FetchOrder *order_files(Cache *cache)
{
        FetchOrder *order = order_for(cache, FETCH_FILES, "main");

        order->commit = order->final_commit = TEXT(COMMIT);
        order->final_repo = TEXT(REPO);
        order_publisher(order, "kernels-test", true);
        return order;
}

static bool is_placed(const char *path)
{
        return access(help_at(HELP_FOLDER "/snapshots/" COMMIT "/%s", path), F_OK) == 0;
}

static bool ref_is_written(void)
{
        return access(help_at(HELP_FOLDER "/refs/main"), F_OK) == 0;
}

static const RepositoryVariant *known_of(const Fetched *fetched, const char *name)
{
        return known_variant(fetched->result->known, text_of(name));
}

/* --- archs --- */

/* The best by its name says in its metadata that it does not run there. */
START_TEST(test_arch_gives_way)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        have(kernel, ARRAY_SIZE(kernel));
        order_cuda(order, 86);
        fetched = fetch_all(order, NULL);
        ck_assert_msg(fetched.r == 0, "%s", fetched.fault.message);
        ck_assert(fetched_has(&fetched, 0, CUDA_126, FAULT_NONE));
        ck_assert_log(BUILD, TREE "/build%2F" CUDA_128 LISTED_ALL, FILES B_128 "/metadata.json",
                      TREE "/build%2F" CUDA_126 LISTED_ALL, FILES B_126 "/metadata.json", FILES B_126 "/a.py");
        ck_assert(is_placed(B_126 "/a.py") && !is_placed(B_128) && !is_placed(B_CPU));
        ck_assert_ptr_nonnull(known_of(&fetched, CUDA_128)->metadata);
        ck_assert(!known_of(&fetched, CUDA_128)->complete && known_of(&fetched, CUDA_126)->complete);
        ck_assert_ptr_null(known_of(&fetched, CPU_27)->metadata);
        ck_assert(ref_is_written());
}
END_TEST

START_TEST(test_several_targets)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        have(kernel, ARRAY_SIZE(kernel));
        order_cuda(order, 75);                             /* nothing runs there */
        order_cuda(order, 90);
        order_target(order, DEVICE_ROCM, "rocm63", 0);     /* nothing is made for it */
        order_cpu(order);
        order_cuda(order, 90);                             /* the same again */
        fetched = fetch_all(order, NULL);
        ck_assert_msg(fetched.r == 0, "%s", fetched.fault.message);
        ck_assert(fetched_has(&fetched, 0, NULL, FAULT_ARCH));
        ck_assert_ptr_nonnull(strstr(fetched.result->targets[0].fault.message, "7.5"));
        ck_assert(fetched_has(&fetched, 1, CUDA_128, FAULT_NONE));
        ck_assert(fetched_has(&fetched, 2, NULL, FAULT_NO_VARIANT));
        ck_assert(fetched_has(&fetched, 3, CPU_27, FAULT_NONE));
        ck_assert(fetched_has(&fetched, 4, CUDA_128, FAULT_NONE));
        ck_assert_uint_eq(hub_log_count("metadata.json"), 3);
        ck_assert_uint_eq(hub_log_count("/tree/"), 4);
        ck_assert_uint_eq(hub_log_count("/a.py"), 2);
        ck_assert(is_placed(B_128 "/a.py") && is_placed(B_CPU "/a.py") && !is_placed(B_126));
        ck_assert_uint_eq(fetched.result->n_receipts, 2);
        ck_assert(ref_is_written()); /* all that can be served are */
}
END_TEST

START_TEST(test_nothing_fits)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        have(kernel, ARRAY_SIZE(kernel));
        order_target(order, DEVICE_XPU, "xpu20250", 0);
        fetched = fetch_all(order, NULL);
        ck_assert_int_eq(fetched.r, 0);
        ck_assert(fetched_has(&fetched, 0, NULL, FAULT_NO_VARIANT));
        ck_assert_ptr_nonnull(strstr(fetched.result->targets[0].fault.message, CPU_27));
        ck_assert_log(BUILD);
        ck_assert_uint_eq(fetched.result->n_receipts, 0);
}
END_TEST

/* --- metadata.json --- */

START_TEST(test_without_metadata)
{
        static const HubFile files[] = { { B_CPU "/a.py", "cpu", false }, { B_CPU "/sub/metadata.json", "no", false } };
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        have(files, 2);
        order_cpu(order);
        fetched = fetch_all(order, NULL);
        ck_assert_int_eq(fetched.r, 0);
        ck_assert(fetched_has(&fetched, 0, CPU_27, FAULT_NONE));
        ck_assert_ptr_null(known_of(&fetched, CPU_27)->metadata);
        ck_assert(is_placed(B_CPU "/sub/metadata.json"));
        ck_assert_log(BUILD, TREE "/build%2F" CPU_27 LISTED_ALL, FILES B_CPU "/a.py", FILES B_CPU "/sub/metadata.json");
}
END_TEST

/* Known for good: it fails its own target alone, and is not asked for again. */
static void assert_corrupt(Cache *cache, const char *part)
{
        CLEANUP_FETCHED Fetched fetched = { 0 }, again = { 0 };
        FetchOrder *order = order_files(cache);

        order_cpu(order);
        order_cuda(order, 90);
        fetched = fetch_all(order, NULL);
        ck_assert_msg(fetched.r == 0, "%s", fetched.fault.message);
        ck_assert(fetched_has(&fetched, 0, NULL, FAULT_CORRUPT));
        ck_assert_msg(strstr(fetched.result->targets[0].fault.message, part), "%s", fetched.result->targets[0].fault.message);
        ck_assert(fetched_has(&fetched, 1, CUDA_128, FAULT_NONE));
        ck_assert(!is_placed(B_CPU) && is_placed(B_128 "/a.py"));
        ck_assert(known_of(&fetched, CPU_27)->corrupt.data && !known_of(&fetched, CPU_27)->complete);
        ck_assert(!ref_is_written());
        help_assert_placed();
        hub_log_clear();
        order = order_files(cache);
        order_cpu(order);
        order->known = known_ref(fetched.result->known);
        again = fetch_all(order, NULL);
        ck_assert_int_eq(again.r, 0);
        ck_assert_silent();
        ck_assert(fetched_has(&again, 0, NULL, FAULT_CORRUPT));
        ck_assert_msg(strstr(again.result->targets[0].fault.message, part), "%s", again.result->targets[0].fault.message);
        ck_assert(known_of(&again, CPU_27)->corrupt.data);
}

START_TEST(test_broken_metadata)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        HubFile files[ARRAY_SIZE(kernel)];

        memcpy(files, kernel, sizeof(kernel));
        files[1].bytes = "{\"name\": 1}";
        have(files, ARRAY_SIZE(files));
        assert_corrupt(cache, "/name");
        ck_assert_uint_eq(hub_log_count(B_CPU "/a.py"), 0);
}
END_TEST

START_TEST(test_large_metadata)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        HubFile files[ARRAY_SIZE(kernel)];
        CLEANUP_ALLOC char *large = alloc_zeroed(1, LIMIT_METADATA + 2);

        memset(large, ' ', LIMIT_METADATA + 1);
        memcpy(files, kernel, sizeof(kernel));
        files[1].bytes = large;
        have(files, ARRAY_SIZE(files));
        assert_corrupt(cache, "metadata.json is larger than 524288 bytes");
        ck_assert_uint_eq(hub_log_count(B_CPU "/"), 0);
}
END_TEST

START_TEST(test_metadata_hash)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);
        char other[] = META_CPU;

        other[strlen(other) - 1] = ' '; /* as long, not the bytes that are listed */
        have(kernel, ARRAY_SIZE(kernel));
        hub_say((HubAnswer){ .path = FILES B_CPU "/metadata.json", .body = other });
        order_cpu(order);
        fetched = fetch_all(order, NULL);
        ck_assert_int_eq(fetched.r, STEP_FAULT);
        ck_assert_int_eq(fetched.fault.name, FAULT_CORRUPT);
        ck_assert(!known_of(&fetched, CPU_27)->corrupt.data); /* what came is wrong, not what there is */
        ck_assert(!is_placed("build"));
}
END_TEST

/* --- known before --- */

/* Known, and its metadata too, but its files are not here (any more). */
START_TEST(test_known_metadata)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP(metadata_freep) Metadata *cuda = NULL, *cpu = NULL;
        CLEANUP_FETCHED Fetched refused = { 0 }, fetched = { 0 };
        FetchOrder *order = order_files(cache);
        Fault fault;

        ck_assert_int_eq(metadata_parse(TEXT(META_CUDA("\"9.0\"")), &cuda, &fault), 0);
        ck_assert_int_eq(metadata_parse(TEXT(META_CPU), &cpu, &fault), 0);
        have(kernel, ARRAY_SIZE(kernel));
        order_cuda(order, 86);
        order_known(order, true, (KnownVariant[]){ { .name = TEXT(CUDA_128), .metadata = cuda }, { .name = TEXT(CPU_27) } }, 2);
        refused = fetch_all(order, NULL);
        ck_assert_int_eq(refused.r, 0);
        ck_assert_silent();
        ck_assert(fetched_has(&refused, 0, NULL, FAULT_ARCH));
        order = order_files(cache);
        order_cpu(order);
        order_known(order, true, (KnownVariant[]){ { .name = TEXT(CPU_27), .metadata = cpu } }, 1);
        fetched = fetch_all(order, NULL);
        ck_assert_int_eq(fetched.r, 0);
        ck_assert_log(TREE "/build%2F" CPU_27 LISTED_ALL, FILES B_CPU "/metadata.json", FILES B_CPU "/a.py");
        ck_assert(fetched_has(&fetched, 0, CPU_27, FAULT_NONE));
        ck_assert(is_placed(B_CPU "/a.py"));
}
END_TEST

/* One that is here, found in the cache without a listing, is listed and not fetched. */
START_TEST(test_known_unlisted)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        have(kernel, ARRAY_SIZE(kernel));
        order_cpu(order);
        order_known(order, false, (KnownVariant[]){ { .name = TEXT(CPU_27), .complete = true } }, 1);
        fetched = fetch_all(order, NULL);
        ck_assert_int_eq(fetched.r, 0);
        ck_assert_log(BUILD);
        ck_assert(fetched_has(&fetched, 0, CPU_27, FAULT_NONE));
        ck_assert(!known_of(&fetched, CPU_27)->complete); /* that is no news */
        ck_assert_uint_eq(fetched.result->known->all->n_variants, 3);
}
END_TEST

/* --- listings of a variant --- */

START_TEST(test_pages)
{
        enum { N = 2500 };
        static HubFile files[N];
        static const HubFile folder[] = { { B_CPU "/x", "x", false } };
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        have(folder, 1);
        for (size_t i = 0; i < N; i++)
                files[i] = (HubFile){ hub_text(B_CPU "/f%04zu", i), "x", false };
        hub_list(REPO, COMMIT, B_CPU, files, N, 1000);
        hub_say((HubAnswer){ .path = FILES B_CPU "/f0000", .body = "x" });
        order_cpu(order);
        fetched = fetch_all(order, NULL);
        ck_assert_msg(fetched.r == 0, "%s", fetched.fault.message);
        ck_assert_log(BUILD, TREE "/build%2F" CPU_27 LISTED_ALL, TREE "/build%2F" CPU_27 LISTED_ALL "&cursor=1",
                      TREE "/build%2F" CPU_27 LISTED_ALL "&cursor=2", FILES B_CPU "/f0000");
        ck_assert(is_placed(B_CPU "/f0000") && is_placed(B_CPU "/f2499"));
}
END_TEST

START_TEST(test_page_is_tried_again)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        have(kernel, ARRAY_SIZE(kernel));
        hub_say((HubAnswer){ .path = "/more", .body = "[]" });
        for (int i = 0; i < 5; i++)
                hub_say((HubAnswer){ .path = "/more", .status = 502, .once = true });
        hub_say((HubAnswer){ .path = listing_of(CPU_27), .body = "[]", .link = "<" HUB "/more>; rel=\"next\"", .once = true });
        order_cpu(order);
        fetched = fetch_all(order, NULL);
        ck_assert_log(BUILD, TREE "/build%2F" CPU_27 LISTED_ALL, "/more", "/more delay=1000", "/more delay=2000",
                      "/more delay=4000", "/more delay=8000", "/more delay=8000");
        ck_assert_int_eq(fetched.r, STEP_FAULT); /* a variant of no files is none */
}
END_TEST

START_TEST(test_bad_entries)
{
        static const char *const bad[] = {
                "{\"type\": \"file\", \"path\": \"build/x\", \"size\": 1, \"oid\": \"" OTHER_COMMIT "\"}",
                "{\"type\": \"file\", \"path\": \"" B_CPU "/../x\", \"size\": 1, \"oid\": \"" OTHER_COMMIT "\"}",
                "{\"type\": \"file\", \"path\": \"" B_CPU "/x\", \"size\": 1, \"oid\": \"abc\"}",
                "{\"type\": \"file\", \"path\": \"" B_CPU "/x\", \"size\": -1, \"oid\": \"" OTHER_COMMIT "\"}",
        };
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                CLEANUP_FETCHED Fetched fetched = { 0 };
                FetchOrder *order = order_files(cache);

                have(kernel, ARRAY_SIZE(kernel));
                hub_say((HubAnswer){ .path = listing_of(CPU_27), .body = hub_text("[%s]", bad[i]) });
                order_cpu(order);
                fetched = fetch_all(order, NULL);
                ck_assert_int_eq(fetched.r, STEP_FAULT);
                ck_assert_int_eq(fetched.fault.name, FAULT_CORRUPT);
                ck_assert_ptr_nonnull(strstr(fetched.fault.message, "x\""));
                ck_assert_uint_eq(hub_log_count("/resolve/"), 0);
                ck_assert(fetched.result->known->listed);
        }
}
END_TEST

FIXTURE_MAIN("kernels/fetch_choose", test_arch_gives_way, test_several_targets, test_nothing_fits, test_without_metadata,
             test_broken_metadata, test_large_metadata, test_metadata_hash, test_known_metadata, test_known_unlisted,
             test_pages, test_page_is_tried_again, test_bad_entries)
