#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdio.h>

#include "kernels/known.h"

#define META "{\"name\": \"%s\", \"id\": \"x\", \"version\": 1, \"license\": \"MIT\", \"python-depends\": [], " \
             "\"backend\": {\"type\": \"cpu\"}}"
#define REPO TEXT("o/n")
#define COMMIT TEXT("0123456789012345678901234567890123456789")

static Metadata *metadata_named(const char *name)
{
        char bytes[256];
        Metadata *metadata;
        Fault fault;

        (void)snprintf(bytes, sizeof(bytes), META, name);
        ck_assert_msg(metadata_parse(text_of(bytes), &metadata, &fault) == 0, "%s", fault.message);
        return metadata;
}

static Known *make(bool listed, KnownVariant *variants, size_t n)
{
        Known *known = NULL;

        ck_assert_int_eq(known_new(REPO, COMMIT, listed, variants, n, &known), 0);
        return known;
}

START_TEST(test_new)
{
        CLEANUP(metadata_freep) Metadata *metadata = metadata_named("aa");
        KnownVariant variants[] = {
                { .name = TEXT("torch-cuda"), .metadata = metadata, .complete = true },
                { .name = TEXT("nonsense"), .complete = true },
                { .name = TEXT("torch-cpu"), .corrupt = TEXT("broken") },
        };
        CLEANUP(known_unrefp) Known *known = make(true, variants, 3), *none = make(false, NULL, 0);

        ck_assert(text_equal(known->repo, REPO) && text_equal(known->commit, COMMIT) && known->listed);
        ck_assert_uint_eq(known->all->n_variants, 3);
        ck_assert(text_equal(known->all->variants[0].folder, TEXT("nonsense")) && !known->all->variants[0].parsed);
        ck_assert(text_equal(known->all->variants[1].folder, TEXT("torch-cpu")) && known->all->variants[1].parsed);
        ck_assert(text_equal(known->all->variants[1].corrupt, TEXT("broken")));
        ck_assert_ptr_eq(known->all->variants[2].metadata, metadata);
        ck_assert_uint_eq(known->here->n_variants, 2);
        ck_assert(text_equal(known->here->variants[1].folder, TEXT("torch-cuda")) && known->here->variants[1].complete);
        ck_assert(text_equal(known->all->name, REPO) && text_equal(known->here->name, REPO));
        ck_assert(!none->listed && none->all->n_variants == 0 && none->here->n_variants == 0);
        ck_assert_ptr_null(known_variant(none, TEXT("torch-cpu")));
        ck_assert_ptr_null(known_variant(known, TEXT("torch-cp")));
        for (size_t i = 0; i < 3; i++)
                ck_assert_ptr_eq(known_variant(known, variants[i].name), &known->all->variants[i]);
}
END_TEST

START_TEST(test_count)
{
        Known *known = make(true, NULL, 0);

        ck_assert_ptr_eq(known_ref(known), known);
        ck_assert_ptr_null(known_ref(NULL));
        ck_assert_ptr_null(known_unref(known));
        ck_assert_uint_eq(known->n_users, 1);
        ck_assert_ptr_null(known_unref(known));
        ck_assert_ptr_null(known_unref(NULL));
}
END_TEST

/* --- merging --- */

static const RepositoryVariant *of(const Known *known, const char *name)
{
        return known_variant(known, text_of(name));
}

START_TEST(test_merge)
{
        CLEANUP(metadata_freep) Metadata *first = metadata_named("aa"), *second = metadata_named("bb");
        KnownVariant older[] = {
                { .name = TEXT("both"), .metadata = first, .complete = true },
                { .name = TEXT("corrupt"), .corrupt = TEXT("was") },
                { .name = TEXT("gone") },
                { .name = TEXT("gone-but-here"), .complete = true },
                { .name = TEXT("mended"), .corrupt = TEXT("was") },
                { .name = TEXT("renewed"), .metadata = first },
        };
        KnownVariant newer[] = {
                { .name = TEXT("both") }, { .name = TEXT("corrupt") }, { .name = TEXT("a-new-one"), .complete = true },
                { .name = TEXT("mended"), .complete = true }, { .name = TEXT("renewed"), .metadata = second },
        };
        CLEANUP(known_unrefp) Known *a = make(true, older, 6), *b = make(true, newer, 5), *merged = NULL;

        ck_assert_int_eq(known_merge(a, b, &merged), 0);
        ck_assert_uint_eq(merged->all->n_variants, 6);
        ck_assert(of(merged, "both")->complete);
        ck_assert_ptr_eq(of(merged, "both")->metadata, first);
        ck_assert(text_equal(of(merged, "corrupt")->corrupt, TEXT("was")));
        ck_assert_ptr_null(of(merged, "gone"));
        ck_assert(of(merged, "gone-but-here")->complete);
        ck_assert(of(merged, "mended")->complete && !of(merged, "mended")->corrupt.data);
        ck_assert_ptr_eq(of(merged, "renewed")->metadata, second);
        ck_assert(of(merged, "a-new-one")->complete);
        ck_assert_uint_eq(merged->here->n_variants, 4);
}
END_TEST

/* A list that is not all there is takes nothing away. */
START_TEST(test_merge_unlisted)
{
        KnownVariant older[] = { { .name = TEXT("a") }, { .name = TEXT("b") } };
        KnownVariant newer[] = { { .name = TEXT("c"), .complete = true } };
        CLEANUP(known_unrefp) Known *listed = make(true, older, 2), *part = make(false, newer, 1);
        CLEANUP(known_unrefp) Known *merged = NULL, *other = NULL, *alone = NULL;

        ck_assert_int_eq(known_merge(listed, part, &merged), 0);
        ck_assert(merged->listed && merged->all->n_variants == 3);
        ck_assert_int_eq(known_merge(part, listed, &other), 0);
        ck_assert(other->listed && other->all->n_variants == 3);
        ck_assert_int_eq(known_merge(NULL, part, &alone), 0);
        ck_assert(!alone->listed && alone->all->n_variants == 1 && alone->here->n_variants == 1);
        ck_assert(text_equal(alone->repo, REPO) && text_equal(alone->commit, COMMIT));
}
END_TEST

/* --- not complete any more --- */

START_TEST(test_without)
{
        CLEANUP(metadata_freep) Metadata *metadata = metadata_named("aa");
        KnownVariant variants[] = {
                { .name = TEXT("a"), .metadata = metadata, .complete = true },
                { .name = TEXT("b"), .metadata = metadata, .complete = true },
                { .name = TEXT("c"), .corrupt = TEXT("broken") },
        };
        CLEANUP(known_unrefp) Known *known = make(true, variants, 3), *without = NULL;

        ck_assert_int_eq(known_without(known, TEXT("a"), &without), 0);
        ck_assert(without->listed && without->all->n_variants == 3 && without->here->n_variants == 1);
        ck_assert(text_equal(without->repo, REPO) && text_equal(without->commit, COMMIT));
        ck_assert(!of(without, "a")->complete && !of(without, "a")->metadata);
        ck_assert(of(without, "b")->complete && of(without, "b")->metadata == metadata);
        ck_assert(text_equal(of(without, "c")->corrupt, TEXT("broken")));
        ck_assert(of(known, "a")->complete && known->here->n_variants == 2);
}
END_TEST

static int make_and_merge(Metadata *metadata)
{
        KnownVariant variants[] = { { .name = TEXT("torch-cpu"), .metadata = metadata, .complete = true },
                                    { .name = TEXT("a"), .corrupt = TEXT("broken") } };
        CLEANUP(known_unrefp) Known *a = NULL, *b = NULL, *merged = NULL, *without = NULL;
        int r = known_new(REPO, COMMIT, true, variants, 2, &a);

        if (!r)
                r = known_new(REPO, COMMIT, false, variants, 1, &b);
        if (!r)
                r = known_merge(a, b, &merged);
        return r ? r : known_without(merged, TEXT("torch-cpu"), &without);
}

START_TEST(test_torture)
{
        CLEANUP(metadata_freep) Metadata *metadata = metadata_named("aa");

        FIXTURE_TORTURE(make_and_merge(metadata));
        ck_assert_uint_eq(metadata->n_users, 1);
}
END_TEST

FIXTURE_MAIN("kernels/known", test_new, test_count, test_merge, test_merge_unlisted, test_without, test_torture)
