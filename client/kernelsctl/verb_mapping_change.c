#include <errno.h>
#include <stdio.h>

#include "client/kernelsctl/bytes.h"
#include "client/kernelsctl/change.h"
#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/field.h"
#include "client/kernelsctl/output.h"
#include "client/kernelsctl/query.h"

#define FILE_MAX (256u * 1024 * 1024) /* what the daemon takes of a mapping file */
#define PART_BYTES (3u * 1024 * 1024) /* below what one message to the daemon holds */
#define RESTARTS_MAX 10

static kd_value *bytes_params(const char *data, size_t size)
{
        kd_value *params = kd_value_map();

        if (params && kd_value_set(params, "bytes", kd_value_binary(data, size)) < 0)
                return kd_value_free(params);
        return params;
}

int verb_mapping_store(const Arguments *arguments)
{
        Bytes bytes OWNED(bytes_freep) = { 0 };
        int r = bytes_load(arguments->words[0], FILE_MAX, &bytes);

        return r ? r : change_make(arguments, "mapping-store", "mapping.store", bytes_params(bytes.data, bytes.size));
}

static int set_bound(kd_value *params, const char *key, const char *text)
{
        int64_t bound;

        if (!text)
                return 0;
        if (capability_parse(text, &bound) < 0) {
                fprintf(stderr, "kernelsctl: a capability is a number such as 90 or 9.0; not \"%s\"\n", text);
                return 2;
        }
        return field_set_number(params, key, bound) < 0 ? change_no_memory() : 0;
}

int verb_mapping_remove(const Arguments *arguments)
{
        kd_value *params = kd_value_map();
        int r = params ? 0 : change_no_memory();

        if (!r && (field_set_text(params, "layer", arguments->words[0]) < 0 ||
                   field_set_text(params, "device", arguments->values[OPTION_DEVICE]) < 0))
                r = change_no_memory();
        if (!r)
                r = set_bound(params, "min_capability", arguments->values[OPTION_MIN]);
        if (!r)
                r = set_bound(params, "max_capability", arguments->values[OPTION_MAX]);
        if (r) {
                kd_value_free(params);
                return r;
        }
        return change_make(arguments, "mapping-remove", "mapping.remove", params);
}

/* One part, which changes nothing yet. 0, or the exit status. */
static int part_send(kd_client *client, const Arguments *arguments, const Bytes *bytes, size_t part, bool last)
{
        size_t start = part * PART_BYTES, size = bytes->size - start;
        kd_value *params OWNED(kd_value_freep) = bytes_params(bytes->data + start, last ? size : PART_BYTES);
        kd_value *result OWNED(kd_value_freep) = NULL;
        kd_error error;

        if (!params || field_set_number(params, "part", (int64_t)part) < 0 ||
            kd_value_set(params, "last", kd_value_bool(last)) < 0)
                return change_no_memory();
        if (last)
                return change_call(client, arguments, "mapping-load", "mapping.load", params);
        if (kd_call(client, "mapping.load", params, &result, &error))
                return output_error("mapping-load", arguments_have(arguments, OPTION_JSON), &error);
        return 0;
}

int verb_mapping_load(const Arguments *arguments)
{
        Bytes bytes OWNED(bytes_freep) = { 0 };
        kd_client *client OWNED(kd_closep) = NULL;
        bool last = false;
        kd_error error;
        int r = bytes_load(arguments->words[0], FILE_MAX, &bytes);

        if (r)
                return r;
        if (connect_client(arguments, CONNECT_ADMIN, &client, &error))
                return output_error("mapping-load", arguments_have(arguments, OPTION_JSON), &error);
        for (size_t part = 0; !r && !last; part++) {
                last = bytes.size - part * PART_BYTES <= PART_BYTES;
                r = part_send(client, arguments, &bytes, part, last);
        }
        return r;
}

/* --- dump --- */

/* One page behind *after: what the library returned; *ret_again: what is stored
 * has changed since the page before. */
static int dump_page(kd_client *client, int64_t *after, int64_t *generation, Bytes *bytes, bool *ret_again,
                     kd_error *error)
{
        kd_value *params OWNED(kd_value_freep) = kd_value_map();
        kd_value *result OWNED(kd_value_freep) = NULL;
        const char *data;
        size_t size = 0;
        int r = params && field_set_number(params, "after", *after) == 0 ? 0 : -ENOMEM;

        if (!r)
                r = kd_call(client, "mapping.dump", params, &result, error);
        if (r)
                return r;
        *ret_again = *after > 0 && field_number(result, "generation", 0) != *generation;
        *generation = field_number(result, "generation", 0);
        data = kd_value_as_string(kd_value_get(result, "bytes"), &size);
        *after = field_number(result, "next", -1);
        return bytes_append(bytes, data, size);
}

static int dump(kd_client *client, Bytes *bytes, kd_error *error)
{
        for (int attempt = 0; attempt < RESTARTS_MAX; attempt++) {
                int64_t after = 0, generation = 0;
                bool again = false;

                bytes->size = 0;
                while (after >= 0 && !again) {
                        int r = dump_page(client, &after, &generation, bytes, &again, error);

                        if (r)
                                return r;
                }
                if (!again)
                        return 0;
        }
        *error = (kd_error){ .code = KD_BUSY, .retry = true, .name = "busy" };
        (void)snprintf(error->message, sizeof(error->message),
                       "what is stored changed %d times while it was read; try again", RESTARTS_MAX);
        return KD_BUSY;
}

int verb_mapping_dump(const Arguments *arguments)
{
        Bytes bytes OWNED(bytes_freep) = { 0 };
        kd_client *client OWNED(kd_closep) = NULL;
        kd_value *map OWNED(kd_value_freep) = NULL;
        bool json = arguments_have(arguments, OPTION_JSON);
        kd_error error = { .code = -ENOMEM, .name = "ENOMEM", .message = "this process has no memory left" };
        int r = connect_client(arguments, CONNECT_ADMIN, &client, &error);

        if (!r)
                r = dump(client, &bytes, &error);
        if (r)
                return output_error("mapping-dump", json, &error);
        if (!json)
                return fwrite(bytes.data, 1, bytes.size, stdout) == bytes.size && fflush(stdout) == 0 ? 0 : 1;
        map = kd_value_map();
        if (!map || bytes_append(&bytes, "", 1) < 0 || kd_value_set(map, "text", kd_value_string(bytes.data)) < 0)
                return change_no_memory();
        return output_json("mapping-dump", map);
}
