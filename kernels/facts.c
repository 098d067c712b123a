#include "kernels/facts.h"

#include <errno.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define COLUMN(kind, type, member) { FACT_COLUMN_##kind, offsetof(type, member) }

static const FactColumn revision_columns[] = {
        COLUMN(TEXT, FactRevision, repo),         COLUMN(TEXT, FactRevision, revision),
        COLUMN(TEXT, FactRevision, commit),       COLUMN(OPTIONAL, FactRevision, redirect),
        COLUMN(OPTIONAL, FactRevision, final_commit), COLUMN(BOOL, FactRevision, with_token),
        COLUMN(INTEGER, FactRevision, at_s),
};

static const FactColumn listing_columns[] = {
        COLUMN(TEXT, FactListing, repo),     COLUMN(TEXT, FactListing, commit),
        COLUMN(TEXT, FactListing, variants), COLUMN(INTEGER, FactListing, at_s),
};

static const FactColumn publisher_columns[] = {
        COLUMN(TEXT, FactPublisher, name), COLUMN(BOOL, FactPublisher, trusted), COLUMN(INTEGER, FactPublisher, at_s),
};

static const FactColumn corrupt_columns[] = {
        COLUMN(TEXT, FactCorrupt, repo),    COLUMN(TEXT, FactCorrupt, commit),
        COLUMN(TEXT, FactCorrupt, variant), COLUMN(TEXT, FactCorrupt, message),
};

static const FactColumn complete_columns[] = {
        COLUMN(TEXT, FactComplete, repo), COLUMN(TEXT, FactComplete, commit), COLUMN(TEXT, FactComplete, variant),
};

static const FactColumn receipt_columns[] = {
        COLUMN(TEXT, FactReceipt, path),               COLUMN(TEXT, FactReceipt, variant),
        COLUMN(FINGERPRINT, FactReceipt, fingerprint), COLUMN(INTEGER, FactReceipt, used_s),
};

static const FactColumn use_columns[] = {
        COLUMN(INTEGER, FactUse, domain_uid), COLUMN(TEXT, FactUse, repo),   COLUMN(TEXT, FactUse, revision),
        COLUMN(BYTES, FactUse, environment),  COLUMN(TEXT, FactUse, device), COLUMN(INTEGER, FactUse, capability),
        COLUMN(OPTIONAL, FactUse, arch),      COLUMN(INTEGER, FactUse, at_s),
};

static const FactColumn event_columns[] = {
        COLUMN(INTEGER, FactEvent, number), COLUMN(INTEGER, FactEvent, at_s),   COLUMN(INTEGER, FactEvent, uid),
        COLUMN(INTEGER, FactEvent, pid),    COLUMN(TEXT, FactEvent, what),      COLUMN(OPTIONAL, FactEvent, layer),
        COLUMN(OPTIONAL, FactEvent, repo),  COLUMN(OPTIONAL, FactEvent, commit), COLUMN(OPTIONAL, FactEvent, variant),
        COLUMN(TEXT, FactEvent, outcome),   COLUMN(OPTIONAL, FactEvent, reason),
};

#define LAYOUT(type, columns, list)                                                                       \
        { sizeof(type), columns, ARRAY_SIZE(columns), offsetof(Facts, list), offsetof(Facts, n_##list) }

const FactLayout fact_layouts[_FACT_MAX] = {
        [FACT_REVISION] = LAYOUT(FactRevision, revision_columns, revisions),
        [FACT_LISTING] = LAYOUT(FactListing, listing_columns, listings),
        [FACT_PUBLISHER] = LAYOUT(FactPublisher, publisher_columns, publishers),
        [FACT_CORRUPT] = LAYOUT(FactCorrupt, corrupt_columns, corrupts),
        [FACT_COMPLETE] = LAYOUT(FactComplete, complete_columns, completes),
        [FACT_RECEIPT] = LAYOUT(FactReceipt, receipt_columns, receipts),
        [FACT_USE] = LAYOUT(FactUse, use_columns, uses),
        [FACT_EVENT] = { sizeof(FactEvent), event_columns, ARRAY_SIZE(event_columns), 0, 0 },
};

int facts_new(Facts **ret_facts)
{
        Facts *facts = alloc_zeroed(1, sizeof(*facts));

        if (!facts)
                return error_trace(-ENOMEM);
        *ret_facts = facts;
        return 0;
}

Facts *facts_free(Facts *facts)
{
        if (facts)
                arena_deinit(&facts->arena);
        alloc_free(facts);
        return NULL;
}

static bool is_text(FactColumnKind kind)
{
        return kind == FACT_COLUMN_TEXT || kind == FACT_COLUMN_OPTIONAL || kind == FACT_COLUMN_BYTES;
}

size_t fact_room(const Fact *fact)
{
        const FactLayout *layout = &fact_layouts[fact->kind];
        size_t size = 0;

        for (size_t i = 0; i < layout->n_columns; i++)
                if (is_text(layout->columns[i].kind))
                        size += ((const Text *)((const char *)&fact->revision + layout->columns[i].offset))->size;
        return size;
}

void fact_copy(const Fact *fact, char *room, Fact *ret_copy)
{
        const FactLayout *layout = &fact_layouts[fact->kind];

        *ret_copy = *fact;
        for (size_t i = 0; i < layout->n_columns; i++) {
                Text *text = (Text *)((char *)&ret_copy->revision + layout->columns[i].offset);

                if (!is_text(layout->columns[i].kind) || !text->data)
                        continue;
                memcpy(room, text->data, text->size);
                text->data = room;
                room += text->size;
        }
}
