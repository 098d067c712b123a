#include "client/record.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "client/failure.h"
#include "client/hash.h"
#include "proto/base/alloc.h"

/* The daemon takes an absent bound for 0 and for no limit. */
static int64_t entry_min(const RecordEntry *entry)
{
        return entry->min.present ? entry->min.value : 0;
}

static int64_t entry_max(const RecordEntry *entry)
{
        return entry->max.present ? entry->max.value : INT64_MAX;
}

static uint64_t entry_hash(const RecordEntry *entry)
{
        int64_t range[2] = { entry_min(entry), entry_max(entry) };
        uint64_t hash = hash_bytes(HASH_START, entry->layer.data, entry->layer.size);

        hash = hash_bytes(hash, entry->device.data, entry->device.size);
        hash = hash_bytes(hash, range, sizeof(range));
        return hash_end(hash);
}

static bool entry_replaces(const RecordEntry *a, const RecordEntry *b)
{
        return a->hash == b->hash && text_equal(a->layer, b->layer) && text_equal(a->device, b->device) &&
               entry_min(a) == entry_min(b) && entry_max(a) == entry_max(b);
}

static size_t string_room(const char *string)
{
        return string ? strlen(string) + 1 : 0;
}

static Text string_place(char **place, const char *string)
{
        size_t size;
        Text text;

        if (!string)
                return TEXT_NULL;
        size = strlen(string);
        text = (Text){ memcpy(*place, string, size + 1), size };
        *place += size + 1;
        return text;
}

/* Bytes of the texts, all of which lie behind the entry in its one block. */
static size_t entry_room(const kd_entry *from)
{
        size_t room = string_room(from->layer) + string_room(from->device);

        for (size_t i = 0; i < from->n_references; ++i) {
                const kd_reference *reference = &from->references[i];

                room += string_room(reference->mode) + string_room(reference->repo) +
                        string_room(reference->revision) + string_room(reference->layer);
        }
        return room;
}

static int entry_refuse(kd_error *error, const char *what)
{
        return failure_refuse(error, FAULT_BAD_REQUEST, "%s", what);
}

static int reference_fill(RecordReference *to, const kd_reference *from, char **place, LocalSet *known, kd_error *error)
{
        LocalRepository *local = NULL;
        int r;

        if (!from->mode)
                return entry_refuse(error, "a reference names no mode: set `mode`, for instance to \"fallback\"");
        if (from->local && (from->repo || from->revision || from->version != -1))
                return entry_refuse(error, "a reference names a local repository and one on the Hub: set `local` alone, "
                                           "with `version` -1");
        if (from->local) {
                r = local_set_read(known, from->local, &local, error);
                if (r)
                        return r;
        }
        *to = (RecordReference){
                .mode = string_place(place, from->mode),
                .repo = string_place(place, from->repo),
                .version = optional_of(from->version),
                .revision = string_place(place, from->revision),
                .layer = string_place(place, from->layer),
                .local = local_ref(local),
        };
        return 0;
}

int record_entry_new(const kd_entry *from, LocalSet *known, RecordEntry **ret_entry, kd_error *error)
{
        RecordEntry *entry;
        size_t size;
        char *place;
        int r = 0;

        if (!from->layer)
                return entry_refuse(error, "an entry names no layer: set `layer`");
        if (__builtin_mul_overflow(from->n_references, sizeof(RecordReference), &size) ||
            __builtin_add_overflow(size, sizeof(*entry) + entry_room(from), &size))
                return failure_memory(error);
        entry = alloc_zeroed(1, size);
        if (!entry)
                return failure_memory(error);
        entry->n_users = 1;
        place = (char *)&entry->references[from->n_references];
        entry->layer = string_place(&place, from->layer);
        entry->device = string_place(&place, from->device);
        entry->min = optional_of(from->min_capability);
        entry->max = optional_of(from->max_capability);
        entry->hash = entry_hash(entry);
        while (!r && entry->n_references < from->n_references) {
                r = reference_fill(&entry->references[entry->n_references], &from->references[entry->n_references],
                                   &place, known, error);
                entry->n_references += !r;
        }
        if (r) {
                (void)record_entry_unref(entry);
                return r;
        }
        *ret_entry = entry;
        return 0;
}

RecordEntry *record_entry_ref(RecordEntry *entry)
{
        (void)__atomic_fetch_add(&entry->n_users, 1, __ATOMIC_RELAXED);
        return entry;
}

RecordEntry *record_entry_unref(RecordEntry *entry)
{
        if (!entry || __atomic_sub_fetch(&entry->n_users, 1, __ATOMIC_ACQ_REL))
                return NULL;
        for (size_t i = 0; i < entry->n_references; ++i)
                (void)local_unref(entry->references[i].local);
        alloc_free(entry);
        return NULL;
}

/* Where the entry is, or where it would go. */
static RecordEntry **table_slot(RecordEntry **slots, size_t n_slots, const RecordEntry *entry)
{
        size_t at = entry->hash & (n_slots - 1);

        while (slots[at] && !entry_replaces(slots[at], entry))
                at = (at + 1) & (n_slots - 1);
        return &slots[at];
}

int record_table_reserve(RecordTable *table, size_t n)
{
        size_t wanted, n_slots = table->n_slots ? table->n_slots : 16;
        RecordEntry **slots;

        if (__builtin_add_overflow(table->n, n, &wanted) || __builtin_mul_overflow(wanted, (size_t)2, &wanted))
                return -ENOMEM;
        while (n_slots < wanted)
                if (__builtin_mul_overflow(n_slots, (size_t)2, &n_slots))
                        return -ENOMEM;
        if (n_slots == table->n_slots)
                return 0;
        slots = alloc_zeroed(n_slots, sizeof(RecordEntry *));
        if (!slots)
                return -ENOMEM;
        for (size_t i = 0; i < table->n_slots; ++i)
                if (table->slots[i])
                        *table_slot(slots, n_slots, table->slots[i]) = table->slots[i];
        alloc_free(table->slots);
        table->slots = slots;
        table->n_slots = n_slots;
        return 0;
}

void record_table_set(RecordTable *table, RecordEntry *entry)
{
        RecordEntry **slot;

        assert(table->n < table->n_slots);
        slot = table_slot(table->slots, table->n_slots, entry);
        table->n += !*slot;
        (void)record_entry_ref(entry);
        (void)record_entry_unref(*slot);
        *slot = entry;
}

int record_table_copy(RecordTable *table, const RecordTable *from)
{
        int r = record_table_reserve(table, from->n);

        if (r < 0)
                return r;
        for (size_t i = 0; i < from->n_slots; ++i)
                if (from->slots[i])
                        record_table_set(table, from->slots[i]);
        return 0;
}

void record_table_deinit(RecordTable *table)
{
        for (size_t i = 0; i < table->n_slots; ++i)
                (void)record_entry_unref(table->slots[i]);
        alloc_free(table->slots);
        *table = RECORD_TABLE_NULL;
}

ViewRecord *view_record_new(uint32_t number, bool on_host)
{
        ViewRecord *view = alloc_zeroed(1, sizeof(*view));

        if (!view)
                return NULL;
        view->number = number;
        view->remote = number;
        view->on_host = on_host;
        return view;
}

ViewRecord *view_record_free(ViewRecord *view)
{
        if (!view)
                return NULL;
        record_table_deinit(&view->own);
        alloc_free(view->lost);
        alloc_free(view);
        return NULL;
}
