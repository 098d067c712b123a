#include "tests/unit/kernels/fetch_help.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define B "build/" CPU_27
#define ALL TREE "/build%2F" CPU_27 LISTED_ALL
#define ALL_126 TREE "/build%2F" CUDA_126 LISTED_ALL
#define A_BYTES "one, two and three, in all thirty-two bytes"
#define FILE_A FILES B "/a.so"

static const HubFile one[] = { { B "/a.so", A_BYTES, true } };

static void have(const HubFile *files, size_t n)
{
        hub_forget();
        hub_have(REPO, COMMIT, files, n);
        hub_list(REPO, COMMIT, B, files, n, 0);
}

/* The variant and all else but its listing are known. */
static FetchOrder *order_files(Cache *cache)
{
        FetchOrder *order = order_for(cache, FETCH_FILES, "main");

        order->commit = order->final_commit = TEXT(COMMIT);
        order->final_repo = TEXT(REPO);
        order_publisher(order, "kernels-test", true);
        order_known(order, true, (KnownVariant[]){ { .name = TEXT(CPU_27) } }, 1);
        order_cpu(order);
        return order;
}

static void assert_fetched(const Fetched *fetched, const char *path, const char *bytes)
{
        ck_assert_msg(fetched->r == 0, "%d %s", fetched->r, fetched->fault.message);
        ck_assert(fetched_has(fetched, 0, CPU_27, FAULT_NONE));
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" B "/%s", path)), bytes);
        help_assert_links();
        help_assert_placed();
}

static void assert_failed(const Fetched *fetched, FaultName name, const char *part)
{
        ck_assert_int_eq(fetched->r, STEP_FAULT);
        ck_assert_msg(fetched->fault.name == name && strstr(fetched->fault.message, part), "%s", fetched->fault.message);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/snapshots"), F_OK), 0);
        help_assert_placed();
}

/* --- how many, and of what --- */

START_TEST(test_eight_at_once)
{
        enum { N = 20 };
        HubFile files[N];
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        hub_forget();
        for (size_t i = 0; i < N; i++)
                files[i] = (HubFile){ hub_text(B "/f%02zu", i), hub_text("bytes %zu", i), i % 2 == 0 };
        hub_have(REPO, COMMIT, files, N);
        hub_list(REPO, COMMIT, B, files, N, 0);
        fetched = fetch_all(order_files(cache), NULL);
        assert_fetched(&fetched, "f00", "bytes 0");
        assert_fetched(&fetched, "f19", "bytes 19");
        ck_assert_uint_eq(hub_max_out(), 8);
        ck_assert_uint_eq(hub_refills(), N - 8); /* none waits for the slowest of eight */
        ck_assert_uint_eq(hub_log_count("/resolve/"), N);
        ck_assert_int_eq(fetched.progress.files_total.value, N);
}
END_TEST

START_TEST(test_same_bytes_twice)
{
        static const HubFile files[] = {
                { B "/a.so", A_BYTES, true }, { B "/b.so", A_BYTES, true }, { B "/e1", "", false }, { B "/e2", "", false },
        };
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(files, ARRAY_SIZE(files));
        fetched = fetch_all(order_files(cache), NULL);
        assert_fetched(&fetched, "a.so", A_BYTES);
        assert_fetched(&fetched, "b.so", A_BYTES);
        assert_fetched(&fetched, "e2", "");
        ck_assert_log(ALL, FILE_A);
        ck_assert_int_eq(fetched.progress.files_total.value, 2);
        ck_assert_int_eq(fetched.result->n_bytes, (int64_t)strlen(A_BYTES));
}
END_TEST

START_TEST(test_bytecode)
{
        static const HubFile files[] = {
                { B "/__pycache__/a.cpython-311.pyc", "pyc", false }, { B "/__pycache__/x", "x", false },
                { B "/a.pyc", "pyc", false }, { B "/a.so", A_BYTES, true },
        };
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(files, ARRAY_SIZE(files));
        fetched = fetch_all(order_files(cache), NULL);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_log(ALL, FILE_A);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" B "/a.pyc"), F_OK), 0);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" B "/__pycache__"), F_OK), 0);
}
END_TEST

/* --- on disk already --- */

START_TEST(test_there)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(one, 1);
        help_write(help_at(HELP_FOLDER "/blobs/%s", help_etag(A_BYTES, strlen(A_BYTES), true)), A_BYTES, strlen(A_BYTES));
        fetched = fetch_all(order_files(cache), NULL);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_log(ALL);
        ck_assert_int_eq(fetched.result->n_bytes, 0);
}
END_TEST

START_TEST(test_there_but_wrong)
{
        static const char *const wrong[] = { "ONE, two and three, in all thirty-two bytes", "short" };

        for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
                CLEANUP(cache_closep) Cache *cache = help_open(true);
                CLEANUP_FETCHED Fetched fetched = { 0 };

                have(one, 1);
                help_write(help_at(HELP_FOLDER "/blobs/%s", help_etag(A_BYTES, strlen(A_BYTES), true)), wrong[i],
                           strlen(wrong[i]));
                fetched = fetch_all(order_files(cache), NULL);
                assert_fetched(&fetched, "a.so", A_BYTES);
                ck_assert_log(ALL, FILE_A);
                cache = cache_close(cache);
                help_clear();
        }
}
END_TEST

/* --- another has it --- */

static int lock_fd = -1;

static void lock_blob(void)
{
        const char *path = help_at(".locks/" HELP_FOLDER "/%s.lock", help_etag(A_BYTES, strlen(A_BYTES), true));

        help_write(path, "", 0);
        lock_fd = open(path, O_RDWR | O_CLOEXEC);
        ck_assert_int_eq(flock(lock_fd, LOCK_EX | LOCK_NB), 0);
}

static unsigned n_waits;

static void unlock_later(void)
{
        if (n_waits++ < 3)
                return;
        if (lock_fd >= 0)
                ck_assert_int_eq(close(lock_fd), 0);
        lock_fd = -1;
}

START_TEST(test_busy)
{
        static const HubFile files[] = { { B "/a.so", A_BYTES, true }, { B "/b.so", "b", true } };
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(files, 2);
        lock_blob();
        fetched = fetch_all(order_files(cache), unlock_later);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_uint_eq(fetched.n_pauses, 4);
        ck_assert_log(ALL, FILES B "/b.so", FILE_A); /* the others do not wait */
}
END_TEST

/* What the other wrote meanwhile is not fetched. */
static void finish_as_other(void)
{
        help_write(help_at(HELP_FOLDER "/blobs/%s", help_etag(A_BYTES, strlen(A_BYTES), true)), A_BYTES, strlen(A_BYTES));
        ck_assert_int_eq(close(lock_fd), 0);
}

START_TEST(test_busy_then_there)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(one, 1);
        lock_blob();
        fetched = fetch_all(order_files(cache), finish_as_other);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_uint_eq(fetched.n_pauses, 1);
        ck_assert_log(ALL);
}
END_TEST

/* Wrong bytes that somebody has the lock of: a pause, and no hashing without end. */
START_TEST(test_busy_and_wrong)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(one, 1);
        lock_blob();
        help_write(help_at(HELP_FOLDER "/blobs/%s", help_etag(A_BYTES, strlen(A_BYTES), true)),
                   "ONE, two and three, in all thirty-two bytes", strlen(A_BYTES));
        fetched = fetch_all(order_files(cache), unlock_later);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_uint_eq(fetched.n_pauses, 4);
        ck_assert_log(ALL, FILE_A);
}
END_TEST

/* Two fetches of the same files, each with half of them: neither waits for ever. */
START_TEST(test_two_fetches)
{
        enum { N = 20 };
        HubFile files[N];
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP(fetch_freep) Fetch *a = NULL, *b = NULL;
        int r_a = STEP_MORE, r_b = STEP_MORE;
        Fault fault;

        hub_forget();
        for (size_t i = 0; i < N; i++)
                files[i] = (HubFile){ hub_text(B "/f%02zu", i), hub_text("bytes %zu", i), false };
        hub_have(REPO, COMMIT, files, N);
        hub_list(REPO, COMMIT, B, files, N, 0);
        ck_assert_int_eq(fetch_new(order_files(cache), &a), 0);
        ck_assert_int_eq(fetch_new(order_files(cache), &b), 0);
        for (int i = 0; i < 100 && (r_a != STEP_DONE || r_b != STEP_DONE); i++) {
                r_a = r_a == STEP_DONE ? r_a : fetch_turn(a, &fault);
                r_b = r_b == STEP_DONE ? r_b : fetch_turn(b, &fault);
        }
        ck_assert_int_eq(r_a, STEP_DONE);
        ck_assert_int_eq(r_b, STEP_DONE);
        help_assert_links();
}
END_TEST

/* --- calls that fail --- */

START_TEST(test_cut)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(one, 1);
        hub_say((HubAnswer){ .path = FILE_A, .body = A_BYTES, .n_sent = 5, .once = true });
        hub_say((HubAnswer){ .path = FILE_A, .body = A_BYTES, .n_sent = 10, .once = true });
        fetched = fetch_all(order_files(cache), NULL);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_log(ALL, FILE_A, FILE_A " from=10 delay=1000", FILE_A " from=15 delay=1000");
}
END_TEST

START_TEST(test_cut_without_ranges)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(one, 1);
        hub_say((HubAnswer){ .path = FILE_A, .body = A_BYTES, .no_ranges = true });
        hub_say((HubAnswer){ .path = FILE_A, .body = A_BYTES, .n_sent = 10, .once = true });
        fetched = fetch_all(order_files(cache), NULL);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_log(ALL, FILE_A, FILE_A " from=10 delay=1000");
}
END_TEST

START_TEST(test_cut_for_ever)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(one, 1);
        hub_say((HubAnswer){ .path = FILE_A, .trouble = HUB_BROKEN });
        fetched = fetch_all(order_files(cache), NULL);
        assert_failed(&fetched, FAULT_HUB, "a.so");
        ck_assert_log(ALL, FILE_A, FILE_A " delay=1000", FILE_A " delay=2000", FILE_A " delay=4000", FILE_A " delay=8000",
                      FILE_A " delay=8000");
}
END_TEST

START_TEST(test_expired_link)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 }, refused = { 0 };

        have(one, 1);
        hub_say((HubAnswer){ .path = FILE_A, .status = 403 });
        refused = fetch_all(order_files(cache), NULL);
        assert_failed(&refused, FAULT_HUB, "403");
        ck_assert_uint_eq(hub_log_count("a.so"), 3);
        have(one, 1);
        hub_say((HubAnswer){ .path = FILE_A, .status = 403, .once = true });
        fetched = fetch_all(order_files(cache), NULL);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_log(ALL, FILE_A, FILE_A " delay=1000");
}
END_TEST

START_TEST(test_server_error)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(one, 1);
        hub_say((HubAnswer){ .path = FILE_A, .status = 500 });
        fetched = fetch_all(order_files(cache), NULL);
        assert_failed(&fetched, FAULT_HUB, "a.so");
        ck_assert_log(ALL, FILE_A);
}
END_TEST

START_TEST(test_slow_down)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have(one, 1);
        hub_say((HubAnswer){ .path = FILE_A, .status = 429, .rate_limit = "\"resolvers\";r=0;t=5",
                             .retry_after = "9", .once = true });
        hub_say((HubAnswer){ .path = FILE_A, .status = 429, .retry_after = "2", .once = true });
        fetched = fetch_all(order_files(cache), NULL);
        assert_fetched(&fetched, "a.so", A_BYTES);
        ck_assert_log(ALL, FILE_A, FILE_A " delay=3000", FILE_A " delay=6000");
}
END_TEST

/* --- wrong bytes --- */

START_TEST(test_wrong_bytes)
{
        static const struct {
                const char *body, *part;
        } cases[] = {
                { A_BYTES " and more", "more than the 43 bytes" },
                { "short", "expected 43 bytes, got 5" },
                { "ONE, two and three, in all thirty-two bytes", "expected bytes with the hash" },
        };
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_FETCHED Fetched fetched = { 0 };

                have(one, 1);
                hub_say((HubAnswer){ .path = FILE_A, .body = cases[i].body });
                fetched = fetch_all(order_files(cache), NULL);
                assert_failed(&fetched, FAULT_CORRUPT, cases[i].part);
                ck_assert_log(ALL, FILE_A); /* not tried again: it would be the same */
                /* they came, and whoever asked for them has them on his account */
                ck_assert_int_eq(fetched.result->n_bytes, strlen(cases[i].body));
        }
}
END_TEST

/* --- how much --- */

START_TEST(test_max_bytes)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched enough = { 0 }, less = { 0 };
        FetchOrder *order = order_files(cache);

        have(one, 1);
        order->max_bytes = (int64_t)strlen(A_BYTES) - 1;
        less = fetch_all(order, NULL);
        assert_failed(&less, FAULT_LIMIT, "43 bytes");
        ck_assert_log(ALL);
        order = order_files(cache);
        order->max_bytes = (int64_t)strlen(A_BYTES);
        enough = fetch_all(order, NULL);
        assert_fetched(&enough, "a.so", A_BYTES);
}
END_TEST

#define HUGE_FILE(path, digit) "[{\"type\": \"file\", \"path\": \"" path "\", \"size\": 9223372036854775807, " \
                               "\"oid\": \"" digit "123456789012345678901234567890123456789\"}]"

/* Sizes that no number holds together are no way round the limit. */
START_TEST(test_sum_of_sizes)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache);

        hub_forget();
        hub_say((HubAnswer){ .path = ALL, .body = HUGE_FILE(B "/a", "0") });
        hub_say((HubAnswer){ .path = ALL_126, .body = HUGE_FILE("build/" CUDA_126 "/a", "1") });
        known_unref(order->known);
        order_known(order, true, (KnownVariant[]){ { .name = TEXT(CPU_27) }, { .name = TEXT(CUDA_126) } }, 2);
        order_cuda(order, 90);
        order->max_bytes = INT64_C(1) << 36;
        fetched = fetch_all(order, NULL);
        assert_failed(&fetched, FAULT_LIMIT, "may be fetched");
        ck_assert_uint_eq(hub_log_count("/resolve/"), 0);
}
END_TEST

FIXTURE_MAIN("kernels/fetch_files", test_eight_at_once, test_same_bytes_twice, test_bytecode, test_there,
             test_there_but_wrong, test_busy, test_busy_then_there, test_busy_and_wrong, test_two_fetches, test_cut,
             test_cut_without_ranges, test_cut_for_ever, test_expired_link, test_server_error, test_slow_down,
             test_wrong_bytes, test_max_bytes, test_sum_of_sizes)
