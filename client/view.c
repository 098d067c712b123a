#include "client/view.h"

#include <errno.h>
#include <string.h>

#include "client/failure.h"
#include "client/part.h"
#include "proto/base/alloc.h"

/* A change of views: the caller's entries, ready to be sent and to be put into
 * the record. Everything that can fail for want of memory happens before the
 * daemon is told. */
typedef struct Change {
        kd_client *client;
        RecordEntry **entries;
        size_t n_entries;
        LocalSet known;  /* local repositories, each read once */
        int64_t deadline;
        uint64_t epoch;  /* the connection it began on */
} Change;

static void change_deinit(Change *change)
{
        for (size_t i = 0; i < change->n_entries; ++i)
                (void)record_entry_unref(change->entries[i]);
        alloc_free(change->entries);
        local_set_deinit(&change->known);
}

static int change_init(Change *change, kd_client *client, const kd_entry *entries, size_t n, kd_error *error)
{
        change->client = client;
        change->entries = alloc_zeroed(n, sizeof(*change->entries));
        if (!change->entries)
                return failure_memory(error);
        for (; change->n_entries < n; ++change->n_entries) {
                int r = record_entry_new(&entries[change->n_entries], &change->known,
                                         &change->entries[change->n_entries], error);

                if (r)
                        return r;
        }
        return 0;
}

/* Enters the client and waits until no other thread changes views. */
static int change_enter(Change *change, kd_error *error)
{
        kd_client *client = change->client;
        int r = client_lock(client, error);

        if (r < 0)
                return r;
        change->deadline = client_deadline(client, client->timeout_ms);
        while (client->changing) {
                r = client_wait_thread(client, change->deadline);
                if (r < 0) {
                        client_unlock(client);
                        return failure_unreachable(error, r, "another thread's change of views takes too long: see "
                                                             "whether kernelsd is overloaded");
                }
        }
        client->changing = true;
        client->changer = pthread_self();
        return 0;
}

static void change_leave(Change *change)
{
        change->client->changing = false;
        (void)pthread_cond_broadcast(&change->client->changed);
        (void)client_dispatch(change->client);
        client_unlock(change->client);
}

static ViewRecord *view_find(kd_client *client, uint32_t number)
{
        ViewRecord *view = client->views;

        while (view && view->number != number)
                view = view->next;
        return view;
}

static int view_missing(uint32_t number, kd_error *error)
{
        return failure_refuse(error, FAULT_BAD_REQUEST, "this client has no view %lu: make one with kd_view_create",
                              (unsigned long)number);
}

static int view_fixed(kd_error *error)
{
        return failure_refuse(error, FAULT_BAD_REQUEST, "view 0 is the host mapping and cannot be changed by a client: "
                                                        "use view 1, or make one with kd_view_create");
}

int view_remote(kd_client *client, uint32_t number, uint32_t *ret_remote, kd_error *error)
{
        const ViewRecord *view;

        if (number == KD_VIEW_HOST) {
                *ret_remote = KD_VIEW_HOST;
                return 0;
        }
        view = view_find(client, number);
        if (!view)
                return view_missing(number, error);
        if (view->lost)
                return failure_copy(error, view->lost);
        *ret_remote = view->remote;
        return 0;
}

/* A number that neither side uses. */
static uint32_t view_number(kd_client *client)
{
        for (;;) {
                uint32_t number = client->next_view++;
                const ViewRecord *view = client->views;

                while (view && view->number != number && view->remote != number)
                        view = view->next;
                if (number > KD_VIEW_SESSION && !view)
                        return number;
        }
}

static int change_call(Change *change, Call **call, kd_error *error)
{
        kd_client *client = change->client;

        if (client->epoch != change->epoch) {
                *call = call_free(*call);
                return failure_unreachable(error, -ECONNRESET, "the connection was lost while views were changed: try "
                                                               "again");
        }
        (*call)->bound = true;
        call_start(*call);
        client_drive(client, false);
        return call_await(call, change->deadline, error);
}

static int change_read(Change *change, const Call *call, const LocalSet *locals, kd_error *error)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgViewResult result;
        Fault fault = FAULT_NULL;
        int r;

        r = codec_decode(&schema_ViewResult, call->body, call->body_size, &arena, &result, &fault);
        if (r > 0)
                return failure_fault(error, &fault);
        if (!r && result.first_local.present)
                r = local_numbers_add(&change->client->locals, result.first_local.value, locals);
        if (r == -EBADMSG)
                return failure_unreachable(error, r, "kernelsd numbered local repositories beyond what numbers can hold: "
                                                     "install the same version of library and daemon");
        return r < 0 ? failure_memory(error) : 0;
}

/* Sends one part; `create` NULL: as view.extend. */
static int change_send(Change *change, Part *part, MsgViewCreate *create, kd_error *error)
{
        CLEANUP(call_freep) Call *call = NULL;
        int r;

        if (create) {
                create->entries.items = part->message.entries.items;
                create->entries.n = part->message.entries.n;
                create->locals.items = part->message.locals.items;
                create->locals.n = part->message.locals.n;
                r = call_new(change->client, METHOD_VIEW_CREATE, create, &call, error);
        } else {
                r = call_new(change->client, METHOD_VIEW_EXTEND, &part->message, &call, error);
        }
        if (!r)
                r = change_call(change, &call, error);
        if (!r)
                r = change_read(change, call, &part->locals, error);
        return r;
}

/* Drops a view of the daemon's without waiting for the answer. */
static void change_drop(Change *change, uint32_t remote)
{
        MsgViewDrop message = { .view = remote };
        kd_client *client = change->client;
        Call *call;

        if (client->epoch != change->epoch || client->connection.fd < 0 ||
            call_new(client, METHOD_VIEW_DROP, &message, &call, NULL))
                return;
        call->abandoned = true;
        /* Behind the acquires that wait with this view's number. */
        call_start_before(call, NULL);
        client_drive(client, false);
}

/* Makes view `remote` and fills it with all entries, in as many parts as it
 * takes. If one is refused the view is dropped again. */
static int change_create(Change *change, uint32_t remote, OptionalInteger parent, kd_error *error)
{
        MsgViewCreate create = { .view = remote, .parent = parent };
        size_t at = 0, n;
        bool made = false;
        int r;

        do {
                CLEANUP(part_deinit) Part part = PART_NULL;

                r = part_fill(&part, change->entries + at, change->n_entries - at, &n);
                if (r < 0) {
                        r = failure_memory(error);
                        break;
                }
                part.message.view = remote;
                part.message.inherit = true;
                r = change_send(change, &part, made ? NULL : &create, error);
                made = made || !r;
                at += n;
        } while (!r && at < change->n_entries);
        if (r && (made || r < 0))
                change_drop(change, remote);
        return r;
}

static void view_list(kd_client *client, ViewRecord *view)
{
        client->recording = true;
        view->next = client->views;
        client->views = view;
        client->recording = false;
}

static void table_set_all(RecordTable *table, const Change *change)
{
        for (size_t i = 0; i < change->n_entries; ++i)
                record_table_set(table, change->entries[i]);
}

/* --- create --- */

/* What the new view has from its parent. */
static int create_record(Change *change, int64_t parent, ViewRecord **ret_view, OptionalInteger *ret_parent,
                         kd_error *error)
{
        CLEANUP(view_record_freep) ViewRecord *view = NULL;
        kd_client *client = change->client;
        const ViewRecord *from = NULL;
        uint32_t remote = 0;
        int r;

        if (parent < -1 || parent > UINT32_MAX)
                return view_missing((uint32_t)parent, error);
        if (parent > 0) {
                r = view_remote(client, (uint32_t)parent, &remote, error);
                if (r)
                        return r;
                from = view_find(client, (uint32_t)parent);
        }
        view = view_record_new(view_number(client), from ? from->on_host : parent == 0);
        if (!view || (from && record_table_copy(&view->own, &from->own) < 0) ||
            record_table_reserve(&view->own, change->n_entries) < 0)
                return failure_memory(error);
        table_set_all(&view->own, change);
        *ret_parent = parent < 0 ? INTEGER_ABSENT : INTEGER_PRESENT(remote);
        *ret_view = STEAL(view);
        return 0;
}

static int create_try(Change *change, int64_t parent, uint32_t *ret_view, kd_error *error)
{
        CLEANUP(view_record_freep) ViewRecord *view = NULL;
        OptionalInteger ground;
        int r;

        r = client_ensure(change->client, 0, change->deadline, error);
        if (r)
                return r;
        change->epoch = change->client->epoch;
        r = create_record(change, parent, &view, &ground, error);
        if (!r)
                r = change_create(change, view->remote, ground, error);
        if (r)
                return r;
        *ret_view = view->number;
        view_list(change->client, STEAL(view));
        return 0;
}

/* A change that was cut off by the end of the connection left nothing behind,
 * since views end with their session; so it is made again, once. */
int kd_view_create(kd_client *client, int64_t parent, const kd_entry *entries, size_t n_entries, uint32_t *ret_view,
                   kd_error *error)
{
        CLEANUP(change_deinit) Change change = { 0 };
        int r;

        r = change_init(&change, client, entries, n_entries, error);
        if (!r)
                r = change_enter(&change, error);
        if (r)
                return r;
        r = create_try(&change, parent, ret_view, error);
        if (r == -ECONNRESET)
                r = create_try(&change, parent, ret_view, error);
        if (r)
                local_numbers_sweep(&client->locals);
        change_leave(&change);
        return r;
}

/* --- extend --- */

/* All of it in one message: the daemon takes it whole or not at all. */
static int extend_in_place(Change *change, const ViewRecord *view, bool inherit, Part *part, kd_error *error)
{
        part->message.view = view->remote;
        part->message.inherit = inherit;
        return change_send(change, part, NULL, error);
}

/* In parts: into a new view, which then takes the place of the old one. */
static int extend_by_new(Change *change, ViewRecord *view, bool inherit, kd_error *error)
{
        uint32_t old = view->remote, fresh = view_number(change->client);
        int r;

        r = change_create(change, fresh, inherit ? INTEGER_PRESENT(old) : INTEGER_ABSENT, error);
        if (r)
                return r;
        view->remote = fresh;
        change_drop(change, old);
        return 0;
}

static int extend_send(Change *change, ViewRecord *view, bool inherit, kd_error *error)
{
        CLEANUP(part_deinit) Part part = PART_NULL;
        size_t n;

        if (part_fill(&part, change->entries, change->n_entries, &n) < 0)
                return failure_memory(error);
        if (n == change->n_entries)
                return extend_in_place(change, view, inherit, &part, error);
        return extend_by_new(change, view, inherit, error);
}

static int extend_try(Change *change, uint32_t number, bool inherit, kd_error *error)
{
        CLEANUP(record_table_deinit) RecordTable own = RECORD_TABLE_NULL;
        kd_client *client = change->client;
        ViewRecord *view;
        uint32_t remote;
        int r;

        r = client_ensure(client, 0, change->deadline, error);
        if (!r)
                r = view_remote(client, number, &remote, error);
        if (r)
                return r;
        change->epoch = client->epoch;
        view = view_find(client, number);
        client->recording = true;
        r = record_table_reserve(inherit ? &view->own : &own, change->n_entries);
        client->recording = false;
        if (r < 0)
                return failure_memory(error);
        r = extend_send(change, view, inherit, error);
        if (r)
                return r;
        client->recording = true;
        if (!inherit) {
                RecordTable old = view->own;

                view->own = own;
                view->on_host = false;
                own = old;
        }
        table_set_all(&view->own, change);
        client->recording = false;
        return 0;
}

int kd_view_extend(kd_client *client, uint32_t view, bool inherit, const kd_entry *entries, size_t n_entries,
                   kd_error *error)
{
        CLEANUP(change_deinit) Change change = { 0 };
        int r;

        if (view == KD_VIEW_HOST)
                return view_fixed(error);
        r = change_init(&change, client, entries, n_entries, error);
        if (!r)
                r = change_enter(&change, error);
        if (r)
                return r;
        r = extend_try(&change, view, inherit, error);
        if (r == -ECONNRESET)
                r = extend_try(&change, view, inherit, error);
        local_numbers_sweep(&client->locals);
        change_leave(&change);
        return r;
}

/* --- drop --- */

static ViewRecord *view_unlist(kd_client *client, uint32_t number)
{
        ViewRecord **link = &client->views, *view;

        while (*link && (*link)->number != number)
                link = &(*link)->next;
        view = *link;
        if (!view)
                return NULL;
        client->recording = true;
        *link = view->next;
        client->recording = false;
        return view;
}

/* Once out of the record it is not made again; so an ended connection has
 * dropped it as well. */
static int drop_send(Change *change, const ViewRecord *view, kd_error *error)
{
        MsgViewDrop message = { .view = view->remote };
        CLEANUP(call_freep) Call *call = NULL;
        kd_client *client = change->client;
        int r;

        if (client->connection.fd < 0 || client->broken || view->lost)
                return 0;
        change->epoch = client->epoch;
        r = call_new(client, METHOD_VIEW_DROP, &message, &call, error);
        if (!r)
                r = change_call(change, &call, error);
        return r == -ECONNRESET ? 0 : r;
}

int kd_view_drop(kd_client *client, uint32_t number, kd_error *error)
{
        CLEANUP(view_record_freep) ViewRecord *view = NULL;
        Change change = { .client = client };
        int r;

        if (number == KD_VIEW_HOST)
                return view_fixed(error);
        r = change_enter(&change, error);
        if (r)
                return r;
        view = view_unlist(client, number);
        r = view ? drop_send(&change, view, error) : view_missing(number, error);
        view = view_record_free(view);
        local_numbers_sweep(&client->locals);
        change_leave(&change);
        return r;
}
