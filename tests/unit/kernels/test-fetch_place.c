#include "tests/unit/kernels/fetch_help.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define B "build/" CPU_27
#define B_126 "build/" CUDA_126
#define A_BYTES "a = 1"
#define SO_BYTES "\177ELF"

/* A digest of __init__.py (empty), a.py and lib/x.so. */
static const char *digest_files(HashKind kind, const char *a_bytes)
{
        return hub_text("\"__init__.py\": \"%s\", \"a.py\": \"%s\", \"lib/x.so\": \"%s\"", hub_digest(kind, ""),
                        hub_digest(kind, a_bytes), hub_digest(kind, SO_BYTES));
}

static const char *metadata_of(const char *algorithm, const char *files)
{
        return hub_text(META_HEAD "\"backend\": {\"type\": \"cpu\"}, \"digest\": {\"algorithm\": \"%s\", \"files\": {%s}}}",
                        algorithm, files);
}

static void have(const char *metadata)
{
        const HubFile files[] = {
                { B "/__init__.py", "", false },
                { B "/a.py", A_BYTES, false },
                { B "/lib/x.so", SO_BYTES, true },
                { B "/metadata.json", metadata, false },
                { B_126 "/__init__.py", "", false },
                { B_126 "/a.py", A_BYTES, false },
                { B_126 "/metadata.json", META_CUDA("\"9.0\""), false },
        };

        hub_have_refs(REPO, "main=" COMMIT " v1=" COMMIT, "");
        hub_have(REPO, COMMIT, files, ARRAY_SIZE(files));
}

static FetchOrder *order_files(Cache *cache)
{
        FetchOrder *order = order_for(cache, FETCH_FILES, "main");

        order->commit = order->final_commit = TEXT(COMMIT);
        order->final_repo = TEXT(REPO);
        order_publisher(order, "kernels-test", true);
        order_cpu(order);
        return order;
}

static bool is_there(const char *path)
{
        return access(help_at(HELP_FOLDER "/%s", path), F_OK) == 0;
}

static void assert_complete(const Fetched *fetched)
{
        ck_assert_msg(fetched->r == 0, "%d %s", fetched->r, fetched->fault.message);
        ck_assert_msg(fetched_has(fetched, 0, CPU_27, FAULT_NONE), "%s", fetched->result->targets[0].fault.message);
        ck_assert(known_variant(fetched->result->known, TEXT(CPU_27))->complete);
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" B "/a.py")), A_BYTES);
        help_assert_links();
        help_assert_placed();
}

/* --- the digest --- */

START_TEST(test_right_digest)
{
        static const struct {
                HashKind kind;
                const char *algorithm;
        } cases[] = { { HASH_SHA256, "sha256" }, { HASH_SHA512, "sha512" } };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP(cache_closep) Cache *cache = help_open(true);
                CLEANUP_FETCHED Fetched fetched = { 0 };

                hub_forget();
                have(metadata_of(cases[i].algorithm, digest_files(cases[i].kind, A_BYTES)));
                fetched = fetch_all(order_files(cache), NULL);
                assert_complete(&fetched);
                ck_assert_uint_eq(fetched.n_pauses, 0);
                cache = cache_close(cache);
                help_clear();
        }
}
END_TEST

/* Also where the blobs lay on disk, or other variants' digests are of another kind. */
START_TEST(test_digests_of_two_kinds)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 }, again = { 0 };
        FetchOrder *order = order_files(cache);
        HubFile files[] = {
                { B "/a.py", A_BYTES, false }, { B "/metadata.json", NULL, false },
                { B_126 "/a.py", A_BYTES, false }, { B_126 "/metadata.json", NULL, false },
        };

        hub_forget();
        files[1].bytes = metadata_of("sha256", hub_text("\"a.py\": \"%s\"", hub_digest(HASH_SHA256, A_BYTES)));
        files[3].bytes = metadata_of("sha512", hub_text("\"a.py\": \"%s\"", hub_digest(HASH_SHA512, A_BYTES)));
        hub_have(REPO, COMMIT, files, ARRAY_SIZE(files));
        order_cuda(order, 90);
        fetched = fetch_all(order, help_assert_links);
        assert_complete(&fetched);
        ck_assert(fetched_has(&fetched, 1, CUDA_126, FAULT_NONE));
        hub_log_clear();
        again = fetch_all(order_files(cache), NULL);
        assert_complete(&again);
        ck_assert_uint_eq(hub_log_count("/resolve/"), 0);
}
END_TEST

START_TEST(test_no_digest)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        hub_forget();
        have(META_CPU);
        fetched = fetch_all(order_files(cache), NULL);
        assert_complete(&fetched);
        ck_assert_ptr_null(known_variant(fetched.result->known, TEXT(CPU_27))->metadata->digest);
}
END_TEST

/* What differs: a hash, a file that is not stated, one that is not there. */
START_TEST(test_wrong_digest)
{
        static const char *const named[] = { "a.py", "lib/x.so", "gone.py" };

        for (size_t i = 0; i < ARRAY_SIZE(named); i++) {
                CLEANUP(cache_closep) Cache *cache = help_open(true);
                CLEANUP_FETCHED Fetched fetched = { 0 };
                FetchOrder *order = order_files(cache);
                const RepositoryVariant *known;
                const char *files;

                hub_forget();
                files = digest_files(HASH_SHA256, i == 0 ? "a = 2" : A_BYTES);
                if (i == 1)
                        files = hub_text("%.*s", (int)(strstr(files, ", \"lib/x.so\"") - files), files);
                else if (i == 2)
                        files = hub_text("%s, \"gone.py\": \"%s\"", files, hub_digest(HASH_SHA256, "gone"));
                have(metadata_of("sha256", files));
                order_cuda(order, 90);
                fetched = fetch_all(order, NULL);
                ck_assert_int_eq(fetched.r, 0);
                ck_assert(fetched_has(&fetched, 0, NULL, FAULT_CORRUPT));
                ck_assert_ptr_nonnull(strstr(fetched.result->targets[0].fault.message, named[i]));
                ck_assert(fetched_has(&fetched, 1, CUDA_126, FAULT_NONE));
                known = known_variant(fetched.result->known, TEXT(CPU_27));
                ck_assert(!known->complete && known->corrupt.data);
                ck_assert(!is_there("snapshots/" COMMIT "/" B) && is_there("snapshots/" COMMIT "/" B_126 "/a.py"));
                ck_assert(!is_there("refs"));
                ck_assert_uint_eq(fetched.result->n_receipts, 1);
                help_assert_links();
                help_assert_placed();
                cache = cache_close(cache);
                help_clear();
        }
}
END_TEST

/* --- in place --- */

static bool was_hashed(const Cache *cache, const KernelReceipt *receipt)
{
        CLEANUP(kernel_check_freep) KernelCheck *check = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text path = cache_snapshot_path(cache, TEXT(REPO), TEXT(COMMIT), &arena);
        Fault fault;
        int r;

        ck_assert_int_eq(kernel_check_new(path.data, TEXT(CPU_27), geteuid(), receipt, &check), 0);
        do
                r = kernel_check_step(check, 1 << 20, &fault);
        while (r == STEP_MORE);
        ck_assert_msg(r == 0, "%s", fault.message);
        return kernel_check_hashed(check);
}

/* Who checks it afterwards need not hash it. */
START_TEST(test_receipt)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        hub_forget();
        have(metadata_of("sha256", digest_files(HASH_SHA256, A_BYTES)));
        fetched = fetch_all(order_files(cache), NULL);
        assert_complete(&fetched);
        ck_assert(was_hashed(cache, NULL));
        ck_assert(!was_hashed(cache, &fetched.result->receipts[0].receipt));
}
END_TEST

/* Others in the folder than were put there are for a check to find. */
START_TEST(test_no_receipt)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        hub_forget();
        have(metadata_of("sha256", digest_files(HASH_SHA256, A_BYTES)));
        help_python_file(COMMIT, B "/stray.py", "stray", false);
        fetched = fetch_all(order_files(cache), NULL);
        ck_assert_int_eq(fetched.r, 0);
        ck_assert(known_variant(fetched.result->known, TEXT(CPU_27))->complete);
        ck_assert_uint_eq(fetched.result->n_receipts, 0);
}
END_TEST

/* Two targets of one variant, and files that two variants share. */
START_TEST(test_shared)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        hub_forget();
        have(metadata_of("sha256", digest_files(HASH_SHA256, A_BYTES)));
        order_cuda(order, 90);
        order_cpu(order);
        fetched = fetch_all(order, NULL);
        assert_complete(&fetched);
        ck_assert(fetched_has(&fetched, 2, CPU_27, FAULT_NONE) && fetched_has(&fetched, 1, CUDA_126, FAULT_NONE));
        ck_assert_uint_eq(fetched.result->n_receipts, 2);
        ck_assert_uint_eq(hub_log_count("a.py"), 1);
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" B_126 "/a.py")), A_BYTES);
}
END_TEST

/* Part of it lies there, as a killed client leaves it. */
START_TEST(test_completed)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        hub_forget();
        have(META_CPU);
        help_python_file(COMMIT, B "/a.py", A_BYTES, false);
        fetched = fetch_all(order_files(cache), NULL);
        assert_complete(&fetched);
        ck_assert_uint_eq(hub_log_count("/resolve/"), 2);
        ck_assert(is_there("snapshots/" COMMIT "/" B "/lib/x.so"));
}
END_TEST

START_TEST(test_cannot_be_placed)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        hub_forget();
        have(META_CPU);
        help_write(help_at(HELP_FOLDER "/snapshots"), "in the way", 10);
        fetched = fetch_all(order_files(cache), NULL);
        ck_assert_int_eq(fetched.r, STEP_FAULT);
        ck_assert_int_eq(fetched.fault.name, FAULT_INTERNAL);
        ck_assert(!known_variant(fetched.result->known, TEXT(CPU_27))->complete);
        ck_assert_uint_eq(fetched.result->n_receipts, 0);
        ck_assert(!is_there("refs"));
        help_assert_placed();
}
END_TEST

/* --- refs --- */

START_TEST(test_refs)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched quiet = { 0 }, version = { 0 }, known = { 0 };
        FetchOrder *order = order_files(cache);

        hub_forget();
        have(META_CPU);
        order->takes_effect = false;
        quiet = fetch_all(order, NULL);
        assert_complete(&quiet);
        ck_assert(!is_there("refs"));
        order = order_files(cache);
        order_version(order, "v1");
        version = fetch_all(order, NULL);
        assert_complete(&version);
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/refs/v1")), COMMIT);
        ck_assert(!is_there("refs/main"));
        order = order_files(cache);
        order->known = known_ref(version.result->known); /* nothing to fetch: in force now */
        known = fetch_all(order, NULL);
        ck_assert(known.r == 0 && fetched_has(&known, 0, CPU_27, FAULT_NONE));
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/refs/main")), COMMIT);
        ck_assert_uint_eq(known.result->n_receipts, 0);
}
END_TEST

/* Who has begun meanwhile to use what was in force is asked about until nobody new comes. */
START_TEST(test_newcomers)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP(fetch_order_freep) FetchOrder *another = order_for(cache, FETCH_FILES, "main");
        CLEANUP_FETCHED Fetched first = { 0 }, changed = { 0 }, same = { 0 };
        FetchOrder *order = order_files(cache);

        hub_forget();
        have(META_CPU);
        order_cuda(another, 90);
        newcomer = another->targets[0];
        first = fetch_all(order, NULL); /* nothing was in force */
        assert_complete(&first);
        ck_assert(first.n_confirms == 0 && first.result->n_targets == 1);
        order = order_files(cache);
        order->last_commit = TEXT(OTHER_COMMIT);
        changed = fetch_all(order, NULL);
        assert_complete(&changed);
        ck_assert(changed.n_confirms == 2 && changed.result->n_targets == 2);
        ck_assert(fetched_has(&changed, 1, CUDA_126, FAULT_NONE));
        ck_assert(known_variant(changed.result->known, TEXT(CUDA_126))->complete);
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/refs/main")), COMMIT);
        order = order_files(cache);
        order->last_commit = TEXT(OTHER_COMMIT);
        newcomer = order->targets[0];
        same = fetch_all(order, NULL);
        assert_complete(&same);
        ck_assert(same.n_confirms == 1 && same.result->n_targets == 1);
}
END_TEST

FIXTURE_MAIN("kernels/fetch_place", test_right_digest, test_digests_of_two_kinds, test_no_digest, test_wrong_digest,
             test_receipt, test_no_receipt, test_shared, test_completed, test_cannot_be_placed, test_refs, test_newcomers)
