/* An administrator's statements that a repository's version or branch means
 * one commit on this host. A set is immutable and counted (atomically: the
 * store's thread, the file thread and the loop hold it). */
#pragma once

#include "kernels/entry.h"

typedef struct Pin {
        Text repo;
        Text revision; /* a branch or a tag; version N is the branch "vN" */
        Text commit;
} Pin;

typedef struct Pins {
        unsigned n_users;
        Arena arena;
        Pin *items; /* by repository, then revision, in byte order */
        size_t n;
} Pins;

/* Room for the branch of a version. */
#define PIN_REVISION 24

/* The branch that a version means, written into `buffer`. */
Text pin_revision(int64_t version, char buffer[static PIN_REVISION]);

/* Copies pins, sorted as in a set and each there once. 0, -ENOMEM. */
int pins_new(const Pin *items, size_t n, Pins **ret_pins);
Pins *pins_ref(Pins *pins);
Pins *pins_unref(Pins *pins);
DEFINE_CLEANUP(Pins *, pins_unref)

/* Whether they say the same; NULL: none. */
bool pins_are_same(const Pins *a, const Pins *b);

/* What is pinned for the reference: NULL, also where it fixes its commit
 * itself. `pins` may be NULL: none. */
const Pin *pins_find(const Pins *pins, const Reference *reference);
