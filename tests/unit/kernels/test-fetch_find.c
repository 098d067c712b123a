#include "tests/unit/kernels/fetch_help.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OTHER_API "/api/kernels/" OTHER_REPO
#define STATUS "kernel-status.toml"
#define VARIANT "build/" CPU_27
#define LISTING_OF(entries) "[" entries "]"
#define FILE_ENTRY(path) "{\"type\": \"file\", \"path\": \"" path "\", \"size\": 1, \"oid\": \"" OTHER_COMMIT "\"}"
#define FOLDER_ENTRY(path) "{\"type\": \"directory\", \"path\": \"" path "\", \"oid\": \"" OTHER_COMMIT "\"}"

static const HubFile plain[] = { { VARIANT "/a.py", "a = 1", false } };

static void have_plain(const char *branches, const char *tags)
{
        hub_forget();
        hub_have_refs(REPO, branches, tags);
        hub_have(REPO, COMMIT, plain, 1);
        hub_have(REPO, OTHER_COMMIT, plain, 1);
        hub_have_publisher("kernels-test", true);
}

static FetchOrder *order_files(Cache *cache, const char *revision)
{
        FetchOrder *order = order_for(cache, FETCH_FILES, revision);

        order_cpu(order);
        return order;
}

static const char *ref_of(const char *folder, const char *name)
{
        const char *commit = help_content(help_at("%s/refs/%s", folder, name));

        return commit ? commit : "none";
}

/* --- the commit --- */

START_TEST(test_revisions)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        static const struct {
                const char *revision;
                const char *commit;
        } cases[] = { { "main", COMMIT }, { "v2", OTHER_COMMIT }, { "t1", OTHER_COMMIT }, { "both", COMMIT } };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_FETCHED Fetched fetched = { 0 };

                have_plain("main=" COMMIT " both=" COMMIT " v2=" OTHER_COMMIT, "t1=" OTHER_COMMIT " both=" OTHER_COMMIT);
                fetched = fetch_all(order_files(cache, cases[i].revision), NULL);
                ck_assert_msg(fetched.r == 0, "%s: %s", cases[i].revision, fetched.fault.message);
                ck_assert(text_equal(fetched.result->commit, text_of(cases[i].commit)));
                ck_assert_str_eq(ref_of(HELP_FOLDER, cases[i].revision), cases[i].commit);
        }
}
END_TEST

START_TEST(test_version)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache, "v2");

        have_plain("main=" COMMIT " v2=" OTHER_COMMIT, "");
        order_version(order, "v2");
        fetched = fetch_all(order, NULL);
        ck_assert_int_eq(fetched.r, 0);
        ck_assert(text_equal(fetched.result->commit, TEXT(OTHER_COMMIT)));
        ck_assert_str_eq(ref_of(HELP_FOLDER, "v2"), OTHER_COMMIT);
}
END_TEST

START_TEST(test_commit)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 }, unknown = { 0 };
        FetchOrder *order = order_files(cache, COMMIT);

        have_plain("main=" OTHER_COMMIT, "");
        order->fixed = true;
        fetched = fetch_all(order, NULL);
        ck_assert_int_eq(fetched.r, 0);
        ck_assert_log(TREE LISTED, OVERVIEW, BUILD, TREE "/build%2F" CPU_27 LISTED_ALL, FILES VARIANT "/a.py");
        ck_assert(!fetched.result->asked);
        ck_assert_int_ne(access(help_at(HELP_FOLDER "/refs"), F_OK), 0);
        hub_say((HubAnswer){ .path = TREE LISTED, .status = 404, .code = "RevisionNotFound" });
        order = order_files(cache, COMMIT);
        order->fixed = true;
        unknown = fetch_all(order, NULL);
        ck_assert_int_eq(unknown.fault.name, FAULT_NO_REVISION);
        ck_assert_ptr_nonnull(strstr(unknown.fault.message, COMMIT));
        ck_assert_ptr_nonnull(strstr(unknown.fault.message, REPO));
}
END_TEST

/* Neither branch nor tag, but known to the Hub. */
START_TEST(test_other_revisions)
{
        static const char *const names[] = { "refs/pr/7", "cc926a0" };
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
                CLEANUP_FETCHED Fetched fetched = { 0 };

                have_plain("main=" OTHER_COMMIT, "");
                hub_say((HubAnswer){ .path = API "/revision/refs%2Fpr%2F7", .body = "{\"sha\": \"" COMMIT "\"}" });
                hub_say((HubAnswer){ .path = API "/revision/cc926a0", .body = "{\"sha\": \"" COMMIT "\"}" });
                fetched = fetch_all(order_for(cache, FETCH_LISTING, names[i]), NULL);
                ck_assert_int_eq(fetched.r, 0);
                ck_assert(text_equal(fetched.result->commit, TEXT(COMMIT)));
                ck_assert(fetched.result->asked);
                ck_assert_uint_eq(hub_log_count("/revision/"), 1);
        }
}
END_TEST

/* --- what is not there --- */

static void assert_refused(Fetched fetched, FaultName name, const char *const *parts, size_t n)
{
        CLEANUP_FETCHED Fetched own = fetched;

        ck_assert_int_eq(own.r, STEP_FAULT);
        ck_assert_msg(own.fault.name == name, "%s", own.fault.message);
        for (size_t i = 0; i < n; i++)
                ck_assert_msg(strstr(own.fault.message, parts[i]), "no \"%s\": %s", parts[i], own.fault.message);
}
#define ck_assert_refused(fetched, name, ...)                                                          \
        do {                                                                                           \
                static const char *const parts_[] = { __VA_ARGS__ };                                   \
                assert_refused(fetched, name, parts_, ARRAY_SIZE(parts_));                             \
        } while (0)

START_TEST(test_unknown)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        FetchOrder *order = order_files(cache, "v9");

        have_plain("main=" COMMIT " v1=" COMMIT " v12=" COMMIT " v01=" COMMIT, "t1=" COMMIT);
        order_version(order, "v9");
        ck_assert_refused(fetch_all(order, NULL), FAULT_NO_REVISION, REPO " has no version 9; its versions: 1, 12");
        ck_assert_refused(fetch_all(order_files(cache, "dev"), NULL), FAULT_NO_REVISION, REPO, "commit dev;",
                          "main, v1, v12, v01");
        ck_assert_log(API "/refs", API "/refs");
        hub_say((HubAnswer){ .path = API "/revision/abcdef0", .status = 404, .code = "RevisionNotFound" });
        ck_assert_refused(fetch_all(order_files(cache, "abcdef0"), NULL), FAULT_NO_REVISION, REPO, "abcdef0", "main, v1");
        ck_assert_refused(fetch_all(order_files(cache, "abcdef"), NULL), FAULT_NO_REVISION, "abcdef;"); /* too short for one */
        hub_have_refs(REPO, "main=" COMMIT, "");
        order = order_files(cache, "v9");
        order_version(order, "v9");
        ck_assert_refused(fetch_all(order, NULL), FAULT_NO_REVISION, "versions: none");
        hub_have_refs(REPO, "", "");
        ck_assert_refused(fetch_all(order_files(cache, "dev"), NULL), FAULT_NO_REVISION, "branches: none");
        hub_forget();
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_NO_REPOSITORY, REPO, "trust.private");
        ck_assert_int_ne(access(help_at(HELP_FOLDER), F_OK), 0);
}
END_TEST

/* --- asked again --- */

static FetchOrder *order_again(Cache *cache, const char *last_commit, const char *last_repo)
{
        FetchOrder *order = order_for(cache, FETCH_LISTING, "main");
        KnownVariant known[] = { { .name = TEXT(CPU_27), .complete = true } };

        order->last_commit = text_of(last_commit);
        order->last_final_repo = text_of(last_repo);
        order_known(order, true, known, 1);
        order_publisher(order, "kernels-test", true);
        return order;
}

START_TEST(test_last_commit)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched same = { 0 }, moved = { 0 }, redirected = { 0 };

        have_plain("main=" COMMIT, "");
        same = fetch_all(order_again(cache, COMMIT, REPO), NULL);
        ck_assert_int_eq(same.r, 0);
        ck_assert_log(API "/refs");
        ck_assert(same.result->asked && text_equal(same.result->final_commit, TEXT(COMMIT)));
        ck_assert(text_equal(same.result->final_repo, TEXT(REPO)));
        have_plain("main=" OTHER_COMMIT, "");
        moved = fetch_all(order_again(cache, COMMIT, REPO), NULL);
        ck_assert_int_eq(moved.r, 0);
        ck_assert_log(API "/refs", API "/tree/" OTHER_COMMIT LISTED, API "/tree/" OTHER_COMMIT "/build" LISTED);
        ck_assert(text_equal(moved.result->final_commit, TEXT(OTHER_COMMIT)));
        ck_assert(text_equal(moved.result->known->commit, TEXT(OTHER_COMMIT)));
        ck_assert(!moved.result->known->all->variants[0].complete);
        have_plain("main=" COMMIT, "");
        redirected = fetch_all(order_again(cache, COMMIT, OTHER_REPO), NULL);
        ck_assert_log(API "/refs", TREE LISTED);
}
END_TEST

/* --- redirects --- */

/* REPO at COMMIT says that it is OTHER_REPO now; that has main and v1 at OTHER_COMMIT, stable at COMMIT. */
static void have_moved(const char *status)
{
        HubFile file = { STATUS, status, false };

        hub_forget();
        hub_have_refs(REPO, "main=" COMMIT " v1=" COMMIT, "");
        hub_have(REPO, COMMIT, &file, 1);
        hub_have_refs(OTHER_REPO, "main=" OTHER_COMMIT " v1=" OTHER_COMMIT " stable=" COMMIT, "");
        hub_have(OTHER_REPO, OTHER_COMMIT, plain, 1);
        hub_have(OTHER_REPO, COMMIT, plain, 1);
        hub_have_publisher("kernels-test", true);
        hub_have_publisher("new-org", true);
}

#define MOVED "kind = \"redirect\"\ndestination = \"" OTHER_REPO "\"\n"
#define OTHER_TREE OTHER_API "/tree/" OTHER_COMMIT

static void assert_moved(const Fetched *fetched, const char *final_commit)
{
        ck_assert_msg(fetched->r == 0, "%d %s", fetched->r, fetched->fault.message);
        ck_assert(text_equal(fetched->result->commit, TEXT(COMMIT)));
        ck_assert(text_equal(fetched->result->final_repo, TEXT(OTHER_REPO)));
        ck_assert(text_equal(fetched->result->final_commit, text_of(final_commit)));
        ck_assert(text_equal(fetched->result->known->repo, TEXT(OTHER_REPO)));
        ck_assert_str_eq(help_content(help_at(OTHER_FOLDER "/snapshots/%s/" VARIANT "/a.py", final_commit)), "a = 1");
        help_assert_links();
        help_assert_placed();
}

START_TEST(test_redirected_version)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        FetchOrder *order = order_files(cache, "v1");

        have_moved(MOVED "revision = \"stable\"\n");
        order_version(order, "v1");
        fetched = fetch_all(order, NULL);
        assert_moved(&fetched, OTHER_COMMIT);
        ck_assert_log(API "/refs", TREE LISTED, FILES STATUS, OVERVIEW, "/api/organizations/new-org/overview",
                      OTHER_API "/refs", OTHER_TREE "/build" LISTED, OTHER_TREE "/build%2F" CPU_27 LISTED_ALL,
                      "/kernels/" OTHER_REPO "/resolve/" OTHER_COMMIT "/" VARIANT "/a.py");
        ck_assert_uint_eq(fetched.result->n_publishers, 2);
        ck_assert_uint_eq(fetched.result->n_refs, 2); /* of the one that was asked for */
        ck_assert_str_eq(ref_of(HELP_FOLDER, "v1"), COMMIT);
        ck_assert_str_eq(ref_of(OTHER_FOLDER, "v1"), OTHER_COMMIT);
        ck_assert_str_eq(ref_of(OTHER_FOLDER, "stable"), "none");
        ck_assert_str_eq(help_content(help_at(HELP_FOLDER "/snapshots/" COMMIT "/" STATUS)), MOVED "revision = \"stable\"\n");
        ck_assert_int_eq(fetched.progress.files_total.value, 1);
        ck_assert_int_eq(fetched.progress.bytes_total.value, 5);
}
END_TEST

START_TEST(test_redirected_branch)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched named = { 0 }, plainly = { 0 }, fixed = { 0 };

        have_moved(MOVED "revision = \"stable\"\n");
        named = fetch_all(order_files(cache, "main"), NULL);
        assert_moved(&named, COMMIT);
        ck_assert_str_eq(ref_of(HELP_FOLDER, "main"), COMMIT);
        ck_assert_str_eq(ref_of(OTHER_FOLDER, "stable"), COMMIT);
        ck_assert_str_eq(ref_of(OTHER_FOLDER, "main"), "none");
        have_moved(MOVED);
        plainly = fetch_all(order_files(cache, "main"), NULL);
        assert_moved(&plainly, OTHER_COMMIT);
        ck_assert_str_eq(ref_of(OTHER_FOLDER, "main"), OTHER_COMMIT);
        have_moved(MOVED "revision = \"" OTHER_COMMIT "\"\n");
        fixed = fetch_all(order_files(cache, "main"), NULL);
        assert_moved(&fixed, OTHER_COMMIT);
        ck_assert_uint_eq(hub_log_count(OTHER_API "/refs"), 0);
        ck_assert_str_eq(ref_of(OTHER_FOLDER, OTHER_COMMIT), "none");
}
END_TEST

/* Where it leads is known: what its own branches are is not. */
START_TEST(test_known_redirect)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 }, versioned = { 0 };
        FetchOrder *order = order_files(cache, "main");

        have_moved(MOVED "revision = \"stable\"\n");
        order->commit = TEXT(COMMIT);
        order->final_repo = TEXT(OTHER_REPO);
        order->final_commit = TEXT(COMMIT);
        fetched = fetch_all(order, NULL);
        assert_moved(&fetched, COMMIT);
        ck_assert_log(OVERVIEW, "/api/organizations/new-org/overview", OTHER_API "/tree/" COMMIT "/build" LISTED,
                      OTHER_API "/tree/" COMMIT "/build%2F" CPU_27 LISTED_ALL,
                      "/kernels/" OTHER_REPO "/resolve/" COMMIT "/" VARIANT "/a.py");
        ck_assert_str_eq(ref_of(HELP_FOLDER, "main"), COMMIT);
        ck_assert_str_eq(ref_of(OTHER_FOLDER, "main"), "none");
        order = order_files(cache, "v1");
        order_version(order, "v1");
        order->commit = TEXT(COMMIT);
        order->final_repo = TEXT(OTHER_REPO);
        order->final_commit = TEXT(OTHER_COMMIT);
        versioned = fetch_all(order, NULL);
        assert_moved(&versioned, OTHER_COMMIT);
        ck_assert_str_eq(ref_of(OTHER_FOLDER, "v1"), OTHER_COMMIT);
}
END_TEST

/* The destination has the same bytes as the file that leads there, under a name of its own. */
START_TEST(test_redirect_shares_bytes)
{
        static const HubFile files[] = { { VARIANT "/a.py", "a = 1", false }, { VARIANT "/copy.toml", MOVED, false } };
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have_moved(MOVED);
        hub_have(OTHER_REPO, OTHER_COMMIT, files, 2);
        fetched = fetch_all(order_files(cache, "main"), NULL);
        assert_moved(&fetched, OTHER_COMMIT);
        ck_assert_str_eq(help_content(help_at(OTHER_FOLDER "/snapshots/" OTHER_COMMIT "/" VARIANT "/copy.toml")), MOVED);
}
END_TEST

/* Nothing of the redirect may be learned, or it would be believed that there is none. */
static void assert_nothing_final(const Fetched *fetched)
{
        ck_assert_int_eq(fetched->r, STEP_FAULT);
        ck_assert(fetched->result->asked && text_equal(fetched->result->commit, TEXT(COMMIT)));
        ck_assert(!fetched->result->final_repo.data && !fetched->result->final_commit.data);
        ck_assert_uint_eq(hub_log_count(OTHER_REPO), 0);
        help_assert_placed();
}

START_TEST(test_redirect_refused)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        static const char *const broken[] = {
                "kind = \"redirect\"\ndestination = \"" REPO "\"\n", /* to itself */
                "kind = \"redirect\"\ndestination = \"../x\"\n", "nonsense",
        };
        static char large[65 * 1024];

        memset(large, '#', sizeof(large) - 1);
        for (size_t i = 0; i < ARRAY_SIZE(broken) + 1; i++) {
                CLEANUP_FETCHED Fetched fetched = { 0 };

                have_moved(i < ARRAY_SIZE(broken) ? broken[i] : large);
                fetched = fetch_all(order_files(cache, "main"), NULL);
                ck_assert_int_eq(fetched.fault.name, FAULT_CORRUPT);
                ck_assert_ptr_nonnull(strstr(fetched.fault.message, "kernel-status.toml"));
                assert_nothing_final(&fetched);
        }
}
END_TEST

START_TEST(test_redirect_cannot_be_read)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched failed = { 0 }, listing = { 0 };

        have_moved(MOVED);
        hub_say((HubAnswer){ .path = FILES STATUS, .status = 500 });
        failed = fetch_all(order_files(cache, "main"), NULL);
        ck_assert_int_eq(failed.fault.name, FAULT_HUB);
        assert_nothing_final(&failed);
        have_moved(MOVED);
        hub_say((HubAnswer){ .path = TREE LISTED, .body = LISTING_OF(FILE_ENTRY("a") ", " FILE_ENTRY("A")) });
        listing = fetch_all(order_files(cache, "main"), NULL);
        ck_assert_int_eq(listing.fault.name, FAULT_CORRUPT);
        assert_nothing_final(&listing);
}
END_TEST

START_TEST(test_redirect_denied)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched denied = { 0 };
        FetchOrder *order = order_files(cache, "main");

        have_moved(MOVED);
        order_policy(order, NULL, "new-org", NULL);
        denied = fetch_all(order, NULL);
        ck_assert_int_eq(denied.fault.name, FAULT_DENIED_BY_POLICY);
        ck_assert_uint_eq(hub_log_count("new-org"), 0);
        assert_nothing_final(&denied);
}
END_TEST

START_TEST(test_redirect_trust)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched untrusted = { 0 }, allowed = { 0 };
        FetchOrder *order;

        have_moved(MOVED);
        hub_have_publisher("new-org", false);
        untrusted = fetch_all(order_files(cache, "main"), NULL);
        ck_assert_int_eq(untrusted.fault.name, FAULT_UNTRUSTED);
        ck_assert_ptr_nonnull(strstr(untrusted.fault.message, OTHER_REPO));
        assert_nothing_final(&untrusted);
        ck_assert_uint_eq(untrusted.result->n_publishers, 2);
        have_moved(MOVED);
        order = order_files(cache, "main");
        order_policy(order, "kernels-test", NULL, NULL);
        allowed = fetch_all(order, NULL);
        assert_moved(&allowed, OTHER_COMMIT);
        ck_assert_uint_eq(hub_log_count("/overview"), 1); /* nobody asks about whom the host allows */
        ck_assert_uint_eq(hub_log_count("new-org/overview"), 1);
}
END_TEST

/* One hop is followed. */
START_TEST(test_second_hop)
{
        static const HubFile files[] = {
                { VARIANT "/a.py", "a = 1", false },
                { STATUS, "kind = \"redirect\"\ndestination = \"third/third\"\n", false },
        };
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };

        have_moved(MOVED);
        hub_have(OTHER_REPO, OTHER_COMMIT, files, 2);
        fetched = fetch_all(order_files(cache, "main"), NULL);
        assert_moved(&fetched, OTHER_COMMIT);
        ck_assert_uint_eq(hub_log_count("third"), 0);
        ck_assert_uint_eq(hub_log_count(STATUS), 1);
}
END_TEST

START_TEST(test_redirect_to_nowhere)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        FetchOrder *order = order_files(cache, "v1");

        have_moved(MOVED);
        hub_say((HubAnswer){ .path = OTHER_API "/refs", .status = 404, .code = "RepoNotFound" });
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_NO_REPOSITORY, OTHER_REPO);
        hub_have_refs(OTHER_REPO, "main=" COMMIT " v3=" COMMIT, "");
        order_version(order, "v1");
        ck_assert_refused(fetch_all(order, NULL), FAULT_NO_REVISION, OTHER_REPO " has no version 1; its versions: 3");
        have_moved(MOVED "revision = \"" OTHER_COMMIT "\"\n");
        hub_say((HubAnswer){ .path = OTHER_TREE "/build" LISTED, .status = 404, .code = "RevisionNotFound" });
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_NO_REVISION,
                          OTHER_REPO " has no commit " OTHER_COMMIT);
}
END_TEST

/* --- trust --- */

START_TEST(test_policy)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched allowed = { 0 }, said = { 0 }, looked = { 0 };
        FetchOrder *order = order_files(cache, "main");

        have_plain("main=" COMMIT, "");
        order_policy(order, NULL, REPO, NULL);
        ck_assert_refused(fetch_all(order, NULL), FAULT_DENIED_BY_POLICY, "\"deny\"");
        ck_assert_uint_eq(hub_log_count("/overview") + hub_log_count("/build"), 0);
        hub_have_publisher("kernels-test", false);
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_UNTRUSTED, "kernels-test", "\"allow\"");
        ck_assert_uint_eq(hub_log_count("/build"), 0);
        hub_log_clear();
        order = order_files(cache, "main");
        order->trust_remote_code = true;
        said = fetch_all(order, NULL);
        ck_assert_int_eq(said.r, 0);
        ck_assert_uint_eq(hub_log_count("/overview"), 0);
        order = order_files(cache, "main");
        order_policy(order, REPO, NULL, NULL);
        allowed = fetch_all(order, NULL);
        ck_assert_int_eq(allowed.r, 0);
        ck_assert_uint_eq(hub_log_count("/overview"), 0);
        looked = fetch_all(order_for(cache, FETCH_LISTING, "main"), NULL); /* who only looks is not refused */
        ck_assert_int_eq(looked.r, 0);
        ck_assert_uint_eq(looked.result->known->all->n_variants, 1);
        order = order_for(cache, FETCH_LISTING, "main");
        order_policy(order, NULL, "kernels-test", NULL);
        ck_assert_refused(fetch_all(order, NULL), FAULT_DENIED_BY_POLICY, "\"deny\"");
}
END_TEST

START_TEST(test_overview)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched person = { 0 }, again = { 0 };

        have_plain("main=" COMMIT, "");
        hub_say((HubAnswer){ .path = OVERVIEW, .status = 404 });
        person = fetch_all(order_files(cache, "main"), NULL);
        ck_assert_int_eq(person.fault.name, FAULT_UNTRUSTED);
        ck_assert_uint_eq(person.result->n_publishers, 1);
        ck_assert(!person.result->publishers[0].trusted);
        hub_say((HubAnswer){ .path = OVERVIEW, .trouble = HUB_UNREACHABLE });
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_HUB, "kernels-test: ");
        hub_say((HubAnswer){ .path = OVERVIEW, .body = "<html>" });
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_HUB, "no JSON");
        hub_have_publisher("kernels-test", true);
        hub_log_clear();
        hub_say((HubAnswer){ .path = OVERVIEW, .status = 503, .once = true });
        again = fetch_all(order_for(cache, FETCH_LISTING, "main"), NULL);
        ck_assert_int_eq(again.r, 0);
        ck_assert_log(API "/refs", TREE LISTED, OVERVIEW, OVERVIEW " delay=1000", BUILD);
}
END_TEST

/* --- the token --- */

START_TEST(test_token)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 }, other = { 0 };
        FetchOrder *order = order_files(cache, "main");

        have_plain("main=" COMMIT, "");
        order_policy(order, NULL, NULL, REPO);
        fetched = fetch_all(order, NULL);
        ck_assert_int_eq(fetched.r, 0);
        ck_assert_log(API "/refs token", TREE LISTED " token", OVERVIEW, BUILD " token",
                      TREE "/build%2F" CPU_27 LISTED_ALL " token", FILES VARIANT "/a.py token");
        ck_assert(fetched.result->with_token);
        have_moved(MOVED); /* only the one that is listed */
        order = order_files(cache, "main");
        order_policy(order, NULL, NULL, REPO);
        other = fetch_all(order, NULL);
        assert_moved(&other, OTHER_COMMIT);
        ck_assert_log(API "/refs token", TREE LISTED " token", FILES STATUS " token", OVERVIEW,
                      "/api/organizations/new-org/overview", OTHER_API "/refs", OTHER_TREE "/build" LISTED,
                      OTHER_TREE "/build%2F" CPU_27 LISTED_ALL,
                      "/kernels/" OTHER_REPO "/resolve/" OTHER_COMMIT "/" VARIANT "/a.py");
        ck_assert(!other.result->with_token); /* what was fetched is everybody's */
        order = order_files(cache, "main");
        order_policy(order, NULL, NULL, REPO);
        hub_say((HubAnswer){ .path = API "/refs", .status = 401 });
        ck_assert_refused(fetch_all(order, NULL), FAULT_AUTH, REPO);
}
END_TEST

/* --- listings --- */

START_TEST(test_build_listing)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched none = { 0 }, paged = { 0 };

        have_plain("main=" COMMIT, "");
        hub_say((HubAnswer){ .path = BUILD, .status = 404, .code = "EntryNotFound" });
        none = fetch_all(order_files(cache, "main"), NULL);
        ck_assert_int_eq(none.r, 0);
        ck_assert(fetched_has(&none, 0, NULL, FAULT_NO_VARIANT));
        ck_assert(none.result->known->listed && none.result->known->all->n_variants == 0);
        have_plain("main=" COMMIT, "");
        hub_say((HubAnswer){ .path = BUILD, .link = "<" HUB "/next>; rel=\"next\"",
                             .body = LISTING_OF(FOLDER_ENTRY("build/b") ", " FILE_ENTRY("build/README")) });
        hub_say((HubAnswer){ .path = "/next", .body = LISTING_OF(FOLDER_ENTRY("build/a") ", " FOLDER_ENTRY("build/.hidden")) });
        hub_say((HubAnswer){ .path = TREE LISTED, .link = "<" HUB "/root2>; rel=\"next\"", .body = LISTING_OF(FILE_ENTRY("x")) });
        hub_say((HubAnswer){ .path = "/root2", .body = LISTING_OF(FOLDER_ENTRY(STATUS)) });
        hub_log_clear();
        paged = fetch_all(order_for(cache, FETCH_LISTING, "main"), NULL);
        ck_assert_msg(paged.r == 0, "%s", paged.fault.message);
        ck_assert_log(API "/refs", TREE LISTED, "/root2", OVERVIEW, BUILD, "/next");
        ck_assert_uint_eq(paged.result->known->all->n_variants, 3);
        ck_assert(text_equal(paged.result->known->all->variants[1].folder, TEXT("a")));
        ck_assert(text_equal(paged.result->known->all->variants[2].folder, TEXT("b")));
}
END_TEST

START_TEST(test_bad_listings)
{
        static const struct {
                const char *body, *link, *part;
                FaultName name;
        } cases[] = {
                { LISTING_OF(FOLDER_ENTRY("build/../x")), NULL, "build/../x", FAULT_CORRUPT },
                { LISTING_OF(FOLDER_ENTRY("/build/x")), NULL, "/build/x", FAULT_CORRUPT },
                { LISTING_OF(FOLDER_ENTRY("x")), NULL, "\"x\"", FAULT_CORRUPT },
                { LISTING_OF(FOLDER_ENTRY("build/x") ", " FOLDER_ENTRY("build/X")), NULL, "build/X", FAULT_CORRUPT },
                { "{}", NULL, "array", FAULT_HUB },
                { "[", NULL, "no JSON", FAULT_HUB },
                { LISTING_OF(FOLDER_ENTRY("build/x")), "<http://evil/next>; rel=\"next\"", "http://evil/next", FAULT_HUB },
                { LISTING_OF(FOLDER_ENTRY("build/x")), "<" HUB "/next; rel=\"next\"", "Link", FAULT_HUB },
        };
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_FETCHED Fetched fetched = { 0 };

                have_plain("main=" COMMIT, "");
                hub_say((HubAnswer){ .path = BUILD, .body = cases[i].body, .link = cases[i].link });
                fetched = fetch_all(order_files(cache, "main"), NULL);
                ck_assert_int_eq(fetched.r, STEP_FAULT);
                ck_assert_msg(fetched.fault.name == cases[i].name, "%s", fetched.fault.message);
                ck_assert_msg(strstr(fetched.fault.message, cases[i].part), "%s: %s", cases[i].part, fetched.fault.message);
                ck_assert_ptr_null(fetched.result->known);
                ck_assert_uint_eq(hub_log_count("evil"), 0);
        }
}
END_TEST

START_TEST(test_too_many_variants)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);
        CLEANUP_FETCHED Fetched fetched = { 0 };
        char *body = alloc_bytes(200 * (LIMIT_VARIANTS + 1));
        size_t used = 0;

        have_plain("main=" COMMIT, "");
        for (int i = 0; i <= LIMIT_VARIANTS; i++)
                used += (size_t)sprintf(body + used, "%s{\"type\": \"directory\", \"path\": \"build/%d\"}", i ? ", " : "[", i);
        (void)sprintf(body + used, "]");
        hub_say((HubAnswer){ .path = BUILD, .body = body });
        fetched = fetch_all(order_for(cache, FETCH_LISTING, "main"), NULL);
        alloc_free(body);
        ck_assert_int_eq(fetched.fault.name, FAULT_TOO_LARGE);
        ck_assert_ptr_null(fetched.result->known);
}
END_TEST

START_TEST(test_refs_answers)
{
        CLEANUP(cache_closep) Cache *cache = help_open(true);

        have_plain("main=" COMMIT, "");
        hub_say((HubAnswer){ .path = API "/refs", .body = "{\"branches\": []}" });
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_HUB, "`tags`");
        hub_say((HubAnswer){ .path = API "/refs", .trouble = HUB_TIMED_OUT });
        hub_log_clear();
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_TIMEOUT, REPO);
        ck_assert_log(API "/refs");
        hub_say((HubAnswer){ .path = API "/refs", .status = 429, .retry_after = "400" });
        hub_log_clear();
        ck_assert_refused(fetch_all(order_files(cache, "main"), NULL), FAULT_RATE_LIMITED, REPO);
        ck_assert_log(API "/refs");
}
END_TEST

FIXTURE_MAIN("kernels/fetch_find", test_revisions, test_version, test_commit, test_other_revisions, test_unknown,
             test_last_commit, test_redirected_version, test_redirected_branch, test_known_redirect,
             test_redirect_shares_bytes, test_redirect_refused, test_redirect_cannot_be_read, test_redirect_denied,
             test_redirect_trust, test_second_hop, test_redirect_to_nowhere, test_policy, test_overview, test_token,
             test_build_listing, test_bad_listings, test_too_many_variants, test_refs_answers)
