/* metadata.json of a build variant: parsed whole, all rules checked, the bytes
 * kept as they came. Immutable and counted (atomically): what is known of a
 * repository is made anew by the file thread while the loop still shows the old. */
#pragma once

#include "kernels/digest.h"
#include "kernels/variant.h"
#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/fault.h"
#include "proto/schema.h"

typedef struct KernelDependency {
        Text repo;
        OptionalInteger version; /* exactly one of these two */
        Text revision;
} KernelDependency;

typedef struct Provenance {
        Text commit;
        int8_t dirty; /* -1: not said */
} Provenance;

typedef struct Metadata {
        unsigned n_users;
        Arena arena;              /* what the texts point to */
        Text bytes;               /* the file */
        Text name;
        Text id;
        int64_t version;
        Text license;
        Text upstream;            /* absent or a git URL, as the next */
        Text source;
        TextList python_depends;
        KernelDependency *kernel_depends;
        size_t n_kernel_depends;
        Backend backend;
        bool has_archs;
        TextList archs;
        Digest *digest;           /* NULL: none stated */
        Text builder_version;     /* absent: no provenance */
        Provenance builder;
        Provenance kernel;
        MsgNative *native;        /* NULL: no native library */
} Metadata;

/* 0; 1 with FAULT_CORRUPT naming the JSON pointer (or line and column where it
 * is no JSON), also above LIMIT_METADATA; -ENOMEM. */
int metadata_parse(Text bytes, Metadata **ret_metadata, Fault *fault);

Metadata *metadata_ref(Metadata *metadata); /* NULL is allowed */
Metadata *metadata_free(Metadata *metadata); /* gives one reference back */
DEFINE_CLEANUP(Metadata *, metadata_free)
