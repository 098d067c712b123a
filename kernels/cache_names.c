#include "kernels/cache_names.h"

#include <errno.h>
#include <stdlib.h>

#include "kernels/cache_disk.h"
#include "kernels/cache_listing.h"

int cache_names_absent(int r)
{
        return r == -ENOMEM || r == -EMFILE || r == -ENFILE ? r : 0;
}

int cache_names_add(CacheNames *names, Arena *arena, Text name)
{
        if (names->n == names->capacity) {
                size_t capacity = names->capacity ? 2 * names->capacity : 64;
                Text *items = arena_zeroed(arena, capacity, sizeof(*items));

                if (!items)
                        return -ENOMEM;
                if (names->n)
                        memcpy(items, names->items, names->n * sizeof(*items));
                names->items = items;
                names->capacity = capacity;
        }
        names->items[names->n++] = name;
        return 0;
}

static int by_bytes(const void *a, const void *b)
{
        return text_compare(*(const Text *)a, *(const Text *)b);
}

static int copy_name(CacheNames *names, Arena *arena, Text name)
{
        Text copy;

        return arena_copy(arena, name, &copy) < 0 ? -ENOMEM : cache_names_add(names, arena, copy);
}

int cache_names_list(int at, const char *folder, bool (*fits)(Text name), size_t limit, Arena *arena, CacheNames *names)
{
        CLEANUP(cache_listing_freep) CacheListing *listing = NULL;
        Text name;
        int r;

        *names = (CacheNames){ 0 };
        r = cache_listing_new(at, folder, 0, &listing);
        if (r < 0)
                return cache_names_absent(r);
        while (!r && cache_listing_next(listing, &name) > 0) {
                if (!fits(name))
                        continue;
                names->cut = names->n == limit;
                if (names->cut)
                        break;
                r = copy_name(names, arena, name);
        }
        if (names->n)
                qsort(names->items, names->n, sizeof(*names->items), by_bytes);
        return r;
}
