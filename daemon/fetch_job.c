#include "daemon/fetch_job.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* One call on its way; file thread. */
struct FetchTransfer {
        HttpRequest request;
        FetchJob *job;
        FetchCall *call;
        FetchTransfer *next;
        FetchTransfer *previous;
};

static void transfer_unlink(FetchTransfer *transfer)
{
        *(transfer->previous ? &transfer->previous->next : &transfer->job->transfers) = transfer->next;
        if (transfer->next)
                transfer->next->previous = transfer->previous;
}

static void publish_progress(FetchJob *job)
{
        Progress progress;

        fetch_progress(job->fetch, &progress);
        shared_progress_set(&job->progress, &progress);
}

/* One large file is many of these and no step. */
static int transfer_write(HttpRequest *request, const void *bytes, size_t size)
{
        FetchTransfer *transfer = request->data;
        FetchJob *job = transfer->job;
        int r = fetch_call_write(job->fetch, transfer->call, bytes, size);

        publish_progress(job);
        return r;
}

static void transfer_started(HttpRequest *request, const HubReply *reply)
{
        FetchTransfer *transfer = request->data;

        fetch_call_started(transfer->job->fetch, transfer->call, reply);
}

static void transfer_done(HttpRequest *request, const HubReply *reply)
{
        FetchTransfer *transfer = request->data;
        FetchJob *job = transfer->job;

        fetch_call_done(job->fetch, transfer->call, reply);
        transfer_unlink(transfer);
        alloc_free(transfer);
        job_resume(&job->job);
}

static int transfer_begin(FetchJob *job, FetchCall *call)
{
        FetchTransfer *transfer = alloc_zeroed(1, sizeof(*transfer));

        if (!transfer)
                return error_trace(-ENOMEM);
        transfer->job = job;
        transfer->call = call;
        transfer->request = (HttpRequest){
                .url = call->url.data,
                .token = call->with_token ? job->token : NULL,
                .group = job->group,
                .from = call->from,
                .size = call->size,
                .limit = call->limit,
                .delay_ms = call->delay_ms,
                .write = call->is_file ? transfer_write : NULL,
                .started = transfer_started,
                .done = transfer_done,
                .data = transfer,
        };
        transfer->next = job->transfers;
        if (transfer->next)
                transfer->next->previous = transfer;
        job->transfers = transfer;
        http_begin(job->http, &transfer->request);
        return 0;
}

static void drop_transfers(FetchJob *job)
{
        while (job->transfers) {
                FetchTransfer *transfer = job->transfers;

                http_cancel(job->http, &transfer->request);
                transfer_unlink(transfer);
                alloc_free(transfer);
        }
}

static FetchJob *fetch_job_of(Job *job)
{
        return (FetchJob *)((char *)job - offsetof(FetchJob, job));
}

/* The cache's locks are the file thread's, so it lets go of them there. */
static void let_go(FetchJob *job)
{
        drop_transfers(job);
        fetch_let_go(job->fetch);
}

static void fetch_job_abandon(Job *job)
{
        let_go(fetch_job_of(job));
}

static int begin_calls(FetchJob *job)
{
        FetchCall *call;
        int r = 0;

        while (!r && (call = fetch_take_call(job->fetch)))
                r = transfer_begin(job, call);
        return r;
}

static int fetch_job_step(Job *step)
{
        FetchJob *job = fetch_job_of(step);
        int r = fetch_step(job->fetch, &job->fault), begun = 0;

        publish_progress(job);
        if (r == STEP_MORE || r == FETCH_WAITS)
                begun = begin_calls(job);
        if (begun == 0 && r == STEP_MORE)
                return JOB_AGAIN;
        if (begun == 0 && r == FETCH_WAITS)
                return JOB_PARKED;
        job->pauses = begun == 0 && r == FETCH_PAUSES;
        job->confirms = begun == 0 && r == FETCH_CONFIRMS;
        if (job->pauses || job->confirms)
                return 0;
        let_go(job);
        job->refused = r == STEP_FAULT;
        return begun < 0 ? begun : r < 0 ? r : 0;
}

int fetch_job_init(FetchJob *job, Http *http, const char *token, FetchOrder *order)
{
        int r = fetch_new(order, &job->fetch);

        if (r < 0)
                return r;
        job->http = http;
        job->job.step = fetch_job_step;
        job->job.abandon = fetch_job_abandon;
        shared_progress_clear(&job->progress);
        job->token = token ? alloc_text(token, strlen(token)) : NULL;
        return token && !job->token ? error_trace(-ENOMEM) : 0;
}

void fetch_job_deinit(FetchJob *job)
{
        job->fetch = fetch_free(job->fetch);
        if (job->token)
                explicit_bzero(job->token, strlen(job->token));
        alloc_free(job->token);
        job->token = NULL;
}
