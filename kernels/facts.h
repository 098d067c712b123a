/* What the daemon finds out and could find out again, as the store keeps it:
 * values, each the newest of its key. Texts that may be absent say so; all
 * others are there. Times are seconds since 1970 and the caller's. */
#pragma once

#include <stdint.h>

#include "proto/base/arena.h"
#include "proto/base/text.h"

#define FACT_MAX_AGE_S (30 * 24 * 3600)  /* of uses and events (design, section 5) */
#define FACT_MAX_EVENTS 100000           /* (design, section 5) */
#define FACT_MAX_REPORTS 10000           /* events of one uid that say only what he said; guess, of 25 models with 400 layers */
#define FACT_MAX_USES 16                 /* of one domain and revision; guess, who serves more kinds of GPU names environments */
#define FACT_FINGERPRINT 32

typedef enum FactKind {
        FACT_REVISION,
        FACT_LISTING,
        FACT_PUBLISHER,
        FACT_CORRUPT,
        FACT_COMPLETE,
        FACT_RECEIPT,
        FACT_USE,
        FACT_EVENT,
        _FACT_MAX,
} FactKind;

/* What a version or a branch is. Key: repo, revision. */
typedef struct FactRevision {
        Text repo;
        Text revision;
        Text commit;
        Text redirect;     /* the repository that serves it in the end; absent: this one */
        Text final_commit; /* its commit there; absent: it is not redirected */
        bool with_token;   /* it is not to be had anonymously */
        int64_t at_s;
} FactRevision;

/* Key: repo, commit. */
typedef struct FactListing {
        Text repo;
        Text commit;
        Text variants; /* names, '\n' between */
        int64_t at_s;
} FactListing;

/* Key: name. */
typedef struct FactPublisher {
        Text name;
        bool trusted;
        int64_t at_s;
} FactPublisher;

/* Key: repo, commit, variant. */
typedef struct FactCorrupt {
        Text repo;
        Text commit;
        Text variant;
        Text message;
} FactCorrupt;

/* A variant that we fetched whole, which neither digest nor tree can show. Key: all. */
typedef struct FactComplete {
        Text repo;
        Text commit;
        Text variant;
} FactComplete;

/* Files whose digest was checked. Key: path, variant. */
typedef struct FactReceipt {
        Text path;    /* of the snapshot */
        Text variant;
        uint8_t fingerprint[FACT_FINGERPRINT];
        int64_t used_s;
} FactReceipt;

/* Who acquired what. Key: all but at_s; forgotten after FACT_MAX_AGE_S, and of a
 * domain and revision but for the newest FACT_MAX_USES. Read oldest first. */
typedef struct FactUse {
        int64_t domain_uid;
        Text repo;
        Text revision;
        Text environment; /* bytes: MessagePack of the map; may be empty */
        Text device;
        int64_t capability; /* -1: none */
        Text arch;          /* may be absent */
        int64_t at_s;
} FactUse;

/* One line of the history: the newest FACT_MAX_EVENTS, none older than FACT_MAX_AGE_S. */
typedef struct FactEvent {
        int64_t number;  /* rising; given by the store */
        int64_t at_s;
        int64_t uid;
        int64_t pid;
        Text what;       /* "acquire", "pin.set" */
        Text layer;      /* the four may be absent */
        Text repo;
        Text commit;
        Text variant;
        Text outcome;    /* "ok", or the name of the error */
        Text reason;     /* of a report; else absent */
} FactEvent;

typedef struct Fact {
        FactKind kind;
        union {
                FactRevision revision;
                FactListing listing;
                FactPublisher publisher;
                FactCorrupt corrupt;
                FactComplete complete;
                FactReceipt receipt;
                FactUse use;
                FactEvent event;
        };
} Fact;

/* Which events: the newest first. */
typedef struct EventRange {
        bool all;       /* false: of `uid` alone */
        int64_t uid;
        int64_t before; /* numbers below this */
        size_t limit;
} EventRange;

/* Everything that was known at one moment, but for the events. */
typedef struct Facts {
        Arena arena;
        FactRevision *revisions;
        size_t n_revisions;
        FactListing *listings;
        size_t n_listings;
        FactPublisher *publishers;
        size_t n_publishers;
        FactCorrupt *corrupts;
        size_t n_corrupts;
        FactComplete *completes;
        size_t n_completes;
        FactReceipt *receipts;
        size_t n_receipts;
        FactUse *uses;
        size_t n_uses;
} Facts;

int facts_new(Facts **ret_facts);
Facts *facts_free(Facts *facts);
DEFINE_CLEANUP(Facts *, facts_free)

/* A copy whose texts lie in `room`, which has fact_room bytes. */
size_t fact_room(const Fact *fact);
void fact_copy(const Fact *fact, char *room, Fact *ret_copy);

/* --- how a fact is laid out, for those that treat all kinds alike --- */

typedef enum FactColumnKind {
        FACT_COLUMN_TEXT,
        FACT_COLUMN_OPTIONAL, /* a text that may be absent, but is never empty */
        FACT_COLUMN_BYTES,
        FACT_COLUMN_INTEGER,
        FACT_COLUMN_BOOL,
        FACT_COLUMN_FINGERPRINT,
} FactColumnKind;

typedef struct FactColumn {
        FactColumnKind kind;
        size_t offset;
} FactColumn;

typedef struct FactLayout {
        size_t size;
        const FactColumn *columns;
        size_t n_columns;
        size_t items, n_items; /* offsets in Facts; of events there are none */
} FactLayout;

extern const FactLayout fact_layouts[_FACT_MAX];
