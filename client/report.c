#include "client/failure.h"
#include "client/client.h"
#include "proto/base/alloc.h"
#include "proto/used.h"

/* Messages that wait for room among the requests under way: 4 MiB at most. */
#define REPORT_WAITING 16

static MsgUsed used_message(const kd_used *used)
{
        return (MsgUsed){
                .layer = text_of(used->layer), .device = text_of(used->device), .mode = text_of(used->mode),
                .repo = text_of(used->repo), .commit = text_of(used->commit), .variant = text_of(used->variant),
                .reason = text_of(used->reason),
        };
}

/* Whether the daemon would take it: one row that breaks a rule refuses all. */
static bool used_is_fit(const MsgUsed *used)
{
        MsgUsed checked;
        Fault fault;

        return used->layer.data && used->reason.data && used_check(used, &checked, &fault) == 0;
}

/* Where the daemon is slow to answer, the oldest that waits makes room. */
static void report_make_room(kd_client *client)
{
        Call *oldest = NULL;
        size_t n = 0;

        for (Call *call = client->calls.waiting.last; call; call = call->previous)
                if (call->method == METHOD_REPORT) {
                        oldest = call;
                        ++n;
                }
        if (n >= REPORT_WAITING)
                call_abandon(oldest);
}

/* One message; under the lock. */
static int report_part(kd_client *client, const kd_used *used, size_t n, kd_error *error)
{
        CLEANUP_ALLOC MsgUsed *rows = alloc_zeroed(n, sizeof(*rows));
        MsgReport message = { .used.items = rows };
        Call *call;
        int r;

        if (!rows)
                return failure_memory(error);
        for (size_t i = 0; i < n; ++i) {
                rows[message.used.n] = used_message(&used[i]);
                message.used.n += used_is_fit(&rows[message.used.n]);
        }
        if (!message.used.n)
                return 0;
        r = call_new(client, METHOD_REPORT, &message, &call, error);
        if (r)
                return r;
        call->abandoned = true;
        report_make_room(client);
        call_start(call);
        return 0;
}

int kd_report(kd_client *client, const kd_used *used, size_t n, kd_error *error)
{
        int r = client_lock(client, error);

        if (r)
                return r;
        for (size_t at = 0; !r && at < n && client->connection.fd >= 0 && !client->broken; at += LIMIT_REPORT)
                r = report_part(client, used + at, n - at < LIMIT_REPORT ? n - at : LIMIT_REPORT, error);
        client_drive(client, true);
        (void)client_dispatch(client);
        client_unlock(client);
        return r;
}
