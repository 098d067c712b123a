#include "daemon/holdings.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

int holdings_set_environment(Holdings *holdings, const MsgEnvironment *message, bool native, Fault *fault)
{
        CLEANUP_ALLOC Environment *environment = alloc_zeroed(1, sizeof(*environment));
        int r;

        if (!environment)
                return error_trace(-ENOMEM);
        r = environment_init(environment, message, native, fault);
        if (r != 0)
                return r;
        alloc_free(holdings->environment);
        holdings->environment = STEAL(environment);
        choice_memo_forget(&holdings->memo);
        return 0;
}

int holdings_new(const MsgHello *hello, Holdings **ret_holdings, Fault *fault)
{
        CLEANUP(holdings_freep) Holdings *holdings = alloc_zeroed(1, sizeof(*holdings));
        HeldView *held;
        int r;

        if (!holdings)
                return error_trace(-ENOMEM);
        assert(hello->client.size <= LIMIT_WORD);
        memcpy(holdings->client, hello->client.data, hello->client.size);
        r = holdings_set_environment(holdings, hello->environment, hello->native, fault);
        if (r == 0)
                r = holdings_add_view(holdings, 1, NULL, &held);
        if (r != 0)
                return r;
        *ret_holdings = STEAL(holdings);
        return 0;
}

void upload_clear(Upload *upload)
{
        buffer_deinit(&upload->bytes);
        charge_clear(&upload->charge);
        upload->n_parts = 0;
}

static void held_view_deinit(HeldView *held)
{
        if (held->view)
                view_free(held->view);
        charge_clear(&held->entries);
        charge_clear(&held->bytes);
}

static void held_local_deinit(HeldLocal *held)
{
        repository_unref(held->repository);
        charge_clear(&held->bytes);
}

Holdings *holdings_free(Holdings *holdings)
{
        if (!holdings)
                return NULL;
        while (holdings->leases) {
                Lease *lease = holdings->leases;

                holdings->leases = lease->next;
                lease_free(lease);
        }
        charge_clear(&holdings->charge);
        for (size_t i = 0; i < holdings->n_views; i++)
                held_view_deinit(&holdings->views[i]);
        alloc_free(holdings->views);
        choice_memo_forget(&holdings->memo);
        for (size_t i = 0; i < holdings->n_locals; i++)
                held_local_deinit(&holdings->locals[i]);
        alloc_free(holdings->locals);
        alloc_free(holdings->environment);
        upload_clear(&holdings->upload);
        reports_deinit(&holdings->reports);
        alloc_free(holdings);
        return NULL;
}

HeldView *holdings_view(const Holdings *holdings, int64_t number)
{
        for (size_t i = 0; i < holdings->n_views; i++)
                if (holdings->views[i].number == number)
                        return &holdings->views[i];
        return NULL;
}

int holdings_add_view(Holdings *holdings, uint32_t number, View *view, HeldView **ret_held)
{
        HeldView *views;

        assert(!holdings_view(holdings, number));
        views = alloc_resize(holdings->views, holdings->n_views + 1, sizeof(*views));
        if (!views)
                return error_trace(-ENOMEM);
        holdings->views = views;
        views[holdings->n_views] = (HeldView){ .number = number, .view = view };
        *ret_held = &views[holdings->n_views++];
        return 0;
}

void holdings_drop_view(Holdings *holdings, HeldView *held)
{
        size_t i = (size_t)(held - holdings->views);

        held_view_deinit(held);
        memmove(held, held + 1, (holdings->n_views - i - 1) * sizeof(*held));
        holdings->n_views--;
}

void holdings_sweep_locals(Holdings *holdings)
{
        size_t n = 0;

        for (size_t i = 0; i < holdings->n_locals; i++) {
                if (repository_is_shared(holdings->locals[i].repository))
                        holdings->locals[n++] = holdings->locals[i];
                else
                        held_local_deinit(&holdings->locals[i]);
        }
        holdings->n_locals = n;
}

void holdings_drop_last_locals(Holdings *holdings, size_t n)
{
        while (n--)
                held_local_deinit(&holdings->locals[--holdings->n_locals]);
}

int holdings_add_locals(Holdings *holdings, Account *account, Repository *const *repositories, const size_t *sizes,
                        size_t n, Fault *fault)
{
        HeldLocal *locals;

        if (!n)
                return 0;
        holdings_sweep_locals(holdings);
        if (n > HOLDINGS_LOCALS - holdings->n_locals)
                return fault_set(fault, FAULT_LIMIT, "a session has at most %d local repositories: drop views that name some",
                                 HOLDINGS_LOCALS);
        locals = alloc_resize(holdings->locals, holdings->n_locals + n, sizeof(*locals));
        if (!locals)
                return error_trace(-ENOMEM);
        holdings->locals = locals;
        for (size_t i = 0; i < n; i++) {
                HeldLocal *held = &locals[holdings->n_locals];

                *held = (HeldLocal){ 0 };
                if (charge_set(&held->bytes, account, ACCOUNT_HELD, sizes[i]) != 0) {
                        holdings_drop_last_locals(holdings, i);
                        return fault_set(fault, FAULT_LIMIT, "the local repositories of this domain hold too many bytes: "
                                         "drop views, or have quota.bytes raised");
                }
                held->repository = repository_ref(repositories[i]);
                holdings->n_locals++;
        }
        return 0;
}

size_t holdings_n_entries(const Holdings *holdings)
{
        size_t n = 0;

        for (size_t i = 0; i < holdings->n_views; i++)
                n += holdings->views[i].entries.n;
        return n;
}

size_t holdings_n_views(const Holdings *holdings)
{
        return holdings->n_views - !!holdings_view(holdings, 1);
}

int holdings_charge_leases(Holdings *holdings, Account *account, size_t n, size_t n_unread)
{
        size_t n_charged = holdings->n_leases > n_unread ? holdings->n_leases : n_unread;

        return charge_set(&holdings->charge, account, ACCOUNT_LEASES, n_charged + n);
}

void holdings_add_lease(Holdings *holdings, Lease *lease)
{
        lease->number = ++holdings->last_lease;
        lease->next = holdings->leases;
        holdings->leases = lease;
        holdings->n_leases++;
}

bool holdings_release(Holdings *holdings, int64_t number, size_t n_unread)
{
        Lease **link = &holdings->leases, *lease;

        while (*link && (*link)->number != number)
                link = &(*link)->next;
        lease = *link;
        if (!lease)
                return false;
        *link = lease->next;
        lease_release(lease);
        holdings->n_leases--;
        (void)holdings_charge_leases(holdings, holdings->charge.account, 0, n_unread);
        return true;
}
