#include "daemon/state_internal.h"
#include "tests/lib/fixture.h"

#define LIMIT 10000 /* as state_notes.c says */

static Daemon daemon_;
static State *state;

static void begin(const char *folder)
{
        ck_assert_int_eq(loop_init(&daemon_.loop), 0);
        ck_assert_int_eq(state_new(&daemon_, folder, (StateOwner){ 0 }, &state), 0);
}

/* Where the end comes before the store was opened. */
static void end(void)
{
        state_stop(state);
        ck_assert(state_close(state, 5000));
        loop_deinit(&daemon_.loop);
        uv_library_shutdown();
}

static void note_event(int64_t number)
{
        Fact fact = { .kind = FACT_EVENT, .event = { .number = number, .what = TEXT("e"), .outcome = TEXT("ok") } };

        state_note(state, &fact);
}

static void note_use(void)
{
        Fact fact = { .kind = FACT_USE, .use = { .repo = TEXT("o/n"), .revision = TEXT("v1"), .device = TEXT("cpu") } };

        state_note(state, &fact);
}

START_TEST(test_copied)
{
        char repo[] = "o/n";
        Fact fact = { .kind = FACT_EVENT, .event = { .what = TEXT("e"), .repo = text_of(repo), .outcome = TEXT("ok") } };

        begin(fixture_folder());
        state_note(state, &fact);
        repo[0] = 'x';
        ck_assert(text_equal(state->events.first->fact.event.repo, TEXT("o/n")));
        end();
}
END_TEST

/* The oldest events go first, and only then what else waits. */
START_TEST(test_too_many)
{
        begin(fixture_folder());
        note_use();
        for (int i = 0; i < LIMIT; i++)
                note_event(i);
        ck_assert_uint_eq(state->n_noting, LIMIT);
        ck_assert_uint_eq(state->n_dropped, 1);
        ck_assert_uint_eq(state->others.n, 1);
        ck_assert_int_eq(state->events.first->fact.event.number, 1);
        for (int i = 0; i < LIMIT; i++)
                note_use();
        ck_assert_uint_eq(state->n_noting, LIMIT);
        ck_assert_uint_eq(state->events.n, 0);
        ck_assert_uint_eq(state->others.n, LIMIT);
        ck_assert_uint_eq(state->n_dropped, LIMIT + 1);
        end();
}
END_TEST

START_TEST(test_keeps_nothing)
{
        begin(NULL);
        note_event(1);
        ck_assert_uint_eq(state->n_noting, 0);
        end();
}
END_TEST

START_TEST(test_no_memory)
{
        begin(fixture_folder());
        alloc_fault_set(0);
        note_event(1);
        alloc_fault_set(-1);
        ck_assert_uint_eq(state->n_noting, 0);
        ck_assert_uint_eq(state->n_dropped, 1);
        end();
}
END_TEST

FIXTURE_MAIN("daemon/state_notes", test_copied, test_too_many, test_keeps_nothing, test_no_memory)
