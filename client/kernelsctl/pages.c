#include "client/kernelsctl/pages.h"

#include <errno.h>
#include <stdio.h>

#include "client/kernelsctl/connect.h"
#include "client/kernelsctl/field.h"

#define RESTARTS_MAX 10
#define PAGE_MAX 1000 /* what a page holds of itself */

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

typedef struct Pages {
        const char *method;
        const char *key;
        kd_value *params;
        size_t most;
        int64_t after;      /* -1: the first page */
        int64_t generation; /* of the page before */
} Pages;

static int page_place(const Pages *pages, size_t n)
{
        size_t left = pages->most - n;

        if (kd_value_set(pages->params, "after", pages->after < 0 ? kd_value_nil() : kd_value_integer(pages->after)) < 0)
                return -ENOMEM;
        return kd_value_set(pages->params, "limit", left < PAGE_MAX ? kd_value_integer((int64_t)left) : kd_value_nil());
}

static int page_append(const kd_value *items, size_t most, kd_value *rows)
{
        for (size_t i = 0; i < kd_value_count(items) && kd_value_count(rows) < most; i++)
                if (kd_value_append(rows, value_copy(kd_value_at(items, i))) < 0)
                        return -ENOMEM;
        return 0;
}

/* Fetches one page and appends its rows: a PageAnswer in *ret_answer. */
static int page_fetch(kd_client *client, Pages *pages, kd_value *rows, PageAnswer *ret_answer, kd_error *error)
{
        kd_value *result OWNED(kd_value_freep) = NULL;
        int64_t now;
        int r;

        if (page_place(pages, kd_value_count(rows)) < 0)
                return no_memory(error);
        r = kd_call(client, pages->method, pages->params, &result, error);
        if (r)
                return r;
        now = field_number(result, "generation", 0);
        if (pages->after >= 0 && now != pages->generation) {
                *ret_answer = PAGE_AGAIN;
                return 0;
        }
        pages->generation = now;
        if (page_append(kd_value_get(result, pages->key), pages->most, rows) < 0)
                return no_memory(error);
        pages->after = field_number(result, "next", -1);
        *ret_answer = pages->after < 0 || kd_value_count(rows) >= pages->most ? PAGE_LAST : PAGE_MORE;
        return 0;
}

int pages_collect(kd_client *client, const char *method, const char *key, kd_value *params, size_t most,
                  kd_value **ret_rows, kd_error *error)
{
        for (int attempt = 0; attempt < RESTARTS_MAX; attempt++) {
                kd_value *rows OWNED(kd_value_freep) = kd_value_list();
                Pages pages = { .method = method, .key = key, .params = params, .most = most, .after = -1 };
                PageAnswer answer = PAGE_MORE;

                if (!rows)
                        return no_memory(error);
                while (answer == PAGE_MORE) {
                        int r = page_fetch(client, &pages, rows, &answer, error);

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
                       "what is listed changed %d times meanwhile; try again", RESTARTS_MAX);
        return KD_BUSY;
}
