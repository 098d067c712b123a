#include "kernels/named_environment.h"

#include <errno.h>
#include <stdlib.h>

#include "kernels/folders.h"
#include "kernels/mapping_set.h"
#include "kernels/variant.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/codec.h"
#include "proto/name.h"

/* --- sets --- */

int named_environments_new(size_t capacity, NamedEnvironments **ret_environments)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *environments = alloc_zeroed(1, sizeof(*environments));

        if (!environments)
                return error_trace(-ENOMEM);
        environments->n_users = 1;
        environments->capacity = capacity;
        environments->items = arena_zeroed(&environments->arena, capacity, sizeof(*environments->items));
        if (!environments->items)
                return error_trace(-ENOMEM);
        *ret_environments = STEAL(environments);
        return 0;
}

NamedEnvironments *named_environments_ref(NamedEnvironments *environments)
{
        if (environments)
                (void)__atomic_add_fetch(&environments->n_users, 1, __ATOMIC_RELAXED);
        return environments;
}

NamedEnvironments *named_environments_unref(NamedEnvironments *environments)
{
        if (environments && !__atomic_sub_fetch(&environments->n_users, 1, __ATOMIC_ACQ_REL)) {
                arena_deinit(&environments->arena);
                alloc_free(environments);
        }
        return NULL;
}

const NamedEnvironment *named_environments_find(const NamedEnvironments *environments, Text name)
{
        for (size_t i = 0; i < environments->n; i++)
                if (text_equal(environments->items[i].name, name))
                        return &environments->items[i];
        return NULL;
}

/* --- one file --- */

typedef struct File {
        MappingPlace place;
        Arena *arena;           /* the set's: what is read is copied into it */
        NamedEnvironment *into; /* in its place in the set: an Environment cannot move */
} File;

/* Functions here return 0 when what they read is good, 1 when a fault has been
 * recorded (others may still be looked for), negative when reading must end. */

/* The member of that kind; NULL: it is not there, or null. */
static int read_member(File *file, const JsonValue *object, const char *key, JsonKind kind, const JsonPath *path,
                       const JsonValue **ret_value)
{
        JsonPath here = JSON_PATH_KEY(path, text_of(key));
        const JsonValue *value = json_value_get(object, key);
        int r;

        *ret_value = NULL;
        if (!value || json_value_kind(value) == JSON_KIND_NULL)
                return 0;
        r = mapping_expect(&file->place, value, kind, &here);
        if (!r)
                *ret_value = value;
        return r;
}

static const SchemaKey *environment_key(Text name)
{
        for (size_t i = 0; i < schema_Environment.n_keys; i++)
                if (text_equal(name, text_of(schema_Environment.keys[i].name)))
                        return &schema_Environment.keys[i];
        return NULL;
}

static void environment_set(MsgEnvironment *message, const SchemaKey *key, const JsonValue *value)
{
        char *member = (char *)message + key->offset;

        if (key->kind == KEY_TRISTATE)
                *(int8_t *)member = json_value_boolean(value);
        else
                *(Text *)member = json_value_text(value);
}

/* The rules are those of `hello`. Each key is tried by itself, so that the
 * pointer leads to it. */
static int read_environment_key(File *file, JsonMember member, const JsonPath *path, MsgEnvironment *message)
{
        MsgEnvironment alone = { .cxx11_abi = -1, .free_threaded = -1 };
        const SchemaKey *key = environment_key(member.key);
        Environment scratch;
        Fault fault;
        int r;

        if (!key)
                return mapping_bad(&file->place, path, "is no key of an environment; remove it or correct its spelling");
        if (json_value_kind(member.value) == JSON_KIND_NULL)
                return 0;
        r = mapping_expect(&file->place, member.value, key->kind == KEY_TRISTATE ? JSON_KIND_BOOLEAN : JSON_KIND_TEXT, path);
        if (r)
                return r;
        environment_set(&alone, key, member.value);
        if (environment_init(&scratch, &alone, false, &fault))
                return mapping_bad(&file->place, path, "%s", fault.message);
        environment_set(message, key, member.value);
        return 0;
}

static int read_environment(File *file, const JsonValue *root)
{
        JsonPath path = JSON_PATH_KEY(NULL, TEXT("environment"));
        MsgEnvironment message = { .cxx11_abi = -1, .free_threaded = -1 };
        const JsonValue *object;
        Fault fault;
        int worst = read_member(file, root, "environment", JSON_KIND_OBJECT, NULL, &object);

        if (worst)
                return worst;
        if (!object)
                return mapping_bad(&file->place, &path, "is missing; it says what a program runs with");
        for (JsonMember m = json_member_first(object); m.value; m = json_member_next(object, m)) {
                JsonPath here = JSON_PATH_KEY(&path, m.key);
                int r = read_environment_key(file, m, &here, &message);

                if (r < 0)
                        return r;
                worst = worst ? worst : r;
        }
        if (!worst && environment_init(&file->into->environment, &message, false, &fault))
                worst = mapping_bad(&file->place, &path, "%s", fault.message);
        return worst;
}

/* --- the device --- */

static int check_device(File *file, const JsonPath *path, Device of_backend)
{
        Device device = file->into->device;

        if (of_backend == DEVICE_NONE || device == DEVICE_CPU || device == of_backend)
                return 0;
        return mapping_bad(&file->place, path, "is %s, but the backend %.*s is for %s", device_spelling(device),
                   TEXT_PRINT(file->into->environment.message.backend), device_spelling(of_backend));
}

static int read_device(File *file, const JsonValue *root)
{
        JsonPath path = JSON_PATH_KEY(NULL, TEXT("device"));
        Device of_backend = device_of_backend(variant_target_of_environment(&file->into->environment).backend);
        const JsonValue *value;
        Fault fault;
        int r = read_member(file, root, "device", JSON_KIND_TEXT, NULL, &value);

        if (r)
                return r;
        if (value && device_parse(json_value_text(value), &file->into->device, &fault))
                return mapping_bad(&file->place, &path, "%s", fault.message);
        if (value)
                return check_device(file, &path, of_backend);
        if (of_backend == DEVICE_NONE)
                return mapping_bad(&file->place, &path, "is missing, and the environment names no `backend` that would tell it");
        file->into->device = of_backend;
        return 0;
}

static int read_capability(File *file, const JsonValue *root)
{
        JsonPath path = JSON_PATH_KEY(NULL, TEXT("capability"));
        const JsonValue *value;
        int r = read_member(file, root, "capability", JSON_KIND_INTEGER, NULL, &value);

        if (r || !value)
                return r;
        if (!device_has_capability(file->into->device))
                return mapping_bad(&file->place, &path, "goes with cuda and rocm, not with %s", device_spelling(file->into->device));
        if (json_value_integer(value) < 0)
                return mapping_bad(&file->place, &path, "is negative; 90 means 9.0");
        file->into->capability = INTEGER_PRESENT(json_value_integer(value));
        return 0;
}

static int read_arch(File *file, const JsonValue *root)
{
        JsonPath path = JSON_PATH_KEY(NULL, TEXT("arch"));
        const JsonValue *value;
        Fault fault;
        int r = read_member(file, root, "arch", JSON_KIND_TEXT, NULL, &value);

        if (r || !value)
                return r;
        if (file->into->device != DEVICE_ROCM)
                return mapping_bad(&file->place, &path, "goes with rocm, whose gfx name it is, not with %s",
                           device_spelling(file->into->device));
        if (name_check_word(json_value_text(value), "gfx name", &fault))
                return mapping_bad(&file->place, &path, "%s", fault.message);
        return arena_copy(file->arena, json_value_text(value), &file->into->arch);
}

/* --- the whole --- */

static int check_keys(File *file, const JsonValue *root)
{
        static const char *const keys[] = { "kernelsd", "environment", "device", "capability", "arch" };
        int worst = 0;

        for (JsonMember m = json_member_first(root); m.value && worst >= 0; m = json_member_next(root, m)) {
                JsonPath here = JSON_PATH_KEY(NULL, m.key);
                size_t i = 0;

                while (i < ARRAY_SIZE(keys) && !text_equal(m.key, text_of(keys[i])))
                        i++;
                if (i == ARRAY_SIZE(keys))
                        worst = mapping_bad(&file->place, &here, "is no key that is known here; remove it or correct its spelling");
        }
        return worst;
}

static int check_format(File *file, const JsonValue *root)
{
        JsonPath path = JSON_PATH_KEY(NULL, TEXT("kernelsd"));
        const JsonValue *value;
        int r = read_member(file, root, "kernelsd", JSON_KIND_INTEGER, NULL, &value);

        if (!r && !value)
                return mapping_bad(&file->place, &path, "is missing; write \"kernelsd\": 1, the number of this format");
        if (!r && json_value_integer(value) != 1)
                return mapping_bad(&file->place, &path, "is %lld; this daemon reads format 1", (long long)json_value_integer(value));
        return r;
}

static int read_root(File *file, const JsonValue *root)
{
        int (*const parts[])(File *, const JsonValue *) = { read_device, read_capability, read_arch };
        int r = mapping_expect(&file->place, root, JSON_KIND_OBJECT, NULL), keys;

        if (!r)
                r = check_format(file, root);
        if (r)
                return r; /* of another format nothing can be said */
        keys = check_keys(file, root);
        if (keys < 0)
                return keys;
        r = read_environment(file, root);
        /* Without the environment or the device the rest cannot be judged. */
        for (size_t i = 0; !r && i < ARRAY_SIZE(parts); i++)
                r = parts[i](file, root);
        return r ? r : keys;
}

/* 0: there is a document; 1: a fault is recorded. */
static int read_json(File *file, Text bytes, JsonDocument **ret_document)
{
        JsonError error;
        int r = json_document_new(bytes, JSON_COMMENTS, NULL, ret_document, &error);

        if (r <= 0)
                return error_trace(r);
        r = mapping_set_fault_position(file->place.set, file->place.path, &error);
        return r < 0 ? r : 1;
}

/* "NAME.json" to NAME. */
static int take_name(File *file, Text name)
{
        Text stem = text_ends_with(name, TEXT(".json")) ? (Text){ name.data, name.size - 5 } : name;
        Fault fault;
        int r;

        if (name_check_word(stem, "name of an environment, which is its file's,", &fault)) {
                r = mapping_set_fault_whole(file->place.set, file->place.path, fault.message);
                return r < 0 ? r : 1;
        }
        file->into->source = arena_format(file->arena, "file:%.*s", TEXT_PRINT(name));
        if (!file->into->source.data)
                return error_trace(-ENOMEM);
        return error_trace(arena_copy(file->arena, stem, &file->into->name));
}

int named_environments_add(NamedEnvironments *environments, Text name, Text path, Text bytes, MappingSet *files)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        File file = { .place = { files, path }, .arena = &environments->arena,
                      .into = &environments->items[environments->n] };
        int r;

        *file.into = (NamedEnvironment){ .device = DEVICE_NONE };
        r = take_name(&file, name);
        if (!r)
                r = read_json(&file, bytes, &document);
        if (!r)
                r = read_root(&file, json_document_root(document));
        if (r < 0)
                return error_trace(r);
        if (!r)
                environments->n++;
        return 0;
}

/* --- folders --- */

static int load_file(NamedEnvironments *environments, Text name, Text path, MappingSet *files)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text bytes;
        int r = mapping_set_watch(files, path);

        if (r < 0)
                return r;
        r = folders_read(path.data, LIMIT_ENVIRONMENT_FILE, &arena, &bytes, &fault);
        if (r > 0)
                return mapping_set_fault_whole(files, path, fault.message);
        return r < 0 ? error_trace(r) : named_environments_add(environments, name, path, bytes, files);
}

static int by_name(const void *a, const void *b)
{
        return text_compare(((const DropIn *)a)->name, ((const DropIn *)b)->name);
}

/* In the order of the names: "a.json" goes before "a-b.json". */
static void order_by_name(DropInList *list)
{
        for (size_t i = 0; i < list->n; i++)
                list->items[i].name.size -= 5;
        if (list->n)
                qsort(list->items, list->n, sizeof(*list->items), by_name);
        for (size_t i = 0; i < list->n; i++)
                list->items[i].name.size += 5;
}

int named_environments_load(const char *const *folders, size_t n_folders, MappingSet *files,
                            NamedEnvironments **ret_environments)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *environments = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        DropInList list = { 0 };
        Fault fault = FAULT_NULL;
        int r;

        r = folders_list(folders, n_folders, &arena, &list, &fault);
        if (r > 0)
                r = mapping_set_fault_whole(files, TEXT("environment.d"), fault.message);
        if (!r && list.n > LIMIT_NAMED_ENVIRONMENTS)
                r = mapping_set_fault_whole(files, TEXT("environment.d"), "there are too many environments; at most 256");
        if (!r && list.n > LIMIT_NAMED_ENVIRONMENTS)
                list.n = 0;
        order_by_name(&list);
        if (!r)
                r = named_environments_new(list.n, &environments);
        for (size_t i = 0; !r && i < list.n; i++)
                r = load_file(environments, list.items[i].name, list.items[i].path, files);
        if (r < 0)
                return error_trace(r);
        *ret_environments = STEAL(environments);
        return 0;
}

int named_environments_check_file(const char *path, MappingSet *files)
{
        CLEANUP(named_environments_unrefp) NamedEnvironments *environments = NULL;
        const char *slash = strrchr(path, '/');
        int r = named_environments_new(1, &environments);

        return r < 0 ? r : load_file(environments, text_of(slash ? slash + 1 : path), text_of(path), files);
}
