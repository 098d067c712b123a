/* Bytes <-> message structs, driven by the schema. The only user of msgpack-c.
 *
 * Decoded texts point into the payload; lists and maps lie in the arena. Both
 * must outlive the struct. */
#pragma once

#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/buffer.h"
#include "proto/fault.h"
#include "proto/schema.h"

typedef enum KeyKind {
        KEY_BOOL, KEY_TRISTATE, KEY_INTEGER, KEY_OPTIONAL, KEY_STRING, KEY_BINARY,
        KEY_MAP, KEY_LIST, KEY_STRINGS, KEY_TABLE,
} KeyKind;

typedef struct SchemaStruct SchemaStruct;

typedef struct SchemaKey {
        const char *name;
        KeyKind kind;
        bool required;
        const SchemaStruct *type; /* of MAP, LIST, TABLE */
        size_t limit;
        size_t offset;            /* of the member */
        const char *meaning;
} SchemaKey;

struct SchemaStruct {
        const char *type;  /* "Query" */
        const char *title; /* "query" */
        size_t size;       /* of the C struct */
        size_t n_keys;
        const SchemaKey *keys;
};

/* schema_Query, schema_Resolve … */
#define CODEC_DECLARE(type, title, keys) extern const SchemaStruct schema_##type;
SCHEMA_STRUCTS(CODEC_DECLARE)
#undef CODEC_DECLARE

/* Decodes one map into *ret_message, which has schema->size bytes and is
 * undefined unless 0 is returned. Lets payload_check judge the bytes first,
 * whoever has done so before. 0; 1 with FAULT_BAD_REQUEST (FAULT_TOO_LARGE for
 * a limit) naming the key as "queries[3].layer"; -ENOMEM. */
int codec_decode(const SchemaStruct *schema, const uint8_t *bytes, size_t size, Arena *arena, void *ret_message,
                 Fault *fault);

/* Appends the message as a map with all its keys (absent ones as nil), or,
 * `sparse`, without those that may be nil and are absent, false, or an empty
 * list or table. 0; -ENOMEM; -EINVAL: a text or map that must be there is not;
 * on failure part of it may be appended. */
int codec_encode(const SchemaStruct *schema, const void *message, bool sparse, Buffer *buffer);

/* The same. *ret_missing: with -EINVAL the name of that key, else NULL. */
int codec_encode_naming(const SchemaStruct *schema, const void *message, bool sparse, Buffer *buffer,
                        const char **ret_missing);

/* --- values without a schema, for clients that only pass them on --- */

typedef enum ValueKind {
        VALUE_NIL, VALUE_BOOL, VALUE_INTEGER, VALUE_STRING, VALUE_BINARY, VALUE_LIST, VALUE_MAP,
} ValueKind;

typedef struct Value Value;
struct Value {
        ValueKind kind;
        union {
                bool boolean;
                int64_t integer;
                Text text;                                         /* STRING, BINARY */
                struct { Value *items; size_t n; } list;
                struct { Text *keys; Value *items; size_t n; } map;
        };
};

/* Any value; floats and integers beyond int64 are refused as FAULT_BAD_REQUEST. */
int codec_decode_value(const uint8_t *bytes, size_t size, Arena *arena, Value *ret_value, Fault *fault);

/* 0, -ENOMEM, or -EINVAL for more lists and maps inside each other than
 * LIMIT_DEPTH leaves inside an envelope; on failure part of it may be appended. */
int codec_encode_value(const Value *value, Buffer *buffer);

/* --- the envelope: [0, id, method, params], [1, id, error, result], [2, name, params] --- */

typedef struct Envelope {
        int type;            /* 0 request, 1 answer, 2 notification */
        uint32_t id;         /* of 0 and 1 */
        Text method;         /* of 0; the name of 2 */
        Text error;          /* of 1: bytes of the error map; absent: nil */
        Text body;           /* bytes of params or result; absent: nil */
} Envelope;

/* Reads the envelope of checked bytes (which must be one value each way: the
 * body is what is left). 0; 1: not of that form, with *ret_id_known telling
 * whether ret->type and ret->id hold, so that a request can be answered. */
int envelope_parse(const uint8_t *bytes, size_t size, Envelope *ret_envelope, bool *ret_id_known);

/* Appends the front of an envelope; the body (one value) follows. */
int envelope_write_request(Buffer *buffer, uint32_t id, Text method);
int envelope_write_answer(Buffer *buffer, uint32_t id);                    /* error nil */
int envelope_write_error(Buffer *buffer, uint32_t id, const Fault *fault); /* whole: detail and result nil */
int envelope_write_notification(Buffer *buffer, Text name);

/* Reads an error map back (unknown names become FAULT_INTERNAL, keeping the
 * text). 0; 1 with FAULT_BAD_REQUEST in its place: no such map; -ENOMEM. */
int envelope_parse_error(Text bytes, Arena *arena, Fault *ret_fault);
