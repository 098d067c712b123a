#include "daemon/reports.h"

#include <errno.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/limits.h"

static size_t report_size(const MsgUsed *used)
{
        return sizeof(Report) + used->layer.size + used->device.size + used->mode.size + used->repo.size +
               used->commit.size + used->variant.size + used->reason.size;
}

static Text copy(char **at, Text text)
{
        return text.data ? table_item_text(at, text) : TEXT_NULL;
}

static Text device_key(const MsgUsed *used)
{
        return used->device.data ? used->device : TEXT("");
}

static Report *report_new(const MsgUsed *used)
{
        size_t size = report_size(used);
        Report *report = alloc_bytes(size);
        char *at;

        if (!report)
                return NULL;
        at = (char *)(report + 1);
        *report = (Report){ .size = size };
        report->used = (MsgUsed){
                .layer = copy(&at, used->layer),
                .device = copy(&at, used->device),
                .mode = copy(&at, used->mode),
                .repo = copy(&at, used->repo),
                .commit = copy(&at, used->commit),
                .variant = copy(&at, used->variant),
                .reason = copy(&at, used->reason),
        };
        report->item.a = report->used.layer;
        report->item.b = device_key(&report->used);
        return report;
}

static bool used_equal(const MsgUsed *a, const MsgUsed *b)
{
        return text_equal(a->layer, b->layer) && text_equal(a->device, b->device) && text_equal(a->mode, b->mode) &&
               text_equal(a->repo, b->repo) && text_equal(a->commit, b->commit) && text_equal(a->variant, b->variant) &&
               text_equal(a->reason, b->reason);
}

/* --- in the order in which they were said --- */

static void link_newest(Reports *reports, Report *report)
{
        report->newer = NULL;
        report->older = reports->newest;
        *(reports->newest ? &reports->newest->newer : &reports->oldest) = report;
        reports->newest = report;
}

static void unlink_report(Reports *reports, Report *report)
{
        *(report->newer ? &report->newer->older : &reports->newest) = report->older;
        *(report->older ? &report->older->newer : &reports->oldest) = report->newer;
}

static void reports_drop(Reports *reports, Report *report)
{
        unlink_report(reports, report);
        text_table_remove(&reports->table, &report->item);
        reports->n_bytes -= report->size;
        alloc_free(report);
}

/* --- taking --- */

/* In the place of the one with its key. 0, or -ENOMEM with all as it was: where
 * one was dropped, the table need not grow. */
static int reports_put(Reports *reports, const MsgUsed *used)
{
        Report *kept = (Report *)text_table_find(&reports->table, used->layer, device_key(used));
        CLEANUP_ALLOC Report *report = report_new(used);

        if (!report)
                return error_trace(-ENOMEM);
        if (!kept && reports->table.n == LIMIT_REPORT)
                kept = reports->oldest;
        if (kept)
                reports_drop(reports, kept);
        if (text_table_put(&reports->table, &report->item) < 0)
                return error_trace(-ENOMEM);
        reports->n_bytes += report->size;
        link_newest(reports, STEAL(report));
        return 0;
}

static int reports_say(Reports *reports, const MsgUsed *used, ReportsNew *is_new, void *data)
{
        Report *kept = (Report *)text_table_find(&reports->table, used->layer, device_key(used));
        int r;

        if (kept && used_equal(&kept->used, used)) {
                unlink_report(reports, kept);
                link_newest(reports, kept);
                return 0;
        }
        r = reports_put(reports, used);
        if (r == 0)
                is_new(data, used);
        return r;
}

/* As if nothing that is kept went: how much will is known only then. */
static int reports_charge(Reports *reports, Account *account, const MsgUsed *rows, size_t n, Fault *fault)
{
        size_t n_bytes = reports->n_bytes;

        for (size_t i = 0; i < n; i++)
                n_bytes += report_size(&rows[i]);
        if (charge_set(&reports->charge, account, ACCOUNT_HELD, n_bytes) != 0)
                return fault_set(fault, FAULT_LIMIT, "the views and reports of this domain hold too many bytes: "
                                 "drop views, or have quota.bytes raised");
        return 0;
}

int reports_take(Reports *reports, uint64_t key, Account *account, const MsgUsed *rows, size_t n, ReportsNew *is_new,
                 void *data, Fault *fault)
{
        int r = reports_charge(reports, account, rows, n, fault);

        if (r != 0)
                return r;
        reports->table.key = key;
        for (size_t i = 0; r == 0 && i < n; i++)
                r = reports_say(reports, &rows[i], is_new, data);
        (void)charge_set(&reports->charge, account, ACCOUNT_HELD, reports->n_bytes);
        return r;
}

void reports_deinit(Reports *reports)
{
        while (reports->newest)
                reports_drop(reports, reports->newest);
        (void)text_table_take_all(&reports->table);
        charge_clear(&reports->charge);
}
