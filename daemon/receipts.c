#include "daemon/receipts.h"

#include <string.h>

#include "proto/base/alloc.h"

struct ReceiptRecord {
        ReceiptRecord *next;
        KernelReceipt receipt;
        int64_t used_s;
        Text path; /* both behind the struct */
        Text variant;
};

/* Takes it out of the list; NULL: there is none. */
static ReceiptRecord *receipts_take(Receipts *receipts, Text path, Text variant)
{
        ReceiptRecord **link = &receipts->first, *record;

        while (*link && !(text_equal((*link)->path, path) && text_equal((*link)->variant, variant)))
                link = &(*link)->next;
        record = *link;
        if (!record)
                return NULL;
        *link = record->next;
        receipts->n--;
        return record;
}

static void receipts_push(Receipts *receipts, ReceiptRecord *record)
{
        record->next = receipts->first;
        receipts->first = record;
        receipts->n++;
}

static void receipts_drop_oldest(Receipts *receipts)
{
        ReceiptRecord **link = &receipts->first;

        while ((*link)->next)
                link = &(*link)->next;
        alloc_free(*link);
        *link = NULL;
        receipts->n--;
}

const KernelReceipt *receipts_find(Receipts *receipts, Text path, Text variant)
{
        ReceiptRecord *record = receipts_take(receipts, path, variant);

        if (!record)
                return NULL;
        receipts_push(receipts, record);
        return &record->receipt;
}

int64_t receipts_used_s(const Receipts *receipts, Text path, Text variant)
{
        for (const ReceiptRecord *record = receipts->first; record; record = record->next)
                if (text_equal(record->path, path) && text_equal(record->variant, variant))
                        return record->used_s;
        return 0;
}

void receipts_put(Receipts *receipts, Text path, Text variant, KernelReceipt receipt, int64_t used_s)
{
        ReceiptRecord *record = receipts_take(receipts, path, variant);
        char *bytes;

        if (!record) {
                record = alloc_bytes(sizeof(*record) + path.size + variant.size);
                if (!record)
                        return;
                bytes = (char *)(record + 1);
                memcpy(bytes, path.data, path.size);
                memcpy(bytes + path.size, variant.data, variant.size);
                record->path = (Text){ bytes, path.size };
                record->variant = (Text){ bytes + path.size, variant.size };
        }
        record->receipt = receipt;
        record->used_s = used_s;
        receipts_push(receipts, record);
        if (receipts->n > RECEIPTS_MAX)
                receipts_drop_oldest(receipts);
}

void receipts_void(Receipts *receipts, Text path, Text variant)
{
        receipts_put(receipts, path, variant, (KernelReceipt){ 0 }, receipts_used_s(receipts, path, variant));
}

void receipts_deinit(Receipts *receipts)
{
        while (receipts->first) {
                ReceiptRecord *record = receipts->first;

                receipts->first = record->next;
                alloc_free(record);
        }
        receipts->n = 0;
}
