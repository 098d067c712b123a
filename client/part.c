#include "client/part.h"

#include <errno.h>

typedef struct PartSize {
        size_t bytes;
        size_t items;
        size_t local_bytes;
} PartSize;

/* Bytes that keys and headers take at most. */
#define ENTRY_OVERHEAD 96
#define REFERENCE_OVERHEAD 64
#define VARIANT_OVERHEAD 40

static PartSize local_size(const LocalRepository *local)
{
        PartSize size = { .bytes = 32, .items = 4, .local_bytes = local->n_bytes };

        for (size_t i = 0; i < local->n_variants; ++i) {
                size.bytes += VARIANT_OVERHEAD + local->variants[i].variant.size + local->variants[i].metadata.size;
                size.items += 5;
        }
        return size;
}

static bool part_has_local(const LocalSet *set, const LocalRepository *local)
{
        for (size_t i = set->n; i-- > 0;)
                if (set->items[i] == local)
                        return true;
        return false;
}

/* What the entry adds to a message that has the locals of `set`. */
static PartSize entry_size(const RecordEntry *entry, const LocalSet *set)
{
        PartSize size = { .bytes = ENTRY_OVERHEAD + entry->layer.size + entry->device.size, .items = 12 };

        for (size_t i = 0; i < entry->n_references; ++i) {
                const RecordReference *reference = &entry->references[i];

                size.bytes += REFERENCE_OVERHEAD + reference->mode.size + reference->repo.size +
                              reference->revision.size + reference->layer.size;
                size.items += 12;
                if (reference->local && !part_has_local(set, reference->local)) {
                        PartSize local = local_size(reference->local);

                        size.bytes += local.bytes;
                        size.items += local.items;
                        size.local_bytes += local.local_bytes;
                }
        }
        return size;
}

/* Adds and says whether it fits; the first entry always does: what is too
 * large in itself the daemon refuses, naming the limit. */
static bool part_takes(PartSize *total, PartSize size, size_t n_entries)
{
        PartSize sum = { total->bytes + size.bytes, total->items + size.items, total->local_bytes + size.local_bytes };

        if (n_entries && (n_entries == PART_ENTRIES || sum.bytes > PART_BYTES || sum.items > PART_ITEMS ||
                          sum.local_bytes > LIMIT_LOCAL_BYTES))
                return false;
        *total = sum;
        return true;
}

static int part_add(Part *part, const RecordEntry *entry)
{
        MsgEntry *to = &part->message.entries.items[part->message.entries.n];

        *to = (MsgEntry){
                .layer = entry->layer, .device = entry->device,
                .min_capability = entry->min, .max_capability = entry->max,
                .modes = {
                        .keys = arena_zeroed(&part->arena, entry->n_references, sizeof(Text)),
                        .items = arena_zeroed(&part->arena, entry->n_references, sizeof(MsgReference)),
                        .n = entry->n_references,
                },
        };
        if (!to->modes.keys || !to->modes.items)
                return -ENOMEM;
        for (size_t i = 0; i < entry->n_references; ++i) {
                const RecordReference *from = &entry->references[i];
                MsgReference *reference = &to->modes.items[i];
                size_t index;

                to->modes.keys[i] = from->mode;
                *reference = (MsgReference){ .repo = from->repo, .version = from->version,
                                             .revision = from->revision, .layer = from->layer };
                if (!from->local)
                        continue;
                if (local_set_add(&part->locals, from->local, &index) < 0)
                        return -ENOMEM;
                reference->local = INTEGER_PRESENT((int64_t)index);
        }
        ++part->message.entries.n;
        return 0;
}

static int part_add_locals(Part *part)
{
        MsgLocal *items = arena_zeroed(&part->arena, part->locals.n, sizeof(*items));

        if (!items)
                return -ENOMEM;
        for (size_t i = 0; i < part->locals.n; ++i) {
                items[i].variants.items = part->locals.items[i]->variants;
                items[i].variants.n = part->locals.items[i]->n_variants;
        }
        part->message.locals.items = items;
        part->message.locals.n = part->locals.n;
        return 0;
}

int part_fill(Part *part, RecordEntry *const *entries, size_t n, size_t *ret_n)
{
        PartSize total = { .bytes = 256, .items = 32 };
        size_t room = n < PART_ENTRIES ? n : PART_ENTRIES, i;
        int r;

        part->message.entries.items = arena_zeroed(&part->arena, room, sizeof(MsgEntry));
        if (!part->message.entries.items)
                return -ENOMEM;
        for (i = 0; i < n; ++i) {
                if (!entries[i])
                        continue;
                if (!part_takes(&total, entry_size(entries[i], &part->locals), part->message.entries.n))
                        break;
                r = part_add(part, entries[i]);
                if (r < 0)
                        return r;
        }
        r = part_add_locals(part);
        if (r < 0)
                return r;
        *ret_n = i;
        return 0;
}

void part_deinit(Part *part)
{
        arena_deinit(&part->arena);
        local_set_deinit(&part->locals);
        *part = PART_NULL;
}
