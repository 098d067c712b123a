#include "kernels/hub_url.h"

#include <stdint.h>
#include <strings.h>

#include "proto/name.h"

/* --- making them --- */

static bool is_unreserved(char c)
{
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
               c == '.' || c == '~';
}

/* Percent-encodes all but RFC 3986's unreserved characters and `safe` (0: none). */
static Text escape(Text text, char safe, Arena *arena)
{
        static const char digits[] = "0123456789ABCDEF";
        char *out = arena_bytes(arena, 3 * text.size + 1);
        size_t used = 0;

        if (!out)
                return TEXT_NULL;
        for (size_t i = 0; i < text.size; i++) {
                unsigned char c = (unsigned char)text.data[i];

                if (is_unreserved(text.data[i]) || (safe && text.data[i] == safe)) {
                        out[used++] = text.data[i];
                } else {
                        out[used++] = '%';
                        out[used++] = digits[c >> 4];
                        out[used++] = digits[c & 15];
                }
        }
        return (Text){ out, used };
}

static Text endpoint_base(Text endpoint)
{
        while (endpoint.size && endpoint.data[endpoint.size - 1] == '/')
                endpoint.size--;
        return endpoint;
}

Text hub_url_refs(Text endpoint, Text repo, Arena *arena)
{
        Text base = endpoint_base(endpoint);

        return arena_format(arena, "%.*s/api/kernels/%.*s/refs", TEXT_PRINT(base), TEXT_PRINT(repo));
}

Text hub_url_revision(Text endpoint, Text repo, Text revision, Arena *arena)
{
        Text base = endpoint_base(endpoint), escaped = escape(revision, 0, arena);

        if (!escaped.data)
                return TEXT_NULL;
        return arena_format(arena, "%.*s/api/kernels/%.*s/revision/%.*s", TEXT_PRINT(base), TEXT_PRINT(repo),
                            TEXT_PRINT(escaped));
}

Text hub_url_tree(Text endpoint, Text repo, Text commit, Text folder, bool recursive, Arena *arena)
{
        Text base = endpoint_base(endpoint), escaped = escape(folder, 0, arena);

        if (!escaped.data)
                return TEXT_NULL;
        return arena_format(arena, "%.*s/api/kernels/%.*s/tree/%.*s%s%.*s?recursive=%s&expand=false", TEXT_PRINT(base),
                            TEXT_PRINT(repo), TEXT_PRINT(commit), folder.size ? "/" : "", TEXT_PRINT(escaped),
                            recursive ? "true" : "false");
}

Text hub_url_overview(Text endpoint, Text publisher, Arena *arena)
{
        Text base = endpoint_base(endpoint), escaped = escape(publisher, 0, arena);

        if (!escaped.data)
                return TEXT_NULL;
        return arena_format(arena, "%.*s/api/organizations/%.*s/overview", TEXT_PRINT(base), TEXT_PRINT(escaped));
}

Text hub_url_file(Text endpoint, Text repo, Text commit, Text path, Arena *arena)
{
        Text base = endpoint_base(endpoint), escaped = escape(path, '/', arena);

        if (!escaped.data)
                return TEXT_NULL;
        return arena_format(arena, "%.*s/kernels/%.*s/resolve/%.*s/%.*s", TEXT_PRINT(base), TEXT_PRINT(repo),
                            TEXT_PRINT(commit), TEXT_PRINT(escaped));
}

/* --- looking at them --- */

typedef struct Url {
        bool secure;
        Text user; /* absent: none */
        Text host; /* an IPv6 address with its brackets */
        uint32_t port;
        Text rest; /* from the first of / ? # on */
} Url;

static bool starts_with_word(Text text, Text word)
{
        return text.size >= word.size && strncasecmp(text.data, word.data, word.size) == 0;
}

static Text behind(Text text, size_t n)
{
        return (Text){ text.data + n, text.size - n };
}

/* Printable ASCII without '\\', which some readers of addresses take for '/'. */
static bool is_plain(Text url)
{
        for (size_t i = 0; i < url.size; i++)
                if (url.data[i] <= ' ' || url.data[i] >= 0x7f || url.data[i] == '\\')
                        return false;
        return true;
}

static size_t span_of_host(Text text)
{
        const char *end;
        size_t n = 0;

        if (text.size && text.data[0] == '[') {
                end = memchr(text.data, ']', text.size);
                return end ? (size_t)(end - text.data) + 1 : 0;
        }
        while (n < text.size && is_unreserved(text.data[n]) && text.data[n] != '~')
                n++;
        return n;
}

/* ":8080", ":" or nothing. */
static bool parse_port(Text text, uint32_t default_port, uint32_t *ret_port)
{
        uint32_t port = 0;

        if (text.size && text.data[0] != ':')
                return false;
        if (text.size > 6)
                return false;
        for (size_t i = 1; i < text.size; i++) {
                if (text.data[i] < '0' || text.data[i] > '9')
                        return false;
                port = port * 10 + (uint32_t)(text.data[i] - '0');
        }
        *ret_port = text.size > 1 ? port : default_port;
        return *ret_port > 0 && *ret_port <= 65535;
}

static bool parse_scheme(Text url, bool *ret_secure, Text *ret_behind)
{
        static const Text plain = { "http://", 7 }, secure = { "https://", 8 };

        *ret_secure = starts_with_word(url, secure);
        if (!*ret_secure && !starts_with_word(url, plain))
                return false;
        *ret_behind = behind(url, *ret_secure ? secure.size : plain.size);
        return true;
}

static bool url_parse(Text url, Url *ret_url)
{
        Url parsed = { 0 };
        Text authority;
        const char *at;
        size_t n = 0;

        if (!is_plain(url) || !parse_scheme(url, &parsed.secure, &authority))
                return false;
        while (n < authority.size && !strchr("/?#", authority.data[n]))
                n++;
        parsed.rest = behind(authority, n);
        authority.size = n;
        at = memrchr(authority.data, '@', authority.size);
        if (at) {
                parsed.user = (Text){ authority.data, (size_t)(at - authority.data) };
                authority = behind(authority, parsed.user.size + 1);
        }
        parsed.host = (Text){ authority.data, span_of_host(authority) };
        if (!parsed.host.size || !parse_port(behind(authority, parsed.host.size), parsed.secure ? 443 : 80, &parsed.port))
                return false;
        *ret_url = parsed;
        return true;
}

bool hub_url_same_origin(Text a, Text b)
{
        Url x, y;

        if (!url_parse(a, &x) || !url_parse(b, &y) || x.user.data || y.user.data)
                return false;
        return x.secure == y.secure && x.port == y.port && x.host.size == y.host.size &&
               strncasecmp(x.host.data, y.host.data, x.host.size) == 0;
}

bool hub_url_repo(Text url, Text *ret_repo)
{
        static const char api[] = "/api/kernels/";
        const char *found = url.size ? memmem(url.data, url.size, api, sizeof(api) - 1) : NULL;
        size_t n = 0, n_slashes = 0;
        Fault fault;

        if (!found)
                return false;
        found += sizeof(api) - 1;
        url = (Text){ found, url.size - (size_t)(found - url.data) };
        while (n < url.size && !strchr("?#", url.data[n]) && (url.data[n] != '/' || ++n_slashes < 2))
                n++;
        *ret_repo = (Text){ url.data, n };
        return name_check_repository(*ret_repo, &fault) == 0;
}

int hub_endpoint_check(Text url, Fault *fault)
{
        Text shown = text_cut(url, 200);
        Url parsed;

        if (url.size && memchr(url.data, '@', url.size)) /* it may hold a password, so it is not repeated */
                return fault_set(fault, FAULT_INVALID_NAME, "the Hub's address cannot hold a user or password");
        if (!url_parse(url, &parsed))
                return fault_set(fault, FAULT_INVALID_NAME,
                                 "\"%.*s\" cannot be the Hub's address: write it as https://HOST or http://HOST:PORT",
                                 TEXT_PRINT(shown));
        if (parsed.rest.size && (memchr(parsed.rest.data, '?', parsed.rest.size) ||
                                 memchr(parsed.rest.data, '#', parsed.rest.size)))
                return fault_set(fault, FAULT_INVALID_NAME,
                                 "\"%.*s\" cannot be the Hub's address: it can hold neither '?' nor '#'",
                                 TEXT_PRINT(shown));
        return 0;
}
