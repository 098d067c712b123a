/* Repositories that lie in a directory: their variants and what each states
 * about itself. One named by a client is made from what the client read; one
 * of the host mapping is read here, by the file thread.
 *
 * Immutable and counted; the count is atomic, since the file thread makes them
 * and the loop lets them go. */
#pragma once

#include <sys/types.h>

#include "kernels/arch.h"
#include "kernels/environment.h"
#include "kernels/metadata.h"
#include "kernels/trace.h"
#include "kernels/variant.h"
#include "proto/base/cleanup.h"
#include "proto/fault.h"

typedef struct Repository Repository;

typedef struct RepositoryVariant {
        Text folder;        /* name under build/ */
        bool parsed;        /* false: no variant name; passed over */
        Variant variant;
        Metadata *metadata; /* NULL: the folder has none */
        Fault metadata_fault; /* why it could not be read; FAULT_NONE */
        bool complete;      /* of the Hub: all of its files are on this host */
        Text corrupt;       /* of the Hub: its files are not what its metadata states, and how; absent: not known to be so */
} RepositoryVariant;

struct Repository {
        unsigned n_users;   /* atomic */
        Text name;          /* "local:NAME", NAME from a metadata.json, or the absolute path */
        size_t n_variants;
        RepositoryVariant *variants;
};

/* From a client's message; limits as design section 6. A malformed
 * metadata.json is its variant's fault. 0; 1 with invalid-name or too-large;
 * -ENOMEM. */
int repository_from_message(const MsgLocal *message, Repository **ret_repository, Fault *fault);

/* Opens `path` (absolute), holds the ownership rule of design section 4 on
 * every folder of the resolved path, lists build/ and reads each metadata.json.
 * `owner`: the daemon's uid. 0; 1 with no-repository, untrusted, corrupt,
 * too-large; negative. Blocks: file thread only. */
int repository_scan(const char *path, uid_t owner, Repository **ret_repository, Fault *fault);

/* Whether there are more users than the one who asks. */
bool repository_is_shared(const Repository *repository);

/* Whether two readings of a repository found the same. */
bool repository_is_same(const Repository *a, const Repository *b);

Repository *repository_ref(Repository *repository);
Repository *repository_unref(Repository *repository);
DEFINE_CLEANUP(Repository *, repository_unref)

/* Chooses the variant: acceptance and preference, then the arch gate, a refused
 * one giving way to the next, as does one whose metadata is faulty. Pure. 0 with
 * the number and verdict; 1 with no-variant or arch, or, where only faulty ones
 * fit, with the fault of the best (corrupt, untrusted); the message lists the
 * variants and why not. -ENOMEM. */
int repository_choose(const Repository *repository, const Environment *environment, Device device,
                      OptionalInteger capability, Text gfx, Trace *trace, size_t *ret_variant,
                      ArchVerdict *ret_arch, Fault *fault);
