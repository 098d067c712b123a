#include "tests/lib/fixture.h"

#include <stdio.h>
#include <string.h>

#include "kernels/metadata.h"

#define HEX40 "0123456789abcdef0123456789abcdef01234567"
#define FRONT "{\"name\": \"my-kernel2\", \"id\": \"_k_1\", \"version\": 3, \"license\": \"MIT\", "
#define NEEDED FRONT "\"python-depends\": [], \"backend\": {\"type\": \"cuda\"}"

static int parse(const char *text, Metadata **ret_metadata, Fault *fault)
{
        return metadata_parse(text_of(text), ret_metadata, fault);
}

START_TEST(test_whole)
{
        static const char text[] =
                FRONT "\"upstream\": \"https://github.com/o/n\", \"source\": \"git@github.com:o/n.git\","
                "\"python-depends\": [\"einops\"],"
                "\"kernel-depends\": [{\"repo-id\": \"o/a\", \"version\": 1}, {\"repo-id\": \"o/b\", \"revision\": \"main\"}],"
                "\"backend\": {\"type\": \"cuda\", \"archs\": [\"8.0\", \"9.0a\"], \"more\": 1},"
                "\"digest\": {\"algorithm\": \"sha256\", \"files\": {\"b\": \"x\", \"a\": \"y\"}},"
                "\"provenance\": {\"kernel-builder\": {\"version\": \"0.1\", \"sha\": \"" HEX40 "\", \"dirty\": true},"
                "                 \"kernel\": {\"commit\": \"" HEX40 "\", \"dirty\": false}},"
                "\"native\": {\"library\": \"_activation.so\", \"layers\": {\"SiluAndMul\": {\"function\": \"silu_and_mul\","
                "            \"arguments\": [\"out\", \"input\"], \"has_backward\": false}}}, \"unknown\": [2.5]}";
        CLEANUP(metadata_freep) Metadata *m = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_msg(parse(text, &m, &fault) == 0, "%s", fault.message);
        ck_assert(text_equal(m->bytes, text_of(text)));
        ck_assert(text_equal(m->name, TEXT("my-kernel2")));
        ck_assert_int_eq(m->version, 3);
        ck_assert(text_equal(m->source, TEXT("git@github.com:o/n.git")));
        ck_assert_uint_eq(m->python_depends.n, 1);
        ck_assert_uint_eq(m->n_kernel_depends, 2);
        ck_assert_int_eq(m->kernel_depends[0].version.value, 1);
        ck_assert(text_equal(m->kernel_depends[1].revision, TEXT("main")));
        ck_assert_int_eq(m->backend, BACKEND_CUDA);
        ck_assert_uint_eq(m->archs.n, 2);
        ck_assert_uint_eq(m->digest->n_files, 2);
        ck_assert(text_equal(m->digest->files[0].path, TEXT("a")));
        ck_assert_int_eq(m->builder.dirty, 1);
        ck_assert_int_eq(m->kernel.dirty, 0);
        ck_assert(text_equal(m->native->library, TEXT("_activation.so")));
        ck_assert_uint_eq(m->native->layers.n, 1);
        ck_assert(text_equal(m->native->layers.items[0].function, TEXT("silu_and_mul")));
        ck_assert_uint_eq(m->native->layers.items[0].arguments.n, 2);
        ck_assert_int_eq(m->native->layers.items[0].has_backward, 0);
        ck_assert_int_eq(m->native->layers.items[0].can_torch_compile, -1);
}
END_TEST

START_TEST(test_least)
{
        CLEANUP(metadata_freep) Metadata *m = NULL;
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(parse(NEEDED ", \"upstream\": null, \"digest\": null, \"native\": null}", &m, &fault), 0);
        ck_assert_ptr_null(m->digest);
        ck_assert_ptr_null(m->native);
        ck_assert(!m->has_archs);
        ck_assert_ptr_null(m->upstream.data);
        ck_assert_int_eq(m->kernel.dirty, -1);
}
END_TEST

/* Each is refused as corrupt, naming where. */
START_TEST(test_refuses)
{
        static const struct { const char *text, *where; } cases[] = {
                { "[]", "is an array" },
                { "{", "metadata.json:1:2" },
                { "{\"id\": 1, \"id\": 2}", "metadata.json:1:11" },
                { "{}", "/name: is missing" },
                { "{\"name\": \"a\"}", "/name" },
                { "{\"name\": \"Ab\"}", "/name" },
                { "{\"name\": \"ab-\"}", "/name" },
                { "{\"name\": \"1b\"}", "/name" },
                { "{\"name\": \"a_b\"}", "/name" },
                { "{\"name\": \"ab\", \"id\": \"x\", \"version\": -1}", "/version" },
                { "{\"name\": \"ab\", \"id\": \"x\", \"version\": 1.0}", "/version" },
                { "{\"name\": \"ab\", \"id\": \"x\", \"version\": 1}", "/license" },
                { FRONT "\"upstream\": \"ftp://x/y\"}", "/upstream" },
                { FRONT "\"source\": \"nonsense\"}", "/source" },
                { FRONT "\"backend\": {\"type\": \"cpu\"}}", "/python-depends" },
                { FRONT "\"python-depends\": null}", "/python-depends" },
                { FRONT "\"python-depends\": [1]}", "/python-depends/0" },
                { FRONT "\"python-depends\": []}", "/backend" },
                { FRONT "\"python-depends\": [], \"backend\": {}}", "/backend/type" },
                { FRONT "\"python-depends\": [], \"backend\": {\"type\": \"gpu\"}}", "/backend/type" },
                { FRONT "\"python-depends\": [], \"backend\": {\"type\": \"cpu\", \"archs\": [1]}}", "/backend/archs/0" },
                { NEEDED ", \"kernel-depends\": null}", "/kernel-depends" },
                { NEEDED ", \"kernel-depends\": [{\"repo-id\": \"o/a\"}]}", "/kernel-depends/0" },
                { NEEDED ", \"kernel-depends\": [{\"repo-id\": \"o/a\", \"version\": 1, \"revision\": \"x\"}]}",
                  "/kernel-depends/0" },
                { NEEDED ", \"kernel-depends\": [{\"repo-id\": \"o/a\", \"version\": 1, \"x\": 1}]}",
                  "/kernel-depends/0/x" },
                { NEEDED ", \"digest\": {\"algorithm\": \"md5\", \"files\": {}}}", "/digest/algorithm" },
                { NEEDED ", \"digest\": {\"algorithm\": \"sha256\"}}", "/digest/files" },
                { NEEDED ", \"provenance\": {}}", "/provenance/kernel-builder" },
                { NEEDED ", \"provenance\": {\"kernel-builder\": {\"version\": \"1\", \"dirty\": true}}}",
                  "/provenance/kernel-builder/commit" },
                { NEEDED ", \"provenance\": {\"kernel-builder\": {\"version\": \"1\", \"commit\": \"" HEX40 "\"}}}",
                  "/provenance/kernel-builder/dirty" },
                { NEEDED ", \"provenance\": {\"kernel-builder\": {\"version\": \"1\", \"commit\": \"abc\", \"dirty\": true}}}",
                  "/provenance/kernel-builder/commit" },
                { NEEDED ", \"provenance\": {\"kernel-builder\": {\"version\": \"1\"}, \"kernel\": {}}}",
                  "/provenance/kernel/commit" },
                { NEEDED ", \"native\": {\"library\": \"../x.so\", \"layers\": {}}}", "/native/library" },
                { NEEDED ", \"native\": {\"library\": \"..\", \"layers\": {}}}", "/native/library" },
                { NEEDED ", \"native\": {\"library\": \"x.so\"}}", "/native/layers" },
                { NEEDED ", \"native\": {\"library\": \"x.so\", \"layers\": {\"L\": {\"function\": \"a-b\"}}}}",
                  "/native/layers/L/function" },
                { NEEDED ", \"native\": {\"library\": \"x.so\", \"layers\": {\"L\": {\"function\": \"f\", \"has_backward\": 1}}}}",
                  "/native/layers/L/has_backward" },
                { NEEDED ", \"native\": {\"library\": \"x.so\", \"layers\": {\"L\": {\"function\": \"f\", \"arguments\": [\"1x\"]}}}}",
                  "/native/layers/L/arguments" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Metadata *m = NULL;
                Fault fault = FAULT_NULL;

                ck_assert_msg(parse(cases[i].text, &m, &fault) == 1, "taken: %s", cases[i].text);
                ck_assert_int_eq(fault.name, FAULT_CORRUPT);
                ck_assert_msg(strstr(fault.message, cases[i].where), "%s: %s", cases[i].text, fault.message);
                ck_assert_ptr_null(m);
        }
}
END_TEST

/* A native table with that many layers. */
static int parse_layers(unsigned n, Fault *fault)
{
        CLEANUP(metadata_freep) Metadata *m = NULL;
        char text[16384] = NEEDED ", \"native\": {\"library\": \"x.so\", \"layers\": {", *at = text + strlen(text);

        for (unsigned i = 0; i < n; i++)
                at += sprintf(at, "%s\"L%u\": {\"function\": \"f\"}", i ? "," : "", i);
        (void)strcpy(at, "}}}");
        return parse(text, &m, fault);
}

/* As many as a message can carry to the client. */
START_TEST(test_native_limit)
{
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(parse_layers(LIMIT_KEYS, &fault), 0);
        ck_assert_int_eq(parse_layers(LIMIT_KEYS + 1, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "/native/layers"));
}
END_TEST

/* With that many archs. */
static int parse_archs(unsigned n, Fault *fault)
{
        CLEANUP(metadata_freep) Metadata *m = NULL;
        char text[4096] = FRONT "\"python-depends\": [], \"backend\": {\"type\": \"cuda\", \"archs\": [";
        char *at = text + strlen(text);

        for (unsigned i = 0; i < n; i++)
                at += sprintf(at, "%s\"%u.0\"", i ? "," : "", i);
        (void)strcpy(at, "]}}");
        return parse(text, &m, fault);
}

/* As many as may be gone through at every choice. */
START_TEST(test_archs_limit)
{
        Fault fault = FAULT_NULL;

        ck_assert_int_eq(parse_archs(LIMIT_ARCHS, &fault), 0);
        ck_assert_int_eq(parse_archs(LIMIT_ARCHS + 1, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert_ptr_nonnull(strstr(fault.message, "/backend/archs"));
}
END_TEST

START_TEST(test_limit)
{
        char *text = alloc_bytes(LIMIT_METADATA + 2);
        Metadata *m = NULL;
        Fault fault = FAULT_NULL;
        size_t n = strlen(NEEDED "}");

        memset(text, ' ', LIMIT_METADATA + 2);
        memcpy(text, NEEDED "}", n);
        ck_assert_int_eq(metadata_parse((Text){ text, LIMIT_METADATA }, &m, &fault), 0);
        m = metadata_free(m);
        ck_assert_int_eq(metadata_parse((Text){ text, LIMIT_METADATA + 1 }, &m, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        alloc_free(text);
}
END_TEST

static int parse_some(void)
{
        CLEANUP(metadata_freep) Metadata *m = NULL;
        Fault fault;

        return parse(NEEDED ", \"digest\": {\"algorithm\": \"sha256\", \"files\": {\"a\": \"b\", \"a\": \"c\"}},"
                     "\"native\": {\"library\": \"x\", \"layers\": {\"L\": {\"function\": \"f\", \"arguments\": [\"a\"]}}},"
                     "\"kernel-depends\": [{\"repo-id\": \"o/a\", \"version\": 1}]}", &m, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(parse_some());
        ck_assert_int_eq(parse_some(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/metadata", test_whole, test_least, test_refuses, test_native_limit, test_archs_limit, test_limit, test_torture)
