#include <inttypes.h>

#include "daemon/acquire.h"
#include "daemon/acquire_result.h"
#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "daemon/hub_task.h"
#include "daemon/hub_verify.h"
#include "kernels/named_environment.h"
#include "kernels/resolve.h"
#include "proto/name.h"

/* A day: longer than anybody waits, and no sum of it overflows. */
#define DEADLINE_MAX_MS (24 * 60 * 60 * 1000)

int request_wait(const Request *request, Charge *charge, Fault *fault)
{
        if (request->session->n_in_flight >= LIMIT_IN_FLIGHT)
                return fault_set(fault, FAULT_LIMIT, "a session has at most %d requests in flight: wait for an answer",
                                 LIMIT_IN_FLIGHT);
        if (charge_set(charge, request->session->charge.account, ACCOUNT_ACQUIRES, 1) != 0)
                return fault_set(fault, FAULT_LIMIT, "too many acquires wait: wait for some, or have quota.acquires raised");
        return 0;
}

int request_deadline(OptionalInteger asked, uint64_t *ret_deadline_ms, Fault *fault)
{
        int64_t deadline_ms = asked.present ? asked.value : LIMIT_ACQUIRE_MS;

        if (deadline_ms < 1)
                return fault_set(fault, FAULT_BAD_REQUEST, "deadline_ms: at least 1, not %" PRId64, deadline_ms);
        *ret_deadline_ms = (uint64_t)(deadline_ms < DEADLINE_MAX_MS ? deadline_ms : DEADLINE_MAX_MS);
        return 0;
}

int request_reference(const Request *request, Text repo, OptionalInteger version, Text revision, Reference *ret_reference,
                      Fault *fault)
{
        Reference reference = { .kind = version.present ? REFERENCE_VERSION : REFERENCE_REVISION, .repo = repo,
                                .version = version.value, .revision = revision, .layer = TEXT("") };
        const Pin *pin;

        if (version.present == (revision.data != NULL))
                return fault_set(fault, FAULT_BAD_REQUEST, "%.*s: exactly one of version and revision", TEXT_PRINT(repo));
        if (reference_check(&reference, fault))
                return 1;
        if (revision.data && name_is_commit(revision))
                reference.commit = revision;
        pin = pins_find(request->daemon->mapping->pins, &reference);
        if (pin)
                reference.commit = pin->commit;
        *ret_reference = reference;
        return 0;
}

Text request_device(const Holdings *holdings)
{
        Backend backend;
        Version2 version;

        if (!backend_parse_variant(holdings->environment->message.backend, &backend, &version))
                return TEXT("cpu");
        return text_of(device_spelling(device_of_backend(backend)));
}

/* A client's own repository: the client has the files, and the daemon nothing
 * to lease. */
static int acquire_local(Request *request, const Resolution *resolution)
{
        MsgAcquireResult *result = request->result;
        int r;

        r = acquire_result_copy(resolution, request->daemon->mapping->generation, request->arena, result);
        if (r < 0)
                return r;
        acquire_result_set_metadata(result, resolution->repository->variants[resolution->variant].metadata);
        return REQUEST_DONE;
}

static int acquire_resolved(Request *request, const Resolution *resolution, const AcquireOptions *options)
{
        const MsgAcquire *acquire = request->params;
        Acquires *acquires = request->daemon->acquires;
        int r;

        if (resolution->kind == REFERENCE_LOCAL)
                return acquire_local(request, resolution);
        if (resolution->kind == REFERENCE_PATH)
                r = acquire_begin(acquires, request, resolution, options, &request->fault);
        else
                r = acquire_begin_hub(acquires, request, resolution, &resolution->hub, acquire->query, options,
                                      &request->fault);
        return r == 0 ? REQUEST_LATER : r;
}

static int acquire_layer(Request *request, const AcquireOptions *options)
{
        const MsgAcquire *acquire = request->params;
        Resolution resolution;
        Asker asker;
        int r;

        if (!acquire->view.present)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "view: it goes with the query");
        r = request_asker(request->daemon, request->holdings, acquire->view.value, &asker, &request->fault);
        if (r != 0)
                return r;
        asker.lookup_only = true;
        r = resolve_answer(&asker, acquire->query, NULL, request->arena, &resolution, &request->fault);
        return r == 0 ? acquire_resolved(request, &resolution, options) : r;
}

static int acquire_repository(Request *request, const AcquireOptions *options)
{
        const MsgAcquire *acquire = request->params;
        MsgQuery query = { .device = acquire->device, .capability = acquire->capability, .arch = acquire->arch };
        Reference reference;
        int r;

        r = request_reference(request, acquire->repo, acquire->version, acquire->revision, &reference, &request->fault);
        if (!query.device.data)
                query.device = request_device(request->holdings);
        if (r == 0)
                r = acquire_begin_hub(request->daemon->acquires, request, NULL, &reference, &query, options, &request->fault);
        return r == 0 ? REQUEST_LATER : r;
}

int handle_acquire(Request *request)
{
        const MsgAcquire *acquire = request->params;
        AcquireOptions options = { .fresh = acquire->fresh, .trust_remote_code = acquire->trust_remote_code };
        int r;

        if (!acquire->query == !acquire->repo.data)
                return fault_set(&request->fault, FAULT_BAD_REQUEST, "acquire: either a view and a query, or a repo");
        r = request_deadline(acquire->deadline_ms, &options.deadline_ms, &request->fault);
        if (r != 0)
                return r;
        return acquire->query ? acquire_layer(request, &options) : acquire_repository(request, &options);
}

int handle_release(Request *request)
{
        const MsgRelease *release = request->params;

        if (!holdings_release(request->holdings, release->lease, session_unread_descriptors(request->session)))
                return fault_set(&request->fault, FAULT_BAD_REQUEST,
                                 "there is no lease %" PRId64 " in this session, or it was released already",
                                 release->lease);
        request->daemon->n_leases--;
        return REQUEST_DONE;
}

int handle_cancel(Request *request)
{
        const MsgCancel *cancel = request->params;

        acquire_cancel(request->session, cancel->id);
        hub_task_cancel(request->daemon->hub, request->session, cancel->id);
        hub_verify_cancel(request->daemon->hub, request->session, cancel->id);
        return REQUEST_DONE;
}
