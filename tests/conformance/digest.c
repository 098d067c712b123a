#include "kernels/digest.h"

#include <stdlib.h>
#include <string.h>

#include "tests/conformance/case.h"
#include "tests/conformance/tree.h"

static json_t *to_json(const Digest *digest)
{
        json_t *files = json_object();

        for (size_t i = 0; i < digest->n_files; i++)
                json_object_setn_new(files, digest->files[i].path.data, digest->files[i].path.size,
                                     json_stringn(digest->files[i].hash.data, digest->files[i].hash.size));
        return json_pack("{s:s,s:o}", "algorithm", digest_algorithm_spelling(digest->algorithm), "files", files);
}

/* A digest that a case states, by the way that metadata.json takes. */
static Digest *from_json(const json_t *value, Verdict *verdict)
{
        char *text = json_dumps(value, JSON_ENCODE_ANY);
        Digest *digest = NULL;
        Fault fault = FAULT_NULL;

        if (!text || digest_parse(text_of(text), &digest, &fault) != 0) {
                verdict_fail(verdict, "a digest of the case is refused: %s", fault.message);
                digest = NULL;
        }
        free(text);
        return digest;
}

/* 0 with the digest of the files of a case; 1: reading them failed, which is an answer. */
static int of_tree(const json_t *one, DigestAlgorithm algorithm, Digest **ret_digest, Verdict *verdict)
{
        CaseTree tree;
        Fault fault = FAULT_NULL;
        int r = case_tree_make(one, &tree);

        if (r < 0) {
                verdict_fail(verdict, "cannot lay the files out: %s", strerror(-r));
        } else {
                r = digest_of_folder(tree.variant_fd, algorithm, ret_digest, &fault);
                if (r < 0)
                        verdict_fail(verdict, "cannot be hashed: %s", strerror(-r));
        }
        case_tree_remove(&tree);
        return r;
}

void run_digest_hash(const json_t *one, Verdict *verdict)
{
        DigestAlgorithm algorithm;
        Digest *digest;
        json_t *got;
        int r;

        if (!digest_algorithm_parse(case_bytes(json_object_get(one, "algorithm")), &algorithm)) {
                verdict_fail(verdict, "no such algorithm");
                return;
        }
        r = of_tree(one, algorithm, &digest, verdict);
        if (r < 0)
                return;
        got = r ? json_pack("{s:s}", "error", "io") : json_pack("{s:o}", "digest", to_json(digest));
        if (r == 0)
                digest_free(digest);
        verdict_equal(verdict, "hash", json_object_get(one, "expect"), got);
        json_decref(got);
}

static json_t *violation_to_json(const DigestViolation *violation)
{
        json_t *one = json_pack("{s:s}", "kind", digest_violation_spelling(violation->kind));

        if (violation->path.data)
                json_object_set_new(one, "path", json_stringn(violation->path.data, violation->path.size));
        if (violation->expected.data)
                json_object_set_new(one, "expected",
                                    json_stringn(violation->expected.data, violation->expected.size));
        if (violation->got.data)
                json_object_set_new(one, "got", json_stringn(violation->got.data, violation->got.size));
        return one;
}

static void compare(const Digest *reference, const Digest *actual, const json_t *expect, Verdict *verdict)
{
        Arena arena = ARENA_NULL;
        DigestViolation *violations;
        json_t *list = json_array(), *got;
        size_t n;

        if (digest_compare(reference, actual, &arena, &violations, &n) < 0)
                abort();
        for (size_t i = 0; i < n; i++)
                json_array_append_new(list, violation_to_json(&violations[i]));
        got = json_pack("{s:b,s:o}", "ok", n == 0, "violations", list);
        verdict_equal(verdict, "verdict", expect, got);
        json_decref(got);
        arena_deinit(&arena);
}

void run_digest_validate(const json_t *one, Verdict *verdict)
{
        Digest *reference = from_json(json_object_get(one, "reference"), verdict);
        Digest *actual = from_json(json_object_get(one, "actual"), verdict);

        if (reference && actual)
                compare(reference, actual, json_object_get(one, "expect"), verdict);
        digest_free(reference);
        digest_free(actual);
}

void run_digest_verify(const json_t *one, Verdict *verdict)
{
        Digest *reference = from_json(json_object_get(one, "reference"), verdict), *actual = NULL;
        const json_t *expect = json_object_get(one, "expect");
        json_t *got;
        int r;

        if (!reference)
                return;
        r = of_tree(one, reference->algorithm, &actual, verdict);
        if (r == 0) {
                compare(reference, actual, expect, verdict);
        } else if (r > 0) {
                got = json_pack("{s:s}", "error", "io");
                verdict_equal(verdict, "verdict", expect, got);
                json_decref(got);
                actual = NULL;
        }
        digest_free(actual);
        digest_free(reference);
}

void run_digest_parse(const json_t *one, Verdict *verdict)
{
        Digest *digest;
        Fault fault = FAULT_NULL;
        json_t *got;

        if (digest_parse(case_bytes(json_object_get(one, "json")), &digest, &fault) == 0) {
                got = json_pack("{s:b,s:o}", "ok", 1, "digest", to_json(digest));
                digest_free(digest);
        } else {
                got = json_pack("{s:b}", "ok", 0);
        }
        verdict_equal(verdict, "parse", json_object_get(one, "expect"), got);
        json_decref(got);
}
