/* The ordinary keys in fixstr form are told apart by their type byte, which is
 * their length; the compiler makes each comparison one or two loads. */
#include "proto/resolve_cursor.h"

#include "proto/scan.h"

#define KEY_IS(scan, literal) \
        (scan_left(scan) >= sizeof(literal) && !memcmp((scan)->p + 1, literal, sizeof(literal) - 1))

/* Passes over the key of that spelling (its type byte, then the literal). */
#define KEY_TAKE(scan, literal) (KEY_IS(scan, literal) && ((scan)->p += sizeof(literal)))

#define TYPE_OF(literal) (0xa0 | (sizeof(literal) - 1))

SCAN_INLINE bool read_optional(Scan *scan, OptionalInteger *ret_integer)
{
        if (scan_nil(scan))
                return true;
        ret_integer->present = true;
        return scan_integer(scan, &ret_integer->value);
}

SCAN_INLINE bool read_arch(Scan *scan, Text *ret_arch)
{
        if (scan_nil(scan))
                return true;
        return scan_string(scan, ret_arch) && ret_arch->size <= LIMIT_WORD;
}

/* A key that the schema may not know, and its value. Keys in an unusual form
 * could be known ones: those are left to the decoder. */
static bool skip_pair(Scan *scan)
{
        Text key;

        return scan->p != scan->end && (*scan->p & 0xe0) == 0xa0 && scan_string(scan, &key) && scan_skip(scan);
}

SCAN_INLINE bool read_pair(Scan *scan, MsgQuery *query)
{
        switch (scan->p == scan->end ? 0 : *scan->p) {
        case TYPE_OF("layer"):
                if (KEY_TAKE(scan, "layer"))
                        return scan_string(scan, &query->layer);
                break;
        case TYPE_OF("device"):
                if (KEY_TAKE(scan, "device"))
                        return scan_string(scan, &query->device);
                break;
        case TYPE_OF("capability"):
                if (KEY_TAKE(scan, "capability"))
                        return read_optional(scan, &query->capability);
                break;
        case TYPE_OF("mode"): /* as long as "arch" */
                if (KEY_TAKE(scan, "mode"))
                        return scan_string(scan, &query->mode);
                if (KEY_TAKE(scan, "arch"))
                        return read_arch(scan, &query->arch);
                break;
        default:
                break;
        }
        return skip_pair(scan);
}

SCAN_INLINE bool read_query(Scan *scan, MsgQuery *query)
{
        uint32_t n;

        if (!scan_map(scan, &n))
                return false;
        *query = (MsgQuery){ 0 };
        while (n--)
                if (!read_pair(scan, query))
                        return false;
        return query->layer.data && query->device.data && query->mode.data;
}

static bool read_queries(Scan *scan, MsgQuery *queries, size_t n_queries, MsgResolve *ret)
{
        uint32_t n;

        if (!scan_array(scan, &n) || n > n_queries || n > LIMIT_QUERIES)
                return false;
        for (uint32_t i = 0; i < n; i++)
                if (!read_query(scan, &queries[i]))
                        return false;
        ret->queries.items = queries;
        ret->queries.n = n;
        return true;
}

int resolve_cursor_read(const uint8_t *bytes, size_t size, MsgQuery *queries, size_t n_queries, MsgResolve *ret)
{
        Scan scan = { bytes, bytes + size };
        MsgResolve resolve = { 0 };
        bool view = false, list = false;
        uint32_t n;

        if (!scan_map(&scan, &n))
                return 1;
        while (n--) {
                bool good;

                if (KEY_IS(&scan, "view") && *scan.p == TYPE_OF("view")) {
                        scan.p += sizeof("view");
                        good = view = scan_integer(&scan, &resolve.view);
                } else if (KEY_IS(&scan, "queries") && *scan.p == TYPE_OF("queries")) {
                        scan.p += sizeof("queries");
                        good = list = read_queries(&scan, queries, n_queries, &resolve);
                } else if (KEY_IS(&scan, "fresh")) {
                        good = false; /* rare: the ordinary way reads it */
                } else {
                        good = skip_pair(&scan);
                }
                if (!good)
                        return 1;
        }
        if (!view || !list || scan.p != scan.end)
                return 1;
        *ret = resolve;
        return 0;
}
