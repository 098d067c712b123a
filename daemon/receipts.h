/* What earlier checks of variant folders found, so that an unchanged folder is
 * not hashed again. Of the folders asked for lately; the oldest goes. */
#pragma once

#include "kernels/kernel_check.h"
#include "proto/base/text.h"

/* Guess: a host uses some dozens of kernels. */
#define RECEIPTS_MAX 1024

typedef struct ReceiptRecord ReceiptRecord;

typedef struct Receipts {
        ReceiptRecord *first; /* the latest */
        size_t n;
} Receipts;

/* NULL: none. Good until the next call. */
const KernelReceipt *receipts_find(Receipts *receipts, Text path, Text variant);

/* When it was last used, seconds since 1970; 0: there is none. */
int64_t receipts_used_s(const Receipts *receipts, Text path, Text variant);

/* Without memory it is not kept, and the folder is hashed again. */
void receipts_put(Receipts *receipts, Text path, Text variant, KernelReceipt receipt, int64_t used_s);

/* It matches no folder any more; when it was used stays. */
void receipts_void(Receipts *receipts, Text path, Text variant);
void receipts_deinit(Receipts *receipts);
