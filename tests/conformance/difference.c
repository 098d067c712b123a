#include "tests/conformance/difference.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "proto/limits.h"
#include "tests/conformance/case.h"
#include "tests/conformance/model.h"

static json_t *strict_name(const json_t *one);
static json_t *tvm_ffi_first(const json_t *one);
static json_t *bare_pyc_unhashed(const json_t *one);
static json_t *bare_pyc_unknown_to_nobody(const json_t *one);
static json_t *only_objects(const json_t *one);

static const struct Difference {
        const char *tag;
        Section section;
        json_t *(*apply)(const json_t *one); /* a new case, with what our rule expects */
        const char *reason;
} differences[] = {
        { "quirk_partial_apply", SECTION_RESOLVE, model_resolve,
          "A request that is partly bad changes nothing: half a mapping is nobody's wish." },
        { "overlong", SECTION_VARIANT_PARSE, strict_name,
          "A variant is a folder, and no folder's name is longer than 255 bytes." },
        { "path_separator", SECTION_VARIANT_PARSE, strict_name,
          "A variant is one folder right under build/: a '/' in its name would lead out of there." },
        { "beyond_int64", SECTION_VARIANT_PARSE, strict_name,
          "The same 255 bytes; shorter numbers may have as many digits as they like." },
        { "tie_input_order", SECTION_VARIANT_RESOLVE, tvm_ffi_first,
          "Upstream's winner hangs on the order of a set; here tvm-ffi builds go before no-arch ones." },
        { "quirk_bare_pyc", SECTION_DIGEST_HASH, bare_pyc_unhashed,
          "A file named .pyc is bytecode, as it is in kernels.lock." },
        { "quirk_bare_pyc", SECTION_DIGEST_VERIFY, bare_pyc_unknown_to_nobody,
          "A file named .pyc is bytecode, as it is in kernels.lock." },
        { "quirk_sequence_form", SECTION_DIGEST_PARSE, only_objects,
          "A digest is written as an object; that a list passes is an accident of a library." },
};

json_t *difference_apply(Section section, const json_t *one)
{
        for (size_t i = 0; i < sizeof(differences) / sizeof(*differences); i++)
                if (differences[i].section == section && case_has_tag(one, differences[i].tag))
                        return differences[i].apply(one);
        return json_incref((json_t *)one);
}

static json_t *strict_name(const json_t *one)
{
        const char *name = case_text(one, "variant");
        json_t *ours;

        if (strlen(name) <= LIMIT_VARIANT && !strchr(name, '/'))
                return json_incref((json_t *)one);
        ours = json_pack("{s:s,s:b}", "variant", name, "ok", 0);
        return ours;
}

static bool is_noarch(const char *name)
{
        return strncmp(name, "torch-", 6) == 0 && strncmp(name, "torch-stable-abi", 16) != 0;
}

/* No-arch builds of the backend share their rank with tvm-ffi builds and only
 * with those; taking them out and putting them behind the last tvm-ffi build
 * keeps every other order. */
static json_t *tvm_ffi_first(const json_t *one)
{
        json_t *ours = json_deep_copy(one), *expect = json_object_get(ours, "expect");
        json_t *upstream = json_object_get(expect, "accepted_in_order"), *order = json_array();

        for (int noarch = 0; noarch < 2; noarch++)
                for (size_t i = 0; i < json_array_size(upstream); i++) {
                        json_t *name = json_array_get(upstream, i);

                        if (is_noarch(json_string_value(name)) == noarch)
                                json_array_append(order, name);
                }
        if (json_array_size(order))
                json_object_set(expect, "best", json_array_get(order, 0));
        json_object_set_new(expect, "accepted_in_order", order);
        return ours;
}

static bool is_bare_pyc(const char *path)
{
        const char *slash = strrchr(path, '/');

        return strcmp(slash ? slash + 1 : path, ".pyc") == 0;
}

static json_t *bare_pyc_unhashed(const json_t *one)
{
        json_t *ours = json_deep_copy(one);
        json_t *files = json_object_get(json_object_get(json_object_get(ours, "expect"), "digest"), "files");
        const char *path;
        json_t *hash;
        void *next;

        json_object_foreach_safe(files, next, path, hash)
                if (is_bare_pyc(path))
                        json_object_del(files, path);
        return ours;
}

/* Where violation `one` stands among those of missing and changed files. */
static bool stands_before(const json_t *one, const char *path)
{
        const char *kind = case_text(one, "kind");

        return strcmp(kind, "algorithm_mismatch") == 0 ||
               (strcmp(kind, "unknown_file") != 0 && strcmp(case_text(one, "path"), path) < 0);
}

static void add_missing(json_t *violations, const char *path)
{
        size_t i = 0;

        while (i < json_array_size(violations) && stands_before(json_array_get(violations, i), path))
                i++;
        json_array_insert_new(violations, i, json_pack("{s:s,s:s}", "kind", "missing_file", "path", path));
}

/* Such a file is never unknown, and one that the reference lists is never there. */
static json_t *bare_pyc_unknown_to_nobody(const json_t *one)
{
        json_t *ours = json_deep_copy(one), *expect = json_object_get(ours, "expect");
        json_t *violations = json_object_get(expect, "violations"), *hash;
        json_t *listed = json_object_get(json_object_get(ours, "reference"), "files");
        const char *path;

        if (!json_is_array(violations))
                return ours;
        for (size_t i = json_array_size(violations); i-- > 0;)
                if (is_bare_pyc(case_text(json_array_get(violations, i), "path")))
                        json_array_remove(violations, i);
        json_object_foreach(listed, path, hash)
                if (is_bare_pyc(path))
                        add_missing(violations, path);
        json_object_set_new(expect, "ok", json_boolean(json_array_size(violations) == 0));
        return ours;
}

static json_t *only_objects(const json_t *one)
{
        json_t *ours = json_deep_copy(one);

        if (*(case_text(one, "json") + strspn(case_text(one, "json"), " \t\r\n")) == '[')
                json_object_set_new(ours, "expect", json_pack("{s:b}", "ok", 0));
        return ours;
}
