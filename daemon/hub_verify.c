#include "daemon/hub_verify.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "daemon/acquire.h"
#include "daemon/check_job.h"
#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/hub.h"
#include "daemon/tell.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

typedef struct VerifyItem {
        Text repo;
        Text commit;
        Text variant;
        Text path; /* of the snapshot */
} VerifyItem;

struct HubVerify {
        Hub *hub;
        HubVerify *next;
        HubVerify *previous;
        Session *session; /* NULL: it has left, and the job is on its way back */
        uint32_t id;
        Charge charge;
        uint64_t due_ms;
        Progress told;
        Arena arena;
        VerifyItem items[LIMIT_PAGE];
        MsgVerified rows[LIMIT_PAGE];
        size_t n;
        size_t at;
        OptionalInteger behind;
        int64_t failed;
        CheckJob job; /* of items[at] */
        bool linked;
};

/* --- life --- */

int hub_verify_new(const Request *request, OptionalInteger deadline_ms, HubVerify **ret_verify, Fault *fault)
{
        Hub *hub = request->daemon->hub;
        CLEANUP(hub_verify_freep) HubVerify *verify = NULL;
        uint64_t patience_ms;

        if (request_deadline(deadline_ms, &patience_ms, fault))
                return 1;
        verify = alloc_zeroed(1, sizeof(*verify));
        if (!verify)
                return error_trace(-ENOMEM);
        verify->hub = hub;
        verify->session = request->session;
        verify->id = request->id;
        verify->due_ms = loop_now_ms(&hub->daemon->loop) + patience_ms;
        if (request_wait(request, &verify->charge, fault))
                return 1;
        *ret_verify = STEAL(verify);
        return 0;
}

HubVerify *hub_verify_free(HubVerify *verify)
{
        if (!verify)
                return NULL;
        check_job_deinit(&verify->job);
        charge_clear(&verify->charge);
        arena_deinit(&verify->arena);
        alloc_free(verify);
        return NULL;
}

int hub_verify_add(HubVerify *verify, const Known *known, const RepositoryVariant *variant)
{
        VerifyItem *item = &verify->items[verify->n];

        if (arena_copy(&verify->arena, known->repo, &item->repo) < 0 ||
            arena_copy(&verify->arena, known->commit, &item->commit) < 0 ||
            arena_copy(&verify->arena, variant->folder, &item->variant) < 0)
                return error_trace(-ENOMEM);
        item->path = cache_snapshot_path(verify->hub->cache, known->repo, known->commit, &verify->arena);
        if (!item->path.data)
                return error_trace(-ENOMEM);
        verify->n++;
        return 0;
}

void hub_verify_set_next(HubVerify *verify, int64_t next)
{
        verify->behind = INTEGER_PRESENT(next);
}

static void verify_unlink(HubVerify *verify)
{
        if (!verify->linked)
                return;
        *(verify->previous ? &verify->previous->next : &verify->hub->verifies) = verify->next;
        if (verify->next)
                verify->next->previous = verify->previous;
        verify->linked = false;
        hub_ticks_end(verify->hub);
}

/* The session's part is over: answered, or it ends. The job may still be out. */
static void verify_leave(HubVerify *verify)
{
        Session *session = verify->session;

        verify_unlink(verify);
        charge_clear(&verify->charge);
        verify->session = NULL;
        session_request_ends(session);
}

static void verify_leave_with(HubVerify *verify, const Fault *fault)
{
        (void)answer_fault(verify->session, verify->id, fault);
        verify_leave(verify);
        job_cancel(&verify->job.job);
}

/* --- one after the other --- */

static int take_row(HubVerify *verify, const Fault *refusal)
{
        const VerifyItem *item = &verify->items[verify->at];
        MsgVerified *row = &verify->rows[verify->at++];
        CLEANUP(metadata_freep) Metadata *metadata = NULL;
        KernelReceipt receipt;

        *row = (MsgVerified){ .repo = item->repo, .commit = item->commit, .variant = item->variant,
                              .signature = TEXT("not checked") };
        if (refusal) {
                if (check_job_found_wrong(&verify->job))
                        (void)hub_forget_files(verify->hub, item->repo, item->commit, item->variant, item->path,
                                               verify->job.fault.name);
                verify->failed++;
                row->digest = TEXT("corrupt");
                return arena_copy(&verify->arena, text_of(refusal->message), &row->message);
        }
        metadata = kernel_check_take_metadata(verify->job.work);
        row->digest = metadata && metadata->digest ? TEXT("ok") : TEXT("missing");
        receipt = kernel_check_receipt(verify->job.work);
        acquires_put_receipt(verify->hub->daemon->acquires, item->path, item->variant, &receipt);
        return 0;
}

static void verify_answer(HubVerify *verify)
{
        const MsgCacheVerifyResult result = {
                .kernels = { verify->rows, verify->n }, .failed = verify->failed, .next = verify->behind,
        };

        (void)answer_result(verify->session, verify->id, METHOD_CACHE_VERIFY, &result, -1);
        verify_leave(verify);
        hub_verify_free(verify);
}

static void verify_done(Job *job, int result);

/* 0: the next is on its way; 1: there is none. */
static int verify_next(HubVerify *verify)
{
        const VerifyItem *item = &verify->items[verify->at];
        int r;

        if (verify->at == verify->n)
                return 1;
        check_job_deinit(&verify->job);
        r = check_job_init(&verify->job, item->path.data, item->variant, geteuid(), NULL);
        if (r < 0)
                return r;
        verify->job.job.done = verify_done;
        worker_submit(verify->hub->daemon->worker, &verify->job.job);
        return 0;
}

static void verify_fail(HubVerify *verify)
{
        Fault fault;

        (void)fault_set(&fault, FAULT_INTERNAL, "the kernels could not be hashed: the daemon's log has more");
        (void)answer_fault(verify->session, verify->id, &fault);
        verify_leave(verify);
        hub_verify_free(verify);
}

static void verify_go_on(HubVerify *verify)
{
        int r = verify_next(verify);

        if (r > 0)
                verify_answer(verify);
        else if (r < 0)
                verify_fail(verify);
}

static void verify_done(Job *job, int result)
{
        HubVerify *verify = (HubVerify *)((char *)job - offsetof(HubVerify, job.job));
        int fd;

        if (!verify->session) {
                hub_verify_free(verify);
                return;
        }
        if (result == 0 && !verify->job.refused) {
                fd = kernel_check_take_fd(verify->job.work);
                lease_close(verify->hub->daemon->locks, fd);
        }
        if (result < 0 || take_row(verify, verify->job.refused ? &verify->job.fault : NULL) < 0)
                verify_fail(verify);
        else
                verify_go_on(verify);
}

void hub_verify_run(HubVerify *verify)
{
        Hub *hub = verify->hub;

        hub_ticks_begin(hub);
        verify->next = hub->verifies;
        if (verify->next)
                verify->next->previous = verify;
        hub->verifies = verify;
        verify->linked = true;
        session_request_begins(verify->session);
        verify_go_on(verify);
}

/* --- all of them --- */

void hub_verify_tick(Hub *hub, uint64_t now_ms)
{
        for (HubVerify *verify = hub->verifies, *next; verify; verify = next) {
                Progress progress = check_job_progress(&verify->job);
                Fault fault;

                next = verify->next;
                if (verify->due_ms <= now_ms) {
                        (void)fault_set(&fault, FAULT_TIMEOUT, "it was not done before the deadline: verify fewer at a time");
                        verify_leave_with(verify, &fault);
                } else {
                        tell_progress(verify->session, verify->id, &progress, &verify->told);
                }
        }
}

static HubVerify *find_verify(const Hub *hub, const Session *session, int64_t id)
{
        HubVerify *verify = hub->verifies;

        while (verify && (verify->session != session || verify->id != id))
                verify = verify->next;
        return verify;
}

bool hub_verify_is_in_flight(const Hub *hub, const Session *session, uint32_t id)
{
        return find_verify(hub, session, id) != NULL;
}

void hub_verify_cancel(Hub *hub, const Session *session, int64_t id)
{
        HubVerify *verify = find_verify(hub, session, id);
        Fault fault;

        if (!verify)
                return;
        (void)fault_set(&fault, FAULT_CANCELLED, "the request was cancelled");
        verify_leave_with(verify, &fault);
}

void hub_verify_forget_session(Hub *hub, const Session *session)
{
        for (HubVerify *verify = hub->verifies, *next; verify; verify = next) {
                next = verify->next;
                if (verify->session == session) {
                        verify_leave(verify);
                        job_cancel(&verify->job.job);
                }
        }
}
