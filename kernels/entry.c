#include "kernels/entry.h"

#include <assert.h>
#include <errno.h>

#include "kernels/repository.h"
#include "proto/base/alloc.h"
#include "proto/name.h"

/* --- checking --- */

int reference_check(const Reference *reference, Fault *fault)
{
        int r = 0;

        switch (reference->kind) {
        case REFERENCE_VERSION:
                r = name_check_version(reference->version, fault);
                break;
        case REFERENCE_REVISION:
                r = name_check_revision(reference->revision, fault);
                break;
        case REFERENCE_LOCKED:
                r = name_check_path(reference->locked, fault);
                if (!r && !name_is_commit(reference->commit))
                        r = fault_set(fault, FAULT_INVALID_NAME, "the lock file gives no commit of 40 lower-case hex "
                                      "digits for the repository: lock it again");
                break;
        case REFERENCE_PATH:
                r = name_check_path(reference->path, fault);
                break;
        case REFERENCE_LOCAL:
                break;
        }
        if (!r && reference->kind <= REFERENCE_LOCKED)
                r = name_check_repository(reference->repo, fault);
        if (!r && reference->layer.data)
                r = name_check_layer(reference->layer, fault);
        return r;
}

/* Bounds go before the device: those of a device that does not exist are, as
 * upstream has it, bounds on one without capabilities. */
static int check_bounds(Text device, OptionalInteger min, OptionalInteger max, CapabilityRange *ret_range,
                        Fault *fault)
{
        Device type = DEVICE_NONE;
        Fault ignored;

        if (device.data && device_parse(device, &type, &ignored))
                type = DEVICE_NONE;
        return device_range(type, min.present ? &min.value : NULL, max.present ? &max.value : NULL, ret_range, fault);
}

static int check_modes(const EntryDraft *draft, Fault *fault)
{
        unsigned seen = 0;

        for (size_t i = 0; i < draft->n_modes; i++) {
                Mode mode = draft->modes[i].mode;

                assert(mode_is_valid(mode));
                if (seen & 1u << mode)
                        return fault_set(fault, FAULT_INVALID_MODE, "mode %s is named twice for one entry",
                                         mode_spelling(mode));
                seen |= 1u << mode;
        }
        return 0;
}

static int check_device(const EntryDraft *draft, Device *ret_device, Fault *fault)
{
        if (draft->device.data)
                return device_parse(draft->device, ret_device, fault);
        if (draft->n_modes)
                return fault_set(fault, FAULT_BAD_REQUEST, "an entry without a device names a layer only: name a device "
                                 "for its modes");
        *ret_device = DEVICE_NONE;
        return 0;
}

static int check_names(const EntryDraft *draft, Fault *fault)
{
        int r = name_check_layer(draft->layer, fault);

        for (size_t i = 0; !r && i < draft->n_modes; i++)
                r = reference_check(&draft->modes[i].reference, fault);
        if (!r && draft->removes && draft->n_modes)
                r = fault_set(fault, FAULT_BAD_REQUEST, "an entry that removes has no modes");
        return r;
}

/* --- making --- */

/* Without repo: those of an entry are mostly the same, and then stand once. */
static size_t reference_text_size(const Reference *reference)
{
        return reference->revision.size + reference->locked.size + reference->commit.size +
               reference->path.size + reference->layer.size + 6;
}

/* Copies a text to *cursor, NUL behind it. */
static Text take_text(char **cursor, Text text)
{
        char *copy = *cursor;

        if (!text.data)
                return TEXT_NULL;
        if (text.size)
                memcpy(copy, text.data, text.size);
        copy[text.size] = 0;
        *cursor += text.size + 1;
        return (Text){ copy, text.size };
}

static Reference take_reference(char **cursor, const Reference *from, Text entry_layer, Text shared_repo)
{
        Reference to = {
                .kind = from->kind,
                .version = from->version,
                .number = from->number,
                .local = from->local ? repository_ref(from->local) : NULL,
                .repo = text_equal(from->repo, shared_repo) ? shared_repo : take_text(cursor, from->repo),
                .revision = take_text(cursor, from->revision),
                .locked = take_text(cursor, from->locked),
                .path = take_text(cursor, from->path),
                .layer = entry_layer,
        };

        if (from->kind == REFERENCE_REVISION && name_is_commit(from->revision))
                to.commit = to.revision;
        else
                to.commit = take_text(cursor, from->commit);
        if (from->layer.data && !text_equal(from->layer, entry_layer))
                to.layer = take_text(cursor, from->layer);
        return to;
}

static int entry_make(const EntryDraft *draft, Device device, CapabilityRange range, Entry **ret_entry)
{
        Text repo = draft->n_modes ? draft->modes[0].reference.repo : TEXT_NULL;
        size_t size = sizeof(Entry) + draft->n_modes * sizeof(EntryMode) + draft->layer.size + 1 + repo.size + 1;
        Entry *entry;
        char *cursor;

        for (size_t i = 0; i < draft->n_modes; i++) {
                size += reference_text_size(&draft->modes[i].reference);
                if (!text_equal(draft->modes[i].reference.repo, repo))
                        size += draft->modes[i].reference.repo.size;
        }
        entry = alloc_bytes(size);
        if (!entry)
                return -ENOMEM;
        cursor = (char *)&entry->modes[draft->n_modes];
        *entry = (Entry){
                .n_users = 1,
                .source = draft->source,
                .removes = draft->removes,
                .has_range = device_has_capability(device),
                .has_bounds = draft->min.present || draft->max.present,
                .device = device,
                .range = range,
                .n_bytes = (uint32_t)size,
                .layer = take_text(&cursor, draft->layer),
        };
        repo = take_text(&cursor, repo);
        for (Mode mode = 0; mode < _MODE_MAX; mode++)
                for (size_t i = 0; i < draft->n_modes; i++)
                        if (draft->modes[i].mode == mode)
                                entry->modes[entry->n_modes++] = (EntryMode){
                                        mode, take_reference(&cursor, &draft->modes[i].reference, entry->layer,
                                                             repo),
                                };
        assert(cursor <= (char *)entry + size);
        *ret_entry = entry;
        return 0;
}

int entry_new(const EntryDraft *draft, Entry **ret_entry, Fault *fault)
{
        CapabilityRange range;
        Device device;

        if (check_bounds(draft->device, draft->min, draft->max, &range, fault) || check_modes(draft, fault) ||
            check_device(draft, &device, fault) || check_names(draft, fault))
                return 1;
        return entry_make(draft, device, range, ret_entry);
}

/* --- from a message --- */

static int reference_from_message(const MsgReference *message, Repository *const *locals, size_t n_locals,
                                  uint32_t first_local, Reference *ret_reference, Fault *fault)
{
        int n = (message->repo.data != NULL) + message->local.present;
        Reference reference = { .repo = message->repo, .layer = message->layer };

        if (n != 1)
                return fault_set(fault, FAULT_BAD_REQUEST, "a reference names either repo or local");
        if (message->version.present + (message->revision.data != NULL) != (message->local.present ? 0 : 1))
                return fault_set(fault, FAULT_BAD_REQUEST, "a reference has exactly one of version and revision with "
                                 "repo, and neither with local");
        if (message->local.present) {
                if (message->local.value < 0 || (uint64_t)message->local.value >= n_locals)
                        return fault_set(fault, FAULT_BAD_REQUEST, "local %lld is not one of the request's %zu locals",
                                         (long long)message->local.value, n_locals);
                reference.kind = REFERENCE_LOCAL;
                reference.local = locals[message->local.value];
                reference.number = first_local + (uint32_t)message->local.value;
        } else if (message->version.present) {
                reference.kind = REFERENCE_VERSION;
                reference.version = message->version.value;
        } else {
                reference.kind = REFERENCE_REVISION;
                reference.revision = message->revision;
        }
        *ret_reference = reference;
        return 0;
}

int entry_from_message(const MsgEntry *message, Repository *const *locals, size_t n_locals, uint32_t first_local,
                       Entry **ret_entry, Fault *fault)
{
        EntryMode modes[_MODE_MAX] = { 0 };
        EntryDraft draft = {
                .layer = message->layer,
                .device = message->device,
                .min = message->min_capability,
                .max = message->max_capability,
                .modes = modes,
        };
        CapabilityRange range;

        if (check_bounds(draft.device, draft.min, draft.max, &range, fault))
                return 1;
        for (size_t i = 0; i < message->modes.n; i++) {
                EntryMode *mode = &modes[draft.n_modes];

                if (draft.n_modes == ARRAY_SIZE(modes))
                        return fault_set(fault, FAULT_INVALID_MODE, "an entry names a mode twice");
                if (mode_parse(message->modes.keys[i], &mode->mode, fault))
                        return 1;
                draft.n_modes++;
        }
        for (size_t i = 0; i < draft.n_modes; i++)
                if (reference_from_message(&message->modes.items[i], locals, n_locals, first_local,
                                           &modes[i].reference, fault))
                        return 1;
        return entry_new(&draft, ret_entry, fault);
}

Entry *entry_ref(Entry *entry)
{
        if (entry)
                entry->n_users++;
        return entry;
}

Entry *entry_unref(Entry *entry)
{
        if (!entry || --entry->n_users)
                return NULL;
        for (size_t i = 0; i < entry->n_modes; i++)
                repository_unref(entry->modes[i].reference.local);
        alloc_free(entry);
        return NULL;
}

void entry_answers(const Entry *entry, uint8_t ret_modes[MODE_REQUESTS])
{
        uint8_t numbers[_MODE_MAX];

        memset(numbers, ENTRY_NO_MODE, sizeof(numbers));
        for (size_t i = 0; i < entry->n_modes; i++)
                numbers[entry->modes[i].mode] = (uint8_t)i;
        for (unsigned request = 0; request < MODE_REQUESTS; request++)
                ret_modes[request] = mode_chain_pick(request, numbers, ENTRY_NO_MODE);
}

/* --- showing --- */

Text reference_describe(const Reference *reference, Arena *arena)
{
        switch (reference->kind) {
        case REFERENCE_VERSION:
                return arena_format(arena, "%.*s version %lld", TEXT_PRINT(reference->repo),
                                    (long long)reference->version);
        case REFERENCE_REVISION:
                return arena_format(arena, "%.*s revision %.*s", TEXT_PRINT(reference->repo),
                                    TEXT_PRINT(reference->revision));
        case REFERENCE_LOCKED:
                return arena_format(arena, "%.*s locked by %.*s", TEXT_PRINT(reference->repo),
                                    TEXT_PRINT(reference->locked));
        case REFERENCE_PATH:
                return arena_format(arena, "%.*s", TEXT_PRINT(reference->path));
        case REFERENCE_LOCAL:
                return arena_format(arena, "local:%u", reference->number);
        }
        return TEXT_NULL;
}

void reference_to_message(const Reference *reference, MsgAnswerReference *ret_message)
{
        *ret_message = (MsgAnswerReference){
                .repo = reference->repo,
                .version = reference->kind == REFERENCE_VERSION ? INTEGER_PRESENT(reference->version) : INTEGER_ABSENT,
                .revision = reference->revision,
                .locked = reference->locked,
                .path = reference->path,
                .local = reference->kind == REFERENCE_LOCAL ? INTEGER_PRESENT(reference->number) : INTEGER_ABSENT,
                .layer = reference->layer,
        };
}
