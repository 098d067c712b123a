/* export.json: what is taken from it comes out of it again. */
#include "kernels/stored.h"
#include "tests/fuzz/fuzz.h"

/* 0: read, and written again into the buffer. */
static int pass(Text text, Buffer *buffer)
{
        CLEANUP(stored_unrefp) Stored *stored = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        StoredContents contents = { 0 };
        Fault fault = FAULT_NULL;
        int r = stored_import(text, &arena, &contents, &fault);

        fuzz_require(r == 0 || (r == 1 && fault.name != FAULT_NONE && fault.message[0]));
        if (r)
                return r;
        fuzz_require(stored_new(&contents, 1, &stored) == 0);
        fuzz_require(stored_export(stored, buffer) == 0);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        CLEANUP_BUFFER Buffer once = BUFFER_NULL, twice = BUFFER_NULL;

        if (pass((Text){ size ? (const char *)bytes : "", size }, &once))
                return 0;
        fuzz_require(pass(buffer_text(&once), &twice) == 0);
        fuzz_require(text_equal(buffer_text(&once), buffer_text(&twice)));
        return 0;
}
