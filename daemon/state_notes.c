/* What the daemon notes for itself: jobs of the store thread beside the batches. */
#include "daemon/state_internal.h"

#include <errno.h>

#include "daemon/log.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

typedef struct Note {
        Job job;
        State *state;
        KeptFiles *files;
        StoreHealth health;
        bool is_made;
} Note;

static Note *note_free(Note *note)
{
        kept_files_unref(note->files);
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
        int r = store_keep_files(note->state->store, note->files);

        if (r < 0)
                return r;
        store_health(note->state->store, &note->health);
        note->is_made = true;
        return 0;
}

/* One that the end came before is made now: the thread is gone, so the store is
 * the loop's. */
static void note_on_made(Job *job, int result)
{
        Note *note = note_of_job(job);
        State *state = note->state;

        if (state->closing && !note->is_made && state->store)
                (void)note_step(job);
        else if (!state->closing && result < 0)
                log_error(FAILURE, NULL, "cannot note what is in force: %s", strerrordesc_np(-result));
        else if (!state->closing)
                state_take_health(state, &note->health);
        note_free(note);
}

void state_keep_files(State *state, KeptFiles *files)
{
        Note *note = alloc_zeroed(1, sizeof(*note));

        if (!note) {
                log_error(FAILURE, NULL, "cannot keep the mapping files: the daemon is short of memory");
                kept_files_unref(files);
                return;
        }
        note->state = state;
        note->files = files;
        note->job.step = note_step;
        note->job.done = note_on_made;
        worker_submit(state->worker, &note->job);
}
