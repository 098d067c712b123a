/* What the daemon notes for itself: jobs of the store thread beside the batches. */
#include "daemon/state_internal.h"

#include <errno.h>

#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Of each kind, waiting and under way. Guess: some seconds of a full disk's patience, 10 MiB. */
#define LIMIT_NOTING 10000

#define DROPPED_SAID_S 60 /* the log is told of what is dropped so often at most; guess */

/* Facts, or files. */
typedef struct Note {
        Job job;
        State *state;
        KeptFiles *files;
        Noted *list;
        Fact *facts; /* of the list; texts in there */
        size_t n;
        StoreHealth health;
        bool is_made;
} Note;

/* --- what waits --- */

void noted_list_init(NotedList *list)
{
        *list = (NotedList){ .end = &list->first };
}

static void noted_push(NotedList *list, Noted *noted)
{
        noted->next = NULL;
        *list->end = noted;
        list->end = &noted->next;
        list->n++;
}

static Noted *noted_pop(NotedList *list)
{
        Noted *noted = list->first;

        if (!noted)
                return NULL;
        list->first = noted->next;
        list->n--;
        if (!list->first)
                list->end = &list->first;
        return noted;
}

static NotedKind noted_kind(const Fact *fact)
{
        if (fact->kind != FACT_EVENT)
                return NOTED_FACT;
        return text_equal(fact->event.what, TEXT("report")) ? NOTED_REPORT : NOTED_EVENT;
}

/* The oldest of its kind that still waits is dropped for a new one; where all are
 * under way, the new one. */
static bool make_room(State *state, NotedKind kind)
{
        Noted *oldest;

        if (state->n_noting[kind] < LIMIT_NOTING)
                return true;
        state->n_dropped++;
        oldest = noted_pop(&state->noted[kind]);
        if (!oldest)
                return false;
        alloc_free(oldest);
        state->n_noting[kind]--;
        return true;
}

void state_note(State *state, const Fact *fact)
{
        NotedKind kind = noted_kind(fact);
        Noted *noted;

        if (!state->folder || !make_room(state, kind))
                return;
        noted = alloc_bytes(sizeof(*noted) + fact_room(fact));
        if (!noted) {
                state->n_dropped++;
                return;
        }
        fact_copy(fact, (char *)(noted + 1), &noted->fact);
        noted_push(&state->noted[kind], noted);
        state->n_noting[kind]++;
        state_wake(state);
}

static size_t n_waiting(const State *state)
{
        size_t n = 0;

        for (size_t i = 0; i < _NOTED_MAX; i++)
                n += state->noted[i].n;
        return n;
}

/* The next to be written: what was found out goes first. */
static Noted *noted_next(State *state)
{
        Noted *noted = NULL;

        for (size_t i = 0; !noted && i < _NOTED_MAX; i++)
                noted = noted_pop(&state->noted[i]);
        return noted;
}

/* --- a job --- */

static Note *note_free(Note *note)
{
        if (!note)
                return NULL;
        while (note->list) {
                Noted *noted = note->list;

                note->list = noted->next;
                note->state->n_noting[noted_kind(&noted->fact)]--;
                alloc_free(noted);
        }
        kept_files_unref(note->files);
        alloc_free(note->facts);
        alloc_free(note);
        return NULL;
}

static Note *note_of_job(Job *job)
{
        return (Note *)((char *)job - offsetof(Note, job));
}

/* Store thread. */
static int note_step(Job *job)
{
        Note *note = note_of_job(job);
        Store *store = note->state->store;
        int r = note->files ? store_keep_files(store, note->files) : store_note(store, note->facts, note->n);

        if (r < 0)
                return r;
        store_health(store, &note->health);
        note->is_made = true;
        return 0;
}

static void note_take(Note *note, int result)
{
        State *state = note->state;

        if (result < 0)
                log_error(FAILURE, NULL, "cannot note what was learnt: %s", strerrordesc_np(-result));
        else
                state_take_health(state, &note->health);
        if (!state->n_dropped || state_now_s() - state->said_s < DROPPED_SAID_S)
                return;
        log_warning(FAILURE, NULL, "%zu facts and events came too fast to be noted", state->n_dropped);
        state->said_s = state_now_s();
        state->n_dropped = 0;
}

/* One that the end came before is made now: the thread is gone, so the store is
 * the loop's. */
static void note_on_made(Job *job, int result)
{
        Note *note = note_of_job(job);

        if (!note->state->closing)
                note_take(note, result);
        else if (!note->is_made && note->state->store)
                (void)note_step(job);
        note_free(note);
}

static Note *note_new(State *state)
{
        Note *note = alloc_zeroed(1, sizeof(*note));

        if (!note)
                return NULL;
        note->state = state;
        note->job.step = note_step;
        note->job.done = note_on_made;
        return note;
}

/* Takes over all that waits; NULL without memory, and then it waits on. */
static Note *note_of_waiting(State *state)
{
        size_t n = n_waiting(state);
        Note *note = note_new(state);
        Noted *noted;

        if (!note)
                return NULL;
        note->facts = alloc_zeroed(n, sizeof(*note->facts));
        if (!note->facts)
                return note_free(note);
        while ((noted = noted_next(state))) {
                note->facts[note->n++] = noted->fact;
                noted->next = note->list;
                note->list = noted;
        }
        return note;
}

void state_notes_flush(State *state)
{
        Note *note = n_waiting(state) ? note_of_waiting(state) : NULL;

        if (note)
                worker_submit(state->worker, &note->job);
}

void state_notes_end(State *state)
{
        Note *note = n_waiting(state) ? note_of_waiting(state) : NULL;

        if (note && state->store)
                (void)note_step(&note->job);
        note_free(note);
}

void state_keep_files(State *state, KeptFiles *files)
{
        Note *note = note_new(state);

        if (!note) {
                log_error(FAILURE, NULL, "cannot keep the mapping files: the daemon is short of memory");
                kept_files_unref(files);
                return;
        }
        note->files = files;
        worker_submit(state->worker, &note->job);
}
