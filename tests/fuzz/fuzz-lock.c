/* kernels.lock; and the same bytes as a list of files to be hashed, a path and
 * a blob id on a line. */
#include <string.h>

#include "kernels/lock.h"
#include "proto/name.h"
#include "tests/fuzz/fuzz.h"

#define FILES_MAX 64

static void check_lookup(Text text)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text commit = TEXT("untouched");
        int r = lock_lookup(text, TEXT("org/a"), &arena, &commit, &fault);

        fuzz_require(r == 0 || (r == 1 && fault.name == FAULT_CORRUPT));
        if (r == 1)
                fuzz_require(text_equal(commit, TEXT("untouched")));
}

/* Whatever is listed may become part of a path. */
static void check_list(Text text)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        LockPin *pins;
        size_t n = 0;
        int r = lock_list(text, &arena, &pins, &n, &fault);

        fuzz_require(r == 0 || (r == 1 && (fault.name == FAULT_CORRUPT || fault.name == FAULT_INVALID_NAME)));
        for (size_t i = 0; r == 0 && i < n; i++)
                fuzz_require(name_is_commit(pins[i].commit) && !name_check_repository(pins[i].repo, &fault));
}

static void check_hashes(Text text)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        LockFile files[FILES_MAX];
        LockVariant *variants;
        size_t n = 0, n_variants;
        int r;

        while (n < FILES_MAX && text.size) {
                const char *newline = memchr(text.data, '\n', text.size);
                size_t length = newline ? (size_t)(newline - text.data) : text.size;
                const char *blank = memchr(text.data, ' ', length);

                files[n] = (LockFile){ .path = { text.data, blank ? (size_t)(blank - text.data) : length } };
                if (blank)
                        files[n].blob_id = (Text){ blank + 1, length - files[n].path.size - 1 };
                n++;
                text = (Text){ text.data + length + !!newline, text.size - length - !!newline };
        }
        r = lock_hash_variants(files, n, &arena, &variants, &n_variants);
        fuzz_require(r == 0 || r == LOCK_E_MISSING_BLOB_ID || r == LOCK_E_INVALID_HASH);
        for (size_t i = 0; r == 0 && i < n_variants; i++)
                fuzz_require(variants[i].hash.size == 7 + 64 && text_starts_with(variants[i].hash, TEXT("sha256-")));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        Text text = { size ? (const char *)bytes : "", size };

        check_lookup(text);
        check_list(text);
        check_hashes(text);
        return 0;
}
