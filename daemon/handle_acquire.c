#include <inttypes.h>

#include "daemon/acquire.h"
#include "daemon/acquire_result.h"
#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/holdings.h"
#include "kernels/resolve.h"

/* A day: longer than anybody waits, and no sum of it overflows. */
#define DEADLINE_MAX_MS (24 * 60 * 60 * 1000)

static int request_deadline(const MsgAcquire *acquire, uint64_t *ret_deadline_ms, Fault *fault)
{
        int64_t deadline_ms = acquire->deadline_ms.present ? acquire->deadline_ms.value : LIMIT_ACQUIRE_MS;

        if (deadline_ms < 1)
                return fault_set(fault, FAULT_BAD_REQUEST, "deadline_ms: at least 1, not %" PRId64, deadline_ms);
        *ret_deadline_ms = (uint64_t)(deadline_ms < DEADLINE_MAX_MS ? deadline_ms : DEADLINE_MAX_MS);
        return 0;
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

static int acquire_resolved(Request *request, const Resolution *resolution, uint64_t deadline_ms)
{
        int r;

        switch (resolution->kind) {
        case REFERENCE_LOCAL:
                return acquire_local(request, resolution);
        case REFERENCE_PATH:
                r = acquire_begin(request->daemon->acquires, request, resolution, deadline_ms, &request->fault);
                return r == 0 ? REQUEST_LATER : r;
        case REFERENCE_VERSION:
        case REFERENCE_REVISION:
        case REFERENCE_LOCKED:
        default:
                return fault_set(&request->fault, FAULT_OFFLINE,
                                 "%.*s is not on this host, and kernelsd " KERNELSD_VERSION " fetches nothing from the Hub: "
                                 "name a directory with \"path\" in the host mapping, or a local repository in the view",
                                 TEXT_PRINT(resolution->reference.repo));
        }
}

static int acquire_question(const MsgAcquire *acquire, Fault *fault)
{
        if (!acquire->query || !acquire->view.present)
                return fault_set(fault, FAULT_BAD_REQUEST, "acquire: a view and a query, or a repo");
        return 0;
}

int handle_acquire(Request *request)
{
        const MsgAcquire *acquire = request->params;
        Resolution resolution;
        uint64_t deadline_ms = 0;
        Asker asker;
        int r;

        r = request_deadline(acquire, &deadline_ms, &request->fault);
        if (r == 0)
                r = acquire_question(acquire, &request->fault);
        if (r == 0)
                r = request_asker(request->daemon, request->holdings, acquire->view.value, &asker, &request->fault);
        if (r == 0)
                r = resolve_answer(&asker, acquire->query, NULL, request->arena, &resolution, &request->fault);
        return r == 0 ? acquire_resolved(request, &resolution, deadline_ms) : r;
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
        return REQUEST_DONE;
}
