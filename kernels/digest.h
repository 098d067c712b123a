/* What the files of a variant folder hash to: stated by metadata.json, worked
 * out from the files, and compared.
 *
 * Covered is every regular file below the folder, links to files read through
 * under their own name; not covered are metadata.json and
 * metadata.json.sigstore at the top, names ending in .pyc (also a bare ".pyc",
 * unlike upstream), what lies under a __pycache__, and what lies behind a link
 * to a folder. A '\' in a name is written '/'. */
#pragma once

#include "kernels/hash.h"
#include "kernels/json.h"
#include "kernels/step.h"
#include "kernels/tree.h"
#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/fault.h"

typedef enum DigestAlgorithm { DIGEST_SHA256, DIGEST_SHA512 } DigestAlgorithm;

const char *digest_algorithm_spelling(DigestAlgorithm algorithm);
bool digest_algorithm_parse(Text text, DigestAlgorithm *ret_algorithm);

typedef struct DigestFile {
        Text path; /* from the variant folder, with '/' */
        Text hash; /* base64, compared as text */
} DigestFile;

typedef struct Digest {
        Arena arena;
        DigestAlgorithm algorithm;
        size_t n_files;
        DigestFile *files; /* by path in byte order, each once */
} Digest;

/* A digest alone, as a JSON text. 0; 1 with FAULT_CORRUPT; -ENOMEM. */
int digest_parse(Text json, Digest **ret_digest, Fault *fault);

/* The one that stands at `path` of a document. */
int digest_from_json(const JsonValue *value, const JsonPath *path, Digest **ret_digest, Fault *fault);

/* Whether a file of that path, from the variant folder, is covered. */
bool digest_covers(Text path);

/* Brings the files in order, each path once. */
void digest_sort(Digest *digest);

Digest *digest_free(Digest *digest);
DEFINE_CLEANUP(Digest *, digest_free)

/* --- working one out, in steps (file thread only) --- */

typedef struct DigestWork DigestWork;

/* Over the files of `tree`, which must outlive it; see tree.h. */
int digest_work_new(const Tree *tree, DigestAlgorithm algorithm, DigestWork **ret_work);

/* Reads at most max_bytes more. STEP_MORE, STEP_DONE, STEP_FAULT (corrupt: a
 * file changed or went away), negative. */
int digest_work_step(DigestWork *work, size_t max_bytes, Fault *fault);

/* Done so far. */
void digest_work_progress(const DigestWork *work, Progress *ret_progress);

/* After STEP_DONE. */
Digest *digest_work_take(DigestWork *work);

DigestWork *digest_work_free(DigestWork *work);
DEFINE_CLEANUP(DigestWork *, digest_work_free)

/* All at once, for tools and tests: any folder, nobody's ownership asked. 1
 * with FAULT_CORRUPT: a link that leads nowhere. */
int digest_of_folder(int folder_fd, DigestAlgorithm algorithm, Digest **ret_digest, Fault *fault);

/* --- comparing --- */

typedef enum DigestViolationKind {
        DIGEST_ALGORITHM_MISMATCH, DIGEST_MISSING_FILE, DIGEST_HASH_MISMATCH, DIGEST_UNKNOWN_FILE,
} DigestViolationKind;

const char *digest_violation_spelling(DigestViolationKind kind); /* "missing_file" */

typedef struct DigestViolation {
        DigestViolationKind kind;
        Text path;     /* absent for the algorithm */
        Text expected; /* of the mismatches */
        Text got;
} DigestViolation;

/* All violations, in order: algorithm, then missing and changed files by path,
 * then unknown files by path. Texts are those of the two digests. 0, -ENOMEM. */
int digest_compare(const Digest *reference, const Digest *actual, Arena *arena, DigestViolation **ret_violations,
                   size_t *ret_n);

/* 0, or 1 with FAULT_CORRUPT saying the first violation and how many there are. */
int digest_violations_to_fault(const DigestViolation *violations, size_t n, Fault *fault);
