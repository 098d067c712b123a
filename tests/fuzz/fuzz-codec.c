/* The payload checker, the codec of every struct, and values. The first byte
 * says which: 0 a value, else a struct of the schema. What decodes must encode
 * to bytes that decode and encode to the same again. */
#include <errno.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/limits.h"
#include "proto/payload.h"
#include "proto/scan.h"
#include "tests/fuzz/fuzz.h"

static const SchemaStruct *const structs[] = {
#define S(type, title, keys) &schema_##type,
        SCHEMA_STRUCTS(S)
#undef S
};

/* The largest struct has some 30 members of at most 24 bytes. */
#define MESSAGE_MAX 1024

/* Lists and maps inside each other. */
static unsigned value_depth(const Value *value)
{
        bool list = value->kind == VALUE_LIST, map = value->kind == VALUE_MAP;
        const Value *items = list ? value->list.items : value->map.items;
        size_t n = list ? value->list.n : map ? value->map.n : 0;
        unsigned deepest = 0;

        for (size_t i = 0; i < n; i++) {
                unsigned depth = value_depth(&items[i]);

                deepest = depth > deepest ? depth : deepest;
        }
        return deepest + (list || map);
}

static void check_value(const uint8_t *bytes, size_t size, PayloadAnswer answer)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CLEANUP_BUFFER Buffer once = BUFFER_NULL, twice = BUFFER_NULL;
        Fault fault = FAULT_NULL;
        Value value;
        int r = codec_decode_value(bytes, size, &arena, &value, &fault);

        fuzz_require(r == 0 || (r == 1 && fault.name == FAULT_BAD_REQUEST));
        if (r)
                return;
        fuzz_require(answer == PAYLOAD_OK);
        r = codec_encode_value(&value, &once);
        /* It is written into an envelope, which is a level of its own. */
        fuzz_require(r == (value_depth(&value) < LIMIT_DEPTH ? 0 : -EINVAL));
        if (r)
                return;
        fuzz_require(once.size <= size && payload_check(once.data, once.size) == PAYLOAD_OK);
        fuzz_require(!codec_decode_value(once.data, once.size, &arena, &value, &fault));
        fuzz_require(!codec_encode_value(&value, &twice));
        fuzz_require(text_equal(buffer_text(&once), buffer_text(&twice)));
}

static void check_again(const SchemaStruct *schema, const void *message, bool sparse)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        CLEANUP_BUFFER Buffer once = BUFFER_NULL, twice = BUFFER_NULL;
        _Alignas(16) uint8_t again[MESSAGE_MAX];
        Fault fault = FAULT_NULL;

        fuzz_require(!codec_encode(schema, message, sparse, &once));
        if (payload_check(once.data, once.size) == PAYLOAD_E_ITEMS)
                return; /* with every nil written out it can have more than came in */
        fuzz_require(!codec_decode(schema, once.data, once.size, &arena, again, &fault));
        fuzz_require(!codec_encode(schema, again, sparse, &twice));
        fuzz_require(text_equal(buffer_text(&once), buffer_text(&twice)));
}

static void check_struct(const SchemaStruct *schema, const uint8_t *bytes, size_t size, PayloadAnswer answer)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        _Alignas(16) uint8_t message[MESSAGE_MAX];
        Fault fault = FAULT_NULL;
        int r;

        fuzz_require(schema->size <= MESSAGE_MAX);
        r = codec_decode(schema, bytes, size, &arena, message, &fault);
        fuzz_require(r == 0 || r == 1);
        if (r) {
                fuzz_require(fault.name == FAULT_BAD_REQUEST || fault.name == FAULT_TOO_LARGE);
                fuzz_require(fault.message[0] && text_is_utf8(text_of(fault.message)));
                return;
        }
        fuzz_require(answer == PAYLOAD_OK);
        check_again(schema, message, false);
        check_again(schema, message, true);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
        PayloadAnswer answer;
        Scan scan;
        unsigned number;

        if (!size)
                return 0;
        number = *bytes++ % (ARRAY_SIZE(structs) + 1);
        size--;
        answer = payload_check(bytes, size);
        fuzz_require(payload_explain(answer));
        scan = (Scan){ bytes, bytes + size };
        if (scan_skip(&scan))
                fuzz_require(scan.p > bytes && scan.p <= scan.end);
        else
                fuzz_require(answer != PAYLOAD_OK);
        if (!answer)
                fuzz_require(scan.p == scan.end);
        if (number)
                check_struct(structs[number - 1], bytes, size, answer);
        else
                check_value(bytes, size, answer);
        return 0;
}
