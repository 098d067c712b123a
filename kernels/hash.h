/* Digests of bytes, fed piece by piece. The only user of libcrypto. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/cleanup.h"

typedef enum HashKind { HASH_SHA1, HASH_SHA256, HASH_SHA512 } HashKind;

#define HASH_MAX 64                               /* bytes of the longest */
#define HASH_BASE64_MAX (((HASH_MAX + 2) / 3) * 4) /* characters of the longest, without NUL */

typedef struct Hash Hash;

int hash_new(HashKind kind, Hash **ret_hash);

/* Of a git blob of `size` bytes: SHA-1 over git's header, then the content. */
int hash_new_git_blob(uint64_t size, Hash **ret_hash);

int hash_update(Hash *hash, const void *data, size_t size);

/* Ends it, after which it can only be started over or freed. */
int hash_finish(Hash *hash, uint8_t ret_bytes[HASH_MAX], size_t *ret_size);

/* Begins anew with the same kind. */
int hash_restart(Hash *hash);

Hash *hash_free(Hash *hash);
DEFINE_CLEANUP(Hash *, hash_free)

/* Standard alphabet, padded; a NUL behind it. Returns the length without NUL. */
size_t hash_base64(const uint8_t *bytes, size_t size, char ret_text[HASH_BASE64_MAX + 1]);

/* Lower case, a NUL behind it. */
void hash_hex(const uint8_t *bytes, size_t size, char ret_text[2 * HASH_MAX + 1]);
