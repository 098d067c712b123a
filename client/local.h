/* Local repositories that the caller names by path: read here, with the
 * caller's rights; the daemon gets the variants' names and their metadata. */
#pragma once

#include <stdint.h>

#include "client/kernelsd.h"
#include "proto/base/cleanup.h"
#include "proto/schema.h"

typedef struct LocalRepository {
        unsigned n_users; /* atomic */
        char *path;       /* as the caller named it */
        char *base;       /* the folder that holds the variants: path/build, or path */
        size_t n_variants;
        MsgLocalVariant *variants; /* owned texts, by name in byte order */
        size_t n_bytes;   /* of all metadata */
} LocalRepository;

/* Reads it. 0; KD_INVALID_NAME: no absolute path; KD_NO_REPOSITORY: not there;
 * KD_TOO_LARGE: more than the protocol takes; -ENOMEM and others. */
int local_read(const char *path, LocalRepository **ret_local, kd_error *error);
LocalRepository *local_ref(LocalRepository *local);
LocalRepository *local_unref(LocalRepository *local);
DEFINE_CLEANUP(LocalRepository *, local_unref)

/* Those read for one request, each path once. */
typedef struct LocalSet {
        LocalRepository **items; /* counted */
        size_t n;
} LocalSet;

#define LOCAL_SET_NULL ((LocalSet){ 0 })

/* The repository at `path`, read if it is not in the set: *ret_local is the
 * set's. Errors as local_read. */
int local_set_read(LocalSet *set, const char *path, LocalRepository **ret_local, kd_error *error);

/* Adds it (counted) if it is not there; its index. 0 or -ENOMEM. */
int local_set_add(LocalSet *set, LocalRepository *local, size_t *ret_index);
void local_set_deinit(LocalSet *set);

/* Which repository a session's number in an answer means. */
typedef struct LocalNumbers {
        struct LocalNumber { int64_t number; LocalRepository *local; } *items;
        size_t n, capacity;
} LocalNumbers;

#define LOCAL_NUMBERS_NULL ((LocalNumbers){ 0 })

/* The daemon has numbered those of the set from `first` on. 0; -EBADMSG: no
 * numbers that a daemon gives; -ENOMEM. */
int local_numbers_add(LocalNumbers *numbers, int64_t first, const LocalSet *set);

/* Counted, or NULL. */
LocalRepository *local_numbers_find(const LocalNumbers *numbers, int64_t number);

/* Drops those that only the numbers still hold: no view refers to them. */
void local_numbers_sweep(LocalNumbers *numbers);
void local_numbers_clear(LocalNumbers *numbers);
