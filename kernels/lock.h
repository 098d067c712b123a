/* kernels.lock: which commit a repository is locked to, in both formats that
 * are about (an array of {repo_id, sha, variants}, and the newer one of
 * {dependency, lock}), and the hash of a variant that the first one states. */
#pragma once

#include "proto/base/arena.h"
#include "proto/base/text.h"
#include "proto/fault.h"

/* The text that the file locks `repository` to, as it stands (a reference that
 * uses it must still hold it to be a commit); absent if it is not locked.
 * Entries behind the first match are not looked at. 0; 1 with FAULT_CORRUPT:
 * no such file format; -ENOMEM. */
int lock_lookup(Text json, Text repository, Arena *arena, Text *ret_commit, Fault *fault);

typedef struct LockPin {
        Text repo;
        Text commit; /* 40 lower-case hex digits */
} LockPin;

/* Everything that the file locks, in its order. 0; 1 with FAULT_CORRUPT: no such file format, or FAULT_INVALID_NAME:
 * what is locked is no repository, or not to a commit; -ENOMEM. */
int lock_list(Text json, Arena *arena, LockPin **ret_pins, size_t *ret_n, Fault *fault);

typedef struct LockFile {
        Text path;       /* from the repository's root */
        Text blob_id;    /* hex; absent: the Hub did not say */
        Text lfs_sha256; /* hex; absent: not in LFS */
} LockFile;

typedef struct LockVariant {
        Text name;
        Text hash; /* "sha256-" and hex */
} LockVariant;

enum {
        LOCK_E_MISSING_BLOB_ID = 1,
        LOCK_E_INVALID_HASH = 2,
};

/* Hashes each variant below "build/torch…" (others get none). 0 with them in
 * the order of their first file; LOCK_E_…; negative. */
int lock_hash_variants(const LockFile *files, size_t n_files, Arena *arena, LockVariant **ret_variants, size_t *ret_n);
