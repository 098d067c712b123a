#include "daemon/text_array.h"

#include <errno.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

int text_array_set(TextArray *array, const Text *items, size_t n)
{
        CLEANUP(text_array_deinit) TextArray made = TEXT_ARRAY_NULL;
        TextArray old = *array;

        made.items = alloc_zeroed(n + 1, sizeof(*made.items));
        if (!made.items)
                return error_trace(-ENOMEM);
        for (; made.n < n; made.n++) {
                made.items[made.n] = alloc_text(items[made.n].data, items[made.n].size);
                if (!made.items[made.n])
                        return error_trace(-ENOMEM);
        }
        *array = made;
        made = old;
        return 0;
}

int text_array_copy(TextArray *to, const TextArray *from)
{
        CLEANUP_ALLOC Text *items = alloc_zeroed(from->n + 1, sizeof(*items));

        if (!items)
                return error_trace(-ENOMEM);
        for (size_t i = 0; i < from->n; i++)
                items[i] = text_of(from->items[i]);
        return text_array_set(to, items, from->n);
}

bool text_array_equal(const TextArray *a, const TextArray *b)
{
        if (a->n != b->n)
                return false;
        for (size_t i = 0; i < a->n; i++)
                if (strcmp(a->items[i], b->items[i]) != 0)
                        return false;
        return true;
}

void text_array_deinit(TextArray *array)
{
        for (size_t i = 0; i < array->n; i++)
                alloc_free(array->items[i]);
        alloc_free(array->items);
        *array = TEXT_ARRAY_NULL;
}
