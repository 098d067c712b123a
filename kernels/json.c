#include "kernels/json.h"

#include <errno.h>
#include <jansson.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include "proto/base/alloc.h"
#include "proto/base/arena.h"
#include "proto/base/error.h"

struct JsonDocument {
        Arena arena; /* all of jansson's memory for it */
        json_t *root;
};

/* jansson does not look whether its buffers grew (lex_save, 2.14) and goes
 * astray when they did not. So its memory comes from the document's arena, and
 * where that has no more, the call is left as a whole: jansson holds nothing
 * but this memory. */
static _Thread_local struct {
        Arena *arena;
        jmp_buf leave;
} loading;

/* Outside of a call of ours it is somebody else's, a test's, that uses jansson. */
static void *json_allocate(size_t size)
{
        void *block = loading.arena ? arena_bytes(loading.arena, size) : alloc_bytes(size);

        if (!block && loading.arena)
                longjmp(loading.leave, 1);
        return block;
}

static void json_release(void *block)
{
        if (!loading.arena)
                alloc_free(block);
}

static void json_set_allocator(void)
{
        json_set_alloc_funcs(json_allocate, json_release);
}

/* --- the text before it is parsed --- */

static void blank(char *data, size_t size)
{
        for (size_t i = 0; i < size; i++)
                if (data[i] != '\n')
                        data[i] = ' ';
}

/* Blanks comment lines out, so that lines and columns stay. No text of JSON
 * goes over a line's end, so a line can be judged alone. */
static void blank_comments(char *data, size_t size)
{
        size_t i = 0;

        while (i < size) {
                const char *newline = memchr(data + i, '\n', size - i);
                size_t end = newline ? (size_t)(newline - data) : size;
                size_t first = i;

                while (first < end && (data[first] == ' ' || data[first] == '\t'))
                        first++;
                if (first < end && data[first] == '#')
                        blank(data + i, end - i);
                i = end + 1;
        }
}

/* A token of well-formed JSON: [start, end). */
typedef struct Token {
        size_t start;
        size_t end;
} Token;

static bool is_blank(char c)
{
        return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool is_mark(char c)
{
        return c == '{' || c == '}' || c == '[' || c == ']' || c == ',' || c == ':' || c == '"';
}

static size_t string_end(Text text, size_t i)
{
        for (i++; i < text.size && text.data[i] != '\n'; i++) {
                if (text.data[i] == '"')
                        return i + 1;
                if (text.data[i] == '\\' && i + 1 < text.size)
                        i++;
        }
        return i < text.size ? i : text.size;
}

/* The next token from `i` on; empty at the end of the text. */
static Token token_next(Text text, size_t i)
{
        Token token;

        while (i < text.size && is_blank(text.data[i]))
                i++;
        token = (Token){ i, i };
        if (i == text.size)
                return token;
        if (text.data[i] == '"') {
                token.end = string_end(text, i);
        } else if (is_mark(text.data[i])) {
                token.end = i + 1;
        } else {
                while (token.end < text.size && !is_blank(text.data[token.end]) && !is_mark(text.data[token.end]))
                        token.end++;
        }
        return token;
}

/* --- where an error is --- */

/* jansson quotes what it stumbled over, whole bytes of it. */
static void make_printable(char *message)
{
        bool utf8 = text_is_utf8(text_of(message));

        for (char *c = message; *c; c++)
                if ((unsigned char)*c < ' ' || *c == 0x7f || (!utf8 && (unsigned char)*c >= 0x80))
                        *c = '?';
}

static void error_at(JsonError *error, Text text, size_t offset, const char *message)
{
        size_t line = 1, start = 0;

        for (size_t i = 0; i < offset; i++)
                if (text.data[i] == '\n') {
                        line++;
                        start = i + 1;
                }
        error->line = line;
        error->column = offset - start + 1;
        (void)snprintf(error->message, sizeof(error->message), "%s", message);
        make_printable(error->message);
}

/* A text whose line ends before it does. */
static bool is_unended(Text text, Token token)
{
        return text.data[token.start] == '"' && token.end < text.size && text.data[token.end] == '\n' &&
               (token.end == token.start + 1 || text.data[token.end - 1] != '"');
}

/* jansson names the byte behind what it read last; people look for the first
 * byte of the token, or, inside a text that is broken, for the break. */
static size_t error_offset(Text text, const json_error_t *error)
{
        size_t behind = error->position > 0 ? (size_t)error->position : 0;

        if (behind > text.size || json_error_code(error) == json_error_premature_end_of_input)
                return text.size;
        if (json_error_code(error) == json_error_invalid_utf8)
                return behind; /* it has not been read */
        for (Token t = token_next(text, 0); t.start < t.end; t = token_next(text, t.end)) {
                if (t.start >= behind)
                        break;
                if (behind == t.end)
                        return is_unended(text, t) ? behind : t.start;
                if (behind < t.end)
                        return behind - 1;
        }
        return behind;
}

static const char *error_message(const json_error_t *error)
{
        switch (json_error_code(error)) {
        case json_error_duplicate_key:
                return "this key stands in the object already; remove one of the two";
        case json_error_numeric_overflow:
                return "this number does not fit; integers go from -9223372036854775808 to 9223372036854775807";
        case json_error_null_character:
        case json_error_null_byte_in_key:
                return "a text may not contain NUL";
        case json_error_stack_overflow:
                return "nested too deeply";
        case json_error_premature_end_of_input:
                return "the text ends too early";
        default:
                return error->text;
        }
}

/* --- the object in which keys may come twice --- */

static bool token_is(Text text, Token token, const char *content)
{
        size_t size = strlen(content);

        return token.end - token.start == size + 2 && text.data[token.start] == '"' &&
               memcmp(text.data + token.start + 1, content, size) == 0;
}

/* Blanks what stands between the braces of every object at `way`; the text is
 * known to be JSON. Keys are compared as they are spelled, so one that is
 * spelled with escapes is not let through: stricter, never laxer. */
static void blank_open_objects(char *data, size_t size, const char *const *way)
{
        Text text = { data, size };
        size_t depth = 0, matched = 0, begin = 0;
        bool expect_key = false;

        for (Token t = token_next(text, 0); t.start < t.end; t = token_next(text, t.end)) {
                char c = data[t.start];

                if (c == '{' || c == '[') {
                        depth++;
                        expect_key = c == '{';
                        if (!way[matched] && !begin && c == '{' && depth == matched + 1)
                                begin = t.end;
                } else if (c == '}' || c == ']') {
                        if (begin && depth == matched + 1) {
                                blank(data + begin, t.start - begin);
                                begin = 0;
                        }
                        depth--;
                        if (matched > depth)
                                matched = depth;
                        expect_key = false;
                } else if (c == ',') {
                        expect_key = true;
                        if (matched >= depth && depth)
                                matched = depth - 1;
                } else if (c == '"' && expect_key && !begin) {
                        expect_key = false;
                        if (way[matched] && depth == matched + 1 && token_is(text, t, way[matched]))
                                matched++;
                }
        }
}

/* --- parsing --- */

/* NULL: no JSON, or no memory, which *ret_memory tells. */
static json_t *load_guarded(Text text, size_t flags, json_error_t *error, bool *ret_memory)
{
        *ret_memory = true;
        if (setjmp(loading.leave)) {
                *ret_memory = false;
                return NULL;
        }
        return json_loadb(text.data, text.size, flags | JSON_DECODE_ANY, error);
}

static int load(Arena *arena, Text text, size_t flags, json_t **ret_root, JsonError *error)
{
        json_error_t jansson_error = { .position = 0 };
        bool memory;
        json_t *root;

        loading.arena = arena;
        root = load_guarded(text, flags, &jansson_error, &memory);
        loading.arena = NULL;
        if (!memory)
                return -ENOMEM;
        if (root) {
                *ret_root = root;
                return 0;
        }
        error_at(error, text, error_offset(text, &jansson_error), error_message(&jansson_error));
        return json_error_code(&jansson_error) == json_error_duplicate_key ? 2 : 1;
}

/* A duplicate key was found: is each one inside an open object? */
static int load_open(Arena *arena, Text text, const char *const *way, json_t **ret_root, JsonError *error)
{
        CLEANUP_ALLOC char *closed = alloc_text(text.data, text.size);
        json_t *root = NULL;
        int r;

        if (!closed)
                return -ENOMEM;
        blank_open_objects(closed, text.size, way);
        r = load(arena, (Text){ closed, text.size }, JSON_REJECT_DUPLICATES, &root, error);
        return r ? r : load(arena, text, 0, ret_root, error);
}

static int parse(Arena *arena, Text text, unsigned flags, const char *const *open, json_t **ret_root,
                 JsonError *error)
{
        const char *nul = text.size ? memchr(text.data, 0, text.size) : NULL;
        int r;

        if (nul) {
                error_at(error, text, (size_t)(nul - text.data), "the file contains a NUL byte");
                return 1;
        }
        r = load(arena, text, flags & JSON_DUPLICATES ? 0 : JSON_REJECT_DUPLICATES, ret_root, error);
        if (r == 2 && open)
                r = load_open(arena, text, open, ret_root, error);
        return r > 0 ? 1 : r;
}

int json_document_new(Text bytes, unsigned flags, const char *const *open, JsonDocument **ret_document,
                      JsonError *ret_error)
{
        static pthread_once_t once = PTHREAD_ONCE_INIT;
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        CLEANUP_ALLOC char *copy = NULL;
        int r;

        (void)pthread_once(&once, json_set_allocator);
        document = alloc_zeroed(1, sizeof(*document));
        if (!document)
                return error_trace(-ENOMEM);
        if (flags & JSON_COMMENTS) {
                copy = alloc_text(bytes.data, bytes.size);
                if (!copy)
                        return error_trace(-ENOMEM);
                blank_comments(copy, bytes.size);
                bytes.data = copy;
        }
        if (!bytes.data)
                bytes = TEXT("");
        r = parse(&document->arena, bytes, flags, open, &document->root, ret_error);
        if (r)
                return error_trace(r);
        *ret_document = STEAL(document);
        return 0;
}

JsonDocument *json_document_free(JsonDocument *document)
{
        if (document) {
                arena_deinit(&document->arena);
                alloc_free(document);
        }
        return NULL;
}

/* --- looking at it --- */

static json_t *value_of(const JsonValue *value)
{
        return (json_t *)(uintptr_t)value;
}

static const JsonValue *value_as(const json_t *value)
{
        return (const JsonValue *)value;
}

const JsonValue *json_document_root(const JsonDocument *document)
{
        return value_as(document->root);
}

JsonKind json_value_kind(const JsonValue *value)
{
        switch (json_typeof(value_of(value))) {
        case JSON_OBJECT:
                return JSON_KIND_OBJECT;
        case JSON_ARRAY:
                return JSON_KIND_ARRAY;
        case JSON_STRING:
                return JSON_KIND_TEXT;
        case JSON_INTEGER:
                return JSON_KIND_INTEGER;
        case JSON_REAL:
                return JSON_KIND_REAL;
        case JSON_TRUE:
        case JSON_FALSE:
                return JSON_KIND_BOOLEAN;
        default:
                return JSON_KIND_NULL;
        }
}

const char *json_kind_name(JsonKind kind)
{
        static const char *const names[] = {
                [JSON_KIND_NULL] = "null",        [JSON_KIND_BOOLEAN] = "true or false",
                [JSON_KIND_INTEGER] = "an integer", [JSON_KIND_REAL] = "a number with a fraction",
                [JSON_KIND_TEXT] = "a text",      [JSON_KIND_ARRAY] = "an array",
                [JSON_KIND_OBJECT] = "an object",
        };

        return names[kind];
}

bool json_value_boolean(const JsonValue *value)
{
        return json_is_true(value_of(value));
}

int64_t json_value_integer(const JsonValue *value)
{
        return json_integer_value(value_of(value));
}

Text json_value_text(const JsonValue *value)
{
        return (Text){ json_string_value(value_of(value)), json_string_length(value_of(value)) };
}

size_t json_value_size(const JsonValue *value)
{
        const json_t *v = value_of(value);

        return json_is_array(v) ? json_array_size(v) : json_object_size(v);
}

const JsonValue *json_value_at(const JsonValue *array, size_t i)
{
        return value_as(json_array_get(value_of(array), i));
}

const JsonValue *json_value_get(const JsonValue *object, const char *key)
{
        return value_as(json_object_get(value_of(object), key));
}

static JsonMember member_at(void *iterator)
{
        const char *key;

        if (!iterator)
                return (JsonMember){ 0 };
        key = json_object_iter_key(iterator);
        return (JsonMember){ .key = text_of(key), .value = value_as(json_object_iter_value(iterator)),
                             .position = iterator };
}

JsonMember json_member_first(const JsonValue *object)
{
        return member_at(json_object_iter(value_of(object)));
}

JsonMember json_member_next(const JsonValue *object, JsonMember member)
{
        return member_at(json_object_iter_next(value_of(object), member.position));
}

/* --- JSON pointers --- */

/* --- printing --- */

static int print_part(const char *data, size_t size, void *buffer)
{
        return buffer_append(buffer, data, size) < 0 ? -1 : 0;
}

int json_value_print(const JsonValue *value, Buffer *buffer)
{
        return json_dump_callback(value_of(value), print_part, buffer, JSON_ENCODE_ANY) < 0 ? error_trace(-ENOMEM) : 0;
}

int json_text_print(Text text, Buffer *buffer)
{
        char escaped[8];
        int r = buffer_append(buffer, "\"", 1);

        for (size_t i = 0; !r && i < text.size; i++) {
                unsigned char c = (unsigned char)text.data[i];

                if (c == '"' || c == '\\')
                        r = buffer_append(buffer, (char[]){ '\\', (char)c }, 2);
                else if (c < 0x20)
                        r = buffer_append(buffer, escaped, (size_t)snprintf(escaped, sizeof(escaped), "\\u%04x", c));
                else
                        r = buffer_append(buffer, text.data + i, 1);
        }
        return r ? r : buffer_append(buffer, "\"", 1);
}

static size_t put(char *buffer, size_t size, size_t used, char c)
{
        if (used + 1 < size)
                buffer[used++] = c;
        return used;
}

static size_t put_key(char *buffer, size_t size, size_t used, Text key)
{
        for (size_t i = 0; i < key.size; i++) {
                char c = key.data[i];

                if (c == '~' || c == '/') {
                        used = put(buffer, size, used, '~');
                        c = c == '~' ? '0' : '1';
                }
                used = put(buffer, size, used, c);
        }
        return used;
}

size_t json_path_print(const JsonPath *path, char *buffer, size_t size)
{
        size_t used;

        buffer[0] = 0;
        if (!path)
                return 0;
        used = json_path_print(path->parent, buffer, size);
        used = put(buffer, size, used, '/');
        if (path->key.data) {
                used = put_key(buffer, size, used, path->key);
        } else {
                char number[24];

                (void)snprintf(number, sizeof(number), "%zu", path->index);
                used = put_key(buffer, size, used, text_of(number));
        }
        while (!text_is_utf8((Text){ buffer, used }))
                used--; /* full inside a sequence */
        buffer[used] = 0;
        return used;
}

int json_fault(Fault *fault, FaultName name, const JsonPath *path, const char *format, ...)
{
        char pointer[400], message[LIMIT_FAULT_MESSAGE];
        va_list arguments;

        (void)json_path_print(path, pointer, sizeof(pointer));
        va_start(arguments, format);
        (void)vsnprintf(message, sizeof(message), format, arguments);
        va_end(arguments);
        return fault_set(fault, name, "%s: %s", pointer[0] ? pointer : "/", message);
}

int json_expect(const JsonValue *value, JsonKind kind, const JsonPath *path, FaultName name, Fault *fault)
{
        JsonKind is = json_value_kind(value);

        if (is == kind)
                return 0;
        return json_fault(fault, name, path, "is %s, must be %s", json_kind_name(is), json_kind_name(kind));
}
