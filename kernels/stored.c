#include "kernels/stored.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "kernels/mapping_file.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/name.h"

/* The mapping file and the export begin alike, and end alike from "mapping" on. */
#define TEXT_HEAD "{ \"kernelsd\": 1,\n"

/* --- rows from JSON --- */

static int read_bound(const JsonValue *entry, const char *key, const JsonPath *path, OptionalInteger *ret_bound,
                      Fault *fault)
{
        const JsonValue *value = json_value_get(entry, key);
        JsonPath here = JSON_PATH_KEY(path, text_of(key));

        *ret_bound = INTEGER_ABSENT;
        if (!value)
                return 0;
        if (json_expect(value, JSON_KIND_INTEGER, &here, FAULT_BAD_REQUEST, fault))
                return 1;
        *ret_bound = INTEGER_PRESENT(json_value_integer(value));
        return 0;
}

/* What tells the row from others. */
static int read_key(const JsonValue *entry, const JsonPath *path, StoredRow *row, Fault *fault)
{
        const JsonValue *name = json_value_get(entry, "device");
        Device device = DEVICE_NONE;
        OptionalInteger min, max;

        if (json_value_get(entry, "remove"))
                return json_fault(fault, FAULT_BAD_REQUEST, path, "the stored mapping lies on top of the files and hides "
                                  "nothing of theirs: write `remove` into a file of mapping.d");
        if (name && (json_expect(name, JSON_KIND_TEXT, path, FAULT_BAD_REQUEST, fault) ||
                     device_parse(json_value_text(name), &device, fault)))
                return 1;
        if (read_bound(entry, "min_capability", path, &min, fault) || read_bound(entry, "max_capability", path, &max, fault))
                return 1;
        row->device = name ? text_of(device_spelling(device)) : TEXT("");
        return device_range(device, min.present ? &min.value : NULL, max.present ? &max.value : NULL, &row->range, fault);
}

static int read_row(const JsonValue *entry, Text layer, const JsonPath *path, Arena *arena, StoredRow *row, Fault *fault)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        int r;

        if (json_expect(entry, JSON_KIND_OBJECT, path, FAULT_BAD_REQUEST, fault) || read_key(entry, path, row, fault))
                return 1;
        r = json_value_print(entry, &buffer);
        if (!r)
                r = arena_copy(arena, buffer_text(&buffer), &row->json);
        return r ? r : arena_copy(arena, layer, &row->layer);
}

static int count_rows(const JsonValue *mapping, size_t *ret_n, Fault *fault)
{
        size_t n = 0;

        for (JsonMember m = json_member_first(mapping); m.value; m = json_member_next(mapping, m)) {
                JsonPath path = JSON_PATH_KEY(NULL, m.key);

                if (name_check_layer(m.key, fault) ||
                    json_expect(m.value, JSON_KIND_ARRAY, &path, FAULT_BAD_REQUEST, fault))
                        return 1;
                n += json_value_size(m.value);
        }
        *ret_n = n;
        return 0;
}

int stored_rows_read(const JsonValue *mapping, Arena *arena, StoredRows *ret_rows, Fault *fault)
{
        JsonPath root = JSON_PATH_KEY(NULL, TEXT("mapping"));
        StoredRows rows = { 0 };
        size_t n = 0;

        if (!mapping)
                return json_fault(fault, FAULT_BAD_REQUEST, &root, "is missing");
        if (json_expect(mapping, JSON_KIND_OBJECT, &root, FAULT_BAD_REQUEST, fault) || count_rows(mapping, &n, fault))
                return 1;
        rows.items = arena_zeroed(arena, n + 1, sizeof(*rows.items));
        if (!rows.items)
                return error_trace(-ENOMEM);
        for (JsonMember m = json_member_first(mapping); m.value; m = json_member_next(mapping, m)) {
                JsonPath layer = JSON_PATH_KEY(&root, m.key);

                for (size_t i = 0; i < json_value_size(m.value); i++) {
                        JsonPath path = JSON_PATH_INDEX(&layer, i);
                        int r = read_row(json_value_at(m.value, i), m.key, &path, arena, &rows.items[rows.n++], fault);

                        if (r)
                                return r;
                }
        }
        *ret_rows = rows;
        return 0;
}

static int check_bytes(Text bytes, Fault *fault)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        int r = mapping_set_new(&set);

        if (!r)
                r = mapping_set_add_bytes(set, TEXT("mapping"), bytes, 0, NULL);
        if (r < 0 || !set->n_faults)
                return r;
        return fault_set(fault, FAULT_BAD_REQUEST, "%.*s", TEXT_PRINT(mapping_fault_describe(&set->faults[0], &arena)));
}

int stored_rows_parse(Text bytes, Arena *arena, StoredRows *ret_rows, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        JsonError error;
        int r = check_bytes(bytes, fault);

        if (r)
                return r;
        r = json_document_new(bytes, JSON_COMMENTS, NULL, &document, &error);
        if (r)
                return r < 0 ? r : fault_set(fault, FAULT_BAD_REQUEST, "mapping:%zu: %s", error.line, error.message);
        return stored_rows_read(json_value_get(json_document_root(document), "mapping"), arena, ret_rows, fault);
}

/* --- the texts --- */

static int put(Buffer *buffer, Text text)
{
        return buffer_append(buffer, text.data, text.size);
}

static int print_rows(const StoredRows *rows, Buffer *buffer)
{
        int r = put(buffer, TEXT(TEXT_HEAD "  \"mapping\": {"));

        for (size_t i = 0; !r && i < rows->n; i++) {
                const StoredRow *row = &rows->items[i];
                bool first = !i || !text_equal(row->layer, row[-1].layer);
                bool last = i + 1 == rows->n || !text_equal(row->layer, row[1].layer);

                if (first)
                        r = put(buffer, TEXT("\n    "));
                if (first && !r)
                        r = json_text_print(row->layer, buffer);
                if (first && !r)
                        r = put(buffer, TEXT(": ["));
                if (!r)
                        r = put(buffer, TEXT("\n      "));
                if (!r)
                        r = put(buffer, row->json);
                if (!r)
                        r = put(buffer, !last ? TEXT(",") : i + 1 == rows->n ? TEXT(" ]") : TEXT(" ],"));
        }
        return r ? r : put(buffer, TEXT(" } }\n"));
}

static int print_pin(const Pin *pin, bool last, Buffer *buffer)
{
        int r = put(buffer, TEXT("\n    { \"repo\": "));

        if (!r)
                r = json_text_print(pin->repo, buffer);
        if (!r)
                r = put(buffer, TEXT(", \"revision\": "));
        if (!r)
                r = json_text_print(pin->revision, buffer);
        if (!r)
                r = put(buffer, TEXT(", \"commit\": "));
        if (!r)
                r = json_text_print(pin->commit, buffer);
        return r ? r : put(buffer, last ? TEXT(" }") : TEXT(" },"));
}

/* The export is JSON, and what these bytes are is not the store's affair. */
static int print_hex(Text bytes, Buffer *buffer)
{
        static const char digits[] = "0123456789abcdef";
        int r = buffer_reserve(buffer, 2 * bytes.size);

        for (size_t i = 0; !r && i < bytes.size; i++) {
                unsigned char byte = (unsigned char)bytes.data[i];

                r = buffer_append(buffer, (char[]){ digits[byte >> 4], digits[byte & 15] }, 2);
        }
        return r;
}

static int print_member(const char *key, Text value, Buffer *buffer)
{
        int r = value.data ? put(buffer, text_of(key)) : 0;

        return r || !value.data ? r : json_text_print(value, buffer);
}

static int print_environment(const StoredEnvironment *environment, bool last, Buffer *buffer)
{
        char capability[64];
        int n = snprintf(capability, sizeof(capability), "\", \"capability\": %" PRId64, environment->capability);
        int r = print_member("\n    { \"name\": ", environment->name, buffer);

        if (!r)
                r = put(buffer, TEXT(", \"environment\": \""));
        if (!r)
                r = print_hex(environment->environment, buffer);
        if (!r)
                r = put(buffer, environment->capability >= 0 ? (Text){ capability, (size_t)n } : TEXT("\""));
        if (!r)
                r = print_member(", \"device\": ", environment->device, buffer);
        if (!r)
                r = print_member(", \"arch\": ", environment->arch, buffer);
        return r ? r : put(buffer, last ? TEXT(" }") : TEXT(" },"));
}

int stored_export(const Stored *stored, Buffer *buffer)
{
        const size_t head = sizeof(TEXT_HEAD) - 1;
        int r = put(buffer, TEXT(TEXT_HEAD "  \"pins\": ["));

        for (size_t i = 0; !r && i < stored->pins->n; i++)
                r = print_pin(&stored->pins->items[i], i + 1 == stored->pins->n, buffer);
        if (!r)
                r = put(buffer, TEXT(" ],\n  \"environments\": ["));
        for (size_t i = 0; !r && i < stored->n_environments; i++)
                r = print_environment(&stored->environments[i], i + 1 == stored->n_environments, buffer);
        if (!r)
                r = put(buffer, TEXT(" ],\n"));
        return r ? r : buffer_append(buffer, stored->text.data + head, stored->text.size - head);
}

/* --- the export taken apart --- */

static int import_text(const JsonValue *object, const char *key, const JsonPath *path, Arena *arena, Text *ret_text,
                       Fault *fault)
{
        const JsonValue *value = json_value_get(object, key);

        if (!value)
                return json_fault(fault, FAULT_BAD_REQUEST, path, "has no `%s`", key);
        if (json_expect(value, JSON_KIND_TEXT, path, FAULT_BAD_REQUEST, fault))
                return 1;
        return arena_copy(arena, json_value_text(value), ret_text);
}

static int import_pin(const JsonValue *value, const JsonPath *path, Arena *arena, Pin *pin, Fault *fault)
{
        int r = json_expect(value, JSON_KIND_OBJECT, path, FAULT_BAD_REQUEST, fault);

        if (!r)
                r = import_text(value, "repo", path, arena, &pin->repo, fault);
        if (!r)
                r = import_text(value, "revision", path, arena, &pin->revision, fault);
        if (!r)
                r = import_text(value, "commit", path, arena, &pin->commit, fault);
        if (!r && !name_is_commit(pin->commit))
                r = json_fault(fault, FAULT_BAD_REQUEST, path, "has no commit of 40 hex digits");
        if (!r)
                r = name_check_repository(pin->repo, fault);
        return r ? r : name_check_revision(pin->revision, fault);
}

static int hex_digit(char c)
{
        return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int import_hex(Text hex, const JsonPath *path, Arena *arena, Text *ret_bytes, Fault *fault)
{
        char *bytes = arena_bytes(arena, hex.size / 2 + 1);

        if (!bytes)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < hex.size; i++) {
                int digit = hex_digit(hex.data[i]);

                if (digit < 0 || hex.size % 2)
                        return json_fault(fault, FAULT_BAD_REQUEST, path, "has an `environment` that is no hex digits");
                bytes[i / 2] = (char)(i % 2 ? ((unsigned char)bytes[i / 2] << 4 | digit) : digit);
        }
        *ret_bytes = (Text){ bytes, hex.size / 2 };
        return 0;
}

static int import_environment(const JsonValue *value, const JsonPath *path, Arena *arena, StoredEnvironment *environment,
                              Fault *fault)
{
        OptionalInteger capability;
        Text hex;
        int r = json_expect(value, JSON_KIND_OBJECT, path, FAULT_BAD_REQUEST, fault);

        if (!r)
                r = import_text(value, "name", path, arena, &environment->name, fault);
        if (!r)
                r = import_text(value, "environment", path, arena, &hex, fault);
        if (!r)
                r = import_hex(hex, path, arena, &environment->environment, fault);
        if (!r && json_value_get(value, "device"))
                r = import_text(value, "device", path, arena, &environment->device, fault);
        if (!r && json_value_get(value, "arch"))
                r = import_text(value, "arch", path, arena, &environment->arch, fault);
        if (!r)
                r = read_bound(value, "capability", path, &capability, fault);
        if (!r)
                environment->capability = capability.present ? capability.value : -1;
        return r;
}

/* The lists of the export; the array has room for one more than there are. */
static int import_list(const JsonValue *list, const JsonPath *path, size_t size, Arena *arena, void **ret_items,
                       Fault *fault)
{
        if (!list)
                return json_fault(fault, FAULT_BAD_REQUEST, path, "is missing");
        if (json_expect(list, JSON_KIND_ARRAY, path, FAULT_BAD_REQUEST, fault))
                return 1;
        *ret_items = arena_zeroed(arena, json_value_size(list) + 1, size);
        return *ret_items ? 0 : error_trace(-ENOMEM);
}

static int import_pins(const JsonValue *list, Arena *arena, StoredContents *contents, Fault *fault)
{
        JsonPath root = JSON_PATH_KEY(NULL, TEXT("pins"));
        void *pins = NULL;
        int r = import_list(list, &root, sizeof(Pin), arena, &pins, fault);

        contents->pins = pins;
        while (!r && contents->n_pins < json_value_size(list)) {
                JsonPath path = JSON_PATH_INDEX(&root, contents->n_pins);

                r = import_pin(json_value_at(list, contents->n_pins), &path, arena, &contents->pins[contents->n_pins], fault);
                contents->n_pins++;
        }
        return r;
}

/* Exports of before there were any have none. */
static int import_environments(const JsonValue *list, Arena *arena, StoredContents *contents, Fault *fault)
{
        JsonPath root = JSON_PATH_KEY(NULL, TEXT("environments"));
        void *environments = NULL;
        int r = list ? import_list(list, &root, sizeof(StoredEnvironment), arena, &environments, fault) : 0;

        contents->environments = environments;
        while (!r && list && contents->n_environments < json_value_size(list)) {
                size_t n = contents->n_environments++;
                JsonPath path = JSON_PATH_INDEX(&root, n);

                r = import_environment(json_value_at(list, n), &path, arena, &contents->environments[n], fault);
        }
        return r;
}

int stored_import(Text bytes, Arena *arena, StoredContents *ret_contents, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        StoredContents contents = { 0 };
        const JsonValue *root;
        JsonError error;
        int r = json_document_new(bytes, 0, NULL, &document, &error);

        if (r)
                return r < 0 ? r : fault_set(fault, FAULT_BAD_REQUEST, "line %zu: %s", error.line, error.message);
        root = json_document_root(document);
        if (json_expect(root, JSON_KIND_OBJECT, NULL, FAULT_BAD_REQUEST, fault))
                return 1;
        r = import_pins(json_value_get(root, "pins"), arena, &contents, fault);
        if (!r)
                r = import_environments(json_value_get(root, "environments"), arena, &contents, fault);
        if (!r)
                r = stored_rows_read(json_value_get(root, "mapping"), arena, &contents.rows, fault);
        if (!r)
                *ret_contents = contents;
        return r;
}

/* --- the value --- */

static int copy_environments(const StoredContents *contents, Stored *stored)
{
        StoredEnvironment *items = arena_zeroed(&stored->arena, contents->n_environments + 1, sizeof(*items));

        if (!items)
                return error_trace(-ENOMEM);
        stored->environments = items;
        for (; stored->n_environments < contents->n_environments; stored->n_environments++) {
                const StoredEnvironment *from = &contents->environments[stored->n_environments];
                StoredEnvironment *to = &items[stored->n_environments];

                to->capability = from->capability;
                if (arena_copy(&stored->arena, from->name, &to->name) < 0 ||
                    arena_copy(&stored->arena, from->environment, &to->environment) < 0 ||
                    arena_copy(&stored->arena, from->device, &to->device) < 0 ||
                    arena_copy(&stored->arena, from->arch, &to->arch) < 0)
                        return error_trace(-ENOMEM);
        }
        return 0;
}

int stored_new(const StoredContents *contents, uint64_t number, Stored **ret_stored)
{
        CLEANUP(stored_unrefp) Stored *stored = alloc_zeroed(1, sizeof(*stored));
        int r;

        if (!stored)
                return error_trace(-ENOMEM);
        stored->n_users = 1;
        stored->number = number;
        stored->n_entries = contents->rows.n;
        r = print_rows(&contents->rows, &stored->text);
        if (!r)
                r = pins_new(contents->pins, contents->n_pins, &stored->pins);
        if (!r)
                r = copy_environments(contents, stored);
        if (r < 0)
                return r;
        *ret_stored = STEAL(stored);
        return 0;
}

Stored *stored_ref(Stored *stored)
{
        if (stored)
                (void)__atomic_add_fetch(&stored->n_users, 1, __ATOMIC_RELAXED);
        return stored;
}

Stored *stored_unref(Stored *stored)
{
        if (!stored || __atomic_sub_fetch(&stored->n_users, 1, __ATOMIC_ACQ_REL))
                return NULL;
        buffer_deinit(&stored->text);
        pins_unref(stored->pins);
        arena_deinit(&stored->arena);
        alloc_free(stored);
        return NULL;
}
