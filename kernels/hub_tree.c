#include "kernels/hub_tree.h"

#include <errno.h>
#include <stdlib.h>

#include "kernels/hub_answer.h"
#include "kernels/json.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/limits.h"

/* Pages may be empty, so the entries do not bound them. A guess: that many
 * entries of LIMIT_KERNEL_FILES in pages of four; the Hub's hold 1,000. */
#define PAGES_MAX 16384

#define SHOWN_MAX 200 /* bytes of a path in a message, which may hold two */

void hub_tree_init(HubTree *tree)
{
        *tree = HUB_TREE_NULL;
}

void hub_tree_deinit(HubTree *tree)
{
        alloc_free(tree->entries);
        arena_deinit(&tree->arena);
        *tree = HUB_TREE_NULL;
}

static int refuse(Text path, const char *why, Fault *fault)
{
        Text shown = text_cut(path, SHOWN_MAX);

        return fault_set(fault, FAULT_CORRUPT, "the repository is refused: \"%.*s\"%s %s", TEXT_PRINT(shown),
                         shown.size < path.size ? "…" : "", why);
}

/* --- one path --- */

static const char *component_fault(Text component)
{
        if (!component.size)
                return "has an empty component";
        if (text_equal(component, TEXT(".")) || text_equal(component, TEXT("..")))
                return "has a component \".\" or \"..\"";
        if (component.size > LIMIT_VARIANT)
                return "has a component of more than 255 bytes";
        return NULL;
}

static const char *components_fault(Text path)
{
        for (;;) {
                const char *slash = path.size ? memchr(path.data, '/', path.size) : NULL;
                Text component = { path.data, slash ? (size_t)(slash - path.data) : path.size };
                const char *why = component_fault(component);

                if (why || !slash)
                        return why;
                path = (Text){ slash + 1, path.size - component.size - 1 };
        }
}

static bool has_control(Text path)
{
        for (size_t i = 0; i < path.size; i++)
                if (text_begins_with_control((Text){ path.data + i, path.size - i }))
                        return true;
        return false;
}

static bool is_below(Text path, Text folder)
{
        return !folder.size ||
               (path.size > folder.size && path.data[folder.size] == '/' && text_starts_with(path, folder));
}

/* JSON has made sure that it is UTF-8 without NUL. */
static const char *path_fault(Text path, Text folder)
{
        if (path.size > LIMIT_PATH)
                return "has more than 4095 bytes";
        if (path.size && path.data[0] == '/')
                return "is an absolute path";
        if (has_control(path))
                return "holds a control character";
        if (memchr(path.data, '\\', path.size))
                return "holds a backslash";
        if (!is_below(path, folder))
                return "lies outside of the folder that was asked for";
        return components_fault(path);
}

/* --- one entry --- */

static bool is_hex(Text text, size_t size)
{
        for (size_t i = 0; i < text.size; i++)
                if (!((text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] >= 'a' && text.data[i] <= 'f')))
                        return false;
        return text.size == size;
}

static const JsonValue *member(const JsonValue *object, const char *key, JsonKind kind)
{
        const JsonValue *value = json_value_get(object, key);

        return value && json_value_kind(value) == kind ? value : NULL;
}

static Text member_text(const JsonValue *object, const char *key)
{
        const JsonValue *value = member(object, key, JSON_KIND_TEXT);

        return value ? json_value_text(value) : TEXT_NULL;
}

/* `lfs` is absent, null or an object that has the contents' hash and size. */
static const char *read_file(const JsonValue *value, HubEntry *entry)
{
        const JsonValue *lfs = json_value_get(value, "lfs"), *size;

        if (lfs && json_value_kind(lfs) == JSON_KIND_NULL)
                lfs = NULL;
        entry->lfs = lfs;
        entry->blob_id = member_text(value, "oid");
        entry->etag = lfs ? member_text(lfs, "oid") : entry->blob_id;
        if (!is_hex(entry->blob_id, 40))
                return "has no hash of 40 lower-case hex digits";
        if (lfs && !is_hex(entry->etag, 64))
                return "has no LFS hash of 64 lower-case hex digits";
        size = member(lfs ? lfs : value, "size", JSON_KIND_INTEGER);
        if (!size || json_value_integer(size) < 0)
                return "has no size that is 0 or more";
        entry->size = json_value_integer(size);
        return NULL;
}

static const char *read_entry(const JsonValue *value, Text folder, HubEntry *entry)
{
        const char *why = path_fault(entry->path, folder);
        Text type = member_text(value, "type");

        if (why)
                return why;
        entry->folder = text_equal(type, TEXT("directory"));
        if (entry->folder)
                return NULL;
        return text_equal(type, TEXT("file")) ? read_file(value, entry) : "is neither a file nor a directory";
}

/* --- pages --- */

static int reserve(HubTree *tree)
{
        size_t capacity = tree->capacity ? 2 * tree->capacity : 64;
        HubEntry *entries;

        if (tree->n_entries < tree->capacity)
                return 0;
        entries = alloc_resize(tree->entries, capacity, sizeof(*entries));
        if (!entries)
                return error_trace(-ENOMEM);
        tree->entries = entries;
        tree->capacity = capacity;
        return 0;
}

static int append(HubTree *tree, const HubEntry *entry)
{
        HubEntry copy = *entry;
        int r = reserve(tree);

        if (!r)
                r = arena_copy(&tree->arena, entry->path, &copy.path);
        if (!r)
                r = arena_copy(&tree->arena, entry->etag, &copy.etag);
        if (!r)
                r = arena_copy(&tree->arena, entry->blob_id, &copy.blob_id);
        if (r)
                return error_trace(r);
        tree->entries[tree->n_entries++] = copy;
        return 0;
}

static int add_entry(HubTree *tree, Text folder, const JsonValue *value, const JsonPath *at, Fault *fault)
{
        HubEntry entry = { 0 };
        const char *why;

        if (json_value_kind(value) == JSON_KIND_OBJECT)
                entry.path = member_text(value, "path");
        if (!entry.path.data)
                return json_fault(fault, FAULT_HUB, at, "the Hub's listing must have an object with a text `path` here");
        why = read_entry(value, folder, &entry);
        if (!why && __builtin_add_overflow(tree->n_bytes, entry.size, &tree->n_bytes))
                why = "makes all files together too large";
        if (why)
                return refuse(entry.path, why, fault);
        if (tree->n_entries == LIMIT_KERNEL_FILES)
                return fault_set(fault, FAULT_TOO_LARGE, "the Hub lists more than %d files and folders",
                                 LIMIT_KERNEL_FILES);
        return append(tree, &entry);
}

/* A name that JSON cannot carry is the repository's fault, not the Hub's. */
static bool has_unspeakable(Text body)
{
        return body.size &&
               (!text_is_utf8(body) || memchr(body.data, 0, body.size) || memmem(body.data, body.size, "\\u0000", 6));
}

static int parse_page(Text body, JsonDocument **ret_document, Fault *fault)
{
        int r = hub_answer_json(body, JSON_KIND_ARRAY, ret_document, fault);

        if (r > 0 && has_unspeakable(body))
                return fault_set(fault, FAULT_CORRUPT, "the repository is refused: its listing holds NUL or is not UTF-8");
        return error_trace(r);
}

int hub_tree_add_page(HubTree *tree, Text folder, Text body, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        const JsonValue *list;
        int r;

        if (++tree->n_pages > PAGES_MAX)
                return fault_set(fault, FAULT_TOO_LARGE, "the Hub's listing has more than %d pages", PAGES_MAX);
        r = parse_page(body, &document, fault);
        if (r)
                return error_trace(r);
        list = json_document_root(document);
        for (size_t i = 0; !r && i < json_value_size(list); i++) {
                JsonPath at = JSON_PATH_INDEX(NULL, i);

                r = add_entry(tree, folder, json_value_at(list, i), &at, fault);
        }
        return error_trace(r);
}

/* --- all of them together --- */

/* '/' before everything else (there are no control characters), so that what
 * lies in a folder follows the folder at once. */
static unsigned char fold(char c)
{
        if (c == '/')
                return 0;
        return (unsigned char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

/* How far the two are equal but for case. */
static size_t folded_match(Text a, Text b)
{
        size_t i = 0;

        while (i < a.size && i < b.size && fold(a.data[i]) == fold(b.data[i]))
                i++;
        return i;
}

static int by_folded_path(const void *a, const void *b)
{
        Text x = ((const HubEntry *)a)->path, y = ((const HubEntry *)b)->path;
        size_t i = folded_match(x, y);

        if (i == x.size || i == y.size)
                return (x.size > y.size) - (x.size < y.size);
        return (int)fold(x.data[i]) - (int)fold(y.data[i]);
}

static int by_path(const void *a, const void *b)
{
        return text_compare(((const HubEntry *)a)->path, ((const HubEntry *)b)->path);
}

static bool ends_component(Text path, size_t i)
{
        return i == path.size || path.data[i] == '/';
}

/* The length of the whole components that the two share but for case. */
static size_t shared_components(Text a, Text b)
{
        size_t n = folded_match(a, b);

        while (n && !(ends_component(a, n) && ends_component(b, n)))
                n--;
        return n;
}

/* `a` comes right before `b`. All paths below one folder stand together, so
 * what holds between neighbours holds between all. */
static int check_neighbours(const HubEntry *a, const HubEntry *b, Fault *fault)
{
        size_t n = shared_components(a->path, b->path);
        Text x = text_cut(a->path, SHOWN_MAX), y = text_cut(b->path, SHOWN_MAX);

        if (n && memcmp(a->path.data, b->path.data, n) != 0)
                return fault_set(fault, FAULT_CORRUPT,
                                 "the repository is refused: \"%.*s\" and \"%.*s\" have names that differ in case only",
                                 TEXT_PRINT(x), TEXT_PRINT(y));
        if (n == b->path.size)
                return refuse(b->path, "is listed twice", fault);
        if (n == a->path.size && !a->folder)
                return refuse(a->path, "is a file and a folder", fault);
        return 0;
}

int hub_tree_finish(HubTree *tree, Fault *fault)
{
        if (!tree->n_entries)
                return 0;
        qsort(tree->entries, tree->n_entries, sizeof(*tree->entries), by_folded_path);
        for (size_t i = 1; i < tree->n_entries; i++)
                if (check_neighbours(&tree->entries[i - 1], &tree->entries[i], fault))
                        return 1;
        qsort(tree->entries, tree->n_entries, sizeof(*tree->entries), by_path);
        return 0;
}
