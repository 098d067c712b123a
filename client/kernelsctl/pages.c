#include "client/kernelsctl/pages.h"

#include <errno.h>
#include <stdio.h>

#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/field.h"

#define RESTARTS_MAX 10

/* Values of an answer belong to it: rows that outlive it are copied. */
static kd_value *value_copy(const kd_value *value)
{
        kd_value *copy;
        size_t size;
        const char *text;

        switch (kd_value_kind(value)) {
        case KD_NIL:
                return kd_value_nil();
        case KD_BOOL:
                return kd_value_bool(kd_value_as_bool(value));
        case KD_INTEGER:
                return kd_value_integer(kd_value_as_integer(value, 0));
        case KD_STRING:
                return kd_value_string(kd_value_as_string(value, NULL));
        case KD_BINARY:
                text = kd_value_as_string(value, &size);
                return kd_value_binary(text, size);
        case KD_LIST:
                copy = kd_value_list();
                for (size_t i = 0; copy && i < kd_value_count(value); i++)
                        if (kd_value_append(copy, value_copy(kd_value_at(value, i))) < 0)
                                return kd_value_free(copy);
                return copy;
        case KD_MAP:
                copy = kd_value_map();
                for (size_t i = 0; copy && i < kd_value_count(value); i++)
                        if (kd_value_set(copy, kd_value_key(value, i), value_copy(kd_value_at(value, i))) < 0)
                                return kd_value_free(copy);
                return copy;
        }
        return NULL;
}

static int no_memory(kd_error *error)
{
        *error = (kd_error){ .code = -ENOMEM, .name = "ENOMEM", .message = "this process has no memory left for the answer" };
        return -ENOMEM;
}

typedef enum PageAnswer { PAGE_LAST, PAGE_MORE, PAGE_AGAIN } PageAnswer;

/* Fetches one page behind *after and appends its rows: a PageAnswer in
 * *ret_answer. */
static int page_fetch(kd_client *client, const char *method, const char *key, int64_t *after, int64_t *generation,
                      kd_value *rows, PageAnswer *ret_answer, kd_error *error)
{
        kd_value *params OWNED(kd_value_freep) = kd_value_map();
        kd_value *result OWNED(kd_value_freep) = NULL;
        const kd_value *items;
        int64_t now;
        int r;

        if (!params || (*after >= 0 && kd_value_set(params, "after", kd_value_integer(*after)) < 0))
                return no_memory(error);
        r = kd_call(client, method, params, &result, error);
        if (r)
                return r;
        now = field_number(result, "generation", 0);
        if (*after >= 0 && now != *generation) {
                *ret_answer = PAGE_AGAIN;
                return 0;
        }
        *generation = now;
        items = kd_value_get(result, key);
        for (size_t i = 0; i < kd_value_count(items); i++)
                if (kd_value_append(rows, value_copy(kd_value_at(items, i))) < 0)
                        return no_memory(error);
        *after = field_number(result, "next", -1);
        *ret_answer = *after < 0 ? PAGE_LAST : PAGE_MORE;
        return 0;
}

int pages_collect(kd_client *client, const char *method, const char *key, kd_value **ret_rows, kd_error *error)
{
        for (int attempt = 0; attempt < RESTARTS_MAX; attempt++) {
                kd_value *rows OWNED(kd_value_freep) = kd_value_list();
                int64_t after = -1, generation = 0;
                PageAnswer answer = PAGE_MORE;

                if (!rows)
                        return no_memory(error);
                while (answer == PAGE_MORE) {
                        int r = page_fetch(client, method, key, &after, &generation, rows, &answer, error);

                        if (r)
                                return r;
                }
                if (answer == PAGE_AGAIN)
                        continue;
                *ret_rows = rows;
                rows = NULL;
                return 0;
        }
        *error = (kd_error){ .code = KD_BUSY, .retry = true, .name = "busy" };
        (void)snprintf(error->message, sizeof(error->message),
                       "the mapping changed %d times while it was listed; try again", RESTARTS_MAX);
        return KD_BUSY;
}
