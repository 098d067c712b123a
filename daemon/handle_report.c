#include <errno.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/hub.h"
#include "daemon/state.h"
#include "proto/base/error.h"
#include "proto/used.h"

static int report_check(const MsgReport *report, Arena *arena, MsgUsed **ret_rows, Fault *fault)
{
        MsgUsed *rows = arena_zeroed(arena, report->used.n, sizeof(*rows));
        Fault bad = FAULT_NULL;

        if (!report->used.n)
                return fault_set(fault, FAULT_BAD_REQUEST, "used: 1 to %d rows, not 0", LIMIT_REPORT);
        if (!rows)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < report->used.n; i++)
                if (used_check(&report->used.items[i], &rows[i], &bad) != 0)
                        return fault_set(fault, bad.name, "used[%zu]: %s", i, bad.message);
        *ret_rows = rows;
        return 0;
}

/* For the history. */
static void report_note(void *data, const MsgUsed *used)
{
        const Request *request = data;
        const Identity *identity = &request->session->identity;
        const Fact fact = {
                .kind = FACT_EVENT,
                .event = { .at_s = hub_now_s(), .uid = identity->uid, .pid = identity->pid, .what = TEXT("report"),
                           .layer = used->layer, .repo = used->repo, .commit = used->commit, .variant = used->variant,
                           .outcome = TEXT("ok"), .reason = used->reason },
        };

        state_note(request->daemon->state, &fact);
}

int handle_report(Request *request)
{
        MsgUsed *rows = NULL;
        const MsgReport *report = request->params;
        int r = report_check(report, request->arena, &rows, &request->fault);

        if (r == 0)
                r = reports_take(&request->holdings->reports, request->daemon->hub->key, request->session->charge.account,
                                 rows, report->used.n, report_note, request, &request->fault);
        return r == 0 ? REQUEST_DONE : r;
}
