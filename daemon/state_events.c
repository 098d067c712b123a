/* The history, read by the store thread for those who ask. */
#include "daemon/state_internal.h"

#include <errno.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

struct EventQuery {
        Job job;
        State *state;
        Session *session; /* NULL: it has ended */
        uint32_t id;
        EventRange range;
        StateEventsDone *done;
        Arena arena;
        FactEvent *events;
        size_t n;
        EventQuery *next;
};

static EventQuery *query_of_job(Job *job)
{
        return (EventQuery *)((char *)job - offsetof(EventQuery, job));
}

/* Store thread. */
static int query_step(Job *job)
{
        EventQuery *query = query_of_job(job);

        return store_events(query->state->store, &query->range, &query->arena, &query->events, &query->n);
}

static void query_answer(EventQuery *query, int result)
{
        Session *session = query->session;
        Fault fault;

        if (result < 0) {
                (void)fault_set(&fault, FAULT_INTERNAL, "the history could not be read: the daemon is short of memory");
                (void)answer_fault(session, query->id, &fault);
        } else {
                query->done(session, query->id, &query->range, query->events, query->n);
        }
        session_request_ends(session);
}

static void query_on_read(Job *job, int result)
{
        EventQuery *query = query_of_job(job), **link = &query->state->queries;

        while (*link != query)
                link = &(*link)->next;
        *link = query->next;
        if (query->session && !query->state->closing)
                query_answer(query, result);
        arena_deinit(&query->arena);
        alloc_free(query);
}

int state_events(State *state, const Request *request, const EventRange *range, StateEventsDone *done, Fault *fault)
{
        EventQuery *query;

        if (state_check_in_flight(request->session, fault))
                return 1;
        query = alloc_zeroed(1, sizeof(*query));
        if (!query)
                return error_trace(-ENOMEM);
        *query = (EventQuery){ .state = state, .session = request->session, .id = request->id, .range = *range,
                               .done = done, .next = state->queries };
        query->job.step = query_step;
        query->job.done = query_on_read;
        state->queries = query;
        session_request_begins(query->session);
        state_notes_flush(state); /* so that it shows what was answered before */
        worker_submit(state->worker, &query->job);
        return 0;
}

bool state_events_are_in_flight(const State *state, const Session *session, uint32_t id)
{
        for (const EventQuery *query = state->queries; query; query = query->next)
                if (query->session == session && query->id == id)
                        return true;
        return false;
}

void state_events_forget(State *state, const Session *session)
{
        for (EventQuery *query = state->queries; query; query = query->next)
                if (query->session == session)
                        query->session = NULL;
}
