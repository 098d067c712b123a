/* What the parts of a fetch share. */
#pragma once

#include "kernels/cache_blob.h"
#include "kernels/cache_place.h"
#include "kernels/fetch.h"
#include "kernels/hub_tree.h"
#include "kernels/text_table.h"
#include "proto/base/buffer.h"

/* Files that are loaded at the same time; guess: the transport has eight
 * connections to a host, and each has a megabyte in hand. */
#define FETCH_PARALLEL 8

typedef struct FetchBlob FetchBlob;
typedef struct FetchVariant FetchVariant;
typedef struct FetchStep FetchStep;

/* A call, as the fetch sees it. */
struct FetchStep {
        FetchCall call;
        HubCall kind;
        unsigned n_tried;
        int64_t had;         /* bytes of the file when it was last begun */
        FetchBlob *blob;     /* of a file */
        FetchVariant *variant; /* of a listing */
        Fault refusal;       /* why the sink would not take more */
        Text what;           /* for messages */
        int (*take)(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault);
        FetchStep *next;     /* ready to be made */
};

typedef enum FetchBlobState {
        BLOB_NEW,
        BLOB_BUSY,    /* another process has it */
        BLOB_LOADING,
        BLOB_HASHING, /* it was there: whether it is what its name says */
        BLOB_DONE,
} FetchBlobState;

/* One distinct file, however many names it has. */
struct FetchBlob {
        TableItem item; /* etag, and which digest it is for */
        Text etag;
        Text path;     /* one of its names */
        int64_t size;
        bool sha512;
        FetchBlobState state;
        CacheBlob *blob;
};

typedef struct FetchFile {
        Text path;     /* from the repository's root */
        FetchBlob *blob;
} FetchFile;

typedef enum FetchVariantState {
        VARIANT_UNKNOWN,
        VARIANT_LISTING,   /* its pages are asked for */
        VARIANT_LISTED,
        VARIANT_DESCRIBED, /* its metadata is known, or that it has none */
        VARIANT_WANTED,    /* a target has chosen it: its files are to be fetched */
        VARIANT_PLACED,
} FetchVariantState;

struct FetchVariant {
        Text name;
        FetchVariantState state;
        bool complete;       /* here already */
        Text corrupt;        /* known, or found out */
        HubTree tree;
        FetchFile *files;
        size_t n_files;
        FetchFile *metadata_file; /* NULL: it has none */
        Metadata *metadata;
};

struct Fetch {
        FetchOrder *order;
        FetchResult *result;
        Arena arena;

        Text repo;        /* in hand: the one asked for, then the final one */
        Text revision;    /* absent: not known, the commit is */
        bool fixed;       /* the revision in hand is a commit */
        Text commit;      /* of the repository in hand; absent: to be asked */
        bool has_refs;
        Text branches;    /* that the repository in hand has, for messages */
        bool moved;       /* the redirect was followed */
        bool looked;      /* `root` is whole */
        bool settled;     /* whether it has moved is known, and where to */
        bool listed;      /* what variants there are is known */
        HubTree root;
        FetchFile *status_file; /* kernel-status.toml */

        FetchVariant *variants;
        size_t n_variants;
        size_t n_decided; /* targets that have their variant, or none */
        bool confirmed;   /* there are no others */

        FetchBlob **blobs;
        TextTable blob_table;
        size_t n_begun;   /* the first of them: were begun, or are another's for now */
        size_t n_blobs;
        size_t blobs_capacity;
        size_t n_loading;
        size_t n_done;
        int64_t bytes_done;
        int64_t bytes_total;
        size_t n_placed;

        FetchStep *ready;
        FetchStep *steps_out;  /* made, not yet done: linked by `next` */
        size_t n_out;          /* calls that are not done; n_loading of them for files */
        bool failed;
        int error;        /* negative: ours */
        Fault fault;
};

/* Whether an answer is awaited that decides what comes next: any but a file's. */
static inline bool fetch_is_asking(const Fetch *fetch)
{
        return fetch->n_out > fetch->n_loading;
}

/* fetch_call.c */
typedef int (*FetchTake)(Fetch *fetch, FetchStep *step, const HubReply *reply, Fault *fault);

/* Asks for what is no file; `what` is the repository, or a publisher. FETCH_WAITS; -ENOMEM. */
int fetch_ask(Fetch *fetch, Text url, HubCall kind, FetchTake take, FetchVariant *variant, Text what);
int fetch_ask_file(Fetch *fetch, FetchBlob *blob);
void fetch_fail(Fetch *fetch, int r, const Fault *fault);
void fetch_drop_calls(Fetch *fetch);

/* fetch_find.c: 0 when all is known; FETCH_WAITS; 1; negative. */
int fetch_find_publisher(Fetch *fetch);
int fetch_find_commit(Fetch *fetch, Fault *fault);
int fetch_find_variants(Fetch *fetch, Fault *fault);
int fetch_judge(Fetch *fetch, Fault *fault);

/* fetch_choose.c: the same. */
int fetch_choose(Fetch *fetch, Fault *fault);
int fetch_make_known(const Fetch *fetch, Known **ret_known);
int fetch_set_corrupt(const Fetch *fetch, FetchedTarget *fetched, const FetchVariant *variant);

/* fetch_files.c: the same, and STEP_MORE, FETCH_PAUSES. */
int fetch_add_blob(Fetch *fetch, const HubEntry *entry, bool sha512, FetchBlob **ret_blob);
int fetch_load_blob(Fetch *fetch, FetchBlob *blob, Fault *fault); /* this one alone */
int fetch_load(Fetch *fetch, Fault *fault);
void fetch_forget_blobs(Fetch *fetch);
void fetch_unlock_blobs(Fetch *fetch);

/* fetch_place.c: the same. */
int fetch_place(Fetch *fetch, Fault *fault);
int fetch_place_status(Fetch *fetch, Fault *fault);
int fetch_conclude(Fetch *fetch);
