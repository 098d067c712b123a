/* JSON as this project reads it: a parsed document, looked at and never
 * changed. The only user of jansson. Objects keep the order of the file;
 * integers fit in int64; texts are UTF-8 without NUL; reals are told apart so
 * that a reader can refuse them. Everything lives as long as the document. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/buffer.h"
#include "proto/base/cleanup.h"
#include "proto/base/text.h"
#include "proto/fault.h"

typedef struct JsonDocument JsonDocument;
typedef struct JsonValue JsonValue; /* a part of a document */

typedef enum JsonKind {
        JSON_KIND_NULL, JSON_KIND_BOOLEAN, JSON_KIND_INTEGER, JSON_KIND_REAL,
        JSON_KIND_TEXT, JSON_KIND_ARRAY, JSON_KIND_OBJECT,
} JsonKind;

/* What to let pass. */
enum {
        JSON_COMMENTS = 1,   /* a line whose first character after blanks is '#' */
        JSON_DUPLICATES = 2, /* of keys: the last one counts */
};

/* Where the text is no JSON, and why; line and column count from 1; the
 * column is that of the token's first byte. */
typedef struct JsonError {
        size_t line;
        size_t column;
        char message[200];
} JsonError;

/* Parses. 0; 1 with the error; -ENOMEM. `open` (may be NULL, else literals and
 * a NULL behind the last) is the way to one object in which duplicate keys pass
 * all the same: {"digest", "files", NULL}. */
int json_document_new(Text bytes, unsigned flags, const char *const *open, JsonDocument **ret_document,
                      JsonError *ret_error);
JsonDocument *json_document_free(JsonDocument *document);
DEFINE_CLEANUP(JsonDocument *, json_document_free)

const JsonValue *json_document_root(const JsonDocument *document);

JsonKind json_value_kind(const JsonValue *value);
const char *json_kind_name(JsonKind kind); /* for messages: "an object" */

/* Of a value of that kind only. */
bool json_value_boolean(const JsonValue *value);
int64_t json_value_integer(const JsonValue *value);
Text json_value_text(const JsonValue *value);
size_t json_value_size(const JsonValue *value); /* elements of an array or object */
const JsonValue *json_value_at(const JsonValue *array, size_t i);
const JsonValue *json_value_get(const JsonValue *object, const char *key); /* NULL: not there */

/* for (JsonMember m = json_member_first(object); m.value; m = json_member_next(object, m)) */
typedef struct JsonMember {
        Text key;
        const JsonValue *value; /* NULL: behind the last */
        void *position;
} JsonMember;

JsonMember json_member_first(const JsonValue *object);
JsonMember json_member_next(const JsonValue *object, JsonMember member);

/* Appends the value as JSON of one line, keys in the order of the file. 0 or
 * -ENOMEM, after which part of it may be appended. */
int json_value_print(const JsonValue *value, Buffer *buffer);

/* Appends the text as a JSON string, quotes included. 0, -ENOMEM. */
int json_text_print(Text text, Buffer *buffer);

/* Where a value stands: built on the stack while going down, printed as a JSON
 * pointer only when there is something to complain about. */
typedef struct JsonPath {
        const struct JsonPath *parent;
        Text key;     /* absent: an array's element */
        size_t index;
} JsonPath;

#define JSON_PATH_KEY(up, name) ((JsonPath){ .parent = (up), .key = (name) })
#define JSON_PATH_INDEX(up, i) ((JsonPath){ .parent = (up), .index = (i) })

/* Prints "/mapping/SiluAndMul/0/use" into `buffer` (cut where it is full); the
 * root, NULL, is "". Returns the size. */
size_t json_path_print(const JsonPath *path, char *buffer, size_t size);

/* Sets "POINTER: message" and returns 1. */
int json_fault(Fault *fault, FaultName name, const JsonPath *path, const char *format, ...)
        __attribute__((format(printf, 4, 5)));

/* 0 if the value is of that kind, else 1 with such a fault. */
int json_expect(const JsonValue *value, JsonKind kind, const JsonPath *path, FaultName name, Fault *fault);
