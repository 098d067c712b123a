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

static void note_what(int64_t number, const char *what)
{
        Fact fact = { .kind = FACT_EVENT, .event = { .number = number, .what = text_of(what), .outcome = TEXT("ok") } };

        state_note(state, &fact);
}

static void note_event(int64_t number)
{
        note_what(number, "e");
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
        ck_assert(text_equal(state->noted[NOTED_EVENT].first->fact.event.repo, TEXT("o/n")));
        end();
}
END_TEST

/* Each kind has room of its own, and loses its oldest. */
START_TEST(test_too_many)
{
        begin(fixture_folder());
        note_use();
        note_event(7);
        for (int i = 0; i < LIMIT + 1; i++)
                note_what(i, "report");
        ck_assert_uint_eq(state->n_dropped, 1);
        ck_assert_uint_eq(state->noted[NOTED_FACT].n, 1);
        ck_assert_uint_eq(state->noted[NOTED_EVENT].n, 1);
        ck_assert_uint_eq(state->noted[NOTED_REPORT].n, LIMIT);
        ck_assert_int_eq(state->noted[NOTED_REPORT].first->fact.event.number, 1);
        for (int i = 0; i < LIMIT + 1; i++)
                note_event(i);
        ck_assert_uint_eq(state->noted[NOTED_FACT].n, 1);
        ck_assert_int_eq(state->noted[NOTED_EVENT].first->fact.event.number, 1);
        for (int i = 0; i < LIMIT; i++)
                note_use();
        ck_assert_uint_eq(state->noted[NOTED_FACT].n, LIMIT);
        ck_assert_uint_eq(state->noted[NOTED_EVENT].n, LIMIT);
        ck_assert_uint_eq(state->noted[NOTED_REPORT].n, LIMIT);
        ck_assert_uint_eq(state->n_dropped, 4);
        end();
}
END_TEST

/* All are with the store thread: what comes then is dropped itself. */
START_TEST(test_all_under_way)
{
        begin(fixture_folder());
        state->n_noting[NOTED_REPORT] = LIMIT;
        note_what(1, "report");
        note_event(2);
        note_use();
        ck_assert_uint_eq(state->noted[NOTED_REPORT].n, 0);
        ck_assert_uint_eq(state->noted[NOTED_EVENT].n, 1);
        ck_assert_uint_eq(state->noted[NOTED_FACT].n, 1);
        ck_assert_uint_eq(state->n_dropped, 1);
        end();
}
END_TEST

START_TEST(test_keeps_nothing)
{
        begin(NULL);
        note_event(1);
        ck_assert_uint_eq(state->n_noting[NOTED_EVENT], 0);
        end();
}
END_TEST

START_TEST(test_no_memory)
{
        begin(fixture_folder());
        alloc_fault_set(0);
        note_event(1);
        alloc_fault_set(-1);
        ck_assert_uint_eq(state->n_noting[NOTED_EVENT], 0);
        ck_assert_uint_eq(state->n_dropped, 1);
        end();
}
END_TEST

FIXTURE_MAIN("daemon/state_notes", test_copied, test_too_many, test_all_under_way, test_keeps_nothing, test_no_memory)
