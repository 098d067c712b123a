#include "kernels/metadata.h"

#include <ctype.h>

#include "kernels/json.h"
#include "proto/base/alloc.h"
#include "proto/base/error.h"
#include "proto/name.h"

/* One object on the way down. */
typedef struct At {
        Metadata *metadata;
        const JsonValue *object;
        const JsonPath *path;
        Fault *fault;
} At;

static int corrupt(const At *at, const char *key, const char *message)
{
        JsonPath path = JSON_PATH_KEY(at->path, text_of(key));

        return json_fault(at->fault, FAULT_CORRUPT, &path, "%s", message);
}

/* --- one key --- */

/* The value of a key; NULL where it is absent, or null and `nullable`. */
static int find(const At *at, const char *key, JsonKind kind, bool nullable, const JsonValue **ret_value)
{
        JsonPath path = JSON_PATH_KEY(at->path, text_of(key));
        const JsonValue *value = json_value_get(at->object, key);

        *ret_value = NULL;
        if (!value || (nullable && json_value_kind(value) == JSON_KIND_NULL))
                return 0;
        *ret_value = value;
        return json_expect(value, kind, &path, FAULT_CORRUPT, at->fault);
}

static int find_required(const At *at, const char *key, JsonKind kind, const JsonValue **ret_value)
{
        int r = find(at, key, kind, false, ret_value);

        return r ? r : *ret_value ? 0 : corrupt(at, key, "is missing");
}

static int copy_text(const At *at, const JsonValue *value, Text *ret_text)
{
        if (value && arena_copy(&at->metadata->arena, json_value_text(value), ret_text) < 0)
                return error_trace(-ENOMEM);
        return 0;
}

static int read_text(const At *at, const char *key, Text *ret_text)
{
        const JsonValue *value;
        int r = find_required(at, key, JSON_KIND_TEXT, &value);

        return r ? r : copy_text(at, value, ret_text);
}

static int read_optional_text(const At *at, const char *key, bool nullable, Text *ret_text)
{
        const JsonValue *value;
        int r = find(at, key, JSON_KIND_TEXT, nullable, &value);

        return r ? r : copy_text(at, value, ret_text);
}

static int read_unsigned(const At *at, const char *key, const JsonValue *value, int64_t *ret_number)
{
        if (json_value_integer(value) < 0)
                return corrupt(at, key, "is negative, must be 0 or more");
        *ret_number = json_value_integer(value);
        return 0;
}

static int read_tristate(const At *at, const char *key, bool nullable, int8_t *ret_state)
{
        const JsonValue *value;
        int r = find(at, key, JSON_KIND_BOOLEAN, nullable, &value);

        *ret_state = !r && value ? json_value_boolean(value) : -1;
        return r;
}

static int read_texts(const At *at, const char *key, const JsonValue *array, TextList *ret_list)
{
        JsonPath above = JSON_PATH_KEY(at->path, text_of(key));
        size_t n = json_value_size(array);

        ret_list->items = arena_zeroed(&at->metadata->arena, n, sizeof(*ret_list->items));
        if (!ret_list->items)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < n; i++) {
                JsonPath path = JSON_PATH_INDEX(&above, i);
                const JsonValue *item = json_value_at(array, i);
                int r = json_expect(item, JSON_KIND_TEXT, &path, FAULT_CORRUPT, at->fault);

                if (!r)
                        r = copy_text(at, item, &ret_list->items[i]);
                if (r)
                        return r;
        }
        ret_list->n = n;
        return 0;
}

/* --- rules --- */

static bool is_kernel_name(Text name)
{
        for (size_t i = 0; i < name.size; i++) {
                char c = name.data[i];
                bool letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9', last = i + 1 == name.size;

                if (!letter && (i == 0 || !(digit || (c == '-' && !last))))
                        return false;
        }
        return name.size >= 2;
}

static bool is_git_url(Text url)
{
        static const char *const schemes[] = { "http://",    "https://",    "git://",     "ssh://",
                                               "git+ssh://", "git+https://", "git+http://" };
        const char *colon = url.size ? memchr(url.data, ':', url.size) : NULL;
        size_t host = colon ? (size_t)(colon - url.data) : 0;

        for (size_t i = 0; i < url.size; i++)
                if ((unsigned char)url.data[i] <= ' ' || url.data[i] == 0x7f)
                        return false;
        for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
                if (text_starts_with(url, text_of(schemes[i])))
                        return url.size > strlen(schemes[i]);
        /* user@host:path */
        return host && memchr(url.data, '@', host) && host + 1 < url.size && colon[1] != '/';
}

static bool is_object_id(Text text)
{
        for (size_t i = 0; i < text.size; i++)
                if (!isxdigit((unsigned char)text.data[i]))
                        return false;
        return text.size == 40 || text.size == 64;
}

static bool is_identifier(Text text)
{
        for (size_t i = 0; i < text.size; i++) {
                char c = text.data[i];
                bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

                if (!letter && (i == 0 || c < '0' || c > '9'))
                        return false;
        }
        return text.size > 0 && text.size <= LIMIT_LAYER;
}

/* --- the parts --- */

static int read_url(const At *at, const char *key, Text *ret_url)
{
        int r = read_optional_text(at, key, true, ret_url);

        if (!r && ret_url->data && !is_git_url(*ret_url))
                return corrupt(at, key, "must be the URL of a git repository (https://…, ssh://…, user@host:path)");
        return r;
}

static int read_identity(const At *at)
{
        Metadata *metadata = at->metadata;
        const JsonValue *version;
        int r = read_text(at, "name", &metadata->name);

        if (!r && !is_kernel_name(metadata->name))
                return corrupt(at, "name", "must be lower-case letters, digits and '-', first a letter, not last a '-'");
        if (!r)
                r = read_text(at, "id", &metadata->id);
        if (!r)
                r = find_required(at, "version", JSON_KIND_INTEGER, &version);
        if (!r)
                r = read_unsigned(at, "version", version, &metadata->version);
        if (!r)
                r = read_text(at, "license", &metadata->license);
        if (!r)
                r = read_url(at, "upstream", &metadata->upstream);
        return r ? r : read_url(at, "source", &metadata->source);
}

/* Upstream refuses unknown keys here, and only here. */
static int check_dependency_keys(const At *at)
{
        for (JsonMember m = json_member_first(at->object); m.value; m = json_member_next(at->object, m))
                if (!text_equal(m.key, TEXT("repo-id")) && !text_equal(m.key, TEXT("version")) &&
                    !text_equal(m.key, TEXT("revision")))
                        return corrupt(at, m.key.data, "is no key of a kernel dependency");
        return 0;
}

static int read_dependency(const At *at, KernelDependency *ret_dependency)
{
        const JsonValue *version;
        int r = check_dependency_keys(at);

        if (!r)
                r = read_text(at, "repo-id", &ret_dependency->repo);
        if (!r)
                r = find(at, "version", JSON_KIND_INTEGER, true, &version);
        if (!r && version) {
                ret_dependency->version.present = true;
                r = read_unsigned(at, "version", version, &ret_dependency->version.value);
        }
        if (!r)
                r = read_optional_text(at, "revision", true, &ret_dependency->revision);
        if (!r && ret_dependency->version.present == !!ret_dependency->revision.data)
                return json_fault(at->fault, FAULT_CORRUPT, at->path,
                                  "must have exactly one of `version` and `revision`");
        return r;
}

static int read_dependencies(const At *at)
{
        JsonPath above = JSON_PATH_KEY(at->path, TEXT("kernel-depends"));
        Metadata *metadata = at->metadata;
        const JsonValue *array;
        size_t n;
        int r = find(at, "kernel-depends", JSON_KIND_ARRAY, false, &array);

        if (r || !array)
                return r;
        n = json_value_size(array);
        metadata->kernel_depends = arena_zeroed(&metadata->arena, n, sizeof(*metadata->kernel_depends));
        if (!metadata->kernel_depends)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < n; i++) {
                JsonPath path = JSON_PATH_INDEX(&above, i);
                At here = { metadata, json_value_at(array, i), &path, at->fault };

                r = json_expect(here.object, JSON_KIND_OBJECT, &path, FAULT_CORRUPT, at->fault);
                if (!r)
                        r = read_dependency(&here, &metadata->kernel_depends[i]);
                if (r)
                        return r;
        }
        metadata->n_kernel_depends = n;
        return 0;
}

_Static_assert(LIMIT_ARCHS == 64, "read_backend names the limit");

static int read_backend(const At *top)
{
        JsonPath path = JSON_PATH_KEY(top->path, TEXT("backend"));
        At at = { top->metadata, NULL, &path, top->fault };
        const JsonValue *archs;
        Text type;
        int r = find_required(top, "backend", JSON_KIND_OBJECT, &at.object);

        if (!r)
                r = read_text(&at, "type", &type);
        if (r)
                return r;
        at.metadata->backend = backend_parse(type);
        if (at.metadata->backend == BACKEND_NONE)
                return corrupt(&at, "type", "must be one of cann, cpu, cuda, metal, neuron, rocm, tpu, xpu");
        r = find(&at, "archs", JSON_KIND_ARRAY, true, &archs);
        if (r || !archs)
                return r;
        if (json_value_size(archs) > LIMIT_ARCHS)
                return corrupt(&at, "archs", "has more than 64 names");
        at.metadata->has_archs = true;
        return read_texts(&at, "archs", archs, &at.metadata->archs);
}

/* `commit` and `dirty` come together; `sha` is what `commit` was called once. */
static int read_git_status(const At *at, bool required, Provenance *ret_provenance)
{
        bool old = json_value_get(at->object, "sha") != NULL;
        const char *key = old ? "sha" : "commit";
        int r;

        if (old && json_value_get(at->object, "commit"))
                return corrupt(at, "sha", "is the old name of `commit`, which is there too; remove one");
        r = read_optional_text(at, key, false, &ret_provenance->commit);
        if (!r)
                r = read_tristate(at, "dirty", false, &ret_provenance->dirty);
        if (r)
                return r;
        if (ret_provenance->commit.data && !is_object_id(ret_provenance->commit))
                return corrupt(at, key, "must be 40 or 64 hex digits");
        if (!ret_provenance->commit.data != (ret_provenance->dirty < 0) || (required && !ret_provenance->commit.data))
                return corrupt(at, ret_provenance->commit.data ? "dirty" : "commit",
                               "is missing; `commit` and `dirty` come together");
        return 0;
}

static int read_provenance(const At *top)
{
        JsonPath path = JSON_PATH_KEY(top->path, TEXT("provenance"));
        JsonPath at_builder = JSON_PATH_KEY(&path, TEXT("kernel-builder")), at_kernel = JSON_PATH_KEY(&path, TEXT("kernel"));
        At at = { top->metadata, NULL, &path, top->fault };
        At builder = { top->metadata, NULL, &at_builder, top->fault }, kernel = { top->metadata, NULL, &at_kernel, top->fault };
        int r = find(top, "provenance", JSON_KIND_OBJECT, true, &at.object);

        if (r || !at.object)
                return r;
        r = find_required(&at, "kernel-builder", JSON_KIND_OBJECT, &builder.object);
        if (!r)
                r = read_text(&builder, "version", &at.metadata->builder_version);
        if (!r)
                r = read_git_status(&builder, false, &at.metadata->builder);
        if (!r)
                r = find(&at, "kernel", JSON_KIND_OBJECT, true, &kernel.object);
        if (!r && kernel.object)
                r = read_git_status(&kernel, true, &at.metadata->kernel);
        return r;
}

static int read_digest(const At *at)
{
        JsonPath path = JSON_PATH_KEY(at->path, TEXT("digest"));
        const JsonValue *value = json_value_get(at->object, "digest");

        if (!value || json_value_kind(value) == JSON_KIND_NULL)
                return 0;
        return digest_from_json(value, &path, &at->metadata->digest, at->fault);
}

/* --- the native table --- */

static int read_native_layer(const At *at, MsgNativeLayer *ret_layer)
{
        const JsonValue *arguments;
        int r = read_text(at, "function", &ret_layer->function);

        if (!r && !is_identifier(ret_layer->function))
                return corrupt(at, "function", "must be a C identifier");
        if (!r)
                r = find(at, "arguments", JSON_KIND_ARRAY, true, &arguments);
        if (!r && arguments) {
                if (json_value_size(arguments) > 64)
                        return corrupt(at, "arguments", "has more than 64 names");
                r = read_texts(at, "arguments", arguments, &ret_layer->arguments);
        }
        for (size_t i = 0; !r && i < ret_layer->arguments.n; i++)
                if (!is_identifier(ret_layer->arguments.items[i]))
                        return corrupt(at, "arguments", "must be C identifiers");
        if (!r)
                r = read_tristate(at, "has_backward", true, &ret_layer->has_backward);
        return r ? r : read_tristate(at, "can_torch_compile", true, &ret_layer->can_torch_compile);
}

static int read_native_layers(const At *at, const JsonValue *layers, MsgNative *native)
{
        JsonPath above = JSON_PATH_KEY(at->path, TEXT("layers"));
        size_t n = json_value_size(layers);

        if (n > LIMIT_KEYS) /* no message holds a larger map */
                return json_fault(at->fault, FAULT_CORRUPT, &above, "has %zu layers, must have at most %d", n, LIMIT_KEYS);
        native->layers.keys = arena_zeroed(&at->metadata->arena, n, sizeof(*native->layers.keys));
        native->layers.items = arena_zeroed(&at->metadata->arena, n, sizeof(*native->layers.items));
        if (!native->layers.keys || !native->layers.items)
                return error_trace(-ENOMEM);
        for (JsonMember m = json_member_first(layers); m.value; m = json_member_next(layers, m)) {
                size_t i = native->layers.n;
                JsonPath path = JSON_PATH_KEY(&above, m.key);
                At here = { at->metadata, m.value, &path, at->fault };
                int r = json_expect(m.value, JSON_KIND_OBJECT, &path, FAULT_CORRUPT, at->fault);

                if (r)
                        return r;
                if (!m.key.size || m.key.size > LIMIT_LAYER)
                        return json_fault(at->fault, FAULT_CORRUPT, &path, "a layer's name has 1 to %d bytes", LIMIT_LAYER);
                if (arena_copy(&at->metadata->arena, m.key, &native->layers.keys[i]) < 0)
                        return error_trace(-ENOMEM);
                r = read_native_layer(&here, &native->layers.items[i]);
                if (r)
                        return r;
                native->layers.n++;
        }
        return 0;
}

static int read_native(const At *top)
{
        JsonPath path = JSON_PATH_KEY(top->path, TEXT("native"));
        At at = { top->metadata, NULL, &path, top->fault };
        const JsonValue *layers;
        MsgNative *native;
        int r = find(top, "native", JSON_KIND_OBJECT, true, &at.object);

        if (r || !at.object)
                return r;
        native = arena_zeroed(&at.metadata->arena, 1, sizeof(*native));
        if (!native)
                return error_trace(-ENOMEM);
        r = read_text(&at, "library", &native->library);
        if (!r && !name_is_file(native->library))
                return corrupt(&at, "library", "must be the plain name of a file in the variant folder, without '/'");
        if (!r)
                r = find_required(&at, "layers", JSON_KIND_OBJECT, &layers);
        if (!r)
                r = read_native_layers(&at, layers, native);
        if (!r)
                at.metadata->native = native;
        return r;
}

/* --- the whole --- */

static int read_all(const At *at)
{
        const JsonValue *python_depends;
        int r = json_expect(at->object, JSON_KIND_OBJECT, NULL, FAULT_CORRUPT, at->fault);

        if (!r)
                r = read_identity(at);
        if (!r)
                r = find_required(at, "python-depends", JSON_KIND_ARRAY, &python_depends);
        if (!r) /* whether they are there, and known, the Python that loads it must say */
                r = read_texts(at, "python-depends", python_depends, &at->metadata->python_depends);
        if (!r)
                r = read_dependencies(at);
        if (!r)
                r = read_backend(at);
        if (!r)
                r = read_digest(at);
        if (!r)
                r = read_provenance(at);
        return r ? r : read_native(at);
}

int metadata_parse(Text bytes, Metadata **ret_metadata, Fault *fault)
{
        /* As upstream's reader has it: of a file named twice the last hash counts. */
        static const char *const open[] = { "digest", "files", NULL };
        CLEANUP(metadata_freep) Metadata *metadata = NULL;
        CLEANUP(json_document_freep) JsonDocument *document = NULL;
        JsonError error;
        int r;

        if (bytes.size > LIMIT_METADATA)
                return fault_set(fault, FAULT_CORRUPT, "metadata.json is larger than %u bytes", LIMIT_METADATA);
        metadata = alloc_zeroed(1, sizeof(*metadata));
        if (!metadata)
                return error_trace(-ENOMEM);
        metadata->n_users = 1;
        if (arena_copy(&metadata->arena, bytes, &metadata->bytes) < 0)
                return error_trace(-ENOMEM);
        metadata->builder.dirty = metadata->kernel.dirty = -1;
        r = json_document_new(bytes, 0, open, &document, &error);
        if (r > 0)
                return fault_set(fault, FAULT_CORRUPT, "metadata.json:%zu:%zu: %s", error.line, error.column,
                                 error.message);
        if (!r)
                r = read_all(&(At){ metadata, json_document_root(document), NULL, fault });
        if (r)
                return error_trace(r);
        *ret_metadata = STEAL(metadata);
        return 0;
}

Metadata *metadata_ref(Metadata *metadata)
{
        if (metadata)
                (void)__atomic_add_fetch(&metadata->n_users, 1, __ATOMIC_RELAXED);
        return metadata;
}

Metadata *metadata_free(Metadata *metadata)
{
        if (metadata && !__atomic_sub_fetch(&metadata->n_users, 1, __ATOMIC_ACQ_REL)) {
                (void)digest_free(metadata->digest);
                arena_deinit(&metadata->arena);
                alloc_free(metadata);
        }
        return NULL;
}
