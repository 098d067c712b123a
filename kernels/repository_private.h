/* What the two ways to make a repository share. */
#pragma once

#include "kernels/repository.h"

/* A repository and what its texts point to: one thing to give back. */
typedef struct RepositoryStore {
        Repository repository; /* first: repository_unref gets from it to the store */
        Arena arena;
} RepositoryStore;

/* Without a name yet, and room for so many variants. */
int repository_new(size_t n_variants, RepositoryStore **ret_store);
void repository_store_freep(RepositoryStore **store);

/* Adds one; metadata absent: the folder has none. A faulty one is kept as the
 * variant's fault. 0, -ENOMEM. */
int repository_add(RepositoryStore *store, Text folder, Text metadata);

/* Adds one whose metadata is parsed already, and counted up here; NULL: none, or
 * not known. 0, -ENOMEM. */
int repository_add_parsed(RepositoryStore *store, Text folder, Metadata *metadata, RepositoryVariant **ret_variant);
