#include "kernels/mapping_file.h"

#include <errno.h>

#include "kernels/folders.h"
#include "kernels/kept_files.h"
#include "kernels/lock.h"
#include "kernels/mapping_set.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/limits.h"
#include "proto/name.h"

/* A lock file, read once however many references name it. */
typedef struct LockBytes {
        struct LockBytes *next;
        Text path;
        Text bytes;
        Fault fault; /* why it could not be read */
} LockBytes;

typedef struct File {
        MappingPlace place;
        uint16_t number;
        const MappingReader *reader;
        Arena arena;         /* lives as long as the file is read */
        LockBytes *locks;
} File;

/* Functions here return 0 when what they read is good, 1 when a fault has been
 * recorded (others may still be looked for), negative when reading must end. */

/* Passes on what a rule of proto/ or kernels/ found. */
static int checked(File *file, const JsonPath *path, int r, const Fault *fault)
{
        return r > 0 ? mapping_bad(&file->place, path, "%s", fault->message) : r;
}

/* Every key of the object must be one of `keys` (ends with NULL). */
static int check_keys(File *file, const JsonValue *object, const JsonPath *path, const char *const *keys)
{
        int worst = 0;

        for (JsonMember m = json_member_first(object); m.value; m = json_member_next(object, m)) {
                JsonPath here = JSON_PATH_KEY(path, m.key);
                const char *const *key = keys;

                while (*key && !text_equal(m.key, text_of(*key)))
                        key++;
                if (*key)
                        continue;
                worst = mapping_bad(&file->place, &here, "is no key that is known here; remove it or correct its spelling");
                if (worst < 0)
                        return worst;
        }
        return worst;
}

/* --- references --- */

static int read_text(File *file, const JsonValue *object, const char *key, const JsonPath *path, Text *ret_text)
{
        JsonPath here = JSON_PATH_KEY(path, text_of(key));
        const JsonValue *value = json_value_get(object, key);
        int r;

        *ret_text = TEXT_NULL;
        if (!value)
                return 0;
        r = mapping_expect(&file->place, value, JSON_KIND_TEXT, &here);
        if (!r)
                *ret_text = json_value_text(value);
        return r;
}

static int read_integer(File *file, const JsonValue *object, const char *key, const JsonPath *path,
                        OptionalInteger *ret_integer)
{
        JsonPath here = JSON_PATH_KEY(path, text_of(key));
        const JsonValue *value = json_value_get(object, key);
        int r;

        *ret_integer = INTEGER_ABSENT;
        if (!value)
                return 0;
        r = mapping_expect(&file->place, value, JSON_KIND_INTEGER, &here);
        if (!r)
                *ret_integer = INTEGER_PRESENT(json_value_integer(value));
        return r;
}

static int read_file(void *userdata, const char *path, Arena *arena, Text *ret_bytes, Fault *fault)
{
        return folders_read(path, LIMIT_LOCK_FILE, arena, ret_bytes, fault);
}

static int lock_bytes(File *file, Text path, LockBytes **ret_lock)
{
        static const MappingReader real = { .read = read_file };
        const MappingReader *reader = file->reader ? file->reader : &real;
        LockBytes *lock = file->locks;
        int r;

        while (lock && !text_equal(lock->path, path))
                lock = lock->next;
        if (!lock) {
                lock = arena_zeroed(&file->arena, 1, sizeof(*lock));
                if (!lock || arena_copy(&file->arena, path, &lock->path) < 0)
                        return error_trace(-ENOMEM);
                r = mapping_set_watch(file->place.set, lock->path);
                if (!r)
                        r = reader->read(reader->userdata, lock->path.data, &file->arena, &lock->bytes, &lock->fault);
                if (!r && file->place.set->keeps)
                        r = kept_files_add(file->place.set->keeps, true, TEXT(""), lock->path, lock->bytes);
                if (r < 0)
                        return error_trace(r);
                lock->next = file->locks;
                file->locks = lock;
        }
        *ret_lock = lock;
        return 0;
}

/* Lower case, as git writes it; the newer format's readers do so too. */
static Text lower(Text text)
{
        for (size_t i = 0; i < text.size; i++)
                if (text.data[i] >= 'A' && text.data[i] <= 'F')
                        ((char *)(uintptr_t)text.data)[i] = (char)(text.data[i] - 'A' + 'a');
        return text;
}

static int read_lock(File *file, const JsonPath *path, Reference *reference)
{
        JsonPath here = JSON_PATH_KEY(path, TEXT("locked"));
        Fault fault = FAULT_NULL;
        LockBytes *lock;
        int r = checked(file, &here, name_check_path(reference->locked, &fault), &fault);

        if (!r)
                r = lock_bytes(file, reference->locked, &lock);
        if (r)
                return r;
        if (lock->fault.name != FAULT_NONE)
                return mapping_bad(&file->place, &here, "%s", lock->fault.message);
        r = lock_lookup(lock->bytes, reference->repo, &file->arena, &reference->commit, &fault);
        if (r)
                return r < 0 ? r : mapping_bad(&file->place, &here, "%.*s: %s", TEXT_PRINT(reference->locked), fault.message);
        if (!reference->commit.data)
                return mapping_bad(&file->place, &here, "%.*s does not lock %.*s; lock it there, or name a version",
                           TEXT_PRINT(reference->locked), TEXT_PRINT(reference->repo));
        if (!name_is_commit(lower(reference->commit)))
                return mapping_bad(&file->place, &here, "%.*s locks %.*s to \"%.*s\", which is no commit of 40 hex digits",
                           TEXT_PRINT(reference->locked), TEXT_PRINT(reference->repo), TEXT_PRINT(reference->commit));
        return 0;
}

static int choose_kind(File *file, const JsonPath *path, OptionalInteger version, Reference *reference)
{
        unsigned n = version.present + !!reference->revision.data + !!reference->locked.data;

        if (!reference->repo.data == !reference->path.data)
                return mapping_bad(&file->place, path, "must have exactly one of `repo` and `path`");
        if (reference->path.data) {
                reference->kind = REFERENCE_PATH;
                return n ? mapping_bad(&file->place, path, "`version`, `revision` and `locked` go with `repo`, not with `path`") : 0;
        }
        if (n != 1)
                return mapping_bad(&file->place, path, "`repo` must come with exactly one of `version`, `revision` and `locked`");
        reference->version = version.value;
        reference->kind = version.present ? REFERENCE_VERSION :
                          reference->revision.data ? REFERENCE_REVISION : REFERENCE_LOCKED;
        return 0;
}

static int read_names(File *file, const JsonValue *value, const JsonPath *path, OptionalInteger *ret_version,
                      Reference *reference)
{
        int r = read_text(file, value, "repo", path, &reference->repo);

        if (!r)
                r = read_text(file, value, "revision", path, &reference->revision);
        if (!r)
                r = read_text(file, value, "locked", path, &reference->locked);
        if (!r)
                r = read_text(file, value, "path", path, &reference->path);
        if (!r)
                r = read_text(file, value, "layer", path, &reference->layer);
        return r ? r : read_integer(file, value, "version", path, ret_version);
}

/* Each name at its own key, so that the pointer leads to it. */
static int check_names(File *file, const JsonPath *path, const Reference *reference)
{
        const struct { const char *key; Text name; int (*check)(Text name, Fault *fault); } names[] = {
                { "repo", reference->repo, name_check_repository },
                { "revision", reference->revision, name_check_revision },
                { "path", reference->path, name_check_path },
                { "layer", reference->layer, name_check_layer },
        };
        int worst = 0;

        for (size_t i = 0; i < ARRAY_SIZE(names) && worst >= 0; i++) {
                JsonPath here = JSON_PATH_KEY(path, text_of(names[i].key));
                Fault fault = FAULT_NULL;

                if (names[i].name.data && names[i].check(names[i].name, &fault))
                        worst = mapping_bad(&file->place, &here, "%s", fault.message);
        }
        return worst;
}

static int read_reference(File *file, const JsonValue *value, const JsonPath *path, Reference *ret_reference)
{
        static const char *const keys[] = { "repo", "version", "revision", "locked", "path", "layer", NULL };
        JsonPath at_version = JSON_PATH_KEY(path, TEXT("version"));
        OptionalInteger version;
        Fault fault = FAULT_NULL;
        int r = mapping_expect(&file->place, value, JSON_KIND_OBJECT, path);

        *ret_reference = (Reference){ .kind = REFERENCE_VERSION };
        if (!r)
                r = check_keys(file, value, path, keys);
        if (!r)
                r = read_names(file, value, path, &version, ret_reference);
        if (!r)
                r = choose_kind(file, path, version, ret_reference);
        if (!r)
                r = check_names(file, path, ret_reference);
        if (!r && version.present)
                r = checked(file, &at_version, name_check_version(version.value, &fault), &fault);
        if (!r && ret_reference->kind == REFERENCE_REVISION && name_is_commit(ret_reference->revision))
                ret_reference->commit = ret_reference->revision;
        if (!r && ret_reference->kind == REFERENCE_LOCKED)
                r = read_lock(file, path, ret_reference);
        return r;
}

/* --- entries --- */

typedef struct Draft {
        EntryDraft entry;
        EntryMode modes[_MODE_MAX];
} Draft;

static int read_mode(File *file, JsonMember member, const JsonPath *path, Draft *draft)
{
        EntryMode mode;
        Fault fault = FAULT_NULL;
        int r = checked(file, path, mode_parse(member.key, &mode.mode, &fault), &fault);

        for (size_t i = 0; !r && i < draft->entry.n_modes; i++)
                if (draft->modes[i].mode == mode.mode)
                        r = mapping_bad(&file->place, path, "is the mode %s, which stands here already; remove one of the two",
                                mode_spelling(mode.mode));
        if (!r)
                r = read_reference(file, member.value, path, &mode.reference);
        if (!r)
                draft->modes[draft->entry.n_modes++] = mode;
        return r;
}

static int read_modes(File *file, const JsonValue *value, const JsonPath *path, Draft *draft)
{
        int worst = mapping_expect(&file->place, value, JSON_KIND_OBJECT, path);

        if (worst)
                return worst;
        for (JsonMember m = json_member_first(value); m.value; m = json_member_next(value, m)) {
                JsonPath here = JSON_PATH_KEY(path, m.key);
                int r = read_mode(file, m, &here, draft);

                if (r < 0)
                        return r;
                worst = worst ? worst : r;
        }
        return worst;
}

static int read_use(File *file, const JsonValue *value, const JsonPath *path, Draft *draft)
{
        int r = read_reference(file, value, path, &draft->modes[0].reference);

        draft->modes[0].mode = MODE_FALLBACK;
        draft->entry.n_modes = 1;
        return r;
}

static int read_remove(File *file, const JsonValue *value, const JsonPath *path, Draft *draft)
{
        int r = mapping_expect(&file->place, value, JSON_KIND_BOOLEAN, path);

        if (!r && !json_value_boolean(value))
                r = mapping_bad(&file->place, path, "must be true; leave the key out to remove nothing");
        draft->entry.removes = true;
        return r;
}

/* `use`, `modes` or `remove`: one of them, save for an entry that only names a layer. */
static int read_what(File *file, const JsonValue *value, const JsonPath *path, Draft *draft)
{
        JsonPath at_use = JSON_PATH_KEY(path, TEXT("use")), at_modes = JSON_PATH_KEY(path, TEXT("modes")),
                 at_remove = JSON_PATH_KEY(path, TEXT("remove"));
        const JsonValue *use = json_value_get(value, "use"), *modes = json_value_get(value, "modes"),
                        *remove = json_value_get(value, "remove");
        bool device = draft->entry.device.data;

        if (!!use + !!modes + !!remove > 1 || (device && !use && !modes && !remove))
                return mapping_bad(&file->place, path, "must have exactly one of `use`, `modes` and `remove`");
        if (!device && (use || modes))
                return mapping_bad(&file->place, path, "must have a `device`");
        if (remove)
                return read_remove(file, remove, &at_remove, draft);
        if (use)
                return read_use(file, use, &at_use, draft);
        return modes ? read_modes(file, modes, &at_modes, draft) : 0;
}

static int check_device(File *file, const JsonPath *path, const EntryDraft *draft)
{
        JsonPath at_device = JSON_PATH_KEY(path, TEXT("device"));
        JsonPath at_bound = JSON_PATH_KEY(path, draft->min.present ? TEXT("min_capability") : TEXT("max_capability"));
        Device device = DEVICE_NONE;
        CapabilityRange range;
        Fault fault = FAULT_NULL;
        int r = 0;

        if (draft->device.data)
                r = checked(file, &at_device, device_parse(draft->device, &device, &fault), &fault);
        if (!r)
                r = checked(file, &at_bound,
                            device_range(device, draft->min.present ? &draft->min.value : NULL,
                                         draft->max.present ? &draft->max.value : NULL, &range, &fault),
                            &fault);
        return r;
}

static int read_device(File *file, const JsonValue *value, const JsonPath *path, EntryDraft *draft)
{
        int r = read_text(file, value, "device", path, &draft->device);

        if (!r)
                r = read_integer(file, value, "min_capability", path, &draft->min);
        if (!r)
                r = read_integer(file, value, "max_capability", path, &draft->max);
        return r ? r : check_device(file, path, draft);
}

/* An entry that every check here has passed fails only for what only the whole shows. */
static int add_entry(File *file, const JsonPath *path, const EntryDraft *draft)
{
        CLEANUP(entry_unrefp) Entry *entry = NULL;
        Fault fault = FAULT_NULL;
        int r;

        if (file->place.set->n_faults)
                return 0;
        r = checked(file, path, entry_new(draft, &entry, &fault), &fault);
        if (!r)
                r = mapping_set_add_entry(file->place.set, entry);
        if (r)
                return error_trace(r);
        (void)STEAL(entry);
        return 0;
}

static int read_entry(File *file, Text layer, const JsonValue *value, const JsonPath *path)
{
        static const char *const keys[] = { "device", "min_capability", "max_capability", "use", "modes", "remove",
                                            NULL };
        Draft draft = { .entry = { .layer = layer, .source = file->number } };
        int r = mapping_expect(&file->place, value, JSON_KIND_OBJECT, path), what;

        if (r)
                return r;
        draft.entry.modes = draft.modes;
        r = check_keys(file, value, path, keys);
        if (r >= 0) {
                what = read_device(file, value, path, &draft.entry);
                r = r && what >= 0 ? r : what;
        }
        if (r >= 0) {
                what = read_what(file, value, path, &draft);
                r = r && what >= 0 ? r : what;
        }
        return r ? r : add_entry(file, path, &draft.entry);
}

static int read_layer(File *file, JsonMember member, const JsonPath *path)
{
        Fault fault = FAULT_NULL;
        int r = checked(file, path, name_check_layer(member.key, &fault), &fault);

        if (!r)
                r = mapping_expect(&file->place, member.value, JSON_KIND_ARRAY, path);
        if (r)
                return r;
        for (size_t i = 0; i < json_value_size(member.value); i++) {
                JsonPath here = JSON_PATH_INDEX(path, i);

                r = read_entry(file, member.key, json_value_at(member.value, i), &here);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* --- the file --- */

static int read_mapping(File *file, const JsonValue *root)
{
        JsonPath path = JSON_PATH_KEY(NULL, TEXT("mapping"));
        const JsonValue *mapping = json_value_get(root, "mapping");
        int r;

        if (!mapping)
                return mapping_bad(&file->place, &path, "is missing; a file that maps nothing has an empty object there");
        r = mapping_expect(&file->place, mapping, JSON_KIND_OBJECT, &path);
        if (r)
                return r;
        for (JsonMember m = json_member_first(mapping); m.value; m = json_member_next(mapping, m)) {
                JsonPath here = JSON_PATH_KEY(&path, m.key);

                r = read_layer(file, m, &here);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_format(File *file, const JsonValue *root)
{
        JsonPath path = JSON_PATH_KEY(NULL, TEXT("kernelsd"));
        OptionalInteger format;
        int r = read_integer(file, root, "kernelsd", NULL, &format);

        if (!r && !format.present)
                return mapping_bad(&file->place, &path, "is missing; write \"kernelsd\": 1, the number of this format");
        if (!r && format.value != 1)
                return mapping_bad(&file->place, &path, "is %lld; this daemon reads format 1", (long long)format.value);
        return r;
}

static int read_root(File *file, const JsonValue *root)
{
        static const char *const keys[] = { "kernelsd", "mapping", NULL };
        int r = mapping_expect(&file->place, root, JSON_KIND_OBJECT, NULL);

        if (r)
                return r;
        r = read_format(file, root);
        if (r)
                return r; /* of another format nothing can be said */
        r = check_keys(file, root, NULL, keys);
        return r < 0 ? r : read_mapping(file, root);
}

int mapping_file_read(MappingSet *set, uint16_t number, Text bytes, const MappingReader *reader)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        File file = { .place = { set, set->sources[number].path }, .number = number, .reader = reader };
        JsonError error;
        int r = json_document_new(bytes, JSON_COMMENTS, NULL, &document, &error);

        if (r > 0)
                return mapping_set_fault_position(set, file.place.path, &error);
        if (!r)
                r = read_root(&file, json_document_root(document));
        arena_deinit(&file.arena);
        return r < 0 ? error_trace(r) : 0;
}
