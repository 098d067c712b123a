#include "kernels/hash.h"

#include <openssl/evp.h>
#include <stdio.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

struct Hash {
        HashKind kind;
        EVP_MD_CTX *context;
};

static const EVP_MD *hash_method(HashKind kind)
{
        switch (kind) {
        case HASH_SHA1:
                return EVP_sha1();
        case HASH_SHA256:
                return EVP_sha256();
        default:
                return EVP_sha512();
        }
}

int hash_new(HashKind kind, Hash **ret_hash)
{
        CLEANUP(hash_freep) Hash *hash = alloc_zeroed(1, sizeof(*hash));
        int r;

        if (!hash)
                return error_trace(-ENOMEM);
        hash->kind = kind;
        hash->context = EVP_MD_CTX_new();
        if (!hash->context)
                return error_trace(-ENOMEM);
        r = hash_restart(hash);
        if (r < 0)
                return error_trace(r);
        *ret_hash = STEAL(hash);
        return 0;
}

int hash_restart(Hash *hash)
{
        return EVP_DigestInit_ex(hash->context, hash_method(hash->kind), NULL) == 1 ? 0 : error_trace(-ENOTRECOVERABLE);
}

int hash_new_git_blob(uint64_t size, Hash **ret_hash)
{
        CLEANUP(hash_freep) Hash *hash = NULL;
        char header[32];
        int n, r;

        r = hash_new(HASH_SHA1, &hash);
        if (r < 0)
                return error_trace(r);
        n = snprintf(header, sizeof(header), "blob %llu", (unsigned long long)size);
        r = hash_update(hash, header, (size_t)n + 1); /* the NUL belongs to it */
        if (r < 0)
                return error_trace(r);
        *ret_hash = STEAL(hash);
        return 0;
}

int hash_update(Hash *hash, const void *data, size_t size)
{
        return EVP_DigestUpdate(hash->context, data, size) == 1 ? 0 : error_trace(-ENOTRECOVERABLE);
}

int hash_finish(Hash *hash, uint8_t ret_bytes[HASH_MAX], size_t *ret_size)
{
        unsigned size;

        if (EVP_DigestFinal_ex(hash->context, ret_bytes, &size) != 1)
                return error_trace(-ENOTRECOVERABLE);
        *ret_size = size;
        return 0;
}

Hash *hash_free(Hash *hash)
{
        if (hash) {
                EVP_MD_CTX_free(hash->context);
                alloc_free(hash);
        }
        return NULL;
}

size_t hash_base64(const uint8_t *bytes, size_t size, char ret_text[HASH_BASE64_MAX + 1])
{
        return (size_t)EVP_EncodeBlock((unsigned char *)ret_text, bytes, (int)size);
}

void hash_hex(const uint8_t *bytes, size_t size, char ret_text[2 * HASH_MAX + 1])
{
        static const char digits[] = "0123456789abcdef";

        for (size_t i = 0; i < size; i++) {
                ret_text[2 * i] = digits[bytes[i] >> 4];
                ret_text[2 * i + 1] = digits[bytes[i] & 15];
        }
        ret_text[2 * size] = 0;
}
