/* What is known of one commit of a Hub repository: its build variants, their
 * metadata, which of them are complete on this host.
 *
 * Immutable and counted (atomically): the file thread makes them, the loop
 * shows them and puts a newer one in the place of an older. */
#pragma once

#include "kernels/repository.h"

typedef struct Known {
        unsigned n_users;
        char *storage;    /* of the texts */
        Text repo;
        Text commit;
        bool listed;      /* `all` are all that the commit has */
        Repository *all;  /* by name in byte order */
        Repository *here; /* the complete ones alone */
} Known;

typedef struct KnownVariant {
        Text name;
        Metadata *metadata; /* counted up where it is taken over; NULL: not known, or none */
        bool complete;
        Text corrupt;       /* absent: not known to be so */
} KnownVariant;

/* Variants in any order, each name once. 0, -ENOMEM. */
int known_new(Text repo, Text commit, bool listed, KnownVariant *variants, size_t n, Known **ret_known);

/* What both know; of what they see differently `newer` is right, but what is
 * complete in either is complete. `older` may be NULL. 0, -ENOMEM. */
int known_merge(const Known *older, const Known *newer, Known **ret_known);

/* The same but for one variant, which is not complete any more; what its own files
 * said of it is forgotten as well. 0, -ENOMEM. */
int known_without(const Known *known, Text name, Known **ret_known);

const RepositoryVariant *known_variant(const Known *known, Text name); /* NULL: no such */

Known *known_ref(Known *known); /* NULL is allowed */
Known *known_unref(Known *known);
DEFINE_CLEANUP(Known *, known_unref)
