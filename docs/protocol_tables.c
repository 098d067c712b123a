/* Prints what docs/protocol.md has from tables in the code: methods, structs,
 * errors, limits, and an example in bytes. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/codec.h"
#include "proto/frame.h"
#include "proto/method.h"

static const SchemaStruct *const structs[] = {
#define S(type, title, keys) &schema_##type,
        SCHEMA_STRUCTS(S)
#undef S
};

static const struct { const char *what; unsigned long value; const char *answer; } limits[] = {
        { "bytes of a message to the daemon", LIMIT_MESSAGE_IN, "the session is closed" },
        { "bytes of a message from the daemon", LIMIT_MESSAGE_OUT, "`too-large`; lists come in pages" },
        { "descriptors with a message from the daemon", LIMIT_DESCRIPTORS, "" },
        { "lists and maps inside each other", LIMIT_DEPTH, "`bad-request`" },
        { "values in a message, keys counted", LIMIT_ITEMS, "`bad-request`" },
        { "keys of one map", LIMIT_KEYS, "`bad-request`" },
        { "bytes of a key", LIMIT_KEY, "`bad-request`" },
        { "queries in one `resolve`", LIMIT_QUERIES, "`too-large`" },
        { "bytes of a layer's name", LIMIT_LAYER, "`invalid-name`" },
        { "bytes of the message of an error", LIMIT_FAULT_MESSAGE - 1, "cut" },
        { "bytes of the message of an error inside `answers`", LIMIT_ANSWER_MESSAGE, "cut" },
        { "variants of one local repository", LIMIT_LOCAL_VARIANTS, "`too-large`" },
        { "bytes of one `metadata` of a local repository", LIMIT_LOCAL_METADATA, "`too-large`" },
        { "bytes of all `metadata` in one request", LIMIT_LOCAL_BYTES, "`too-large`" },
        { "requests of a session in flight", LIMIT_IN_FLIGHT, "`limit`; `cancel` is not counted" },
        { "views of a session", LIMIT_VIEWS, "`limit`" },
        { "ranges of one layer and device type in a view", LIMIT_RANGES, "`limit`" },
        { "elements of a page", LIMIT_PAGE, "" },
        { "milliseconds until `hello`", LIMIT_HELLO_MS, "the session is closed" },
        { "milliseconds of an `acquire` that names no deadline", LIMIT_ACQUIRE_MS, "`timeout`" },
        { "milliseconds between two `progress` of a request", LIMIT_PROGRESS_MS, "" },
        { "sessions", LIMIT_SESSIONS, "the connection is closed" },
        { "sessions of a domain", LIMIT_DOMAIN_SESSIONS, "the connection is closed" },
        { "bytes of input and output of a domain", LIMIT_DOMAIN_BYTES, "`limit`, or the session is closed" },
        { "own entries of a domain", LIMIT_DOMAIN_ENTRIES, "`limit`" },
        { "leases of a domain", LIMIT_DOMAIN_LEASES, "`limit`" },
        { "waiting acquires of a domain", LIMIT_DOMAIN_ACQUIRES, "`limit`" },
};

/* A text in a cell of a table. */
static void print_cell(const char *text)
{
        for (; *text; text++) {
                if (*text == '|')
                        putchar('\\');
                putchar(*text);
        }
}

static void print_number(unsigned long number)
{
        if (number >= 1000) {
                print_number(number / 1000);
                printf(",%03lu", number % 1000);
        } else {
                printf("%lu", number);
        }
}

/* As the renderers of Markdown make an anchor of a heading. */
static void print_link(const SchemaStruct *type)
{
        printf("[%s](#", type->title);
        for (const char *p = type->title; *p; p++)
                if (isalnum((unsigned char)*p) || *p == ' ')
                        putchar(*p == ' ' ? '-' : *p);
        putchar(')');
}

static void print_kind(const SchemaKey *key)
{
        static const char *const words[] = {
                [KEY_BOOL] = "bool", [KEY_TRISTATE] = "bool", [KEY_INTEGER] = "integer", [KEY_OPTIONAL] = "integer",
                [KEY_STRING] = "str", [KEY_BINARY] = "bin", [KEY_MAP] = "map: ", [KEY_LIST] = "list of ",
                [KEY_STRINGS] = "list of str", [KEY_TABLE] = "map of free keys to ",
        };

        printf("%s", words[key->kind]);
        if (key->type)
                print_link(key->type);
}

static void print_methods(void)
{
        static const char *const needs[] = { [METHOD_ANY] = "any", [METHOD_OWN] = "own rows", [METHOD_ADMIN] = "admin" };

        printf("## Methods\n\n| method | needs | params | result | repeatable | what it does |\n|---|---|---|---|---|---|\n");
        for (unsigned i = 0; i < _METHOD_MAX; i++) {
                const Method *method = &method_table[i];

                printf("| `%s` | %s | ", method->name, needs[method->needs]);
                print_link(method->params);
                printf(" | ");
                print_link(method->result);
                printf(" | %s | ", method->idempotent ? "yes" : "no");
                print_cell(method->meaning);
                printf(" |\n");
        }
}

static void print_struct(const SchemaStruct *schema)
{
        printf("\n### %s\n\n", schema->title);
        if (!schema->n_keys) {
                printf("A map without keys.\n");
                return;
        }
        printf("| key | kind | nil | limit | meaning |\n|---|---|---|---|---|\n");
        for (size_t i = 0; i < schema->n_keys; i++) {
                const SchemaKey *key = &schema->keys[i];

                printf("| `%s` | ", key->name);
                print_kind(key);
                printf(" | %s | ", key->required ? "no" : "yes");
                if (key->limit)
                        print_number(key->limit);
                printf(" | ");
                print_cell(key->meaning);
                printf(" |\n");
        }
}

static void print_errors(void)
{
        printf("\n## Errors by name\n\n| name | retry | exit status of kernelsctl | meaning |\n|---|---|---|---|\n");
        for (unsigned i = FAULT_NONE + 1; i < _FAULT_MAX; i++) {
                FaultName name = (FaultName)i;

                printf("| `%s` | %s | %d | ", fault_spelling(name), fault_may_retry(name) ? "yes" : "no",
                       fault_exit_status(name));
                print_cell(fault_meaning(name));
                printf(" |\n");
        }
}

static void print_limits(void)
{
        printf("\n## Limits\n\n| what | at most | beyond |\n|---|---|---|\n");
        for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
                printf("| %s | ", limits[i].what);
                print_number(limits[i].value);
                printf(" | %s |\n", limits[i].answer);
        }
}

static void print_hex(const uint8_t *bytes, size_t size)
{
        for (size_t at = 0; at < size; at += 16) {
                size_t n = size - at < 16 ? size - at : 16;

                printf("%04zx ", at);
                for (size_t i = 0; i < 16; i++)
                        if (i < n)
                                printf(" %02x", bytes[at + i]);
                        else
                                printf("   ");
                printf("  ");
                for (size_t i = 0; i < n; i++)
                        putchar(bytes[at + i] >= ' ' && bytes[at + i] < 0x7f ? bytes[at + i] : '.');
                putchar('\n');
        }
}

static void print_frame(const char *title, const Buffer *payload)
{
        uint8_t header[FRAME_HEADER_SIZE];

        frame_write_header(header, (uint32_t)payload->size, 0);
        printf("\n%s\n\n```\nheader\n", title);
        print_hex(header, sizeof(header));
        printf("payload\n");
        print_hex(payload->data, payload->size);
        printf("```\n");
}

/* The first exchange of a session, as the codec writes it. */
static void print_example(void)
{
        CLEANUP_BUFFER Buffer request = BUFFER_NULL, answer = BUFFER_NULL;
        MsgEnvironment environment = { .cxx11_abi = 1, .free_threaded = -1, .torch = TEXT("2.7"), .backend = TEXT("cu128"),
                                       .cpu = TEXT("x86_64"), .os = TEXT("linux") };
        MsgHello hello = { .protocol = 1, .client = TEXT("example 1"), .environment = &environment };
        MsgHelloResult result = { .protocol = 1, .daemon = TEXT("kernelsd 0.1.0"), .uid = 1000, .instance = TEXT("5f1c"),
                                  .session = 1, .generation = 1 };

        if (envelope_write_request(&request, 1, TEXT("hello")) < 0 ||
            codec_encode(&schema_Hello, &hello, true, &request) < 0 || envelope_write_answer(&answer, 1) < 0 ||
            codec_encode(&schema_HelloResult, &result, true, &answer) < 0)
                abort();
        printf("\n## The first exchange in bytes\n");
        print_frame("The client says hello:", &request);
        print_frame("The daemon answers:", &answer);
}

int main(void)
{
        print_methods();
        printf("\n## Params and results\n\n"
               "`nil` says whether the value may be nil, which is the same as leaving the key out. A limit counts bytes of a "
               "str or bin and elements of a list or map; one over it is answered `too-large`.\n");
        for (size_t i = 0; i < ARRAY_SIZE(structs); i++)
                print_struct(structs[i]);
        print_errors();
        print_limits();
        print_example();
        return EXIT_SUCCESS;
}
