#include <inttypes.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "kernels/repository.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Memory of a parsed local repository, beside the metadata itself: rows, the
 * variant's name, blocks of small arenas. Rounded up. */
#define LOCAL_COST 4096
#define LOCAL_VARIANT_COST 8192

/* The bytes, what is parsed of them, and their texts. */
#define LOCAL_METADATA_COST 3

/* The entries and locals of one request, made and checked. */
typedef struct Parts {
        Repository **locals;
        size_t *local_sizes; /* what each takes of memory */
        size_t n_locals;
        Entry **entries;
        size_t n_entries;
        size_t n_bytes; /* of the entries */
} Parts;

#define PARTS_NULL ((Parts){ 0 })

static void parts_deinit(Parts *parts)
{
        for (size_t i = 0; i < parts->n_locals; i++)
                repository_unref(parts->locals[i]);
        for (size_t i = 0; i < parts->n_entries; i++)
                entry_unref(parts->entries[i]);
}

static size_t local_metadata_size(const MsgLocal *local)
{
        size_t size = 0;

        for (size_t i = 0; i < local->variants.n; i++)
                size += local->variants.items[i].metadata.size;
        return size;
}

static int locals_check_size(const MsgLocal *locals, size_t n_locals, Fault *fault)
{
        size_t size = 0;

        for (size_t i = 0; i < n_locals; i++)
                size += local_metadata_size(&locals[i]);
        if (size > LIMIT_LOCAL_BYTES)
                return fault_set(fault, FAULT_TOO_LARGE,
                                 "the metadata of the local repositories has %zu bytes, over the limit of %u in one "
                                 "request: send fewer of them at a time", size, LIMIT_LOCAL_BYTES);
        return 0;
}

static int parts_make_locals(Parts *parts, const MsgLocal *locals, size_t n_locals, Request *request)
{
        int r;

        r = locals_check_size(locals, n_locals, &request->fault);
        if (r != 0)
                return r;
        if (n_locals > UINT32_MAX - request->holdings->next_local)
                return fault_set(&request->fault, FAULT_LIMIT, "the session has no numbers left for local repositories");
        parts->locals = arena_zeroed(request->arena, n_locals, sizeof(*parts->locals));
        parts->local_sizes = arena_zeroed(request->arena, n_locals, sizeof(*parts->local_sizes));
        if (!parts->locals || !parts->local_sizes)
                return error_trace(-ENOMEM);
        for (; parts->n_locals < n_locals; parts->n_locals++) {
                const MsgLocal *local = &locals[parts->n_locals];

                r = repository_from_message(local, &parts->locals[parts->n_locals], &request->fault);
                if (r != 0)
                        return r;
                parts->local_sizes[parts->n_locals] = LOCAL_COST + local->variants.n * LOCAL_VARIANT_COST +
                                                      LOCAL_METADATA_COST * local_metadata_size(local);
        }
        return 0;
}

static int parts_make_entries(Parts *parts, const MsgEntry *entries, size_t n_entries, Request *request)
{
        int r;

        parts->entries = arena_zeroed(request->arena, n_entries, sizeof(*parts->entries));
        if (!parts->entries)
                return error_trace(-ENOMEM);
        for (; parts->n_entries < n_entries; parts->n_entries++) {
                Entry **entry = &parts->entries[parts->n_entries];

                r = entry_from_message(&entries[parts->n_entries], parts->locals, parts->n_locals,
                                       request->holdings->next_local, entry, &request->fault);
                if (r != 0)
                        return r;
                parts->n_bytes += (*entry)->n_bytes;
        }
        return 0;
}

static int parts_make(Parts *parts, const MsgEntry *entries, size_t n_entries, const MsgLocal *locals,
                      size_t n_locals, Request *request)
{
        int r;

        r = parts_make_locals(parts, locals, n_locals, request);
        return r == 0 ? parts_make_entries(parts, entries, n_entries, request) : r;
}

/* Whether so many bytes more may be held. */
static int request_check_bytes(Request *request, size_t n_bytes)
{
        Account *account = request->session->charge.account;

        if (n_bytes <= account_room(account, ACCOUNT_HELD))
                return 0;
        account_log_refusal(account, ACCOUNT_HELD);
        return fault_set(&request->fault, FAULT_LIMIT,
                         "the views of this domain hold too many bytes: drop some, or have quota.bytes raised");
}

/* Registers the parts in `view`, within what the domain may have beside what
 * is charged for the view already. */
static int view_register(View *view, bool inherit, const Parts *parts, const HeldView *charged, Request *request)
{
        Account *account = request->session->charge.account;
        size_t room = account_room(account, ACCOUNT_ENTRIES);
        size_t n_bytes = parts->n_bytes + (inherit ? view_n_bytes(view) : 0);
        int r;

        r = holdings_add_locals(request->holdings, account, parts->locals, parts->local_sizes, parts->n_locals,
                                &request->fault);
        if (r != 0)
                return r;
        if (n_bytes > charged->bytes.n)
                r = request_check_bytes(request, n_bytes - charged->bytes.n);
        if (r == 0)
                r = view_extend(view, inherit, parts->entries, parts->n_entries, charged->entries.n + room,
                                &request->fault);
        if (r == 1 && request->fault.name == FAULT_LIMIT && parts->n_entries > room)
                account_log_refusal(account, ACCOUNT_ENTRIES);
        if (r != 0)
                holdings_drop_last_locals(request->holdings, parts->n_locals);
        return r;
}

/* What the view costs now, which fits: view_register saw to it. */
static void held_charge(HeldView *held, Account *account)
{
        (void)charge_set(&held->entries, account, ACCOUNT_ENTRIES, view_n_entries(held->view));
        (void)charge_set(&held->bytes, account, ACCOUNT_HELD, view_n_bytes(held->view));
}

static void parts_answer(const Parts *parts, const HeldView *held, Request *request)
{
        MsgViewResult *result = request->result;

        result->entries = (int64_t)held->entries.n;
        if (parts->n_locals)
                result->first_local = INTEGER_PRESENT(request->holdings->next_local);
        request->holdings->next_local += (uint32_t)parts->n_locals;
}

/* --- view.create --- */

static int view_create_check(const MsgViewCreate *create, Request *request)
{
        if (create->view < 1 || create->view > UINT32_MAX)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "a view's number is 1 to 4294967295, not %" PRId64,
                                 create->view);
        if (holdings_view(request->holdings, create->view))
                return fault_set(&request->fault, FAULT_BAD_REQUEST,
                                 "view %" PRId64 " is in use: choose another number, or drop it first", create->view);
        if (request->holdings->n_views >= LIMIT_VIEWS)
                return fault_set(&request->fault, FAULT_LIMIT, "a session has at most %d views: drop some", LIMIT_VIEWS);
        return 0;
}

static int refuse_entries(Request *request)
{
        account_log_refusal(request->session->charge.account, ACCOUNT_ENTRIES);
        return fault_set(&request->fault, FAULT_LIMIT,
                         "the views of this domain have too many own entries: drop some, or have quota.entries raised");
}

/* An empty view on the parent's ground, or a copy of the parent. */
static int view_from_parent(OptionalInteger parent, Request *request, View **ret_view)
{
        const HeldView *held;

        if (!parent.present || parent.value == 0)
                return view_new(parent.present, ret_view);
        held = holdings_view(request->holdings, parent.value);
        if (!held)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "there is no view %" PRId64 " to be the parent",
                                 parent.value);
        if (!held->view)
                return view_new(true, ret_view);
        if (held->entries.n > account_room(request->session->charge.account, ACCOUNT_ENTRIES))
                return refuse_entries(request);
        return view_copy(held->view, ret_view);
}

int handle_view_create(Request *request)
{
        const MsgViewCreate *create = request->params;
        CLEANUP(parts_deinit) Parts parts = PARTS_NULL;
        CLEANUP(view_freep) View *view = NULL;
        HeldView *held;
        int r;

        r = view_create_check(create, request);
        if (r == 0)
                r = view_from_parent(create->parent, request, &view);
        if (r == 0)
                r = parts_make(&parts, create->entries.items, create->entries.n, create->locals.items,
                               create->locals.n, request);
        if (r == 0)
                r = view_register(view, true, &parts, &(HeldView){ 0 }, request);
        if (r == 0)
                r = holdings_add_view(request->holdings, (uint32_t)create->view, view, &held);
        if (r != 0)
                return r;
        view = NULL;
        held_charge(held, request->session->charge.account);
        request->daemon->n_views += held->number != 1;
        parts_answer(&parts, held, request);
        return REQUEST_DONE;
}

/* --- view.extend --- */

static HeldView *request_view(Request *request, int64_t number)
{
        HeldView *held = number > 0 ? holdings_view(request->holdings, number) : NULL;

        if (held)
                return held;
        if (number == 0)
                (void)fault_set(&request->fault, FAULT_BAD_REQUEST,
                                "view 0 is the host mapping, which no client changes: use view 1 or make one");
        else
                (void)fault_set(&request->fault, FAULT_BAD_REQUEST, "there is no view %" PRId64 " in this session",
                                number);
        return NULL;
}

int handle_view_extend(Request *request)
{
        const MsgViewExtend *extend = request->params;
        CLEANUP(parts_deinit) Parts parts = PARTS_NULL;
        HeldView *held = request_view(request, extend->view);
        int r;

        if (!held)
                return REQUEST_FAULT;
        if (!held->view) {
                r = view_new(true, &held->view);
                if (r < 0)
                        return r;
        }
        r = parts_make(&parts, extend->entries.items, extend->entries.n, extend->locals.items, extend->locals.n,
                       request);
        if (r == 0)
                r = view_register(held->view, extend->inherit, &parts, held, request);
        if (r != 0)
                return r;
        held_charge(held, request->session->charge.account);
        parts_answer(&parts, held, request);
        if (!extend->inherit)
                holdings_sweep_locals(request->holdings);
        return REQUEST_DONE;
}

/* --- view.drop --- */

int handle_view_drop(Request *request)
{
        const MsgViewDrop *drop = request->params;
        HeldView *held = request_view(request, drop->view);

        if (!held)
                return REQUEST_FAULT;
        request->daemon->n_views -= held->number != 1;
        holdings_drop_view(request->holdings, held);
        holdings_sweep_locals(request->holdings);
        return REQUEST_DONE;
}
