#include "kernels/hub_answer.h"

#include <errno.h>

#include "proto/base/error.h"
#include "proto/name.h"

int hub_answer_json(Text body, JsonKind root, JsonDocument **ret_document, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        JsonError error;
        JsonKind kind;
        int r = json_document_new(body, 0, NULL, &document, &error);

        if (r > 0)
                return fault_set(fault, FAULT_HUB, "the Hub's answer is no JSON: line %zu, column %zu: %s", error.line,
                                 error.column, error.message);
        if (r < 0)
                return error_trace(r);
        kind = json_value_kind(json_document_root(document));
        if (kind != root)
                return fault_set(fault, FAULT_HUB, "the Hub's answer is %s, must be %s", json_kind_name(kind),
                                 json_kind_name(root));
        *ret_document = STEAL(document);
        return 0;
}

static Text member_text(const JsonValue *object, const char *key)
{
        const JsonValue *value = json_value_get(object, key);

        return value && json_value_kind(value) == JSON_KIND_TEXT ? json_value_text(value) : TEXT_NULL;
}

/* --- refs --- */

static bool read_ref(const JsonValue *item, HubRef *ret_ref)
{
        HubRef ref = { 0 };
        Fault why;

        if (json_value_kind(item) != JSON_KIND_OBJECT)
                return false;
        ref.name = member_text(item, "name");
        ref.commit = member_text(item, "targetCommit");
        if (!ref.name.data || name_check_revision(ref.name, &why) || !name_is_commit(ref.commit))
                return false;
        *ret_ref = ref;
        return true;
}

static int copy_refs(const JsonValue *list, Arena *arena, HubRef **ret_refs, size_t *ret_n)
{
        HubRef *refs = arena_zeroed(arena, json_value_size(list), sizeof(*refs));
        size_t n = 0;

        if (!refs)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < json_value_size(list); i++) {
                HubRef ref;

                if (!read_ref(json_value_at(list, i), &ref))
                        continue;
                if (arena_copy(arena, ref.name, &refs[n].name) < 0 || arena_copy(arena, ref.commit, &refs[n].commit) < 0)
                        return error_trace(-ENOMEM);
                n++;
        }
        *ret_refs = refs;
        *ret_n = n;
        return 0;
}

static int read_refs(const JsonValue *root, const char *key, Arena *arena, HubRef **ret_refs, size_t *ret_n, Fault *fault)
{
        const JsonValue *list = json_value_get(root, key);

        if (!list || json_value_kind(list) != JSON_KIND_ARRAY)
                return fault_set(fault, FAULT_HUB, "the Hub's answer has no array `%s`", key);
        return copy_refs(list, arena, ret_refs, ret_n);
}

int hub_refs_parse(Text body, Arena *arena, HubRefs *ret_refs, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        HubRefs refs = { 0 };
        int r = hub_answer_json(body, JSON_KIND_OBJECT, &document, fault);

        if (!r)
                r = read_refs(json_document_root(document), "branches", arena, &refs.branches, &refs.n_branches, fault);
        if (!r)
                r = read_refs(json_document_root(document), "tags", arena, &refs.tags, &refs.n_tags, fault);
        if (r)
                return error_trace(r);
        *ret_refs = refs;
        return 0;
}

static bool find(const HubRef *refs, size_t n, Text name, Text *ret_commit)
{
        for (size_t i = 0; i < n; i++)
                if (text_equal(refs[i].name, name)) {
                        *ret_commit = refs[i].commit;
                        return true;
                }
        return false;
}

bool hub_refs_find(const HubRefs *refs, Text revision, Text *ret_commit)
{
        return find(refs->branches, refs->n_branches, revision, ret_commit) ||
               find(refs->tags, refs->n_tags, revision, ret_commit);
}

bool hub_ref_version(Text branch, int64_t *ret_version)
{
        int64_t version = 0;

        if (branch.size < 2 || branch.data[0] != 'v' || (branch.data[1] == '0' && branch.size > 2))
                return false;
        for (size_t i = 1; i < branch.size; i++) {
                char c = branch.data[i];

                if (c < '0' || c > '9' || __builtin_mul_overflow(version, 10, &version) ||
                    __builtin_add_overflow(version, c - '0', &version))
                        return false;
        }
        *ret_version = version;
        return true;
}

/* --- revision and overview --- */

int hub_revision_parse(Text body, Arena *arena, Text *ret_commit, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        Text commit;
        int r = hub_answer_json(body, JSON_KIND_OBJECT, &document, fault);

        if (r)
                return error_trace(r);
        commit = member_text(json_document_root(document), "sha");
        if (!name_is_commit(commit))
                return fault_set(fault, FAULT_HUB, "the Hub's answer has no commit of 40 hex digits in `sha`");
        return error_trace(arena_copy(arena, commit, ret_commit));
}

int hub_overview_parse(Text body, bool *ret_trusted, Fault *fault)
{
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        const JsonValue *trusted;
        int r = hub_answer_json(body, JSON_KIND_OBJECT, &document, fault);

        if (r)
                return error_trace(r);
        trusted = json_value_get(json_document_root(document), "trustedKernelPublisher");
        *ret_trusted = trusted && json_value_kind(trusted) == JSON_KIND_BOOLEAN && json_value_boolean(trusted);
        return 0;
}
