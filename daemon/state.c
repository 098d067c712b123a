#include "daemon/state_internal.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/log.h"
#include "kernels/host_mapping.h"
#include "kernels/view.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* --- changes --- */

static void change_list_init(ChangeList *list)
{
        list->first = NULL;
        list->end = &list->first;
}

Change *state_change_free(Change *change)
{
        if (!change)
                return NULL;
        charge_clear(&change->charge);
        buffer_deinit(&change->bytes);
        arena_deinit(&change->arena);
        alloc_free(change);
        return NULL;
}

int state_check_in_flight(const Session *session, Fault *fault)
{
        if (session->n_in_flight < LIMIT_IN_FLIGHT)
                return 0;
        return fault_set(fault, FAULT_LIMIT, "a session has at most %d requests in flight: wait for an answer",
                         LIMIT_IN_FLIGHT);
}

int state_change_new(const Request *request, StoreChangeKind kind, Change **ret_change, Fault *fault)
{
        Session *session = request->session;
        Change *change;

        if (state_check_in_flight(session, fault))
                return 1;
        change = alloc_zeroed(1, sizeof(*change));
        if (!change)
                return error_trace(-ENOMEM);
        change->store.kind = kind;
        change->session = session;
        change->id = request->id;
        change->method = request->method;
        change->uid = session->identity.uid;
        change->pid = session->identity.pid;
        *ret_change = change;
        return 0;
}

static void state_on_idle(uv_idle_t *idle);

void state_wake(State *state)
{
        (void)uv_idle_start(&state->idle, state_on_idle);
}

void state_submit(State *state, Change *change)
{
        *state->waiting.end = change;
        state->waiting.end = &change->next;
        session_request_begins(change->session);
        state_wake(state);
}

static bool list_has(const ChangeList *list, const Session *session, uint32_t id)
{
        for (const Change *change = list->first; change; change = change->next)
                if (change->session == session && change->id == id)
                        return true;
        return false;
}

bool state_is_in_flight(const State *state, const Session *session, uint32_t id)
{
        return list_has(&state->waiting, session, id) || (state->batch && list_has(&state->batch->list, session, id)) ||
               state_events_are_in_flight(state, session, id);
}

/* What it asked for is done all the same. */
static void list_forget(ChangeList *list, const Session *session)
{
        for (Change *change = list->first; change; change = change->next) {
                if (change->session != session)
                        continue;
                change->session = NULL;
                charge_clear(&change->charge);
        }
}

void state_forget_session(State *state, const Session *session)
{
        list_forget(&state->waiting, session);
        if (state->batch)
                list_forget(&state->batch->list, session);
        state_events_forget(state, session);
}

/* --- answers --- */

/* What nobody stored a file says: it is removed there. */
static void explain_removal(const Daemon *daemon, Change *change)
{
        CLEANUP_BUFFER Buffer layer = BUFFER_NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const StoreChange *store = &change->store;
        Text device = TEXT(""), range = TEXT("");

        if (store->kind != STORE_MAPPING_REMOVE || store->fault.name != FAULT_NO_MAPPING ||
            !view_has_layer(NULL, daemon->mapping, store->layer) || json_text_print(store->layer, &layer) < 0)
                return;
        if (store->device.data)
                device = arena_format(&arena, "\"device\": \"%.*s\", ", TEXT_PRINT(store->device));
        if (store->has_range && store->range.max == CAPABILITY_MAX)
                range = arena_format(&arena, "\"min_capability\": %" PRId64 ", ", store->range.min);
        else if (store->has_range)
                range = arena_format(&arena, "\"min_capability\": %" PRId64 ", \"max_capability\": %" PRId64 ", ",
                                     store->range.min, store->range.max);
        (void)fault_set(&change->store.fault, FAULT_BAD_REQUEST,
                        "a mapping file says it, not the stored mapping: remove it there, or hide it in a later file of "
                        "mapping.d by %.*s: [ { %.*s%.*s\"remove\": true } ]",
                        TEXT_PRINT(buffer_text(&layer)), TEXT_PRINT(device), TEXT_PRINT(range));
}

/* An environment waits for no mapping. */
static bool change_is_mapped(const Change *change)
{
        return change->store.kind != STORE_ENVIRONMENT_SET && change->store.kind != STORE_ENVIRONMENT_DROP;
}

static void change_answer(const State *state, Change *change)
{
        Session *session = change->session;
        const MsgChangeResult result = {
                .changed = (int64_t)change->store.n_changed,
                .generation = (int64_t)state->daemon->mapping->generation,
                .in_force = !change_is_mapped(change) || mapping_loader_is_good(state->daemon->loader),
        };

        if (!session)
                return;
        change->session = NULL;
        explain_removal(state->daemon, change);
        if (change->store.fault.name != FAULT_NONE)
                (void)answer_fault(session, change->id, &change->store.fault);
        else
                (void)answer_result(session, change->id, change->method, &result, -1);
        session_request_ends(session);
}

static void change_log(const Change *change)
{
        LogFields fields = LOG_FIELDS_NULL;

        fields.uid = change->uid;
        fields.pid = change->pid;
        if (change->store.fault.name == FAULT_NONE)
                log_notice(MAPPING, &fields, "%s of process %d of uid %u changed %zu", method_table[change->method].name,
                           (int)change->pid, change->uid, change->store.n_changed);
        else
                log_warning(MAPPING, &fields, "%s of process %d of uid %u is refused: %s",
                            method_table[change->method].name, (int)change->pid, change->uid, change->store.fault.message);
}

static void change_note(State *state, const Change *change)
{
        const StoreChange *store = &change->store;
        Fact fact = { .kind = FACT_EVENT };

        fact.event = (FactEvent){
                .at_s = state_now_s(),
                .uid = change->uid,
                .pid = change->pid,
                .what = text_of(method_table[change->method].name),
                .layer = store->rows.n == 1 ? store->rows.items[0].layer : store->layer,
                .repo = store->pin.repo,
                .commit = store->pin.commit,
                .outcome = store->fault.name == FAULT_NONE ? TEXT("ok") : text_of(fault_spelling(store->fault.name)),
        };
        state_note(state, &fact);
}

/* --- a batch --- */

static Batch *batch_free(Batch *batch)
{
        if (!batch)
                return NULL;
        while (batch->list.first) {
                Change *change = batch->list.first;

                batch->list.first = change->next;
                state_change_free(change);
        }
        stored_unref(batch->stored);
        kept_files_unref(batch->kept);
        facts_free(batch->facts);
        alloc_free(batch->changes);
        alloc_free(batch);
        return NULL;
}
DEFINE_CLEANUP(Batch *, batch_free)

static int batch_new(State *state, Batch **ret_batch)
{
        CLEANUP(batch_freep) Batch *batch = alloc_zeroed(1, sizeof(*batch));
        size_t n = 0;

        if (!batch)
                return error_trace(-ENOMEM);
        change_list_init(&batch->list);
        batch->state = state;
        for (Change *change = state->waiting.first; change; change = change->next)
                batch->n++;
        batch->changes = alloc_zeroed(batch->n + 1, sizeof(*batch->changes));
        if (!batch->changes)
                return error_trace(-ENOMEM);
        for (Change *change = state->waiting.first; change; change = change->next)
                batch->changes[n++] = &change->store;
        batch->list.first = state->waiting.first;
        change_list_init(&state->waiting);
        *ret_batch = STEAL(batch);
        return 0;
}

static Batch *batch_of_job(Job *job)
{
        return (Batch *)((char *)job - offsetof(Batch, job));
}

/* File thread: the mappings that were sent, one a step. */
static int batch_read_step(Job *job)
{
        Batch *batch = batch_of_job(job);
        int r;

        for (Change *change = batch->list.first; change; change = change->next) {
                if (!change->bytes.size)
                        continue;
                r = stored_rows_parse(buffer_text(&change->bytes), &change->arena, &change->store.rows,
                                      &change->store.fault);
                buffer_deinit(&change->bytes);
                return r < 0 ? r : JOB_AGAIN;
        }
        return 0;
}

/* Store thread. */
static int batch_make_step(Job *job)
{
        Batch *batch = batch_of_job(job);
        State *state = batch->state;
        int r = batch->opens ? store_open(state->folder ? state->folder : "", &state->store) :
                               store_apply(state->store, batch->changes, batch->n);

        if (r < 0)
                return r;
        batch->stored = store_stored(state->store);
        if (batch->opens)
                r = store_files(state->store, &batch->kept);
        if (batch->opens && r == 0)
                r = store_facts(state->store, state_now_s(), &batch->facts);
        store_health(state->store, &batch->health);
        return r;
}

static void batch_refuse(Batch *batch)
{
        for (size_t i = 0; i < batch->n; i++)
                if (batch->changes[i]->fault.name == FAULT_NONE)
                        (void)fault_set(&batch->changes[i]->fault, FAULT_INTERNAL,
                                        "the change could not be made: the daemon is short of memory");
}

static void batch_end(Batch *batch)
{
        State *state = batch->state;

        for (Change *change = batch->list.first; change; change = change->next) {
                if (!state->closing) {
                        change_log(change);
                        change_note(state, change);
                        change_answer(state, change);
                }
        }
        state->batch = batch_free(batch);
        if (state->waiting.first && !state->closing)
                state_wake(state);
}

void state_take_health(State *state, const StoreHealth *health)
{
        if (strcmp(state->health.message, health->message) != 0 && health->message[0]) {
                if (health->good)
                        log_notice(MAPPING, NULL, "%s", health->message);
                else
                        log_error(MAPPING, NULL, "%s", health->message);
        }
        state->health = *health;
}

/* Before the first mapping is loaded. */
static void state_hand_over(State *state, Batch *batch)
{
        mapping_loader_set_kept(state->daemon->loader, batch->kept);
        state->owner.opened(state->owner.data, STEAL(batch->facts));
}

static bool batch_is_mapped(const Batch *batch)
{
        bool is_mapped = batch->opens;

        for (const Change *change = batch->list.first; change && !is_mapped; change = change->next)
                is_mapped = change_is_mapped(change) && change->store.fault.name == FAULT_NONE;
        return is_mapped;
}

/* What is kept now is in the host mapping before anybody is answered. */
static void batch_on_made(Job *job, int result)
{
        Batch *batch = batch_of_job(job);
        State *state = batch->state;
        bool changed;

        if (state->closing || result < 0) {
                batch_refuse(batch);
                batch_end(batch);
                return;
        }
        state_take_health(state, &batch->health);
        changed = !state->stored || state->stored->number != batch->stored->number;
        stored_unref(state->stored);
        state->stored = STEAL(batch->stored);
        if (batch->opens)
                state_hand_over(state, batch);
        if (!changed || !batch_is_mapped(batch)) {
                batch_end(batch);
                return;
        }
        batch->loading = true;
        mapping_loader_set_stored(state->daemon->loader, state->stored);
        mapping_loader_load(state->daemon->loader);
}

void state_mapping_finished(State *state)
{
        if (state->batch && state->batch->loading)
                batch_end(state->batch);
}

static void batch_on_read(Job *job, int result)
{
        Batch *batch = batch_of_job(job);
        State *state = batch->state;

        if (state->closing || result < 0) {
                batch_refuse(batch);
                batch_end(batch);
                return;
        }
        batch->job.step = batch_make_step;
        batch->job.done = batch_on_made;
        worker_submit(state->worker, &batch->job);
}

static void state_refuse_waiting(State *state)
{
        while (state->waiting.first) {
                CLEANUP(state_change_freep) Change *change = state->waiting.first;

                state->waiting.first = change->next;
                (void)fault_set(&change->store.fault, FAULT_INTERNAL, "the daemon is short of memory");
                change_answer(state, change);
        }
        change_list_init(&state->waiting);
}

static void state_on_idle(uv_idle_t *idle)
{
        State *state = idle->data;

        (void)uv_idle_stop(idle);
        state_notes_flush(state);
        if (!state->waiting.first || state->batch)
                return;
        if (batch_new(state, &state->batch) < 0) {
                state_refuse_waiting(state);
                return;
        }
        state->batch->job.step = batch_read_step;
        state->batch->job.done = batch_on_read;
        worker_submit(state->daemon->worker, &state->batch->job);
}

/* --- all of it --- */

static void state_on_opened(Job *job, int result)
{
        Batch *batch = batch_of_job(job);
        State *state = batch->state;

        if (!state->closing && result < 0) {
                log_error(FAILURE, NULL, "cannot read what is stored: %s", strerrordesc_np(-result));
                state->daemon->failed = true;
                loop_stop(&state->daemon->loop);
        }
        batch_on_made(job, result);
}

void state_begin(State *state)
{
        worker_submit(state->worker, &state->batch->job);
}

int state_new(Daemon *daemon, const char *folder, StateOwner owner, State **ret_state)
{
        CLEANUP_ALLOC State *state = alloc_zeroed(1, sizeof(*state));
        CLEANUP(batch_freep) Batch *batch = NULL;
        CLEANUP_ALLOC char *copy = folder ? alloc_text(folder, strlen(folder)) : NULL;
        int r;

        if (!state || (folder && !copy))
                return error_trace(-ENOMEM);
        state->daemon = daemon;
        state->owner = owner;
        for (size_t i = 0; i < _NOTED_MAX; i++)
                noted_list_init(&state->noted[i]);
        state->health.good = true;
        change_list_init(&state->waiting);
        r = batch_new(state, &batch);
        if (r == 0)
                r = worker_new(&daemon->loop.uv, &state->worker);
        if (r < 0)
                return r;
        batch->opens = true;
        batch->job.step = batch_make_step;
        batch->job.done = state_on_opened;
        (void)uv_idle_init(&daemon->loop.uv, &state->idle);
        state->idle.data = state;
        state->folder = STEAL(copy);
        state->batch = STEAL(batch);
        *ret_state = STEAL(state);
        return 0;
}

void state_stop(State *state)
{
        if (state)
                state->closing = true;
}

static void state_free(uv_handle_t *handle)
{
        State *state = handle->data;

        stored_unref(state->stored);
        alloc_free(state->folder);
        alloc_free(state);
}

bool state_close(State *state, uint64_t patience_ms)
{
        if (!state)
                return true;
        if (!worker_stop(state->worker, patience_ms))
                return false;
        worker_close(state->worker);
        /* Its thread is gone, so the store is ours. */
        state_notes_end(state);
        state->store = store_close(state->store);
        state->batch = batch_free(state->batch);
        while (state->waiting.first) {
                Change *change = state->waiting.first;

                state->waiting.first = change->next;
                state_change_free(change);
        }
        uv_close((uv_handle_t *)&state->idle, state_free);
        return true;
}

const Stored *state_stored(const State *state)
{
        return state->stored;
}

const StoreHealth *state_health(const State *state)
{
        return &state->health;
}

void state_named_environments(const State *state, const StoredEnvironment **ret_environments, size_t *ret_n)
{
        *ret_environments = state->stored->environments;
        *ret_n = state->stored->n_environments;
}

Worker *state_worker(const State *state)
{
        return state->worker;
}
