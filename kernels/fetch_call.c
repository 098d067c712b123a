/* The requests of a fetch: made, tried again, answered. */
#include <errno.h>

#include "kernels/fetch_private.h"
#include "kernels/hub_url.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

/* Of one answer that is no file. A page of 1,000 entries has 300 KB; refs of a
 * repository with thousands of branches less. */
#define REPLY_BYTES (16u * 1024 * 1024)

static FetchStep *step_of(FetchCall *call)
{
        return (FetchStep *)((char *)call - offsetof(FetchStep, call));
}

void fetch_fail(Fetch *fetch, int r, const Fault *fault)
{
        if (fetch->failed || !r)
                return;
        fetch->failed = true;
        if (r < 0)
                fetch->error = r;
        else
                fetch->fault = *fault;
}

static void step_queue(Fetch *fetch, FetchStep *step)
{
        FetchStep **end = &fetch->ready;

        while (*end)
                end = &(*end)->next;
        step->next = NULL;
        *end = step;
}

static int step_new(Text url, HubCall kind, FetchTake take, Text what, FetchStep **ret_step)
{
        FetchStep *step;

        if (!url.data)
                return error_trace(-ENOMEM);
        step = alloc_zeroed(1, sizeof(*step));
        if (!step)
                return error_trace(-ENOMEM);
        step->call.url = url;
        step->call.limit = REPLY_BYTES;
        step->kind = kind;
        step->take = take;
        step->what = what;
        *ret_step = step;
        return 0;
}

int fetch_ask(Fetch *fetch, Text url, HubCall kind, FetchTake take, FetchVariant *variant, Text what)
{
        FetchStep *step = NULL;
        int r = step_new(url, kind, take, what, &step);

        if (r < 0)
                return r;
        /* A token is for what policy lists as private, and for nothing else. */
        step->call.with_token = policy_is_private(fetch->order->policy, what);
        step->variant = variant;
        fetch->n_out++;
        step_queue(fetch, step);
        return FETCH_WAITS;
}

/* --- files --- */

/* The cache knows blobs, people know repositories and paths. */
static int refuse_file(const FetchStep *step, const Fault *why, Fault *fault)
{
        const Fault copy = *why;

        return fault_set(fault, copy.name, "%.*s: %s", TEXT_PRINT(step->what), copy.message);
}

static int take_file(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault)
{
        FetchBlob *blob = step->blob;
        int r;

        if (step->refusal.name != FAULT_NONE)
                return refuse_file(step, &step->refusal, fault);
        r = hub_reply_judge(reply, step->what, step->call.with_token, fault);
        if (r)
                return r;
        r = cache_blob_end(blob->blob, fault);
        if (r)
                return r > 0 ? refuse_file(step, fault, fault) : r;
        fetch->n_loading--;
        fetch->n_done++;
        fetch->bytes_done += blob->size;
        blob->state = BLOB_DONE;
        return 0;
}

int fetch_ask_file(Fetch *fetch, FetchBlob *blob)
{
        Text url = hub_url_file(fetch->order->endpoint, fetch->repo, fetch->commit, blob->path, &fetch->arena);
        Text what = arena_format(&fetch->arena, "%.*s: %.*s", TEXT_PRINT(fetch->repo), TEXT_PRINT(blob->path));
        FetchStep *step = NULL;
        int r = what.data ? step_new(url, HUB_CALL_FILE, take_file, what, &step) : error_trace(-ENOMEM);

        if (r < 0)
                return r;
        step->call.with_token = policy_is_private(fetch->order->policy, fetch->repo);
        step->call.is_file = true;
        step->call.size = blob->size;
        step->blob = blob;
        blob->state = BLOB_LOADING;
        fetch->n_loading++;
        fetch->n_out++;
        step_queue(fetch, step);
        return FETCH_WAITS;
}

int fetch_call_write(Fetch *fetch, FetchCall *call, const void *bytes, size_t size)
{
        FetchStep *step = step_of(call);
        int r = cache_blob_write(step->blob->blob, bytes, size, &step->refusal);

        fetch->result->n_bytes += (int64_t)size; /* whatever becomes of them */
        if (r < 0)
                fetch_fail(fetch, r, NULL);
        return r;
}

/* A whole answer to a question for the rest begins at the front. */
void fetch_call_started(Fetch *fetch, FetchCall *call, const HubReply *reply)
{
        FetchStep *step = step_of(call);
        int r = 0;

        if (call->is_file && call->from > 0 && reply->status == 200 && !reply->ranged)
                r = cache_blob_restart(step->blob->blob);
        fetch_fail(fetch, r, NULL);
}

/* --- the end of a call --- */

static bool step_is_again(FetchStep *step, const HubReply *reply)
{
        bool got_bytes = step->blob && cache_blob_written(step->blob->blob) > step->had;

        if (reply->trouble == HUB_REPLIED && reply->status >= 200 && reply->status < 300)
                return false;
        if (step->refusal.name != FAULT_NONE)
                return false;
        return hub_retry(step->kind, ++step->n_tried, got_bytes, reply, &step->call.delay_ms);
}

static void step_repeat(Fetch *fetch, FetchStep *step)
{
        step->had = step->blob ? cache_blob_written(step->blob->blob) : 0;
        step->call.from = step->had;
        step_queue(fetch, step);
}

/* Out of the list of those that the transport has. */
static void step_came_back(Fetch *fetch, FetchStep *step)
{
        FetchStep **link = &fetch->steps_out;

        while (*link != step)
                link = &(*link)->next;
        *link = step->next;
}

/* The Hub answers for an old name with what has a new one. */
static int judge_name(const Fetch *fetch, const FetchStep *step, const HubReply *reply, Fault *fault)
{
        Text repo;

        if (step->blob || !hub_url_repo(text_of(reply->url), &repo))
                return 0;
        return policy_judge_renamed(fetch->order->policy, step->what, repo, fault);
}

void fetch_call_done(Fetch *fetch, FetchCall *call, const HubReply *reply)
{
        FetchStep *step = step_of(call);
        Fault fault = FAULT_NULL;
        int r;

        step_came_back(fetch, step);
        if (step_is_again(step, reply)) {
                step_repeat(fetch, step);
                return;
        }
        fetch->n_out--;
        r = judge_name(fetch, step, reply, &fault);
        if (!r)
                r = step->take(fetch, step, reply, &fault);
        fetch_fail(fetch, r == FETCH_WAITS ? 0 : r, &fault);
        alloc_free(step);
}

FetchCall *fetch_take_call(Fetch *fetch)
{
        FetchStep *step = fetch->ready;

        if (!step)
                return NULL;
        fetch->ready = step->next;
        step->next = fetch->steps_out;
        fetch->steps_out = step;
        return &step->call;
}

static void free_steps(FetchStep **steps)
{
        while (*steps) {
                FetchStep *step = *steps;

                *steps = step->next;
                alloc_free(step);
        }
}

void fetch_drop_calls(Fetch *fetch)
{
        free_steps(&fetch->ready);
        free_steps(&fetch->steps_out);
        fetch->n_out = 0;
}
