#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/json.h"
#include "kernels/lock.h"

static JsonDocument *load(void)
{
        JsonDocument *document;
        JsonError error;
        size_t size;
        char *bytes = fixture_read("vectors/lock.json", &size);

        ck_assert_int_eq(json_document_new((Text){ bytes, size }, 0, NULL, &document, &error), 0);
        alloc_free(bytes);
        return document;
}

static Text member(const JsonValue *object, const char *key)
{
        const JsonValue *value = json_value_get(object, key);

        return value && json_value_kind(value) == JSON_KIND_TEXT ? json_value_text(value) : TEXT_NULL;
}

static int hash(const JsonValue *item, Arena *arena, LockVariant **ret_variants, size_t *ret_n)
{
        const JsonValue *list = json_value_get(item, "files");
        LockFile *files = arena_zeroed(arena, json_value_size(list), sizeof(*files));

        ck_assert_ptr_nonnull(files);
        for (size_t i = 0; i < json_value_size(list); i++) {
                const JsonValue *file = json_value_at(list, i);

                files[i] = (LockFile){ member(file, "path"), member(file, "blob_id"), member(file, "lfs_sha256") };
        }
        return lock_hash_variants(files, json_value_size(list), arena, ret_variants, ret_n);
}

static void check_hashes(const JsonValue *item)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const JsonValue *expect = json_value_get(item, "expect"), *expected = json_value_get(expect, "variants");
        Text error = member(expect, "error");
        LockVariant *variants;
        size_t n;
        int r = hash(item, &arena, &variants, &n);

        if (error.data) {
                ck_assert_int_eq(r, text_equal(error, TEXT("missing_blob_id")) ? LOCK_E_MISSING_BLOB_ID :
                                                                                  LOCK_E_INVALID_HASH);
                return;
        }
        ck_assert_int_eq(r, 0);
        ck_assert_uint_eq(n, json_value_size(expected));
        for (size_t i = 0; i < n; i++) {
                JsonMember m = json_member_first(expected);

                while (m.value && !text_equal(m.key, variants[i].name))
                        m = json_member_next(expected, m);
                ck_assert_msg(m.value && text_equal(json_value_text(m.value), variants[i].hash), "%.*s: %.*s",
                              TEXT_PRINT(member(item, "name")), TEXT_PRINT(variants[i].name));
        }
}

START_TEST(test_hash_vectors)
{
        CLEANUP(json_document_freep) JsonDocument *document = load();
        const JsonValue *list = json_value_get(json_document_root(document), "locks");

        ck_assert_uint_gt(json_value_size(list), 50);
        for (size_t i = 0; i < json_value_size(list); i++)
                check_hashes(json_value_at(list, i));
}
END_TEST

START_TEST(test_lookup_vectors)
{
        CLEANUP(json_document_freep) JsonDocument *document = load();
        const JsonValue *list = json_value_get(json_document_root(document), "lookup");

        ck_assert_uint_gt(json_value_size(list), 10);
        for (size_t i = 0; i < json_value_size(list); i++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                const JsonValue *item = json_value_at(list, i), *expect = json_value_get(item, "expect");
                Fault fault = FAULT_NULL;
                Text commit = TEXT_NULL;
                int r = lock_lookup(member(item, "lock_json"), member(item, "repo_id"), &arena, &commit, &fault);

                ck_assert_msg(r == !!json_value_get(expect, "error"), "%.*s: %s", TEXT_PRINT(member(item, "name")),
                              fault.message);
                if (r == 0)
                        ck_assert(text_equal(commit, member(expect, "sha")));
                else
                        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        }
}
END_TEST

START_TEST(test_newer_format)
{
        static const char text[] =
                "[{\"dependency\": {\"repo-id\": \"o/a\", \"version\": 1}, \"lock\": {\"commit\": \"AAAA\"}},"
                " {\"dependency\": {\"repo-id\": \"o/b\", \"revision\": \"main\"}, \"lock\": {\"commit\": \"bbbb\", \"hash\": \"x\"}},"
                " {\"dependency\": {\"repo-id\": \"o/c\"}, \"lock\": {}}]";
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        Text commit;

        ck_assert_int_eq(lock_lookup(text_of(text), TEXT("o/a"), &arena, &commit, &fault), 0);
        ck_assert(text_equal(commit, TEXT("AAAA")));
        ck_assert_int_eq(lock_lookup(text_of(text), TEXT("o/b"), &arena, &commit, &fault), 0);
        ck_assert(text_equal(commit, TEXT("bbbb")));
        ck_assert_int_eq(lock_lookup(text_of(text), TEXT("o/d"), &arena, &commit, &fault), 1);
        ck_assert_ptr_nonnull(strstr(fault.message, "/2"));
}
END_TEST

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

START_TEST(test_list)
{
        static const char text[] =
                "[{\"repo_id\": \"o/a\", \"sha\": \"" COMMIT "\", \"variants\": {}},"
                " {\"dependency\": {\"repo-id\": \"o/b\", \"version\": 1}, \"lock\": {\"commit\": \"0123456789ABCDEF0123456789ABCDEF01234567\"}}]";
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        LockPin *pins;
        size_t n;

        ck_assert_int_eq(lock_list(text_of(text), &arena, &pins, &n, &fault), 0);
        ck_assert_uint_eq(n, 2);
        ck_assert(text_equal(pins[0].repo, TEXT("o/a")));
        ck_assert(text_equal(pins[1].repo, TEXT("o/b")));
        ck_assert(text_equal(pins[0].commit, TEXT(COMMIT)));
        ck_assert(text_equal(pins[1].commit, TEXT(COMMIT)));
        ck_assert_int_eq(lock_list(TEXT("[]"), &arena, &pins, &n, &fault), 0);
        ck_assert_uint_eq(n, 0);
}
END_TEST

START_TEST(test_list_refuses)
{
#define OLD(repo, sha) "[{\"repo_id\": \"o/a\", \"sha\": \"" COMMIT "\", \"variants\": {}}, {\"repo_id\": \"" repo "\", \"sha\": \"" sha "\", \"variants\": {}}]"
        static const struct { const char *text; FaultName fault; const char *says; } cases[] = {
                { "", FAULT_CORRUPT, "line" },
                { "{}", FAULT_CORRUPT, "array" },
                { "[1]", FAULT_CORRUPT, "/0" },
                { "[{\"repo_id\": \"o/a\"}]", FAULT_CORRUPT, "/0" },
                { OLD("o/b", "main"), FAULT_INVALID_NAME, "/1: locks o/b to \"main\"" },
                { OLD("o/b", COMMIT "0"), FAULT_INVALID_NAME, "40 hex digits" },
                { OLD("o/b", COMMIT COMMIT COMMIT), FAULT_INVALID_NAME, "40 hex digits" },
                { OLD("o/../b", COMMIT), FAULT_INVALID_NAME, "/1: \"o/../b\"" },
                { OLD("b", COMMIT), FAULT_INVALID_NAME, "organisation/name" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                Fault fault = FAULT_NULL;
                LockPin *pins = NULL;
                size_t n;

                ck_assert_int_eq(lock_list(text_of(cases[i].text), &arena, &pins, &n, &fault), 1);
                ck_assert_msg(fault.name == cases[i].fault && strstr(fault.message, cases[i].says), "%zu: %s", i,
                              fault.message);
                ck_assert_ptr_null(pins);
        }
}
END_TEST

static int list(void)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault;
        LockPin *pins;
        size_t n;

        return lock_list(TEXT(OLD("o/b", COMMIT)), &arena, &pins, &n, &fault);
}

static int look_up(void)
{
        static const char text[] = "[{\"repo_id\": \"o/a\", \"sha\": \"x\", \"variants\": {\"v\": {\"hash\": \"h\"}}}]";
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        LockFile files[] = { { TEXT("build/torch-cpu/a.py"), TEXT("aabb"), TEXT_NULL },
                             { TEXT("build/torch-cuda/a.py"), TEXT("ccdd"), TEXT_NULL } };
        LockVariant *variants;
        Fault fault;
        Text commit;
        size_t n;
        int r = lock_lookup(text_of(text), TEXT("o/a"), &arena, &commit, &fault);

        return r ? r : lock_hash_variants(files, 2, &arena, &variants, &n);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(look_up());
        FIXTURE_TORTURE(list());
        ck_assert_int_eq(list(), 0);
        ck_assert_int_eq(look_up(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/lock", test_hash_vectors, test_lookup_vectors, test_newer_format, test_list, test_list_refuses,
             test_torture)
