#include "kernels/facts_find.h"

#include "tests/lib/fixture.h"

#define N_REPOS 5
#define N_COMMITS 7
#define N_ALL (N_REPOS * N_COMMITS)

static const char *const repos[N_REPOS] = { "o/n", "o/a", "p/n", "o/n-2", "a/n" };
static const char *const commits[N_COMMITS] = { "c6", "c1", "c", "c4", "c2", "c5", "c3" };

/* Of every commit a listing; of every other two corrupt ones and a complete one. */
static Facts *make(void)
{
        Facts *facts = NULL;

        ck_assert_int_eq(facts_new(&facts), 0);
        facts->listings = arena_zeroed(&facts->arena, N_ALL, sizeof(FactListing));
        facts->corrupts = arena_zeroed(&facts->arena, 2 * N_ALL, sizeof(FactCorrupt));
        facts->completes = arena_zeroed(&facts->arena, N_ALL, sizeof(FactComplete));
        ck_assert(facts->listings && facts->corrupts && facts->completes);
        for (size_t i = 0; i < N_ALL; i++) {
                Text repo = text_of(repos[i % N_REPOS]), commit = text_of(commits[i / N_REPOS]);

                facts->listings[facts->n_listings++] = (FactListing){ repo, commit, TEXT("v"), (int64_t)i };
                if (i % 2)
                        continue;
                facts->corrupts[i / 2] = (FactCorrupt){ repo, commit, TEXT("z"), TEXT("why") };
                facts->corrupts[N_ALL / 2 + 1 + i / 2] = (FactCorrupt){ repo, commit, TEXT("b"), TEXT("why not") };
                facts->completes[facts->n_completes++] = (FactComplete){ repo, commit, TEXT("v") };
        }
        facts->n_corrupts = 2 * facts->n_completes;
        facts_sort(facts);
        return facts;
}

static void check_corrupts(const Facts *facts, Text repo, Text commit, size_t wanted)
{
        size_t n = 9;
        const FactCorrupt *corrupts = facts_corrupts(facts, repo, commit, &n);

        ck_assert_uint_eq(n, wanted);
        for (size_t i = 0; i < n; i++) {
                ck_assert(text_equal(corrupts[i].repo, repo) && text_equal(corrupts[i].commit, commit));
                ck_assert(text_equal(corrupts[i].variant, i ? TEXT("z") : TEXT("b")));
        }
}

START_TEST(test_all_are_found)
{
        CLEANUP(facts_freep) Facts *facts = make();

        for (size_t i = 0; i < N_ALL; i++) {
                Text repo = text_of(repos[i % N_REPOS]), commit = text_of(commits[i / N_REPOS]);
                const FactListing *listing = facts_listing(facts, repo, commit);

                ck_assert_ptr_nonnull(listing);
                ck_assert_int_eq(listing->at_s, (int64_t)i);
                ck_assert_int_eq(facts_was_completed(facts, repo, commit, TEXT("v")), i % 2 == 0);
                ck_assert(!facts_was_completed(facts, repo, commit, TEXT("z")));
                check_corrupts(facts, repo, commit, i % 2 ? 0 : 2);
        }
}
END_TEST

START_TEST(test_others_are_not)
{
        CLEANUP(facts_freep) Facts *facts = make();

        ck_assert_ptr_null(facts_listing(facts, TEXT("o/n"), TEXT("c7")));
        ck_assert_ptr_null(facts_listing(facts, TEXT("o/m"), TEXT("c1")));
        check_corrupts(facts, TEXT("o/n"), TEXT(""), 0);
        check_corrupts(facts, TEXT("z/z"), TEXT("c1"), 0);
}
END_TEST

START_TEST(test_none)
{
        CLEANUP(facts_freep) Facts *facts = NULL;

        ck_assert_int_eq(facts_new(&facts), 0);
        facts_sort(facts);
        ck_assert_ptr_null(facts_listing(facts, TEXT("o/n"), TEXT("c1")));
        ck_assert(!facts_was_completed(facts, TEXT("o/n"), TEXT("c1"), TEXT("v")));
        check_corrupts(facts, TEXT("o/n"), TEXT("c1"), 0);
}
END_TEST

FIXTURE_MAIN("kernels/facts_find", test_all_are_found, test_others_are_not, test_none)
