#include "tests/lib/fixture.h"

#include <errno.h>

#include "kernels/uses.h"

#define NOW 1700000000
#define REPO TEXT("o/n")
#define DAY (24 * 3600)

static Target *target_of(int64_t capability)
{
        const MsgEnvironment message = { .torch = TEXT("2.7"), .cxx11_abi = 1, .cpu = TEXT("x86_64"), .free_threaded = -1 };
        Environment environment;
        Target *target = NULL;
        Fault fault;

        ck_assert_int_eq(environment_init(&environment, &message, false, &fault), 0);
        ck_assert_int_eq(target_new(&environment, DEVICE_CUDA, INTEGER_PRESENT(capability), TEXT_NULL, &target), 0);
        return target;
}

/* Whether it is news. */
static bool note(Uses *uses, const char *revision, int64_t capability, int64_t uid, int64_t now_s)
{
        CLEANUP(target_unrefp) Target *target = target_of(capability);
        bool is_news = false;

        ck_assert_int_eq(uses_note(uses, REPO, text_of(revision), target, uid, now_s, &is_news), 0);
        return is_news;
}

static Uses *make(void)
{
        Uses *uses = NULL;

        ck_assert_int_eq(uses_new(5, &uses), 0);
        return uses;
}

static size_t n_of(const Uses *uses, const char *revision, int64_t now_s)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Target **targets;
        size_t n;

        ck_assert_int_eq(uses_of(uses, REPO, text_of(revision), now_s, &arena, &targets, &n), 0);
        return n;
}

START_TEST(test_news)
{
        CLEANUP(uses_freep) Uses *uses = make();

        ck_assert(note(uses, "main", 90, 1, NOW));
        ck_assert(!note(uses, "main", 90, 1, NOW));
        ck_assert(!note(uses, "main", 90, 1, NOW + 3600));
        ck_assert(note(uses, "main", 90, 1, NOW + 3601));
        ck_assert(!note(uses, "main", 90, 1, NOW + 2 * 3600)); /* from the last that was written down */
        ck_assert(note(uses, "main", 90, 1, NOW));             /* a clock that was set back */
        ck_assert(note(uses, "main", 90, 2, NOW));
        ck_assert(note(uses, "main", 80, 1, NOW));
        ck_assert(note(uses, "v1", 90, 1, NOW));
        ck_assert(!note(uses, "main", 90, 2, NOW));
}
END_TEST

START_TEST(test_of)
{
        CLEANUP(uses_freep) Uses *uses = make();
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Target **targets;
        size_t n;

        ck_assert_uint_eq(n_of(uses, "main", NOW), 0);
        note(uses, "main", 90, 1, NOW);
        note(uses, "main", 90, 2, NOW); /* the same for another */
        note(uses, "main", 80, 1, NOW + DAY);
        note(uses, "v1", 75, 1, NOW);
        ck_assert_int_eq(uses_of(uses, REPO, TEXT("main"), NOW, &arena, &targets, &n), 0);
        ck_assert_uint_eq(n, 2);
        ck_assert(targets[0]->capability.value == 90 && targets[1]->capability.value == 80);
        ck_assert_uint_eq(n_of(uses, "main", NOW + USES_MAX_AGE_S), 2);
        ck_assert_uint_eq(n_of(uses, "main", NOW + USES_MAX_AGE_S + 1), 1);
        ck_assert_uint_eq(n_of(uses, "main", NOW + USES_MAX_AGE_S + DAY + 1), 0);
        ck_assert_uint_eq(n_of(uses, "dev", NOW), 0);
}
END_TEST

/* Of who has his share, the one that was seen longest ago makes room. */
START_TEST(test_share)
{
        CLEANUP(uses_freep) Uses *uses = make();

        note(uses, "main", 90, 2, NOW - DAY);
        for (int i = 0; i < USES_PER_DOMAIN; i++)
                note(uses, "main", 100 + i, 1, i == 7 ? NOW : NOW + DAY);
        ck_assert_uint_eq(n_of(uses, "main", NOW + DAY), USES_PER_DOMAIN + 1);
        ck_assert(note(uses, "main", 900, 1, NOW + DAY));
        ck_assert_uint_eq(n_of(uses, "main", NOW + DAY), USES_PER_DOMAIN + 1);
        ck_assert(!note(uses, "main", 106, 1, NOW + DAY));
        ck_assert(!note(uses, "main", 900, 1, NOW + DAY));
        ck_assert(!note(uses, "main", 100, 1, NOW + DAY));
        ck_assert(!note(uses, "main", 90, 2, NOW - DAY)); /* though older, not his */
        ck_assert(note(uses, "main", 107, 1, NOW + DAY)); /* that was it */
        ck_assert(note(uses, "v1", 107, 1, NOW + DAY));
}
END_TEST

/* However many one domain comes with, those of the others stay. */
START_TEST(test_flood)
{
        CLEANUP(uses_freep) Uses *uses = make();

        for (int i = 0; i < 3; i++)
                note(uses, "main", 90 + i, 2 + i, NOW);
        for (int i = 0; i < 10 * USES_PER_REVISION; i++)
                note(uses, "main", 1000 + i, 1, NOW + i);
        ck_assert_uint_eq(n_of(uses, "main", NOW), 3 + USES_PER_DOMAIN);
        for (int i = 0; i < 3; i++)
                ck_assert(!note(uses, "main", 90 + i, 2 + i, NOW));
}
END_TEST

/* With no room for anybody's more, who has the most gives up his oldest. */
START_TEST(test_full)
{
        CLEANUP(uses_freep) Uses *uses = make();

        note(uses, "main", 50, 9, NOW - DAY);
        for (int i = 0; i < USES_PER_REVISION - 1; i++)
                note(uses, "main", 100 + i, i / USES_PER_DOMAIN, i == 20 ? NOW : NOW + DAY);
        ck_assert_uint_eq(n_of(uses, "main", NOW + DAY), USES_PER_REVISION);
        ck_assert(note(uses, "main", 900, 8, NOW + DAY));
        ck_assert_uint_eq(n_of(uses, "main", NOW + DAY), USES_PER_REVISION);
        ck_assert(!note(uses, "main", 50, 9, NOW - DAY));
        ck_assert(!note(uses, "main", 900, 8, NOW + DAY));
        for (int i = 0; i < USES_PER_REVISION - 1; i++)
                if (i != 20)
                        ck_assert(!note(uses, "main", 100 + i, i / USES_PER_DOMAIN, NOW + DAY));
        ck_assert(note(uses, "main", 120, 1, NOW + DAY)); /* that was it */
}
END_TEST

START_TEST(test_seen)
{
        CLEANUP(uses_freep) Uses *uses = make();
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Use *seen;
        size_t n;

        note(uses, "main", 90, 1, NOW);
        note(uses, "v1", 90, 1, NOW + 2 * DAY); /* the same domain with the same */
        note(uses, "v2", 90, 1, NOW + DAY);
        note(uses, "main", 90, 2, NOW + DAY);
        note(uses, "main", 80, 1, NOW + 3 * DAY);
        ck_assert_int_eq(uses_seen(uses, NOW + 3 * DAY, &arena, &seen, &n), 0);
        ck_assert_uint_eq(n, 3);
        ck_assert(seen[0].target->capability.value == 80 && seen[0].at_s == NOW + 3 * DAY);
        ck_assert(seen[1].target->capability.value == 90 && seen[1].uid == 1 && seen[1].at_s == NOW + 2 * DAY);
        ck_assert(seen[2].uid == 2);
        ck_assert_int_eq(uses_seen(uses, NOW + USES_MAX_AGE_S + 2 * DAY + 1, &arena, &seen, &n), 0);
        ck_assert_uint_eq(n, 1);
        ck_assert_ptr_null(uses_free(NULL));
}
END_TEST

static int note_all(Target *target)
{
        CLEANUP(uses_freep) Uses *uses = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Target **targets;
        Use *seen;
        size_t n = 0;
        bool is_news;
        int r = uses_new(5, &uses);

        if (!r)
                r = uses_note(uses, REPO, TEXT("main"), target, 1, NOW, &is_news);
        if (!r)
                r = uses_note(uses, REPO, TEXT("v1"), target, 1, NOW, &is_news);
        if (!r)
                r = uses_of(uses, REPO, TEXT("main"), NOW, &arena, &targets, &n);
        if (!r)
                r = uses_seen(uses, NOW, &arena, &seen, &n);
        return r;
}

START_TEST(test_torture)
{
        CLEANUP(target_unrefp) Target *target = target_of(90);

        FIXTURE_TORTURE(note_all(target));
        ck_assert_uint_eq(target->n_users, 1);
}
END_TEST

FIXTURE_MAIN("kernels/uses", test_news, test_of, test_share, test_flood, test_full, test_seen, test_torture)
