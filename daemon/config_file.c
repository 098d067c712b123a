#include "daemon/config_file.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "daemon/option.h"
#include "kernels/folders.h"
#include "kernels/json.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define LIMIT_CONFIG_FILE (1024u * 1024) /* guess; every option with its longest value is 700 KiB, nearly all of it lists */

/* What one file is read into. */
typedef struct ConfigReader {
        Config *config;
        FaultList *faults;
        Text path;
} ConfigReader;

static void reader_fault(ConfigReader *reader, const JsonPath *where, const char *message)
{
        char pointer[512];
        size_t size = json_path_print(where, pointer, sizeof(pointer));

        fault_list_add(reader->faults, reader->path, 0, 0, (Text){ pointer, size }, "%s", message);
}

static int reader_set_list(ConfigReader *reader, const Option *option, const JsonValue *array, Fault *fault)
{
        CLEANUP_ALLOC Text *items = alloc_zeroed(json_value_size(array) + 1, sizeof(*items));

        if (!items)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < json_value_size(array); i++) {
                const JsonValue *item = json_value_at(array, i);

                items[i] = json_value_kind(item) == JSON_KIND_TEXT ? json_value_text(item) : TEXT_NULL;
        }
        return option_set_list(option, reader->config, items, json_value_size(array), fault);
}

static int reader_set(ConfigReader *reader, const Option *option, const JsonValue *value, Fault *fault)
{
        switch (json_value_kind(value)) {
        case JSON_KIND_BOOLEAN:
                return option_set_boolean(option, reader->config, json_value_boolean(value), fault);
        case JSON_KIND_INTEGER:
                return option_set_integer(option, reader->config, json_value_integer(value), fault);
        case JSON_KIND_TEXT:
                return option_set_text(option, reader->config, json_value_text(value), fault);
        case JSON_KIND_ARRAY:
                return reader_set_list(reader, option, value, fault);
        case JSON_KIND_NULL:
        case JSON_KIND_REAL:
        case JSON_KIND_OBJECT:
        default:
                return option_set_text(option, reader->config, TEXT_NULL, fault);
        }
}

static int reader_value(ConfigReader *reader, const Option *option, const JsonValue *value, const JsonPath *where)
{
        Fault fault;
        int r;

        if (option->where == OPTION_FLAG) {
                reader_fault(reader, where, "decides where files are read and cannot stand in one; use the flag");
                return 0;
        }
        r = reader_set(reader, option, value, &fault);
        if (r > 0)
                reader_fault(reader, where, fault.message);
        return r < 0 ? r : 0;
}

static int reader_object(ConfigReader *reader, const JsonValue *object, Text prefix, const JsonPath *up);

static int reader_member(ConfigReader *reader, Text prefix, JsonMember member, const JsonPath *up)
{
        JsonPath where = JSON_PATH_KEY(up, member.key);
        char key[OPTION_NAME_SIZE];
        const Option *option;
        int size;

        size = snprintf(key, sizeof(key), "%.*s%s%.*s", TEXT_PRINT(prefix), prefix.size ? "." : "", TEXT_PRINT(member.key));
        if (size < 0 || (size_t)size >= sizeof(key) || memchr(member.key.data, '.', member.key.size)) {
                reader_fault(reader, &where, "there is no such option; kernelsd --help lists them");
                return 0;
        }
        option = option_of_key(text_of(key));
        if (option)
                return reader_value(reader, option, member.value, &where);
        if (!option_is_group(text_of(key)))
                reader_fault(reader, &where, "there is no such option; kernelsd --help lists them");
        else if (json_value_kind(member.value) != JSON_KIND_OBJECT)
                reader_fault(reader, &where, "must be an object that holds options");
        else
                return reader_object(reader, member.value, text_of(key), &where);
        return 0;
}

static int reader_object(ConfigReader *reader, const JsonValue *object, Text prefix, const JsonPath *up)
{
        int r;

        for (JsonMember m = json_member_first(object); m.value; m = json_member_next(object, m)) {
                r = reader_member(reader, prefix, m, up);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int reader_bytes(ConfigReader *reader, Text bytes)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        const JsonValue *root;
        JsonError error;
        int r;

        r = json_document_new(bytes, JSON_COMMENTS, NULL, &document, &error);
        if (r < 0)
                return error_trace(r);
        if (r > 0) {
                fault_list_add(reader->faults, reader->path, error.line, error.column, TEXT_NULL, "%s", error.message);
                return 0;
        }
        root = json_document_root(document);
        if (json_value_kind(root) != JSON_KIND_OBJECT) {
                reader_fault(reader, NULL, "must be an object that holds options");
                return 0;
        }
        return reader_object(reader, root, TEXT_NULL, NULL);
}

int config_file_apply(const char *path, Config *config, FaultList *faults)
{
        ConfigReader reader = { .config = config, .faults = faults, .path = text_of(path) };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault;
        Text bytes;
        int r;

        r = folders_read(path, LIMIT_CONFIG_FILE, &arena, &bytes, &fault);
        if (r < 0)
                return error_trace(r);
        if (r > 0) {
                fault_list_add(faults, reader.path, 0, 0, TEXT_NULL, "%s", fault.message);
                return 0;
        }
        return reader_bytes(&reader, bytes);
}

static int config_apply_main_file(const Places *places, Arena *arena, Config *config, FaultList *faults)
{
        Fault fault;
        Text path;
        int r;

        r = folders_find((const char *const *)places->folders, places->n_folders, "kernelsd.json", arena, &path, &fault);
        if (r < 0)
                return error_trace(r);
        if (r > 0) {
                fault_list_add(faults, TEXT("kernelsd.json"), 0, 0, TEXT_NULL, "%s", fault.message);
                return 0;
        }
        return path.data ? config_file_apply(path.data, config, faults) : 0;
}

static int config_apply_drop_ins(const Places *places, Arena *arena, Config *config, FaultList *faults)
{
        const char *folders[PLACES_MAX_FOLDERS];
        DropInList list;
        Fault fault;
        int r;

        for (size_t i = 0; i < places->n_folders; i++) {
                Text folder = arena_format(arena, "%s/kernelsd.d", places->folders[i]);

                if (!folder.data)
                        return error_trace(-ENOMEM);
                folders[i] = folder.data;
        }
        r = folders_list(folders, places->n_folders, arena, &list, &fault);
        if (r < 0)
                return error_trace(r);
        if (r > 0) {
                fault_list_add(faults, TEXT("kernelsd.d"), 0, 0, TEXT_NULL, "%s", fault.message);
                return 0;
        }
        for (size_t i = 0; i < list.n; i++) {
                r = config_file_apply(list.items[i].path.data, config, faults);
                if (r < 0)
                        return r;
        }
        return 0;
}

int config_files_apply(const Places *places, Config *config, FaultList *faults)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        int r;

        r = config_apply_main_file(places, &arena, config, faults);
        if (r < 0)
                return r;
        return config_apply_drop_ins(places, &arena, config, faults);
}

bool file_is_in(const char *path, const char *folder)
{
        const char *end = strrchr(path, '/');
        size_t size = strlen(folder);

        if (!end || (size_t)(end - path) < size)
                return false;
        end -= size;
        return !memcmp(end, folder, size) && (end == path || end[-1] == '/');
}

bool config_file_is_one(const char *path)
{
        const char *slash = strrchr(path, '/');

        return !strcmp(slash ? slash + 1 : path, "kernelsd.json") || file_is_in(path, "kernelsd.d");
}
