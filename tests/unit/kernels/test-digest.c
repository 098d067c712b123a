#include "tests/lib/fixture.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernels/digest.h"

static Text member(const JsonValue *object, const char *key)
{
        const JsonValue *value = json_value_get(object, key);

        return value && json_value_kind(value) == JSON_KIND_TEXT ? json_value_text(value) : TEXT_NULL;
}

static bool has_tag(const JsonValue *item, const char *tag)
{
        const JsonValue *tags = json_value_get(item, "tags");

        for (size_t i = 0; i < json_value_size(tags); i++)
                if (text_equal(json_value_text(json_value_at(tags, i)), text_of(tag)))
                        return true;
        return false;
}

static JsonDocument *load(void)
{
        JsonDocument *document;
        JsonError error;
        size_t size;
        char *bytes = fixture_read("vectors/digest.json", &size);

        ck_assert_int_eq(json_document_new((Text){ bytes, size }, 0, NULL, &document, &error), 0);
        alloc_free(bytes);
        return document;
}

/* --- trees on disk --- */

static size_t decode_base64(Text text, uint8_t *bytes)
{
        static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        uint32_t bits = 0;
        size_t n = 0, n_bits = 0;

        for (size_t i = 0; i < text.size && text.data[i] != '='; i++) {
                bits = bits << 6 | (uint32_t)(strchr(alphabet, text.data[i]) - alphabet);
                n_bits += 6;
                if (n_bits >= 8) {
                        n_bits -= 8;
                        bytes[n++] = (uint8_t)(bits >> n_bits);
                }
        }
        return n;
}

static void make_parents(char *path)
{
        for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
                *slash = 0;
                (void)mkdir(path, 0755);
                *slash = '/';
        }
}

static void write_file(const char *path, const JsonValue *item)
{
        const JsonValue *fill = json_value_get(item, "fill");
        Text content = member(item, "content_b64");
        FILE *file = fopen(path, "we");

        ck_assert_ptr_nonnull(file);
        if (fill) {
                int64_t n = json_value_integer(json_value_get(fill, "count"));

                while (n-- > 0)
                        (void)fputc((int)json_value_integer(json_value_get(fill, "byte")), file);
        } else {
                uint8_t *bytes = alloc_bytes(content.size + 1);

                (void)fwrite(bytes, 1, decode_base64(content, bytes), file);
                alloc_free(bytes);
        }
        ck_assert_int_eq(fclose(file), 0);
}

static void make_tree(const char *folder, const JsonValue *tree)
{
        for (size_t i = 0; tree && i < json_value_size(tree); i++) {
                const JsonValue *item = json_value_at(tree, i);
                char path[2048], target[1024];

                (void)snprintf(path, sizeof(path), "%s/%.*s", folder, TEXT_PRINT(member(item, "path")));
                make_parents(path);
                if (member(item, "symlink").data) {
                        (void)snprintf(target, sizeof(target), "%.*s", TEXT_PRINT(member(item, "symlink")));
                        ck_assert_int_eq(symlink(target, path), 0);
                } else if (json_value_get(item, "dir")) {
                        (void)mkdir(path, 0755);
                } else {
                        write_file(path, item);
                }
        }
}

static int digest_tree(const JsonValue *item, size_t number, DigestAlgorithm algorithm, Digest **ret_digest, Fault *fault)
{
        CLEANUP_FD int fd = -1;
        char parent[512], folder[600];

        (void)snprintf(parent, sizeof(parent), "%s/%zu", fixture_folder(), number);
        (void)snprintf(folder, sizeof(folder), "%s/variant", parent);
        ck_assert_int_eq(mkdir(parent, 0755), 0);
        ck_assert_int_eq(mkdir(folder, 0755), 0);
        make_tree(folder, json_value_get(item, "tree"));
        make_tree(parent, json_value_get(item, "outside"));
        fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        return digest_of_folder(fd, algorithm, ret_digest, fault);
}

/* --- against the vectors --- */

static const JsonValue *file_of(const JsonValue *files, Text path)
{
        for (JsonMember m = json_member_first(files); m.value; m = json_member_next(files, m))
                if (text_equal(m.key, path))
                        return m.value;
        return NULL;
}

/* Our stated difference: a file called just ".pyc" is bytecode, too. */
static bool is_bare_pyc(Text path)
{
        return text_equal(path, TEXT(".pyc")) ||
               (path.size >= 5 && memcmp(path.data + path.size - 5, "/.pyc", 5) == 0);
}

static void check_digest(const JsonValue *item, const Digest *digest, const JsonValue *expected)
{
        const JsonValue *files = json_value_get(expected, "files");
        size_t n_expected = 0;

        ck_assert(text_equal(text_of(digest_algorithm_spelling(digest->algorithm)), member(expected, "algorithm")));
        for (JsonMember m = json_member_first(files); m.value; m = json_member_next(files, m))
                n_expected += !(has_tag(item, "quirk_bare_pyc") && is_bare_pyc(m.key));
        ck_assert_msg(digest->n_files == n_expected, "%.*s: %zu files, not %zu", TEXT_PRINT(member(item, "name")),
                      digest->n_files, n_expected);
        for (size_t i = 0; i < digest->n_files; i++) {
                const JsonValue *hash = file_of(files, digest->files[i].path);

                ck_assert_msg(hash && text_equal(json_value_text(hash), digest->files[i].hash), "%.*s: %.*s",
                              TEXT_PRINT(member(item, "name")), TEXT_PRINT(digest->files[i].path));
        }
}

START_TEST(test_hash_vectors)
{
        CLEANUP(json_document_freep) JsonDocument *document = load();
        const JsonValue *list = json_value_get(json_document_root(document), "hash");

        for (size_t i = 0; i < json_value_size(list); i++) {
                CLEANUP(digest_freep) Digest *digest = NULL;
                const JsonValue *item = json_value_at(list, i), *expect = json_value_get(item, "expect");
                DigestAlgorithm algorithm;
                Fault fault = FAULT_NULL;
                int r;

                ck_assert(digest_algorithm_parse(member(item, "algorithm"), &algorithm));
                r = digest_tree(item, i, algorithm, &digest, &fault);
                ck_assert_msg(r == !!json_value_get(expect, "error"), "%.*s: %d %s", TEXT_PRINT(member(item, "name")), r,
                              fault.message);
                if (r == 0)
                        check_digest(item, digest, json_value_get(expect, "digest"));
        }
}
END_TEST

static Digest *stated(const JsonValue *value)
{
        Digest *digest;
        Fault fault = FAULT_NULL;

        ck_assert_msg(digest_from_json(value, NULL, &digest, &fault) == 0, "%s", fault.message);
        return digest;
}

static void check_violations(const JsonValue *item, const Digest *reference, const Digest *actual)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        const JsonValue *expected = json_value_get(json_value_get(item, "expect"), "violations");
        DigestViolation *violations;
        Fault fault = FAULT_NULL;
        size_t n;

        ck_assert_int_eq(digest_compare(reference, actual, &arena, &violations, &n), 0);
        ck_assert_uint_eq(n, json_value_size(expected));
        for (size_t i = 0; i < n; i++) {
                const JsonValue *one = json_value_at(expected, i);

                ck_assert(text_equal(text_of(digest_violation_spelling(violations[i].kind)), member(one, "kind")));
                ck_assert(text_equal(violations[i].path, member(one, "path")));
                ck_assert(text_equal(violations[i].expected, member(one, "expected")));
                ck_assert(text_equal(violations[i].got, member(one, "got")));
        }
        ck_assert_int_eq(digest_violations_to_fault(violations, n, &fault), n > 0);
        if (n)
                ck_assert_int_eq(fault.name, FAULT_CORRUPT);
}

START_TEST(test_validate_vectors)
{
        CLEANUP(json_document_freep) JsonDocument *document = load();
        const JsonValue *list = json_value_get(json_document_root(document), "validate");

        for (size_t i = 0; i < json_value_size(list); i++) {
                const JsonValue *item = json_value_at(list, i);
                CLEANUP(digest_freep) Digest *reference = stated(json_value_get(item, "reference"));
                CLEANUP(digest_freep) Digest *actual = stated(json_value_get(item, "actual"));

                check_violations(item, reference, actual);
        }
}
END_TEST

START_TEST(test_verify_vectors)
{
        CLEANUP(json_document_freep) JsonDocument *document = load();
        const JsonValue *list = json_value_get(json_document_root(document), "verify");

        for (size_t i = 0; i < json_value_size(list); i++) {
                const JsonValue *item = json_value_at(list, i), *expect = json_value_get(item, "expect");
                CLEANUP(digest_freep) Digest *reference = stated(json_value_get(item, "reference")), *actual = NULL;
                Fault fault = FAULT_NULL;
                int r = digest_tree(item, i, reference->algorithm, &actual, &fault);

                ck_assert_msg(r == !!json_value_get(expect, "error"), "%.*s: %s", TEXT_PRINT(member(item, "name")),
                              fault.message);
                if (r == 0 && !has_tag(item, "quirk_bare_pyc") && !has_tag(item, "extra_bare_pyc"))
                        check_violations(item, reference, actual);
        }
}
END_TEST

START_TEST(test_parse_vectors)
{
        CLEANUP(json_document_freep) JsonDocument *document = load();
        const JsonValue *list = json_value_get(json_document_root(document), "parse");

        for (size_t i = 0; i < json_value_size(list); i++) {
                const JsonValue *item = json_value_at(list, i), *expect = json_value_get(item, "expect");
                CLEANUP(digest_freep) Digest *digest = NULL;
                Fault fault = FAULT_NULL;
                int r = digest_parse(member(item, "json"), &digest, &fault);

                ck_assert_msg(r == !json_value_boolean(json_value_get(expect, "ok")), "%.*s: %s",
                              TEXT_PRINT(member(item, "name")), fault.message);
                if (r == 0)
                        check_digest(item, digest, json_value_get(expect, "digest"));
        }
}
END_TEST

/* --- steps --- */

static int work_in_steps(const char *folder, size_t max_bytes, size_t *ret_n_steps)
{
        CLEANUP(tree_freep) Tree *tree = NULL;
        CLEANUP(digest_work_freep) DigestWork *work = NULL;
        CLEANUP(digest_freep) Digest *digest = NULL;
        CLEANUP_FD int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        Ownership any = OWNERSHIP_ANY;
        Progress progress;
        Fault fault;
        int r = tree_new(fd, &any, &tree);

        *ret_n_steps = 0;
        do
                r = r ? r : tree_step(tree, &fault);
        while (r == STEP_MORE && !(r = 0));
        if (!r)
                r = digest_work_new(tree, DIGEST_SHA256, &work);
        if (r)
                return r;
        do {
                int64_t before;

                digest_work_progress(work, &progress);
                before = progress.bytes;
                r = digest_work_step(work, max_bytes, &fault);
                digest_work_progress(work, &progress);
                ck_assert_int_le(progress.bytes - before, (int64_t)max_bytes);
                ++*ret_n_steps;
        } while (r == STEP_MORE);
        if (r)
                return r;
        digest = digest_work_take(work);
        ck_assert_int_eq(progress.files, progress.files_total.value);
        ck_assert_int_eq(progress.bytes, progress.bytes_total.value);
        ck_assert_uint_eq(digest->n_files, 2);
        ck_assert(text_equal(digest->files[0].hash, TEXT("uU0nuZNNPgilLlLX2n2r+sSE7+N6U4DukIj3rOLvzek=")));
        return 0;
}

static void make_two_files(char path[512])
{
        char name[600];
        FILE *file;

        (void)snprintf(path, 512, "%s/two", fixture_folder());
        ck_assert_int_eq(mkdir(path, 0755), 0);
        (void)snprintf(name, sizeof(name), "%s/a", path);
        file = fopen(name, "we");
        (void)fputs("hello world", file);
        (void)fclose(file);
        (void)snprintf(name, sizeof(name), "%s/b", path);
        file = fopen(name, "we");
        for (size_t i = 0; i < 100000; i++)
                (void)fputc('b', file);
        (void)fclose(file);
}

START_TEST(test_steps_are_bounded)
{
        char path[512];
        size_t n_steps;

        make_two_files(path);
        ck_assert_int_eq(work_in_steps(path, 10000, &n_steps), 0);
        ck_assert_uint_ge(n_steps, 10);
        ck_assert_int_eq(work_in_steps(path, 1, &n_steps), 0);
        ck_assert_int_eq(work_in_steps(path, 16 << 20, &n_steps), 0);
        ck_assert_uint_eq(n_steps, 1);
}
END_TEST

START_TEST(test_torture)
{
        char path[512];
        size_t n_steps;

        make_two_files(path);
        FIXTURE_TORTURE(work_in_steps(path, 16 << 20, &n_steps));
}
END_TEST

FIXTURE_MAIN("kernels/digest", test_hash_vectors, test_validate_vectors, test_verify_vectors, test_parse_vectors,
             test_steps_are_bounded, test_torture)
