#include "kernels/mapping_set.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/folders.h"
#include "kernels/kept_files.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

int mapping_set_new(MappingSet **ret_set)
{
        MappingSet *set = alloc_zeroed(1, sizeof(*set));

        if (!set)
                return error_trace(-ENOMEM);
        *ret_set = set;
        return 0;
}

static void drop_entries(MappingSet *set)
{
        for (size_t i = 0; i < set->n_entries; i++)
                (void)entry_unref(set->entries[i]);
        set->n_entries = 0;
}

MappingSet *mapping_set_free(MappingSet *set)
{
        if (set) {
                drop_entries(set);
                alloc_free(set->entries);
                alloc_free(set->sources);
                alloc_free(set->watched);
                arena_deinit(&set->arena);
                alloc_free(set);
        }
        return NULL;
}

/* Makes room for one more of `size` bytes. */
static int grow(void **items, size_t n, size_t *capacity, size_t size)
{
        size_t more = *capacity ? 2 * *capacity : 16;
        void *grown;

        if (n < *capacity)
                return 0;
        grown = alloc_resize(*items, more, size);
        if (!grown)
                return error_trace(-ENOMEM);
        *items = grown;
        *capacity = more;
        return 0;
}

int mapping_set_add_entry(MappingSet *set, Entry *entry)
{
        int r = grow((void **)&set->entries, set->n_entries, &set->entries_capacity, sizeof(*set->entries));

        if (r < 0)
                return r;
        set->entries[set->n_entries++] = entry;
        return 0;
}

int mapping_set_watch(MappingSet *set, Text path)
{
        int r;

        for (size_t i = 0; i < set->n_watched; i++)
                if (text_equal(set->watched[i], path))
                        return 0;
        r = grow((void **)&set->watched, set->n_watched, &set->watched_capacity, sizeof(*set->watched));
        if (!r)
                r = arena_copy(&set->arena, path, &set->watched[set->n_watched]);
        if (r < 0)
                return error_trace(r);
        set->n_watched++;
        return 0;
}

/* --- faults --- */

static int add_fault(MappingSet *set, Text file, OptionalInteger line, OptionalInteger column, Text pointer,
                     const char *message)
{
        MsgMappingFault fault = { .line = line, .column = column };
        Fault name;

        drop_entries(set);
        if (set->n_faults == LIMIT_MAPPING_FAULTS)
                return 0;
        (void)fault_set(&name, FAULT_INTERNAL, "%.*s", TEXT_PRINT(file)); /* for how it cleans */
        if (arena_copy(&set->arena, text_of(name.message), &fault.file) < 0 || arena_copy(&set->arena, pointer, &fault.pointer) < 0 ||
            arena_copy(&set->arena, text_of(message), &fault.message) < 0)
                return error_trace(-ENOMEM);
        set->faults[set->n_faults++] = fault;
        return 0;
}

int mapping_set_fault_at(MappingSet *set, Text file, const JsonPath *path, const char *message)
{
        char pointer[400];
        size_t n = json_path_print(path, pointer, sizeof(pointer));

        return add_fault(set, file, INTEGER_ABSENT, INTEGER_ABSENT, (Text){ pointer, n }, message);
}

int mapping_set_fault_position(MappingSet *set, Text file, const JsonError *error)
{
        return add_fault(set, file, INTEGER_PRESENT((int64_t)error->line), INTEGER_PRESENT((int64_t)error->column),
                         TEXT_NULL, error->message);
}

int mapping_set_fault_whole(MappingSet *set, Text file, const char *message)
{
        return add_fault(set, file, INTEGER_ABSENT, INTEGER_ABSENT, TEXT_NULL, message);
}

int mapping_bad(const MappingPlace *place, const JsonPath *path, const char *format, ...)
{
        char message[2 * LIMIT_FAULT_MESSAGE];
        va_list arguments;
        Fault fault;
        int r;

        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        (void)fault_set(&fault, FAULT_BAD_REQUEST, "%s", message); /* for how it cuts and cleans */
        r = mapping_set_fault_at(place->set, place->path, path, fault.message);
        return r < 0 ? r : 1;
}

int mapping_expect(const MappingPlace *place, const JsonValue *value, JsonKind kind, const JsonPath *path)
{
        JsonKind is = json_value_kind(value);

        if (is == kind)
                return 0;
        return mapping_bad(place, path, "is %s, must be %s", json_kind_name(is), json_kind_name(kind));
}

Text mapping_fault_describe(const MsgMappingFault *fault, Arena *arena)
{
        if (fault->line.present)
                return arena_format(arena, "%.*s:%lld:%lld: %.*s", TEXT_PRINT(fault->file), (long long)fault->line.value,
                                    (long long)fault->column.value, TEXT_PRINT(fault->message));
        if (fault->pointer.data && fault->pointer.size)
                return arena_format(arena, "%.*s: %.*s: %.*s", TEXT_PRINT(fault->file), TEXT_PRINT(fault->pointer),
                                    TEXT_PRINT(fault->message));
        return arena_format(arena, "%.*s: %.*s", TEXT_PRINT(fault->file), TEXT_PRINT(fault->message));
}

/* --- files --- */

static int add_source(MappingSet *set, const MappingSource *from)
{
        MappingSource source = *from;
        int r = grow((void **)&set->sources, set->n_sources, &set->sources_capacity, sizeof(*set->sources));

        if (!r)
                r = arena_copy(&set->arena, from->name, &source.name);
        if (!r)
                r = arena_copy(&set->arena, from->path, &source.path);
        if (r < 0)
                return error_trace(r);
        set->sources[set->n_sources++] = source;
        return 0;
}

static int add_bytes(MappingSet *set, const MappingSource *source, Text bytes, const MappingReader *reader)
{
        uint16_t number = (uint16_t)set->n_sources;
        int r = add_source(set, source);

        if (!r && !source->no_file)
                r = mapping_set_watch(set, source->path);
        if (!r)
                r = mapping_file_read(set, number, bytes, reader);
        if (set->n_faults)
                drop_entries(set);
        return error_trace(r);
}

int mapping_set_add_file(MappingSet *set, Text name, Text path, Text bytes, int64_t read_at_us,
                         const MappingReader *reader)
{
        const MappingSource source = { .name = name, .path = path, .read_at_us = read_at_us };

        if (set->n_sources == LIMIT_MAPPING_FILES)
                return mapping_set_fault_whole(set, path, "there are too many mapping files; put some together");
        return add_bytes(set, &source, bytes, reader);
}

int mapping_set_add_bytes(MappingSet *set, Text name, Text bytes, int64_t read_at_us, const MappingReader *reader)
{
        const MappingSource source = { .name = name, .path = name, .no_file = true, .read_at_us = read_at_us };

        return add_bytes(set, &source, bytes, reader);
}

static int load_file(MappingSet *set, Text name, Text path, int64_t now_us)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text bytes;
        int r;

        if (!text_is_utf8(path)) /* answers name it as their source */
                return mapping_set_fault_whole(set, path, "the path is not UTF-8; rename the file");
        r = folders_read(path.data, LIMIT_MAPPING_FILE, &arena, &bytes, &fault);

        if (r < 0)
                return error_trace(r);
        if (r > 0) {
                r = mapping_set_watch(set, path);
                return r < 0 ? r : mapping_set_fault_whole(set, path, fault.message);
        }
        r = set->keeps ? kept_files_add(set->keeps, false, name, path, bytes) : 0;
        return r < 0 ? r : mapping_set_add_file(set, name, path, bytes, now_us, NULL);
}

int mapping_set_load_file(MappingSet *set, const char *path, int64_t now_us)
{
        const char *slash = strrchr(path, '/');

        return load_file(set, text_of(slash ? slash + 1 : path), text_of(path), now_us);
}

int mapping_set_load(const char *const *folders, size_t n_folders, int64_t now_us, KeptFiles *keeps, MappingSet **ret_set)
{
        CLEANUP(mapping_set_freep) MappingSet *set = NULL;
        Fault fault = FAULT_NULL;
        DropInList list = { 0 };
        int r = mapping_set_new(&set);

        if (r < 0)
                return error_trace(r);
        set->keeps = keeps;
        r = folders_list(folders, n_folders, &set->arena, &list, &fault);
        if (r > 0)
                r = mapping_set_fault_whole(set, TEXT("mapping.d"), fault.message);
        for (size_t i = 0; r == 0 && i < list.n; i++)
                r = load_file(set, list.items[i].name, list.items[i].path, now_us);
        if (r < 0)
                return error_trace(r);
        *ret_set = STEAL(set);
        return 0;
}
