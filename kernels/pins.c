#include "kernels/pins.h"

#include <errno.h>
#include <stdio.h>

#include "proto/base/alloc.h"
#include "proto/base/error.h"

Text pin_revision(int64_t version, char buffer[static PIN_REVISION])
{
        char *at = buffer + PIN_REVISION;
        uint64_t rest = version < 0 ? 0 : (uint64_t)version;

        /* Not snprintf: for each query of a batch it took a fifth of all time. */
        do
                *--at = (char)('0' + rest % 10);
        while (rest /= 10);
        *--at = 'v';
        return (Text){ at, (size_t)(buffer + PIN_REVISION - at) };
}

static Pins *pins_free(Pins *pins)
{
        arena_deinit(&pins->arena);
        alloc_free(pins);
        return NULL;
}

Pins *pins_ref(Pins *pins)
{
        if (pins)
                (void)__atomic_add_fetch(&pins->n_users, 1, __ATOMIC_RELAXED);
        return pins;
}

Pins *pins_unref(Pins *pins)
{
        if (pins && !__atomic_sub_fetch(&pins->n_users, 1, __ATOMIC_ACQ_REL))
                (void)pins_free(pins);
        return NULL;
}

int pins_new(const Pin *items, size_t n, Pins **ret_pins)
{
        CLEANUP(pins_unrefp) Pins *pins = alloc_zeroed(1, sizeof(*pins));

        if (!pins)
                return error_trace(-ENOMEM);
        pins->n_users = 1;
        pins->items = arena_zeroed(&pins->arena, n + 1, sizeof(*pins->items));
        if (!pins->items)
                return error_trace(-ENOMEM);
        for (; pins->n < n; pins->n++)
                if (arena_copy(&pins->arena, items[pins->n].repo, &pins->items[pins->n].repo) < 0 ||
                    arena_copy(&pins->arena, items[pins->n].revision, &pins->items[pins->n].revision) < 0 ||
                    arena_copy(&pins->arena, items[pins->n].commit, &pins->items[pins->n].commit) < 0)
                        return error_trace(-ENOMEM);
        *ret_pins = STEAL(pins);
        return 0;
}

bool pins_are_same(const Pins *a, const Pins *b)
{
        size_t n = a ? a->n : 0;

        if (n != (b ? b->n : 0))
                return false;
        for (size_t i = 0; i < n; i++)
                if (!text_equal(a->items[i].repo, b->items[i].repo) ||
                    !text_equal(a->items[i].revision, b->items[i].revision) ||
                    !text_equal(a->items[i].commit, b->items[i].commit))
                        return false;
        return true;
}

static const Pin *find(const Pins *pins, Text repo, Text revision)
{
        size_t low = 0, high = pins->n;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                const Pin *pin = &pins->items[middle];
                int order = text_compare(pin->repo, repo);

                if (!order)
                        order = text_compare(pin->revision, revision);
                if (!order)
                        return pin;
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

const Pin *pins_find(const Pins *pins, const Reference *reference)
{
        char buffer[PIN_REVISION];

        if (!pins || !pins->n || reference->commit.data)
                return NULL;
        if (reference->kind == REFERENCE_VERSION)
                return find(pins, reference->repo, pin_revision(reference->version, buffer));
        return reference->kind == REFERENCE_REVISION ? find(pins, reference->repo, reference->revision) : NULL;
}
