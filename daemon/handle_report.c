#include <errno.h>

#include "daemon/daemon.h"
#include "daemon/handlers.h"
#include "daemon/hub.h"
#include "daemon/state.h"
#include "proto/base/error.h"
#include "proto/device.h"
#include "proto/mode.h"
#include "proto/name.h"

/* Each text ends up on somebody's terminal. */
static int used_check_names(const MsgUsed *used, Fault *fault)
{
        Device device;
        int r = name_check_layer(used->layer, fault);

        if (r == 0 && used->device.data)
                r = device_parse(used->device, &device, fault);
        if (r == 0 && used->repo.data)
                r = name_check_used(used->repo, fault);
        if (r == 0 && used->variant.data)
                r = name_check_variant(used->variant, fault);
        return r == 0 ? name_check_reason(used->reason, fault) : r;
}

static int used_check_commit(const MsgUsed *used, Fault *fault)
{
        if (!used->commit.data)
                return 0;
        if (!name_is_commit(used->commit))
                return fault_set(fault, FAULT_INVALID_NAME, "\"%.*s\" cannot be a commit: it has 40 hex digits in lower case",
                                 TEXT_PRINT(used->commit));
        if (text_starts_with(used->repo, TEXT("local:")))
                return fault_set(fault, FAULT_BAD_REQUEST, "a local repository has no commit: leave it out");
        return 0;
}

/* The mode in its canonical spelling, so that the same is the same. */
static int used_check(const MsgUsed *used, MsgUsed *ret_used, Fault *fault)
{
        Mode mode;
        int r = used_check_names(used, fault);

        if (r == 0)
                r = used_check_commit(used, fault);
        if (r == 0 && !used->repo.data && (used->commit.data || used->variant.data))
                r = fault_set(fault, FAULT_BAD_REQUEST, "commit and variant belong to a kernel: name its repo too");
        *ret_used = *used;
        if (r != 0 || !used->mode.data)
                return r;
        r = mode_parse_request(used->mode, &mode, fault);
        if (r == 0)
                ret_used->mode = mode_text(mode);
        return r;
}

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
