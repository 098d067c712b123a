/* What a session said that it uses: of each (layer, device) the latest row. Its
 * word only, for people who look. */
#pragma once

#include <stdint.h>

#include "daemon/account.h"
#include "kernels/text_table.h"
#include "proto/fault.h"
#include "proto/schema.h"

typedef struct Report Report;

struct Report {
        TableItem item; /* layer, device */
        Report *newer, *older;
        size_t size;    /* all that it takes */
        MsgUsed used;   /* texts behind it */
};

/* Zeroed: none. */
typedef struct Reports {
        TextTable table;
        Report *newest, *oldest;
        size_t n_bytes;
        Charge charge;
} Reports;

/* A row that says something new. */
typedef void ReportsNew(void *data, const MsgUsed *used);

/* Keeps rows that keep the rules, one after the other, and tells which of them
 * are new; beyond LIMIT_REPORT the longest unsaid goes. `key`: random, the same
 * each time. 0; 1 with FAULT_LIMIT, and nothing has changed; -ENOMEM: rows that
 * were told are kept. */
int reports_take(Reports *reports, uint64_t key, Account *account, const MsgUsed *rows, size_t n, ReportsNew *is_new,
                 void *data, Fault *fault);

void reports_deinit(Reports *reports);
