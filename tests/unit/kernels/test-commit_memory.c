#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdio.h>

#include "kernels/commit_memory.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static Revision revision_of(const char *name, const char *commit)
{
        return (Revision){ .item = { .a = TEXT("o/n"), .b = text_of(name) }, .commit = text_of(commit),
                           .final_repo = TEXT("p/q"), .final_commit = TEXT(B) };
}

START_TEST(test_put_and_find)
{
        CLEANUP(commit_memory_unrefp) CommitMemory *memory = NULL;
        Revision first = revision_of("main", A), other = revision_of("v1", A), later = revision_of("main", B);
        const RememberedCommit *found;
        char name[8] = "v1";

        ck_assert_int_eq(commit_memory_new(1, &memory), 0);
        ck_assert_ptr_null(commit_memory_find(memory, TEXT("o/n"), TEXT("main")));
        ck_assert_int_eq(commit_memory_put(memory, &first), 0);
        other.item.b = text_of(name);
        ck_assert_int_eq(commit_memory_put(memory, &other), 0);
        name[0] = 'x'; /* texts are copied */
        found = commit_memory_find(memory, TEXT("o/n"), TEXT("main"));
        ck_assert(text_equal(found->commit, TEXT(A)) && text_equal(found->final_repo, TEXT("p/q")));
        ck_assert(text_equal(found->final_commit, TEXT(B)));
        ck_assert_int_eq(commit_memory_put(memory, &later), 0);
        ck_assert(text_equal(commit_memory_find(memory, TEXT("o/n"), TEXT("main"))->commit, TEXT(B)));
        ck_assert(text_equal(commit_memory_find(memory, TEXT("o/n"), TEXT("v1"))->commit, TEXT(A)));
        ck_assert_ptr_null(commit_memory_find(memory, TEXT("p/q"), TEXT("main")));
}
END_TEST

START_TEST(test_shared)
{
        CommitMemory *memory = NULL;

        ck_assert_int_eq(commit_memory_new(1, &memory), 0);
        ck_assert(!commit_memory_is_shared(memory));
        ck_assert_ptr_eq(commit_memory_ref(memory), memory);
        ck_assert(commit_memory_is_shared(memory));
        ck_assert_ptr_null(commit_memory_unref(memory));
        ck_assert(!commit_memory_is_shared(memory));
        ck_assert_ptr_null(commit_memory_unref(memory));
        ck_assert_ptr_null(commit_memory_unref(NULL));
}
END_TEST

/* What was remembered stays, or is replaced: it is never lost. */
static int put_twice(void)
{
        CLEANUP(commit_memory_unrefp) CommitMemory *memory = NULL;
        Revision first = revision_of("main", A), later = revision_of("main", B);
        const RememberedCommit *found;
        int r = commit_memory_new(1, &memory);

        if (!r)
                r = commit_memory_put(memory, &first);
        if (r)
                return r;
        r = commit_memory_put(memory, &later);
        found = commit_memory_find(memory, TEXT("o/n"), TEXT("main"));
        ck_assert(found && text_equal(found->commit, r ? TEXT(A) : TEXT(B)));
        return r;
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(put_twice());
}
END_TEST

FIXTURE_MAIN("kernels/commit_memory", test_put_and_find, test_shared, test_torture)
