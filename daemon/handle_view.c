#include <inttypes.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "kernels/repository.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* The entries and locals of one request, made and checked. */
typedef struct Parts {
        Repository **locals;
        size_t n_locals;
        Entry **entries;
        size_t n_entries;
        uint32_t first_local; /* the session's number of the first */
        size_t bytes;         /* of the request, for the charge */
} Parts;

#define PARTS_NULL ((Parts){ 0 })

static void parts_deinit(Parts *parts)
{
        for (size_t i = 0; i < parts->n_locals; i++)
                repository_unref(parts->locals[i]);
        for (size_t i = 0; i < parts->n_entries; i++)
                entry_unref(parts->entries[i]);
}

static int locals_check_size(const MsgLocal *locals, size_t n_locals, Fault *fault)
{
        size_t size = 0;

        for (size_t i = 0; i < n_locals; i++)
                for (size_t j = 0; j < locals[i].variants.n; j++)
                        size += locals[i].variants.items[j].metadata.size;
        if (size > LIMIT_LOCAL_BYTES)
                return fault_set(fault, FAULT_TOO_LARGE,
                                 "The metadata of the local repositories has %zu bytes, over the limit of %u in one "
                                 "request. Send fewer of them at a time.", size, LIMIT_LOCAL_BYTES);
        return 0;
}

static int parts_make_locals(Parts *parts, const MsgLocal *locals, size_t n_locals, Request *request)
{
        int r;

        r = locals_check_size(locals, n_locals, &request->fault);
        if (r != 0)
                return r;
        if (n_locals > UINT32_MAX - request->holdings->n_locals)
                return fault_set(&request->fault, FAULT_LIMIT, "The session has no numbers left for local repositories.");
        parts->locals = arena_zeroed(request->arena, n_locals, sizeof(*parts->locals));
        if (!parts->locals)
                return error_trace(-ENOMEM);
        for (; parts->n_locals < n_locals; parts->n_locals++) {
                r = repository_from_message(&locals[parts->n_locals], &parts->locals[parts->n_locals], &request->fault);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int parts_make(Parts *parts, const MsgEntry *entries, size_t n_entries, const MsgLocal *locals,
                      size_t n_locals, Request *request)
{
        int r;

        parts->first_local = request->holdings->n_locals;
        parts->bytes = request->body.size;
        r = parts_make_locals(parts, locals, n_locals, request);
        if (r != 0)
                return r;
        parts->entries = arena_zeroed(request->arena, n_entries, sizeof(*parts->entries));
        if (!parts->entries)
                return error_trace(-ENOMEM);
        for (; parts->n_entries < n_entries; parts->n_entries++) {
                r = entry_from_message(&entries[parts->n_entries], parts->locals, n_locals, parts->first_local,
                                       &parts->entries[parts->n_entries], &request->fault);
                if (r != 0)
                        return r;
        }
        return 0;
}

/* Registers the parts in `view`, which is no longer or not yet held, within
 * what the domain may still have beside the `spare` entries that go. */
static int view_register(View *view, bool inherit, const Parts *parts, size_t spare, Request *request)
{
        Account *account = request->session->charge.account;
        size_t room = account_room(account, ACCOUNT_ENTRIES) + spare;
        int r;

        r = view_extend(view, inherit, parts->entries, parts->n_entries, room, &request->fault);
        if (r == 1 && request->fault.name == FAULT_LIMIT && parts->n_entries > room)
                account_log_refusal(account, ACCOUNT_ENTRIES);
        return r;
}

static int refuse_bytes(Request *request)
{
        return fault_set(&request->fault, FAULT_LIMIT,
                         "The views of this domain hold too many bytes. Drop some, or have quota.bytes raised.");
}

/* What a view now costs. Entries fit: view_register saw to it. */
static void held_charge_entries(HeldView *held, Account *account)
{
        (void)charge_set(&held->entries, account, ACCOUNT_ENTRIES, view_n_entries(held->view));
}

static void parts_answer(const Parts *parts, const HeldView *held, Request *request)
{
        MsgViewResult *result = request->result;

        result->entries = (int64_t)held->entries.n;
        if (parts->n_locals)
                result->first_local = INTEGER_PRESENT(parts->first_local);
        request->holdings->n_locals += (uint32_t)parts->n_locals;
}

/* --- view.create --- */

static int view_create_check(const MsgViewCreate *create, Request *request)
{
        if (create->view < 1 || create->view > UINT32_MAX)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "A view's number is 1 to 4294967295, not %" PRId64 ".",
                                 create->view);
        if (holdings_view(request->holdings, create->view))
                return fault_set(&request->fault, FAULT_BAD_REQUEST,
                                 "View %" PRId64 " is in use. Choose another number, or drop it first.", create->view);
        if (request->holdings->n_views >= LIMIT_VIEWS)
                return fault_set(&request->fault, FAULT_LIMIT, "A session has at most %d views. Drop some.", LIMIT_VIEWS);
        return 0;
}

/* The view as its parent makes it; *ret_bytes is what of the parent's it keeps. */
static int view_from_parent(OptionalInteger parent, Request *request, View **ret_view, size_t *ret_bytes)
{
        HeldView *held;

        *ret_bytes = 0;
        if (!parent.present || parent.value == 0)
                return view_new(parent.present, ret_view);
        held = holdings_view(request->holdings, parent.value);
        if (!held)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "There is no view %" PRId64 " to be the parent.",
                                 parent.value);
        *ret_bytes = held->bytes.n;
        return held->view ? view_copy(held->view, ret_view) : view_new(true, ret_view);
}

int handle_view_create(Request *request)
{
        const MsgViewCreate *create = request->params;
        Account *account = request->session->charge.account;
        CLEANUP(parts_deinit) Parts parts = PARTS_NULL;
        CLEANUP(view_freep) View *view = NULL;
        CLEANUP(charge_clear) Charge bytes = CHARGE_NULL;
        HeldView *held;
        size_t inherited;
        int r;

        r = view_create_check(create, request);
        if (r == 0)
                r = view_from_parent(create->parent, request, &view, &inherited);
        if (r == 0)
                r = parts_make(&parts, create->entries.items, create->entries.n, create->locals.items,
                               create->locals.n, request);
        if (r == 0)
                r = view_register(view, true, &parts, 0, request);
        if (r != 0)
                return r;
        if (charge_set(&bytes, account, ACCOUNT_HELD, inherited + parts.bytes) != 0)
                return refuse_bytes(request);
        r = holdings_add_view(request->holdings, (uint32_t)create->view, view, &held);
        if (r < 0)
                return r;
        view = NULL;
        held->bytes = bytes;
        bytes = CHARGE_NULL;
        held_charge_entries(held, account);
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
                                "View 0 is the host mapping, which no client changes. Use view 1 or make one.");
        else
                (void)fault_set(&request->fault, FAULT_BAD_REQUEST, "There is no view %" PRId64 " in this session.",
                                number);
        return NULL;
}

int handle_view_extend(Request *request)
{
        const MsgViewExtend *extend = request->params;
        Account *account = request->session->charge.account;
        CLEANUP(parts_deinit) Parts parts = PARTS_NULL;
        HeldView *held = request_view(request, extend->view);
        size_t before;
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
        if (r != 0)
                return r;
        before = held->bytes.n;
        if (charge_set(&held->bytes, account, ACCOUNT_HELD, (extend->inherit ? before : 0) + parts.bytes) != 0)
                return refuse_bytes(request);
        r = view_register(held->view, extend->inherit, &parts, held->entries.n, request);
        if (r != 0) {
                (void)charge_set(&held->bytes, account, ACCOUNT_HELD, before);
                return r;
        }
        held_charge_entries(held, account);
        parts_answer(&parts, held, request);
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
        return REQUEST_DONE;
}
