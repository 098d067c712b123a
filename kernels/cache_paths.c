#include "kernels/cache_paths.h"

#include <stdio.h>

#include "proto/name.h"

static const char folder_prefix[] = "kernels--";

int cache_repo_folder(Text repo, char ret_folder[CACHE_REPO_MAX], Fault *fault)
{
        const char *slash;
        int r = name_check_repository(repo, fault);

        if (r)
                return r;
        slash = memchr(repo.data, '/', repo.size);
        (void)snprintf(ret_folder, CACHE_REPO_MAX, "%s%.*s--%.*s", folder_prefix, (int)(slash - repo.data), repo.data,
                       (int)(repo.size - (size_t)(slash - repo.data) - 1), slash + 1);
        return 0;
}

bool cache_repo_parse(Text folder, char ret_repo[LIMIT_REPOSITORY + 1])
{
        Fault fault;
        const char *joint;
        Text rest;
        int n;

        if (!text_starts_with(folder, text_of(folder_prefix)))
                return false;
        rest = (Text){ folder.data + sizeof(folder_prefix) - 1, folder.size - sizeof(folder_prefix) + 1 };
        joint = memmem(rest.data, rest.size, "--", 2);
        if (!joint || rest.size > LIMIT_REPOSITORY + 1)
                return false;
        n = snprintf(ret_repo, LIMIT_REPOSITORY + 1, "%.*s/%.*s", (int)(joint - rest.data), rest.data,
                     (int)(rest.size - (size_t)(joint - rest.data) - 2), joint + 2);
        return n > 0 && name_check_repository((Text){ ret_repo, (size_t)n }, &fault) == 0;
}

static bool is_hex(Text text)
{
        for (size_t i = 0; i < text.size; i++)
                if (!((text.data[i] >= '0' && text.data[i] <= '9') || (text.data[i] >= 'a' && text.data[i] <= 'f')))
                        return false;
        return true;
}

bool cache_is_etag(Text text)
{
        return (text.size == 40 || text.size == CACHE_ETAG_MAX) && is_hex(text);
}

/* Takes ".<8 hex><end>" off the end. */
static bool take_serial(Text *name, Text end)
{
        size_t n = 9 + end.size;
        const char *dot;

        if (name->size <= n || !text_ends_with(*name, end))
                return false;
        dot = name->data + name->size - n;
        name->size -= n;
        return dot[0] == '.' && is_hex((Text){ dot + 1, 8 });
}

bool cache_is_incomplete_blob(Text name, Text *ret_etag)
{
        if (!take_serial(&name, TEXT(".incomplete")) || !cache_is_etag(name))
                return false;
        *ret_etag = name;
        return true;
}

void cache_temporary_name(const char *kind, uint32_t serial, char ret_name[CACHE_TEMPORARY_MAX])
{
        (void)snprintf(ret_name, CACHE_TEMPORARY_MAX, ".%s.%08x.incomplete", kind, serial);
}

bool cache_is_temporary(Text name)
{
        static const char *const kinds[] = { ".tag", ".ref", ".link", ".build", ".probe" };

        if (!take_serial(&name, TEXT(".incomplete")))
                return false;
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
                if (text_equal(name, text_of(kinds[i])))
                        return true;
        return false;
}

bool cache_is_foreign_ref(Text name)
{
        return take_serial(&name, TEXT(".tmp"));
}

Text cache_path_split(Text path, Text *ret_rest)
{
        const char *slash = path.size ? memchr(path.data, '/', path.size) : NULL;
        size_t n = slash ? (size_t)(slash - path.data) : path.size;

        *ret_rest = slash ? (Text){ slash + 1, path.size - n - 1 } : TEXT_NULL;
        return (Text){ path.data, n };
}

bool cache_is_plain_path(Text path)
{
        Text rest = path;

        if (path.size > LIMIT_PATH || !path.size)
                return false;
        for (size_t n = 0; rest.data; n++)
                if (n == LIMIT_CACHE_DEPTH || !name_is_file(cache_path_split(rest, &rest)))
                        return false;
        return true;
}

bool cache_path_variant(Text path, Text *ret_variant, Text *ret_rest)
{
        Text rest, name;

        if (!text_equal(cache_path_split(path, &rest), TEXT("build")) || !rest.data)
                return false;
        name = cache_path_split(rest, &rest);
        if (!rest.data)
                return false;
        *ret_variant = name;
        *ret_rest = rest;
        return true;
}
