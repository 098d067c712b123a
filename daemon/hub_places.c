#include "daemon/hub_places.h"

#include <ctype.h>
#include <errno.h>

#include "proto/base/alloc.h"
#include "proto/base/buffer.h"
#include "proto/base/error.h"

static const char *hub_variable(const PlacesFacts *facts, const char *name)
{
        const char *value = facts->variable ? facts->variable(name) : NULL;

        return value && *value ? value : NULL;
}

static int append(Buffer *buffer, const char *text)
{
        return buffer_append(buffer, text, strlen(text));
}

/* "$NAME" or "${NAME}" at the front: the size of it, and of the name; 0: none. */
static size_t reference_size(const char *text, size_t *ret_name)
{
        size_t brace = text[1] == '{', n = 0;

        while (isalnum((unsigned char)text[1 + brace + n]) || text[1 + brace + n] == '_')
                n++;
        *ret_name = n;
        if (!n || (brace && text[2 + n] != '}'))
                return 0;
        return 1 + n + 2 * brace;
}

/* Appends what the reference stands for; as in Python it stays as it is where
 * the variable is not set. */
static int expand_reference(const PlacesFacts *facts, const char *text, size_t size, size_t n_name, Buffer *buffer)
{
        CLEANUP_ALLOC char *name = alloc_text(text + 1 + (text[1] == '{'), n_name);
        const char *value;

        if (!name)
                return error_trace(-ENOMEM);
        value = facts->variable ? facts->variable(name) : NULL;
        return value ? append(buffer, value) : buffer_append(buffer, text, size);
}

/* A "~" at the front, and variables. */
static int expand(const PlacesFacts *facts, const char *text, Buffer *buffer)
{
        int r = 0;

        if (text[0] == '~' && (!text[1] || text[1] == '/') && facts->home) {
                r = append(buffer, facts->home);
                text++;
        }
        while (r == 0 && *text) {
                size_t n_name = 0, size = *text == '$' ? reference_size(text, &n_name) : 0;

                r = size ? expand_reference(facts, text, size, n_name, buffer) : buffer_append(buffer, text, 1);
                text += size ? size : 1;
        }
        return r;
}

/* Puts the folder that the process is in before a relative path. A path that
 * is too long, or relative to nothing, is none. */
static int make_absolute(const PlacesFacts *facts, Text path, char **ret_path)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        int r = 0;

        if (path.size && path.data[0] != '/') {
                if (!facts->folder[0])
                        return 0;
                r = append(&buffer, facts->folder);
                if (r == 0)
                        r = append(&buffer, "/");
        }
        if (r == 0)
                r = buffer_append(&buffer, path.data, path.size);
        if (r < 0)
                return error_trace(r);
        if (!buffer.size || buffer.size > LIMIT_PATH)
                return 0;
        *ret_path = alloc_text((const char *)buffer.data, buffer.size);
        return *ret_path ? 0 : error_trace(-ENOMEM);
}

/* The folder or file that a variable names. */
static int hub_expanded(const PlacesFacts *facts, const char *value, char **ret_path)
{
        CLEANUP_BUFFER Buffer buffer = BUFFER_NULL;
        int r = expand(facts, value, &buffer);

        return r < 0 ? error_trace(r) : make_absolute(facts, buffer_text(&buffer), ret_path);
}

static int hub_join(const char *folder, const char *name, char **ret_path)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Text path;

        if (!folder)
                return 0;
        path = arena_format(&arena, "%s/%s", folder, name);
        if (!path.data)
                return error_trace(-ENOMEM);
        *ret_path = alloc_text(path.data, path.size);
        return *ret_path ? 0 : error_trace(-ENOMEM);
}

static int hub_home(const PlacesFacts *facts, char **ret_home)
{
        const char *home = hub_variable(facts, "HF_HOME");

        if (home)
                return hub_expanded(facts, home, ret_home);
        if (facts->xdg_cache_home && facts->xdg_cache_home[0] == '/')
                return hub_join(facts->xdg_cache_home, "huggingface", ret_home);
        return facts->home && facts->home[0] == '/' ? hub_join(facts->home, ".cache/huggingface", ret_home) : 0;
}

static int hub_cache(const PlacesFacts *facts, const char *home, char **ret_cache)
{
        const char *kernels = hub_variable(facts, "KERNELS_CACHE");
        const char *cache = hub_variable(facts, "HF_HUB_CACHE");

        if (!cache)
                cache = hub_variable(facts, "HUGGINGFACE_HUB_CACHE");
        /* Alone of all this one is not expanded. */
        if (kernels)
                return make_absolute(facts, text_of(kernels), ret_cache);
        return cache ? hub_expanded(facts, cache, ret_cache) : hub_join(home, "hub", ret_cache);
}

int hub_places(const PlacesFacts *facts, char **ret_cache, char **ret_token)
{
        CLEANUP_ALLOC char *home = NULL;
        const char *token = hub_variable(facts, "HF_TOKEN_PATH");
        int r = 0;

        if (!facts->config_dir)
                r = hub_home(facts, &home);
        if (r == 0 && !facts->config_dir)
                r = hub_cache(facts, home, ret_cache);
        if (r == 0)
                r = token ? hub_expanded(facts, token, ret_token) : hub_join(home, "token", ret_token);
        return r;
}
