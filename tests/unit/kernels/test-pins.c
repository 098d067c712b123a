#include "kernels/pins.h"

#include <errno.h>

#include "tests/lib/fixture.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

static const Pin items[] = {
        { TEXT("a/a"), TEXT("main"), TEXT(COMMIT_A) }, { TEXT("o/n"), TEXT("main"), TEXT(COMMIT_A) },
        { TEXT("o/n"), TEXT("v1"), TEXT(COMMIT_B) },   { TEXT("o/n"), TEXT("v10"), TEXT(COMMIT_A) },
        { TEXT("z/z"), TEXT("main"), TEXT(COMMIT_A) },
};

static bool finds(const Pins *pins, Reference reference, const char *commit)
{
        const Pin *pin = pins_find(pins, &reference);

        return commit ? pin && text_equal(pin->commit, text_of(commit)) : !pin;
}

START_TEST(test_find)
{
        CLEANUP(pins_unrefp) Pins *pins = NULL;
        const Text repo = TEXT("o/n");

        ck_assert_int_eq(pins_new(items, ARRAY_SIZE(items), &pins), 0);
        ck_assert(finds(pins, (Reference){ .kind = REFERENCE_VERSION, .repo = repo, .version = 1 }, COMMIT_B));
        ck_assert(finds(pins, (Reference){ .kind = REFERENCE_VERSION, .repo = repo, .version = 10 }, COMMIT_A));
        ck_assert(finds(pins, (Reference){ .kind = REFERENCE_VERSION, .repo = repo, .version = 2 }, NULL));
        ck_assert(finds(pins, (Reference){ .kind = REFERENCE_REVISION, .repo = repo, .revision = TEXT("v1") }, COMMIT_B));
        ck_assert(finds(pins, (Reference){ .kind = REFERENCE_REVISION, .repo = repo, .revision = TEXT("mai") }, NULL));
        ck_assert(finds(pins, (Reference){ .kind = REFERENCE_REVISION, .repo = TEXT("o/m"), .revision = TEXT("main") }, NULL));
        ck_assert(finds(pins, (Reference){ .kind = REFERENCE_LOCKED, .repo = repo, .commit = TEXT(COMMIT_A) }, NULL));
        ck_assert(finds(NULL, (Reference){ .kind = REFERENCE_VERSION, .repo = repo, .version = 1 }, NULL));
}
END_TEST

START_TEST(test_same)
{
        CLEANUP(pins_unrefp) Pins *all = NULL, *again = NULL, *fewer = NULL, *none = NULL, *other = NULL;
        Pin changed[ARRAY_SIZE(items)];

        memcpy(changed, items, sizeof(items));
        changed[2].commit = TEXT(COMMIT_A);
        ck_assert_int_eq(pins_new(items, ARRAY_SIZE(items), &all), 0);
        ck_assert_int_eq(pins_new(items, ARRAY_SIZE(items), &again), 0);
        ck_assert_int_eq(pins_new(items, 1, &fewer), 0);
        ck_assert_int_eq(pins_new(items, 0, &none), 0);
        ck_assert_int_eq(pins_new(changed, ARRAY_SIZE(items), &other), 0);
        ck_assert(pins_are_same(all, again));
        ck_assert(!pins_are_same(all, fewer));
        ck_assert(!pins_are_same(all, other));
        ck_assert(!pins_are_same(NULL, all));
        ck_assert(pins_are_same(NULL, none));
        ck_assert(pins_are_same(NULL, NULL));
}
END_TEST

static int make(void)
{
        CLEANUP(pins_unrefp) Pins *pins = NULL;

        return pins_new(items, ARRAY_SIZE(items), &pins);
}

START_TEST(test_no_memory)
{
        FIXTURE_TORTURE(make());
}
END_TEST

FIXTURE_MAIN("kernels/pins", test_find, test_same, test_no_memory)
