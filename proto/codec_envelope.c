#include <errno.h>

#include "proto/codec.h"
#include "proto/pack.h"
#include "proto/scan.h"

/* One value; absent for nil. */
static bool scan_part(Scan *scan, Text *ret_bytes)
{
        const uint8_t *start = scan->p;

        if (scan_nil(scan)) {
                *ret_bytes = TEXT_NULL;
                return true;
        }
        if (!scan_skip(scan))
                return false;
        *ret_bytes = (Text){ (const char *)start, (size_t)(scan->p - start) };
        return true;
}

static bool scan_id(Scan *scan, uint32_t *ret_id)
{
        int64_t id;

        if (!scan_integer(scan, &id) || id < 0 || id > UINT32_MAX)
                return false;
        *ret_id = (uint32_t)id;
        return true;
}

/* The body is the last value, so that its end need not be looked for. */
static bool scan_body(Scan *scan, Text *ret_bytes)
{
        if (!scan_left(scan))
                return false;
        *ret_bytes = (Text){ (const char *)scan->p, scan_left(scan) };
        if (*scan->p == 0xc0)
                *ret_bytes = TEXT_NULL;
        return true;
}

int envelope_parse(const uint8_t *bytes, size_t size, Envelope *ret_envelope, bool *ret_id_known)
{
        Scan scan = { bytes, bytes + size };
        Envelope envelope = { 0 };
        int64_t type;
        uint32_t n;

        *ret_id_known = false;
        if (!scan_array(&scan, &n) || !n || !scan_integer(&scan, &type) || type < 0 || type > 2)
                return 1;
        envelope.type = (int)type;
        if (type != 2) {
                if (n < 2 || !scan_id(&scan, &envelope.id))
                        return 1;
                *ret_id_known = true;
                ret_envelope->type = envelope.type;
                ret_envelope->id = envelope.id;
        }
        if (n != (type == 2 ? 3 : 4))
                return 1;
        if (type == 1 ? !scan_part(&scan, &envelope.error) : !scan_string(&scan, &envelope.method))
                return 1;
        if (!scan_body(&scan, &envelope.body))
                return 1;
        *ret_envelope = envelope;
        return 0;
}

int envelope_write_request(Buffer *buffer, uint32_t id, Text method)
{
        int r = buffer_append(buffer, "\x94\x00", 2);

        if (!r)
                r = pack_integer(buffer, id);
        if (!r)
                r = pack_string(buffer, method);
        return r;
}

int envelope_write_answer(Buffer *buffer, uint32_t id)
{
        int r = buffer_append(buffer, "\x94\x01", 2);

        if (!r)
                r = pack_integer(buffer, id);
        if (!r)
                r = pack_nil(buffer);
        return r;
}

int envelope_write_notification(Buffer *buffer, Text name)
{
        int r = buffer_append(buffer, "\x93\x02", 2);

        return r ? r : pack_string(buffer, name);
}

int envelope_write_error(Buffer *buffer, uint32_t id, const Fault *fault)
{
        Text keys[] = { TEXT("name"), TEXT("message"), TEXT("retry"), TEXT("detail") };
        Value values[] = {
                { .kind = VALUE_STRING, .text = text_of(fault_spelling(fault->name)) },
                { .kind = VALUE_STRING, .text = text_of(fault->message) },
                { .kind = VALUE_BOOL, .boolean = fault_may_retry(fault->name) },
                { .kind = VALUE_NIL },
        };
        Value error = { .kind = VALUE_MAP, .map = { keys, values, ARRAY_SIZE(keys) } };
        int r = buffer_append(buffer, "\x94\x01", 2);

        if (!r)
                r = pack_integer(buffer, id);
        if (!r)
                r = codec_encode_value(&error, buffer);
        if (!r)
                r = pack_nil(buffer);
        return r;
}

static Text value_text(const Value *map, Text key)
{
        for (size_t i = 0; i < map->map.n; i++)
                if (text_equal(map->map.keys[i], key) && map->map.items[i].kind == VALUE_STRING)
                        return map->map.items[i].text;
        return TEXT_NULL;
}

int envelope_parse_error(Text bytes, Arena *arena, Fault *ret_fault)
{
        Value error = { .kind = VALUE_NIL };
        FaultName name;
        Text message;
        int r;

        r = codec_decode_value((const uint8_t *)bytes.data, bytes.size, arena, &error, ret_fault);
        if (r)
                return r;
        if (error.kind != VALUE_MAP || !value_text(&error, TEXT("name")).data)
                return fault_set(ret_fault, FAULT_BAD_REQUEST, "the error of the answer has no name");
        name = fault_parse(value_text(&error, TEXT("name")));
        message = value_text(&error, TEXT("message"));
        fault_set(ret_fault, name ? name : FAULT_INTERNAL, "%.*s", TEXT_PRINT(message));
        return 0;
}
