#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "kernels/catalog.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define REPO TEXT("o/n")
#define NOW 1700000000

static Catalog *make(void)
{
        Catalog *catalog = NULL;

        ck_assert_int_eq(catalog_new(3, &catalog), 0);
        return catalog;
}

/* --- revisions --- */

START_TEST(test_revision)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        char name[] = "main";
        RevisionFacts facts = { .repo = REPO, .revision = text_of(name), .commit = TEXT(A), .at_s = NOW, .asked = true };
        const Revision *found;

        ck_assert_ptr_null(catalog_revision(catalog, REPO, TEXT("main")));
        ck_assert_int_eq(catalog_put_revision(catalog, &facts), 0);
        name[0] = 'x'; /* texts are copied */
        found = catalog_revision(catalog, REPO, TEXT("main"));
        ck_assert(text_equal(found->commit, TEXT(A)) && text_equal(found->final_commit, TEXT(A)));
        ck_assert(text_equal(found->final_repo, REPO) && !revision_is_redirected(found));
        ck_assert(text_equal(revision_repo(found), REPO) && text_equal(revision_name(found), TEXT("main")));
        ck_assert(found->at_s == NOW && found->asked && found->tried_s == 0);
        facts = (RevisionFacts){ .repo = REPO, .revision = TEXT("v1"), .commit = TEXT(A), .final_repo = TEXT("p/q"),
                                 .final_commit = TEXT(B) };
        ck_assert_int_eq(catalog_put_revision(catalog, &facts), 0);
        found = catalog_revision(catalog, REPO, TEXT("v1"));
        ck_assert(text_equal(found->final_repo, TEXT("p/q")) && text_equal(found->final_commit, TEXT(B)));
        ck_assert(revision_is_redirected(found) && !found->asked);
        ck_assert_ptr_null(catalog_revision(catalog, TEXT("p/q"), TEXT("v1")));
        ck_assert_ptr_nonnull(catalog_next_revision(catalog, catalog_next_revision(catalog, NULL)));
        ck_assert_ptr_null(catalog_next_revision(catalog, catalog_next_revision(catalog, catalog_next_revision(catalog, NULL))));
}
END_TEST

START_TEST(test_private)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        char name[] = "private/one";

        ck_assert(!catalog_is_private(catalog, REPO));
        ck_assert_int_eq(catalog_set_private(catalog, REPO, false), 0);
        for (int i = 0; i < 2; i++) /* said twice is the same */
                ck_assert_int_eq(catalog_set_private(catalog, text_of(name), true), 0);
        name[0] = 'x';
        ck_assert(catalog_is_private(catalog, TEXT("private/one")) && !catalog_is_private(catalog, REPO));
        ck_assert_int_eq(catalog_set_private(catalog, TEXT("private/one"), false), 0);
        ck_assert(!catalog_is_private(catalog, TEXT("private/one")));
}
END_TEST

/* Another one where resolve could answer something else. */
START_TEST(test_revision_generation)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        RevisionFacts facts = { .repo = REPO, .revision = TEXT("main"), .commit = TEXT(A), .at_s = NOW };
        uint64_t generation = catalog_generation(catalog);

        ck_assert_int_eq(catalog_put_revision(catalog, &facts), 0);
        ck_assert_uint_ne(catalog_generation(catalog), generation);
        generation = catalog_generation(catalog);
        catalog_revision(catalog, REPO, TEXT("main"))->tried_s = 77;
        facts.at_s = NOW + 1;
        ck_assert_int_eq(catalog_put_revision(catalog, &facts), 0);
        ck_assert_uint_eq(catalog_generation(catalog), generation); /* only younger */
        ck_assert_int_eq(catalog_revision(catalog, REPO, TEXT("main"))->at_s, NOW + 1);
        ck_assert_int_eq(catalog_revision(catalog, REPO, TEXT("main"))->tried_s, 77);
        for (int i = 0; i < 3; i++) {
                if (i == 0)
                        facts.commit = TEXT(B);
                else if (i == 1)
                        facts.final_repo = TEXT("p/q");
                else
                        facts.final_commit = TEXT(A);
                ck_assert_int_eq(catalog_put_revision(catalog, &facts), 0);
                ck_assert_uint_ne(catalog_generation(catalog), generation);
                generation = catalog_generation(catalog);
        }
}
END_TEST

/* Put in again from what is there itself. */
START_TEST(test_revision_of_itself)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        RevisionFacts facts = { .repo = REPO, .revision = TEXT("main"), .commit = TEXT(A) };
        const Revision *found;

        ck_assert_int_eq(catalog_put_revision(catalog, &facts), 0);
        found = catalog_revision(catalog, REPO, TEXT("main"));
        facts = (RevisionFacts){ .repo = revision_repo(found), .revision = revision_name(found), .commit = found->commit,
                                 .final_repo = found->final_repo, .final_commit = found->final_commit };
        ck_assert_int_eq(catalog_put_revision(catalog, &facts), 0);
        ck_assert(text_equal(catalog_revision(catalog, REPO, TEXT("main"))->commit, TEXT(A)));
}
END_TEST

/* --- commits --- */

static void put_known(Catalog *catalog, Text repo, const char *commit, bool listed, const char *variant, bool complete)
{
        KnownVariant variants[] = { { .name = text_of(variant), .complete = complete } };
        CLEANUP(known_unrefp) Known *known = NULL;

        ck_assert_int_eq(known_new(repo, text_of(commit), listed, variants, 1, &known), 0);
        ck_assert_int_eq(catalog_put_known(catalog, known), 0);
}

START_TEST(test_known)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        uint64_t generation;
        const Known *known;

        ck_assert_ptr_null(catalog_known(catalog, REPO, TEXT(A)));
        put_known(catalog, REPO, A, true, "torch-cpu", true);
        ck_assert_uint_eq(catalog_n_kernels(catalog), 1);
        generation = catalog_generation(catalog);
        put_known(catalog, REPO, A, false, "torch-cuda", true);
        ck_assert_uint_ne(catalog_generation(catalog), generation);
        ck_assert_uint_eq(catalog_n_kernels(catalog), 2);
        put_known(catalog, REPO, A, false, "torch-cuda", false);
        put_known(catalog, REPO, B, false, "torch-cuda", false);
        ck_assert_uint_eq(catalog_n_kernels(catalog), 2);
        known = catalog_known(catalog, REPO, TEXT(A));
        ck_assert(known->listed && known->all->n_variants == 2 && known->here->n_variants == 2);
        ck_assert(!catalog_known(catalog, REPO, TEXT(B))->listed);
        ck_assert_ptr_null(catalog_known(catalog, TEXT("p/q"), TEXT(A)));
}
END_TEST

START_TEST(test_forget_complete)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        uint64_t generation;

        put_known(catalog, REPO, A, true, "torch-cpu", true);
        put_known(catalog, REPO, A, false, "torch-cuda", true);
        generation = catalog_generation(catalog);
        ck_assert_int_eq(catalog_forget_complete(catalog, REPO, TEXT(B), TEXT("torch-cpu")), 0);
        ck_assert_int_eq(catalog_forget_complete(catalog, REPO, TEXT(A), TEXT("torch-xpu")), 0);
        ck_assert_uint_eq(catalog_generation(catalog), generation);
        ck_assert_int_eq(catalog_forget_complete(catalog, REPO, TEXT(A), TEXT("torch-cpu")), 0);
        ck_assert_uint_ne(catalog_generation(catalog), generation);
        ck_assert_uint_eq(catalog_n_kernels(catalog), 1);
        ck_assert_uint_eq(catalog_known(catalog, REPO, TEXT(A))->all->n_variants, 2);
        generation = catalog_generation(catalog);
        ck_assert_int_eq(catalog_forget_complete(catalog, REPO, TEXT(A), TEXT("torch-cpu")), 0);
        ck_assert_uint_eq(catalog_generation(catalog), generation);
        put_known(catalog, REPO, A, false, "torch-cpu", true); /* fetched again */
        ck_assert_uint_eq(catalog_n_kernels(catalog), 2);
}
END_TEST

START_TEST(test_list_known)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Known **list;
        size_t n;

        ck_assert_int_eq(catalog_list_known(catalog, &arena, &list, &n), 0);
        ck_assert_uint_eq(n, 0);
        put_known(catalog, TEXT("z/z"), A, true, "torch-cpu", true);
        put_known(catalog, REPO, B, true, "torch-cpu", true);
        put_known(catalog, TEXT("a/a"), B, true, "torch-cpu", true);
        put_known(catalog, REPO, A, true, "torch-cpu", true);
        ck_assert_int_eq(catalog_list_known(catalog, &arena, &list, &n), 0);
        ck_assert_uint_eq(n, 4);
        ck_assert(text_equal(list[0]->repo, TEXT("a/a")) && text_equal(list[3]->repo, TEXT("z/z")));
        ck_assert(text_equal(list[1]->commit, TEXT(A)) && text_equal(list[2]->commit, TEXT(B)));
}
END_TEST

/* --- publishers --- */

START_TEST(test_publisher)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        uint64_t generation = catalog_generation(catalog);

        ck_assert_ptr_null(catalog_publisher(catalog, TEXT("o")));
        ck_assert_int_eq(catalog_put_publisher(catalog, TEXT("o"), true, NOW), 0);
        ck_assert(catalog_publisher(catalog, TEXT("o"))->trusted && catalog_publisher(catalog, TEXT("o"))->at_s == NOW);
        ck_assert_int_eq(catalog_put_publisher(catalog, TEXT("o"), false, NOW + 5), 0);
        ck_assert(!catalog_publisher(catalog, TEXT("o"))->trusted && catalog_publisher(catalog, TEXT("o"))->at_s == NOW + 5);
        ck_assert_ptr_null(catalog_publisher(catalog, TEXT("O")));
        ck_assert_uint_eq(catalog_generation(catalog), generation); /* resolve does not judge trust */
        ck_assert(text_equal(policy_publisher(REPO), TEXT("o")) && text_equal(policy_publisher(TEXT("x")), TEXT("x")));
        ck_assert_uint_eq(policy_publisher(TEXT_NULL).size, 0);
}
END_TEST

/* --- refusals --- */

static Fault fault_named(const char *message)
{
        Fault fault;

        (void)fault_set(&fault, FAULT_NO_REPOSITORY, "%s", message);
        return fault;
}

START_TEST(test_refusal)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();
        Fault first = fault_named("first"), second = fault_named("second");

        ck_assert_ptr_null(catalog_refusal(catalog, REPO, TEXT("main"), NOW));
        catalog_refuse(catalog, REPO, TEXT("main"), &first, NOW);
        ck_assert_str_eq(catalog_refusal(catalog, REPO, TEXT("main"), NOW)->message, "first");
        ck_assert_ptr_nonnull(catalog_refusal(catalog, REPO, TEXT("main"), NOW + CATALOG_REFUSAL_S - 1));
        ck_assert_ptr_null(catalog_refusal(catalog, REPO, TEXT("main"), NOW + CATALOG_REFUSAL_S));
        ck_assert_ptr_null(catalog_refusal(catalog, REPO, TEXT("main"), NOW - 1)); /* a clock that was set back */
        ck_assert_ptr_null(catalog_refusal(catalog, REPO, TEXT("v1"), NOW));
        catalog_refuse(catalog, REPO, TEXT("main"), &second, NOW + 30);
        ck_assert_str_eq(catalog_refusal(catalog, REPO, TEXT("main"), NOW + 80)->message, "second");
        catalog_forget_refusal(catalog, REPO, TEXT("v1"));
        catalog_forget_refusal(catalog, REPO, TEXT("main"));
        ck_assert_ptr_null(catalog_refusal(catalog, REPO, TEXT("main"), NOW + 30));
        catalog_refuse(catalog, REPO, TEXT("main"), &first, NOW);
        ck_assert_ptr_nonnull(catalog_refusal(catalog, REPO, TEXT("main"), NOW));
        catalog_refuse(catalog, REPO, TEXT("main"), catalog_refusal(catalog, REPO, TEXT("main"), NOW), NOW + 1); /* its own */
        ck_assert_str_eq(catalog_refusal(catalog, REPO, TEXT("main"), NOW + 1)->message, "first");
}
END_TEST

static const Fault *refusal_numbered(const Catalog *catalog, int i)
{
        char name[16];

        (void)snprintf(name, sizeof(name), "r%d", i);
        return catalog_refusal(catalog, REPO, text_of(name), NOW);
}

static void refuse_numbered(Catalog *catalog, int i)
{
        Fault fault = fault_named("no");
        char name[16];

        (void)snprintf(name, sizeof(name), "r%d", i);
        catalog_refuse(catalog, REPO, text_of(name), &fault, NOW);
}

START_TEST(test_refusals_full)
{
        CLEANUP(catalog_freep) Catalog *catalog = make();

        for (int i = 0; i < CATALOG_REFUSALS; i++)
                refuse_numbered(catalog, i);
        refuse_numbered(catalog, 0);                                /* now the latest */
        catalog_forget_refusal(catalog, REPO, TEXT("r1023"));       /* in the middle */
        refuse_numbered(catalog, 5000);
        ck_assert_ptr_nonnull(refusal_numbered(catalog, 1));
        refuse_numbered(catalog, 5001);
        ck_assert_ptr_null(refusal_numbered(catalog, 1));
        ck_assert_ptr_nonnull(refusal_numbered(catalog, 2));
        ck_assert_ptr_nonnull(refusal_numbered(catalog, 0));
        catalog_forget_refusal(catalog, REPO, TEXT("r5001"));       /* the latest one */
        refuse_numbered(catalog, 5002);
        ck_assert_ptr_nonnull(refusal_numbered(catalog, 2));
        refuse_numbered(catalog, 5003);
        ck_assert_ptr_null(refusal_numbered(catalog, 2));
        ck_assert_ptr_nonnull(refusal_numbered(catalog, 5000));
        ck_assert_ptr_nonnull(refusal_numbered(catalog, 5003));
}
END_TEST

/* --- without memory --- */

static int put_all(const Known *known)
{
        CLEANUP(catalog_freep) Catalog *catalog = NULL;
        RevisionFacts facts = { .repo = REPO, .revision = TEXT("main"), .commit = TEXT(A) };
        Fault fault = fault_named("no");
        int r = catalog_new(3, &catalog);

        for (int i = 0; !r && i < 6; i++) {
                uint64_t generation = catalog_generation(catalog);

                if (i == 3)
                        facts.commit = TEXT(B);
                if (i == 0 || i == 3)
                        r = catalog_put_revision(catalog, &facts);
                else if (i == 1 || i == 4)
                        r = catalog_put_known(catalog, known);
                else
                        r = catalog_put_publisher(catalog, TEXT("o"), i == 2, NOW);
                if (r)
                        ck_assert_uint_eq(catalog_generation(catalog), generation);
                if (r && i > 0)
                        ck_assert(text_equal(catalog_revision(catalog, REPO, TEXT("main"))->commit, i > 3 ? TEXT(B) : TEXT(A)));
                if (r && i > 1)
                        ck_assert_uint_eq(catalog_n_kernels(catalog), 1);
        }
        if (!r)
                catalog_refuse(catalog, REPO, TEXT("main"), &fault, NOW); /* or not */
        return r;
}

START_TEST(test_torture)
{
        KnownVariant variants[] = { { .name = TEXT("torch-cpu"), .complete = true } };
        CLEANUP(known_unrefp) Known *known = NULL;

        ck_assert_int_eq(known_new(REPO, TEXT(A), true, variants, 1, &known), 0);
        FIXTURE_TORTURE(put_all(known));
        ck_assert_ptr_null(catalog_free(NULL));
}
END_TEST

FIXTURE_MAIN("kernels/catalog", test_revision, test_private, test_revision_generation, test_revision_of_itself,
             test_known, test_forget_complete, test_list_known, test_publisher, test_refusal, test_refusals_full,
             test_torture)
