#include "kernels/cache_trees.h"

#include <stdlib.h>

#include "kernels/cache_paths.h"
#include "kernels/json.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"

#define FORMAT_VERSION 1

CacheTrees *cache_trees_free(CacheTrees *trees)
{
        if (trees) {
                arena_deinit(&trees->arena);
                alloc_free(trees);
        }
        return NULL;
}

/* --- its variants --- */

/* The slash that ends a variant's name keeps its files side by side. */
static int list_variants(CacheTrees *trees)
{
        trees->variants = arena_zeroed(&trees->arena, trees->n_files, sizeof(*trees->variants));
        trees->firsts = arena_zeroed(&trees->arena, trees->n_files, sizeof(*trees->firsts));
        if (!trees->variants || !trees->firsts)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < trees->n_files; i++) {
                Text name, rest;

                if (!cache_path_variant(trees->files[i].path, &name, &rest))
                        continue;
                if (trees->n_variants && text_equal(trees->variants[trees->n_variants - 1], name))
                        continue;
                trees->firsts[trees->n_variants] = i;
                trees->variants[trees->n_variants++] = name;
        }
        return 0;
}

const CacheTreesFile *cache_trees_find(const CacheTrees *trees, Text variant, size_t *ret_n)
{
        *ret_n = 0;
        for (size_t i = 0; i < trees->n_variants; i++) {
                const CacheTreesFile *first = &trees->files[trees->firsts[i]];
                Text name, rest;

                if (!text_equal(trees->variants[i], variant))
                        continue;
                for (const CacheTreesFile *file = first; file < trees->files + trees->n_files; file++, ++*ret_n)
                        if (!cache_path_variant(file->path, &name, &rest) || !text_equal(name, variant))
                                break;
                return first;
        }
        return NULL;
}

/* --- reading --- */

static bool is_xet_hash(const JsonValue *value)
{
        Text text;

        if (!value || json_value_kind(value) == JSON_KIND_NULL)
                return true;
        if (json_value_kind(value) != JSON_KIND_TEXT)
                return false;
        text = json_value_text(value);
        return text.size == CACHE_ETAG_MAX && cache_is_etag(text);
}

static int read_file(CacheTrees *trees, Text key, const JsonValue *value, const JsonPath *path, Fault *fault)
{
        CacheTreesFile *file = &trees->files[trees->n_files];
        const JsonValue *size;
        int r = json_expect(value, JSON_KIND_OBJECT, path, FAULT_CORRUPT, fault);

        if (r)
                return r;
        size = json_value_get(value, "size");
        if (!size || json_value_kind(size) != JSON_KIND_INTEGER || json_value_integer(size) < 0)
                return json_fault(fault, FAULT_CORRUPT, path, "has no size");
        if (!is_xet_hash(json_value_get(value, "xet_hash")))
                return json_fault(fault, FAULT_CORRUPT, path, "has a xet_hash that is none");
        if (!cache_is_plain_path(key))
                return json_fault(fault, FAULT_CORRUPT, path, "is no path for a file of a repository");
        if (arena_copy(&trees->arena, key, &file->path) < 0)
                return error_trace(-ENOMEM);
        file->size = json_value_integer(size);
        trees->n_files++;
        return 0;
}

static int by_path(const void *a, const void *b)
{
        return text_compare(((const CacheTreesFile *)a)->path, ((const CacheTreesFile *)b)->path);
}

static int read_files(CacheTrees *trees, const JsonValue *files, Fault *fault)
{
        JsonPath above = JSON_PATH_KEY(NULL, TEXT("files"));
        int r = 0;

        trees->files = arena_zeroed(&trees->arena, json_value_size(files), sizeof(*trees->files));
        if (!trees->files)
                return error_trace(-ENOMEM);
        for (JsonMember m = json_member_first(files); !r && m.value; m = json_member_next(files, m)) {
                JsonPath path = JSON_PATH_KEY(&above, m.key);

                r = read_file(trees, m.key, m.value, &path, fault);
        }
        if (!r && trees->n_files)
                qsort(trees->files, trees->n_files, sizeof(*trees->files), by_path);
        return r ? r : list_variants(trees);
}

static int read_root(CacheTrees *trees, const JsonValue *root, Fault *fault)
{
        JsonPath at_version = JSON_PATH_KEY(NULL, TEXT("format_version"));
        JsonPath at_files = JSON_PATH_KEY(NULL, TEXT("files"));
        const JsonValue *version, *files;
        int r = json_expect(root, JSON_KIND_OBJECT, NULL, FAULT_CORRUPT, fault);

        if (r)
                return r;
        version = json_value_get(root, "format_version");
        files = json_value_get(root, "files");
        if (!version || json_value_kind(version) != JSON_KIND_INTEGER || json_value_integer(version) != FORMAT_VERSION)
                return json_fault(fault, FAULT_CORRUPT, &at_version, "is not %d", FORMAT_VERSION);
        if (!files)
                return json_fault(fault, FAULT_CORRUPT, &at_files, "is missing");
        r = json_expect(files, JSON_KIND_OBJECT, &at_files, FAULT_CORRUPT, fault);
        return r ? r : read_files(trees, files, fault);
}

int cache_trees_parse(Text bytes, CacheTrees **ret_trees, Fault *fault)
{
        CLEANUP(cache_trees_freep) CacheTrees *trees = alloc_zeroed(1, sizeof(*trees));
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        JsonError error;
        int r;

        if (!trees)
                return error_trace(-ENOMEM);
        r = json_document_new(bytes, JSON_DUPLICATES, NULL, &document, &error);
        if (r > 0)
                return fault_set(fault, FAULT_CORRUPT, "%zu:%zu: %s", error.line, error.column, error.message);
        if (!r)
                r = read_root(trees, json_document_root(document), fault);
        if (r)
                return error_trace(r);
        *ret_trees = STEAL(trees);
        return 0;
}
