#include "kernels/lock.h"

#include <stdlib.h>
#include <string.h>

#include "kernels/hash.h"
#include "tests/conformance/base64.h"
#include "tests/conformance/case.h"

/* A file with its content: the name that its hash gives it must be the stated one. */
static void check_content(const json_t *file, Verdict *verdict)
{
        const char *lfs = case_text_or_null(file, "lfs_sha256");
        const json_t *content = json_object_get(file, "content_b64");
        uint8_t bytes[HASH_MAX], *data;
        char hex[2 * HASH_MAX + 1];
        size_t size, n;
        Hash *hash = NULL;

        if (!json_is_string(content))
                return;
        data = base64_decode(content, &size);
        if (!data || (lfs ? hash_new(HASH_SHA256, &hash) : hash_new_git_blob(size, &hash)) < 0 ||
            hash_update(hash, data, size) < 0 || hash_finish(hash, bytes, &n) < 0)
                abort();
        hash_hex(bytes, n, hex);
        if (strcmp(hex, lfs ? lfs : case_text(file, "blob_id")) != 0)
                verdict_fail(verdict, "%s: the content hashes to %s", case_text(file, "path"), hex);
        hash_free(hash);
        free(data);
}

static json_t *hashed(const LockFile *files, size_t n_files)
{
        Arena arena = ARENA_NULL;
        LockVariant *variants;
        json_t *got = json_object();
        size_t n;

        switch (lock_hash_variants(files, n_files, &arena, &variants, &n)) {
        case 0:
                for (size_t i = 0; i < n; i++)
                        json_object_setn_new(got, variants[i].name.data, variants[i].name.size,
                                             json_stringn(variants[i].hash.data, variants[i].hash.size));
                got = json_pack("{s:o}", "variants", got);
                break;
        case LOCK_E_MISSING_BLOB_ID:
                json_object_set_new(got, "error", json_string("missing_blob_id"));
                break;
        case LOCK_E_INVALID_HASH:
                json_object_set_new(got, "error", json_string("invalid_hash"));
                break;
        default:
                json_object_set_new(got, "error", json_string("out of memory"));
        }
        arena_deinit(&arena);
        return got;
}

void run_lock_hash(const json_t *one, Verdict *verdict)
{
        const json_t *list = json_object_get(one, "files");
        size_t n = json_array_size(list);
        LockFile *files = calloc(n + 1, sizeof(*files));
        json_t *got;

        for (size_t i = 0; i < n; i++) {
                const json_t *file = json_array_get(list, i);

                files[i] = (LockFile){
                        .path = case_bytes(json_object_get(file, "path")),
                        .blob_id = case_bytes(json_object_get(file, "blob_id")),
                        .lfs_sha256 = case_bytes(json_object_get(file, "lfs_sha256")),
                };
                check_content(file, verdict);
        }
        got = hashed(files, n);
        verdict_equal(verdict, "hashes", json_object_get(one, "expect"), got);
        json_decref(got);
        free(files);
}

void run_lock_lookup(const json_t *one, Verdict *verdict)
{
        Arena arena = ARENA_NULL;
        Text commit = TEXT_NULL;
        Fault fault = FAULT_NULL;
        json_t *got;
        int r = lock_lookup(case_bytes(json_object_get(one, "lock_json")), case_bytes(json_object_get(one, "repo_id")),
                            &arena, &commit, &fault);

        if (r == 0)
                got = json_pack("{s:o}", "sha", commit.data ? json_stringn(commit.data, commit.size) : json_null());
        else
                got = json_pack("{s:s}", "error", r > 0 && fault.name == FAULT_CORRUPT ? "invalid_lock" : "other");
        verdict_equal(verdict, "lookup", json_object_get(one, "expect"), got);
        json_decref(got);
        arena_deinit(&arena);
}
