#include "client/acquire.h"

#include <errno.h>

#include "client/answer.h"
#include "client/failure.h"
#include "client/kernel.h"
#include "proto/base/alloc.h"

#define ACQUIRE_FLAGS (KD_FRESH | KD_TRUST_REMOTE_CODE)

static MsgAcquire acquire_message(unsigned flags, int64_t deadline_ms)
{
        return (MsgAcquire){
                .fresh = flags & KD_FRESH,
                .trust_remote_code = flags & KD_TRUST_REMOTE_CODE,
                .deadline_ms = INTEGER_PRESENT(deadline_ms),
        };
}

static int64_t acquire_deadline(int64_t deadline_ms)
{
        return deadline_ms > 0 ? deadline_ms : LIMIT_ACQUIRE_MS;
}

/* Fills in what asks by a query; the texts stay the caller's. */
static int acquire_init_query(Acquire *one, const kd_query *query, unsigned flags, int64_t deadline_ms, kd_error *error)
{
        int r;

        r = query_check(query, error);
        if (!r)
                r = flags_check(flags, ACQUIRE_FLAGS, error);
        if (r)
                return r;
        one->query = query_message(query);
        one->message = acquire_message(flags, deadline_ms);
        one->message.query = &one->query;
        return 0;
}

static int acquire_one(Acquires *acquires, kd_kernel **ret_kernel, kd_error *error)
{
        int r = acquires_run(acquires, error);

        return r ? r : acquire_take(acquires->client, acquires->items, ret_kernel, error);
}

int kd_acquire(kd_client *client, uint32_t view, const kd_query *query, unsigned flags, int64_t deadline_ms,
               kd_progress progress, void *data, kd_kernel **ret_kernel, kd_error *error)
{
        Acquire one = { 0 };
        Acquires acquires = { .client = client, .view = &view, .items = &one, .n = 1,
                              .deadline_ms = acquire_deadline(deadline_ms), .progress = progress, .data = data };
        int r;

        r = acquire_init_query(&one, query, flags, acquires.deadline_ms, error);
        return r ? r : acquire_one(&acquires, ret_kernel, error);
}

int kd_acquire_repository(kd_client *client, const kd_repository_query *query, unsigned flags, int64_t deadline_ms,
                          kd_progress progress, void *data, kd_kernel **ret_kernel, kd_error *error)
{
        Acquire one = { .message = acquire_message(flags, acquire_deadline(deadline_ms)) };
        Acquires acquires = { .client = client, .items = &one, .n = 1, .deadline_ms = acquire_deadline(deadline_ms),
                              .progress = progress, .data = data };
        int r;

        if (!query->repo)
                return failure_refuse(error, FAULT_BAD_REQUEST, "a repository is asked for without its name: set `repo`");
        r = flags_check(flags, ACQUIRE_FLAGS, error);
        if (r)
                return r;
        one.message.repo = text_of(query->repo);
        one.message.version = optional_of(query->version);
        one.message.revision = text_of(query->revision);
        one.message.device = text_of(query->device);
        one.message.capability = optional_of(query->capability);
        one.message.arch = text_of(query->arch);
        return acquire_one(&acquires, ret_kernel, error);
}

/* --- many at the same time --- */

static int all_init(Acquires *acquires, const kd_acquisition *items, kd_error *error)
{
        for (size_t i = 0; i < acquires->n; ++i) {
                int r = acquire_init_query(&acquires->items[i], &items[i].query, items[i].flags, acquires->deadline_ms,
                                           error);

                if (r)
                        return r;
        }
        return 0;
}

/* Without memory there is no item's result: all go back. */
static int all_take(Acquires *acquires, kd_acquisition *items, kd_error *error)
{
        for (size_t i = 0; i < acquires->n; ++i) {
                items[i].error = (kd_error){ 0 };
                if (acquire_take(acquires->client, &acquires->items[i], &items[i].kernel, &items[i].error) != -ENOMEM)
                        continue;
                acquires_drop(acquires);
                while (i-- > 0)
                        items[i].kernel = kd_kernel_free(items[i].kernel);
                return failure_memory(error);
        }
        return 0;
}

int kd_acquire_all(kd_client *client, uint32_t view, kd_acquisition *items, size_t n, int64_t deadline_ms,
                   kd_progress progress, void *data, kd_error *error)
{
        Acquires acquires = { .client = client, .view = &view, .n = n, .deadline_ms = acquire_deadline(deadline_ms),
                              .progress = progress, .data = data };
        CLEANUP_ALLOC Acquire *wanted = NULL;
        int r;

        for (size_t i = 0; i < n; ++i)
                items[i].kernel = NULL;
        if (!n)
                return 0;
        acquires.items = wanted = alloc_zeroed(n, sizeof(*wanted));
        if (!wanted)
                return failure_memory(error);
        r = all_init(&acquires, items, error);
        if (!r)
                r = acquires_run(&acquires, error);
        return r ? r : all_take(&acquires, items, error);
}
