/* The cursor of `resolve` against the codec: of checked bytes it accepts
 * nothing that the codec refuses, and reads the same; what asks for `fresh` it
 * leaves to the codec. Of any bytes it reads none outside. */
#include "proto/codec.h"
#include "proto/payload.h"
#include "proto/resolve_cursor.h"
#include "tests/fuzz/fuzz.h"

static MsgQuery queries[LIMIT_QUERIES];

static void check_equal(const MsgResolve *a, const MsgResolve *b)
{
        CLEANUP_BUFFER Buffer first = BUFFER_NULL, second = BUFFER_NULL;

        fuzz_require(!codec_encode(&schema_Resolve, a, false, &first));
        fuzz_require(!codec_encode(&schema_Resolve, b, false, &second));
        fuzz_require(text_equal(buffer_text(&first), buffer_text(&second)));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        MsgResolve read, decoded;
        Fault fault = FAULT_NULL;
        int r = resolve_cursor_read(bytes, size, queries, LIMIT_QUERIES, &read);

        fuzz_require(r == 0 || r == 1);
        if (payload_check(bytes, size) != PAYLOAD_OK || r)
                return 0;
        fuzz_require(!codec_decode(&schema_Resolve, bytes, size, &arena, &decoded, &fault));
        fuzz_require(!decoded.fresh);
        check_equal(&read, &decoded);
        return 0;
}
