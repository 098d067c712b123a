#include "kernels/lock.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "kernels/bytecode.h"
#include "kernels/hash.h"
#include "kernels/json.h"
#include "proto/base/error.h"
#include "proto/name.h"

/* --- which commit --- */

static const JsonValue *member_text(const JsonValue *object, const char *key)
{
        const JsonValue *value = json_value_get(object, key);

        return value && json_value_kind(value) == JSON_KIND_TEXT ? value : NULL;
}

/* {"variants": {NAME: {"hash", "hash_type"}}}; hash_type may be left out. */
static int check_variant_locks(const JsonValue *variants, const JsonPath *path, Fault *fault)
{
        JsonPath at_variants = JSON_PATH_KEY(path, TEXT("variants"));

        if (!variants || json_value_kind(variants) != JSON_KIND_OBJECT)
                return json_fault(fault, FAULT_CORRUPT, &at_variants, "must be there, an object");
        for (JsonMember v = json_member_first(variants); v.value; v = json_member_next(variants, v)) {
                JsonPath at_variant = JSON_PATH_KEY(&at_variants, v.key);
                size_t n_known = 0;

                if (json_value_kind(v.value) == JSON_KIND_OBJECT)
                        n_known = !!member_text(v.value, "hash") + !!member_text(v.value, "hash_type");
                if (!n_known || !member_text(v.value, "hash") || n_known != json_value_size(v.value))
                        return json_fault(fault, FAULT_CORRUPT, &at_variant,
                                          "must be an object with the texts `hash` and, if at all, `hash_type`");
        }
        return 0;
}

static int read_old(const JsonValue *entry, const JsonPath *path, LockPin *ret_pin, Fault *fault)
{
        const JsonValue *repo = member_text(entry, "repo_id"), *sha = member_text(entry, "sha");
        int r;

        if (!repo || !sha)
                return json_fault(fault, FAULT_CORRUPT, path, "must have the texts `repo_id` and `sha`");
        r = check_variant_locks(json_value_get(entry, "variants"), path, fault);
        if (!r)
                *ret_pin = (LockPin){ json_value_text(repo), json_value_text(sha) };
        return r;
}

static int read_new(const JsonValue *entry, const JsonPath *path, LockPin *ret_pin, Fault *fault)
{
        const JsonValue *dependency = json_value_get(entry, "dependency"), *lock = json_value_get(entry, "lock");
        const JsonValue *repo, *commit;

        if (!dependency || json_value_kind(dependency) != JSON_KIND_OBJECT || !lock ||
            json_value_kind(lock) != JSON_KIND_OBJECT)
                return json_fault(fault, FAULT_CORRUPT, path, "must have the objects `dependency` and `lock`");
        repo = member_text(dependency, "repo-id");
        commit = member_text(lock, "commit");
        if (!repo || !commit)
                return json_fault(fault, FAULT_CORRUPT, path,
                                  "must have the texts `dependency/repo-id` and `lock/commit`");
        *ret_pin = (LockPin){ json_value_text(repo), json_value_text(commit) };
        return 0;
}

/* An entry as it stands, in either format. */
static int read_entry(const JsonValue *entry, const JsonPath *path, LockPin *ret_pin, Fault *fault)
{
        int r = json_expect(entry, JSON_KIND_OBJECT, path, FAULT_CORRUPT, fault);

        if (r)
                return r;
        return (json_value_get(entry, "dependency") ? read_new : read_old)(entry, path, ret_pin, fault);
}

/* Python writes and reads it; there the last of equal keys counts. */
static int open_lock(Text json, JsonDocument **ret_document, Fault *fault)
{
        JsonError error;
        int r = json_document_new(json, JSON_DUPLICATES, NULL, ret_document, &error);

        if (r > 0)
                return fault_set(fault, FAULT_CORRUPT, "line %zu, column %zu: %s", error.line, error.column,
                                 error.message);
        if (r < 0)
                return error_trace(r);
        if (json_value_kind(json_document_root(*ret_document)) != JSON_KIND_ARRAY)
                return fault_set(fault, FAULT_CORRUPT, "a lock file is an array; this is %s",
                                 json_kind_name(json_value_kind(json_document_root(*ret_document))));
        return 0;
}

static int find_commit(const JsonValue *root, Text repository, Text *ret_commit, Fault *fault)
{
        *ret_commit = TEXT_NULL;
        for (size_t i = 0; i < json_value_size(root) && !ret_commit->data; i++) {
                JsonPath path = JSON_PATH_INDEX(NULL, i);
                LockPin pin;
                int r = read_entry(json_value_at(root, i), &path, &pin, fault);

                if (r)
                        return r;
                if (text_equal(pin.repo, repository))
                        *ret_commit = pin.commit;
        }
        return 0;
}

int lock_lookup(Text json, Text repository, Arena *arena, Text *ret_commit, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        Text commit;
        int r;

        r = open_lock(json, &document, fault);
        if (!r)
                r = find_commit(json_document_root(document), repository, &commit, fault);
        if (!r && arena_copy(arena, commit, ret_commit) < 0)
                r = -ENOMEM;
        return error_trace(r);
}

/* Copies the pin, the commit in lower case, as git writes it. */
static int check_pin(const LockPin *pin, const JsonPath *path, Arena *arena, LockPin *ret_pin, Fault *fault)
{
        Fault name;
        LockPin copy;

        if (name_check_repository(pin->repo, &name))
                return json_fault(fault, FAULT_INVALID_NAME, path, "%s", name.message);
        if (arena_copy(arena, pin->repo, &copy.repo) < 0 || arena_copy(arena, pin->commit, &copy.commit) < 0)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < copy.commit.size; i++)
                ((char *)(uintptr_t)copy.commit.data)[i] = (char)tolower((unsigned char)copy.commit.data[i]);
        if (!name_is_commit(copy.commit))
                return json_fault(fault, FAULT_INVALID_NAME, path,
                                  "locks %.*s to \"%.*s\", which is no commit of 40 hex digits", TEXT_PRINT(pin->repo),
                                  TEXT_PRINT(text_cut(pin->commit, 80)));
        *ret_pin = copy;
        return 0;
}

int lock_list(Text json, Arena *arena, LockPin **ret_pins, size_t *ret_n, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        const JsonValue *root;
        LockPin *pins;
        int r = open_lock(json, &document, fault);

        if (r)
                return r;
        root = json_document_root(document);
        pins = arena_zeroed(arena, json_value_size(root), sizeof(*pins));
        if (!pins)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < json_value_size(root); i++) {
                JsonPath path = JSON_PATH_INDEX(NULL, i);

                r = read_entry(json_value_at(root, i), &path, &pins[i], fault);
                if (!r)
                        r = check_pin(&pins[i], &path, arena, &pins[i], fault);
                if (r)
                        return error_trace(r);
        }
        *ret_pins = pins;
        *ret_n = json_value_size(root);
        return 0;
}

/* --- the hash of a variant --- */

typedef struct Part {
        Text variant;
        Text path; /* below the variant, in its shortest form; "." for the variant itself */
        Text hash;
        size_t order;
} Part;

/* Splits "build/VARIANT/a//./b" into VARIANT and "a/b". */
static int split(Text path, Arena *arena, Text *ret_variant, Text *ret_rest)
{
        char *out = arena_bytes(arena, path.size + 1);
        size_t used = 0, number = 0, i = 0;

        if (!out)
                return error_trace(-ENOMEM);
        *ret_variant = TEXT("");
        while (i < path.size) {
                const char *slash = memchr(path.data + i, '/', path.size - i);
                size_t end = slash ? (size_t)(slash - path.data) : path.size;
                Text component = { path.data + i, end - i };

                i = end + 1;
                if (!component.size || text_equal(component, TEXT(".")))
                        continue;
                if (number == 1)
                        *ret_variant = component;
                if (number++ < 2)
                        continue;
                if (used)
                        out[used++] = '/';
                memcpy(out + used, component.data, component.size);
                used += component.size;
        }
        if (!used)
                out[used++] = '.';
        *ret_rest = (Text){ out, used };
        return 0;
}

static int by_variant_and_path(const void *a, const void *b)
{
        const Part *x = a, *y = b;
        int r = text_compare(x->variant, y->variant);

        if (!r)
                r = text_compare(x->path, y->path);
        return r ? r : text_compare(x->hash, y->hash);
}

/* Feeds the bytes that hex digits stand for. */
static int feed_hex(Hash *hash, Text hex)
{
        if (hex.size % 2)
                return LOCK_E_INVALID_HASH;
        for (size_t i = 0; i < hex.size; i += 2) {
                char digits[3] = { hex.data[i], hex.data[i + 1], 0 };
                uint8_t byte;
                int r;

                if (!isxdigit((unsigned char)digits[0]) || !isxdigit((unsigned char)digits[1]))
                        return LOCK_E_INVALID_HASH;
                byte = (uint8_t)strtoul(digits, NULL, 16);
                r = hash_update(hash, &byte, 1);
                if (r < 0)
                        return error_trace(r);
        }
        return 0;
}

static int hash_parts(Hash *hash, const Part *parts, size_t n, Arena *arena, Text *ret_text)
{
        uint8_t bytes[HASH_MAX];
        char hex[2 * HASH_MAX + 1];
        size_t size;
        int r = hash_restart(hash);

        for (size_t i = 0; !r && i < n; i++) {
                r = hash_update(hash, parts[i].path.data, parts[i].path.size);
                if (!r)
                        r = feed_hex(hash, parts[i].hash);
        }
        if (!r)
                r = hash_finish(hash, bytes, &size);
        if (r)
                return error_trace(r);
        hash_hex(bytes, size, hex);
        *ret_text = arena_format(arena, "sha256-%s", hex);
        return ret_text->data ? 0 : error_trace(-ENOMEM);
}

static int collect(const LockFile *files, size_t n_files, Arena *arena, Part *parts, size_t *ret_n)
{
        size_t n = 0;

        for (size_t i = 0; i < n_files; i++) {
                int r;

                if (!text_starts_with(files[i].path, TEXT("build/torch")))
                        continue;
                if (!files[i].blob_id.data)
                        return LOCK_E_MISSING_BLOB_ID;
                if (bytecode_is(files[i].path))
                        continue;
                parts[n] = (Part){ .hash = files[i].lfs_sha256.data ? files[i].lfs_sha256 : files[i].blob_id, .order = i };
                r = split(files[i].path, arena, &parts[n].variant, &parts[n].path);
                if (r < 0)
                        return error_trace(r);
                n++;
        }
        *ret_n = n;
        return 0;
}

/* A variant, and where its first file stood. */
typedef struct Ordered {
        LockVariant variant;
        size_t order;
} Ordered;

static int by_order(const void *a, const void *b)
{
        size_t x = ((const Ordered *)a)->order, y = ((const Ordered *)b)->order;

        return (x > y) - (x < y);
}

/* Takes one variant's parts off the sorted list: how many. */
static size_t run_length(const Part *parts, size_t n, size_t *ret_order)
{
        size_t i;

        *ret_order = parts[0].order;
        for (i = 1; i < n && text_equal(parts[i].variant, parts[0].variant); i++)
                if (parts[i].order < *ret_order)
                        *ret_order = parts[i].order;
        return i;
}

int lock_hash_variants(const LockFile *files, size_t n_files, Arena *arena, LockVariant **ret_variants, size_t *ret_n)
{
        CLEANUP(hash_freep) Hash *hash = NULL;
        Part *parts = arena_zeroed(arena, n_files, sizeof(*parts));
        Ordered *ordered = arena_zeroed(arena, n_files, sizeof(*ordered));
        LockVariant *variants = arena_zeroed(arena, n_files, sizeof(*variants));
        size_t n_parts, n = 0;
        int r;

        if (!parts || !ordered || !variants)
                return error_trace(-ENOMEM);
        r = hash_new(HASH_SHA256, &hash);
        if (!r)
                r = collect(files, n_files, arena, parts, &n_parts);
        if (r)
                return error_trace(r);
        if (n_parts)
                qsort(parts, n_parts, sizeof(*parts), by_variant_and_path);
        for (size_t i = 0; i < n_parts; n++) {
                size_t length = run_length(parts + i, n_parts - i, &ordered[n].order);

                ordered[n].variant.name = parts[i].variant;
                r = hash_parts(hash, parts + i, length, arena, &ordered[n].variant.hash);
                if (r)
                        return error_trace(r);
                i += length;
        }
        if (n)
                qsort(ordered, n, sizeof(*ordered), by_order);
        for (size_t i = 0; i < n; i++)
                variants[i] = ordered[i].variant;
        *ret_variants = variants;
        *ret_n = n;
        return 0;
}
