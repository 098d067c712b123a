#include "tests/unit/kernels/fetch_help.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VARIANT "build/" CPU_27

static const HubFile kernel[] = {
        { "README.md", "hello", false },
        { VARIANT "/__init__.py", "", false },
        { VARIANT "/lib/_relu.so", "ELF and so on", true },
        { VARIANT "/metadata.json", META_CPU, false },
};

static void have_kernel(void)
{
        hub_forget();
        hub_have_refs(REPO, "main=" COMMIT " v1=" COMMIT, "t1=" COMMIT);
        hub_have(REPO, COMMIT, kernel, ARRAY_SIZE(kernel));
        hub_have_publisher("kernels-test", true);
}

static FetchOrder *order_files(Cache *cache)
{
        FetchOrder *order = order_for(cache, FETCH_FILES, "main");

        order_cpu(order);
        return order;
}

/* What came is there, and nothing else. */
static void assert_placed(void)
{
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" VARIANT "/metadata.json")), META_CPU);
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" VARIANT "/lib/_relu.so")), "ELF and so on");
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" VARIANT "/__init__.py")), "");
        help_assert_links();
        help_assert_placed();
}

/* --- cold and warm --- */

START_TEST(test_cold)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        const FetchResult *result;

        have_kernel();
        fetched = fetch_all(order_files(cache), NULL);
        ck_assert_msg(fetched.r == 0, "%d %s", fetched.r, fetched.fault.message);
        ck_assert_log(API "/refs", TREE LISTED, OVERVIEW, BUILD, TREE "/build%2F" CPU_27 LISTED_ALL,
                      FILES VARIANT "/metadata.json", FILES VARIANT "/lib/_relu.so");
        assert_placed();
        result = fetched.result;
        ck_assert(result->asked && !result->with_token);
        ck_assert(text_equal(result->commit, TEXT(COMMIT)) && text_equal(result->final_commit, TEXT(COMMIT)));
        ck_assert(text_equal(result->final_repo, TEXT(REPO)));
        ck_assert_uint_eq(result->n_refs, 3);
        ck_assert(text_equal(result->refs[1].name, TEXT("v1")) && !result->refs[1].tag);
        ck_assert(text_equal(result->refs[2].name, TEXT("t1")) && result->refs[2].tag);
        ck_assert(text_equal(result->refs[2].commit, TEXT(COMMIT)));
        ck_assert_uint_eq(result->n_publishers, 1);
        ck_assert(text_equal(result->publishers[0].name, TEXT("kernels-test")) && result->publishers[0].trusted);
        ck_assert(fetched_has(&fetched, 0, CPU_27, FAULT_NONE));
        ck_assert_uint_eq(result->n_receipts, 1);
        ck_assert(text_equal(result->receipts[0].variant, TEXT(CPU_27)));
        ck_assert_int_eq(result->n_bytes, (int64_t)(strlen(META_CPU) + strlen("ELF and so on")));
        ck_assert(result->known->listed && result->known->all->variants[0].complete);
        ck_assert(text_equal(result->known->all->variants[0].metadata->bytes, TEXT(META_CPU)));
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/refs/main")), COMMIT);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/refs/v1"), F_OK), 0);
}
END_TEST

/* Its whole cache, as the Hub's own client has it; .kernelsd.lock is the one more. */
START_TEST(test_layout)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        CLEANUP_ALLOC char *layout = NULL;

        have_kernel();
        fetched = fetch_all(order_files(cache), NULL);
        layout = help_layout();
        ck_assert_ptr_nonnull(strstr(layout, "f 444 13 " HELP_FOLDER "/blobs/"));
        ck_assert_ptr_nonnull(strstr(layout, "f 444 0 " HELP_FOLDER "/blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n"));
        ck_assert_ptr_nonnull(strstr(layout, HELP_FOLDER "/snapshots/" COMMIT "/" VARIANT
                                     "/__init__.py -> ../../../../blobs/e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\n"));
        ck_assert_ptr_null(strstr(layout, "README"));
        ck_assert_ptr_null(strstr(layout, "trees"));
}
END_TEST

/* What is known is not asked for. */
START_TEST(test_warm)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched first = { 0 }, fetched = { 0 };
        FetchOrder *order;

        have_kernel();
        first = fetch_all(order_files(cache), NULL);
        hub_forget();
        order = order_files(cache);
        order->commit = order->final_commit = TEXT(COMMIT);
        order->final_repo = TEXT(REPO);
        order->known = known_ref(first.result->known);
        order_publisher(order, "kernels-test", true);
        fetched = fetch_all(order, NULL);
        ck_assert_msg(fetched.r == 0, "%d %s", fetched.r, fetched.fault.message);
        ck_assert_silent();
        ck_assert(!fetched.result->asked);
        ck_assert(fetched_has(&fetched, 0, CPU_27, FAULT_NONE));
        ck_assert_uint_eq(fetched.result->n_receipts, 0);
        ck_assert(text_equal(fetched.result->final_commit, TEXT(COMMIT)));
        ck_assert(!fetched.progress.files_total.present);
        assert_placed();
}
END_TEST

/* Each known thing by itself saves its own question. */
START_TEST(test_known_parts)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        KnownVariant variants[] = { { .name = TEXT(CPU_27) } };
        CLEANUP_FETCHED Fetched commit = { 0 }, listing = { 0 }, publisher = { 0 }, unlisted = { 0 };
        FetchOrder *order;

        have_kernel();
        order = order_for(cache, FETCH_LISTING, "main");
        order->commit = TEXT(COMMIT);
        commit = fetch_all(order, NULL);
        ck_assert_log(TREE LISTED, OVERVIEW, BUILD);
        ck_assert(!commit.result->asked && text_equal(commit.result->commit, TEXT(COMMIT)));
        hub_log_clear();
        order = order_for(cache, FETCH_LISTING, "main");
        order_known(order, true, variants, 1);
        listing = fetch_all(order, NULL);
        ck_assert_log(API "/refs", TREE LISTED, OVERVIEW);
        ck_assert(listing.result->known->listed && listing.result->known->all->n_variants == 1);
        hub_log_clear();
        order = order_for(cache, FETCH_LISTING, "main");
        order_known(order, false, variants, 1);
        unlisted = fetch_all(order, NULL);
        ck_assert_log(API "/refs", TREE LISTED, OVERVIEW, BUILD);
        hub_log_clear();
        order = order_for(cache, FETCH_LISTING, "main");
        order_publisher(order, "kernels-test", true);
        publisher = fetch_all(order, NULL);
        ck_assert_log(API "/refs", TREE LISTED, BUILD);
}
END_TEST

/* --- goals --- */

START_TEST(test_goals)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched refs = { 0 }, listing = { 0 };

        have_kernel();
        refs = fetch_all(order_for(cache, FETCH_REFS, "not-there"), NULL); /* whatever revision it says */
        ck_assert_int_eq(refs.r, 0);
        ck_assert_log(API "/refs");
        ck_assert(!refs.result->commit.data && !refs.result->final_commit.data);
        ck_assert_uint_eq(refs.result->n_refs, 3);
        ck_assert_ptr_null(refs.result->known);
        hub_log_clear();
        listing = fetch_all(order_for(cache, FETCH_LISTING, "v1"), NULL);
        ck_assert_int_eq(listing.r, 0);
        ck_assert_log(API "/refs", TREE LISTED, OVERVIEW, BUILD);
        ck_assert(listing.result->known->listed);
        ck_assert(text_equal(listing.result->known->all->variants[0].folder, TEXT(CPU_27)));
        ck_assert_ptr_null(listing.result->known->all->variants[0].metadata);
        ck_assert_int_ne(access(help_at(HELP_FOLDER), F_OK), 0);
}
END_TEST

/* --- progress --- */

START_TEST(test_progress)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have_kernel();
        fetched = fetch_all(order_files(cache), NULL);
        ck_assert_int_eq(fetched.progress.files, 3);
        ck_assert_int_eq(fetched.progress.files_total.value, 3);
        ck_assert_int_eq(fetched.progress.bytes, (int64_t)(strlen(META_CPU) + strlen("ELF and so on")));
        ck_assert_int_eq(fetched.progress.bytes_total.value, fetched.progress.bytes);
}
END_TEST

/* Seen between two calls: half of a file counts with what has come of it. */
START_TEST(test_progress_on_the_way)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP(fetch_freep) Fetch *fetch = NULL;
        FetchOrder *order = order_for(cache, FETCH_FILES, "main");
        const HubReply trees[] = {
                { .status = 200, .body = TEXT("[]") },
                { .status = 200, .body = TEXT("[{\"type\": \"directory\", \"path\": \"" VARIANT "\", \"oid\": \"x\"}]") },
                { .status = 200, .body = TEXT("[{\"type\": \"file\", \"path\": \"" VARIANT "/a\", \"size\": 9, "
                                              "\"oid\": \"0000000000000000000000000000000000000001\"}]") },
        };
        Progress progress;
        FetchCall *call;
        Fault fault;

        order->commit = TEXT(COMMIT);
        order_publisher(order, "kernels-test", true);
        order_cpu(order);
        ck_assert_int_eq(fetch_new(order, &fetch), 0);
        for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
                ck_assert_int_eq(fetch_step(fetch, &fault), FETCH_WAITS);
                fetch_progress(fetch, &progress);
                ck_assert(!progress.files_total.present && !progress.bytes_total.present);
                call = fetch_take_call(fetch);
                ck_assert_ptr_null(fetch_take_call(fetch));
                ck_assert(!call->is_file && call->limit > 0);
                fetch_call_done(fetch, call, &trees[i]);
        }
        ck_assert_int_eq(fetch_step(fetch, &fault), FETCH_WAITS);
        call = fetch_take_call(fetch);
        ck_assert(call->is_file);
        ck_assert_int_eq(fetch_call_write(fetch, call, "1234", 4), 0);
        fetch_progress(fetch, &progress);
        ck_assert_int_eq(progress.bytes, 4);
        ck_assert_int_eq(progress.files, 0);
        ck_assert_int_eq(progress.files_total.value, 1);
        ck_assert_int_eq(progress.bytes_total.value, 9);
}
END_TEST

/* --- in the middle --- */

START_TEST(test_failure_in_the_middle)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have_kernel();
        hub_say((HubAnswer){ .path = FILES VARIANT "/lib/_relu.so", .status = 500 });
        fetched = fetch_all(order_files(cache), NULL);
        ck_assert_int_eq(fetched.r, STEP_FAULT);
        ck_assert_int_eq(fetched.fault.name, FAULT_HUB);
        ck_assert_ptr_nonnull(strstr(fetched.fault.message, "_relu.so"));
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/snapshots"), F_OK), 0);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/refs/main"), F_OK), 0);
        help_assert_placed();
        ck_assert(fetched.result->asked && text_equal(fetched.result->final_commit, TEXT(COMMIT)));
        ck_assert_uint_eq(fetched.result->n_refs, 3);
        ck_assert_uint_eq(fetched.result->n_publishers, 1);
        ck_assert(fetched.result->known->listed && !fetched.result->known->all->variants[0].complete);
        ck_assert_ptr_nonnull(fetched.result->known->all->variants[0].metadata);
        ck_assert_uint_eq(fetched.result->n_receipts, 0);
        ck_assert_int_eq(fetched.result->n_bytes, (int64_t)strlen(META_CPU));
}
END_TEST

/* Dropped with calls queued and out. */
START_TEST(test_dropped)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP(fetch_freep) Fetch *fetch = NULL, *queued = NULL;
        Fault fault;

        ck_assert_int_eq(fetch_new(order_files(cache), &fetch), 0);
        ck_assert_int_eq(fetch_step(fetch, &fault), FETCH_WAITS);
        ck_assert_ptr_nonnull(fetch_take_call(fetch));
        ck_assert_int_eq(fetch_step(fetch, &fault), FETCH_WAITS);
        ck_assert_ptr_null(fetch_take_call(fetch));
        ck_assert_int_eq(fetch_new(order_files(cache), &queued), 0);
        ck_assert_int_eq(fetch_step(queued, &fault), FETCH_WAITS);
}
END_TEST

/* --- without memory --- */

static long torture_k;

static int fetch_with_fault(Cache *cache)
{
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order;

        alloc_fault_set(-1);
        have_kernel();
        order = order_files(cache);
        alloc_fault_set(torture_k++);
        fetched = fetch_all(order, NULL);
        if (fetched.r < 0)
                ck_assert(!alloc_fault_fired() || fetched.r == -ENOMEM);
        return fetched.r;
}

START_TEST(test_torture)
{
        bool fired = true;

        while (fired) {
                CLEANUP(cache_closep) Cache *cache = help_open(true);
                int r = fetch_with_fault(cache);

                fired = alloc_fault_fired();
                alloc_fault_set(-1);
                ck_assert_int_eq(r, fired ? -ENOMEM : 0);
                help_assert_links();
                help_assert_placed();
                if (!fired)
                        assert_placed();
                cache = cache_close(cache);
                help_clear();
        }
        ck_assert_int_gt(torture_k, 100);
}
END_TEST

FIXTURE_MAIN("kernels/fetch", test_cold, test_layout, test_warm, test_known_parts, test_goals, test_progress,
             test_progress_on_the_way, test_failure_in_the_middle, test_dropped, test_torture)
