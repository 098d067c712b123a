#include "kernels/digest.h"

#include <stdlib.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

const char *digest_algorithm_spelling(DigestAlgorithm algorithm)
{
        return algorithm == DIGEST_SHA256 ? "sha256" : "sha512";
}

bool digest_algorithm_parse(Text text, DigestAlgorithm *ret_algorithm)
{
        if (text_equal(text, TEXT("sha256")))
                *ret_algorithm = DIGEST_SHA256;
        else if (text_equal(text, TEXT("sha512")))
                *ret_algorithm = DIGEST_SHA512;
        else
                return false;
        return true;
}

Digest *digest_free(Digest *digest)
{
        if (digest) {
                arena_deinit(&digest->arena);
                alloc_free(digest);
        }
        return NULL;
}

static int by_path(const void *a, const void *b)
{
        return text_compare(((const DigestFile *)a)->path, ((const DigestFile *)b)->path);
}

void digest_sort(Digest *digest)
{
        size_t n = 0;

        if (digest->n_files)
                qsort(digest->files, digest->n_files, sizeof(*digest->files), by_path);
        for (size_t i = 0; i < digest->n_files; i++) {
                if (n && text_equal(digest->files[n - 1].path, digest->files[i].path))
                        n--;
                digest->files[n++] = digest->files[i];
        }
        digest->n_files = n;
}

/* --- one that is stated --- */

static int read_files(const JsonValue *files, const JsonPath *path, Digest *digest, Fault *fault)
{
        digest->files = arena_zeroed(&digest->arena, json_value_size(files), sizeof(*digest->files));
        if (!digest->files)
                return error_trace(-ENOMEM);
        for (JsonMember m = json_member_first(files); m.value; m = json_member_next(files, m)) {
                JsonPath here = JSON_PATH_KEY(path, m.key);
                DigestFile *file = &digest->files[digest->n_files];
                int r = json_expect(m.value, JSON_KIND_TEXT, &here, FAULT_CORRUPT, fault);

                if (r)
                        return r;
                if (arena_copy(&digest->arena, m.key, &file->path) < 0 ||
                    arena_copy(&digest->arena, json_value_text(m.value), &file->hash) < 0)
                        return error_trace(-ENOMEM);
                digest->n_files++;
        }
        digest_sort(digest);
        return 0;
}

static int read_algorithm(const JsonValue *value, const JsonPath *path, Digest *digest, Fault *fault)
{
        int r = json_expect(value, JSON_KIND_TEXT, path, FAULT_CORRUPT, fault);

        if (r)
                return r;
        if (!digest_algorithm_parse(json_value_text(value), &digest->algorithm))
                return json_fault(fault, FAULT_CORRUPT, path, "is \"%.*s\", must be sha256 or sha512",
                                  TEXT_PRINT(json_value_text(value)));
        return 0;
}

int digest_from_json(const JsonValue *value, const JsonPath *path, Digest **ret_digest, Fault *fault)
{
        CLEANUP(digest_freep) Digest *digest = alloc_zeroed(1, sizeof(*digest));
        JsonPath at_algorithm = JSON_PATH_KEY(path, TEXT("algorithm")), at_files = JSON_PATH_KEY(path, TEXT("files"));
        const JsonValue *algorithm, *files;
        int r;

        if (!digest)
                return error_trace(-ENOMEM);
        r = json_expect(value, JSON_KIND_OBJECT, path, FAULT_CORRUPT, fault);
        if (r)
                return r;
        algorithm = json_value_get(value, "algorithm");
        files = json_value_get(value, "files");
        if (!algorithm || !files)
                return json_fault(fault, FAULT_CORRUPT, algorithm ? &at_files : &at_algorithm, "is missing");
        r = read_algorithm(algorithm, &at_algorithm, digest, fault);
        if (!r)
                r = json_expect(files, JSON_KIND_OBJECT, &at_files, FAULT_CORRUPT, fault);
        if (!r)
                r = read_files(files, &at_files, digest, fault);
        if (r)
                return error_trace(r);
        *ret_digest = STEAL(digest);
        return 0;
}

int digest_parse(Text json, Digest **ret_digest, Fault *fault)
{
        static const char *const open[] = { "files", NULL };
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        JsonError error;
        int r;

        r = json_document_new(json, 0, open, &document, &error);
        if (r > 0)
                return fault_set(fault, FAULT_CORRUPT, "line %zu, column %zu: %s", error.line, error.column,
                                 error.message);
        if (r < 0)
                return error_trace(r);
        return digest_from_json(json_document_root(document), NULL, ret_digest, fault);
}

/* --- comparing --- */

const char *digest_violation_spelling(DigestViolationKind kind)
{
        static const char *const spellings[] = {
                [DIGEST_ALGORITHM_MISMATCH] = "algorithm_mismatch", [DIGEST_MISSING_FILE] = "missing_file",
                [DIGEST_HASH_MISMATCH] = "hash_mismatch",           [DIGEST_UNKNOWN_FILE] = "unknown_file",
        };

        return spellings[kind];
}

static const DigestFile *find_file(const Digest *digest, Text path)
{
        DigestFile wanted = { .path = path };

        return digest->n_files ? bsearch(&wanted, digest->files, digest->n_files, sizeof(wanted), by_path) : NULL;
}

static size_t compare_listed(const Digest *reference, const Digest *actual, DigestViolation *violations)
{
        size_t n = 0;

        for (size_t i = 0; i < reference->n_files; i++) {
                const DigestFile *file = &reference->files[i], *found = find_file(actual, file->path);

                if (!found)
                        violations[n++] = (DigestViolation){ .kind = DIGEST_MISSING_FILE, .path = file->path };
                else if (!text_equal(found->hash, file->hash))
                        violations[n++] = (DigestViolation){ DIGEST_HASH_MISMATCH, file->path, file->hash, found->hash };
        }
        return n;
}

int digest_compare(const Digest *reference, const Digest *actual, Arena *arena, DigestViolation **ret_violations,
                   size_t *ret_n)
{
        DigestViolation *violations =
                arena_zeroed(arena, 1 + reference->n_files + actual->n_files, sizeof(*violations));
        size_t n = 0;

        if (!violations)
                return error_trace(-ENOMEM);
        if (reference->algorithm != actual->algorithm)
                violations[n++] = (DigestViolation){
                        .kind = DIGEST_ALGORITHM_MISMATCH,
                        .expected = text_of(digest_algorithm_spelling(reference->algorithm)),
                        .got = text_of(digest_algorithm_spelling(actual->algorithm)),
                };
        n += compare_listed(reference, actual, violations + n);
        for (size_t i = 0; i < actual->n_files; i++)
                if (!find_file(reference, actual->files[i].path))
                        violations[n++] = (DigestViolation){ .kind = DIGEST_UNKNOWN_FILE, .path = actual->files[i].path };
        *ret_violations = violations;
        *ret_n = n;
        return 0;
}

int digest_violations_to_fault(const DigestViolation *violations, size_t n, Fault *fault)
{
        static const char *const says[] = {
                [DIGEST_ALGORITHM_MISMATCH] = "the digest's algorithm is not what metadata.json states",
                [DIGEST_MISSING_FILE] = "is stated in metadata.json and is missing",
                [DIGEST_HASH_MISMATCH] = "is not what metadata.json states",
                [DIGEST_UNKNOWN_FILE] = "is there and metadata.json does not state it",
        };

        if (!n)
                return 0;
        return fault_set(fault, FAULT_CORRUPT, "%.*s%s%s (finding 1 of %zu): install the kernel anew",
                         TEXT_PRINT(violations[0].path), violations[0].path.data ? " " : "", says[violations[0].kind], n);
}
