/* Entries and references of the domain: immutable, counted, one allocation
 * each, texts inside. Made from a mapping file or from a client's message;
 * both ways check every rule here, so that an Entry is always valid. */
#pragma once

#include "proto/base/arena.h"
#include "proto/base/cleanup.h"
#include "proto/device.h"
#include "proto/mode.h"
#include "proto/schema.h"

typedef struct Repository Repository; /* kernels/repository.h */

typedef enum ReferenceKind {
        REFERENCE_VERSION,  /* repo, version */
        REFERENCE_REVISION, /* repo, revision; commit where the revision is one */
        REFERENCE_LOCKED,   /* repo, locked, commit */
        REFERENCE_PATH,     /* path; of the host mapping only */
        REFERENCE_LOCAL,    /* local, number; of views only */
} ReferenceKind;

typedef struct Reference {
        ReferenceKind kind;
        int64_t version;
        uint32_t number;   /* LOCAL: the session's number for it */
        Repository *local; /* LOCAL: counted */
        Text repo;
        Text revision;
        Text locked;       /* the lock file's path */
        Text commit;       /* 40 hex digits where the reference fixes it, else absent */
        Text path;
        Text layer;        /* the layer's name in there; always set */
} Reference;

typedef struct EntryMode {
        Mode mode;
        Reference reference;
} EntryMode;

typedef struct Entry {
        unsigned n_users;
        uint16_t source;       /* number of the file in its set; 0 in a view */
        bool removes;          /* of a file: hides what lies below */
        bool has_range;        /* the device has capabilities */
        bool has_bounds;       /* a bound was given; where not, `removes` means all ranges */
        Device device;         /* DEVICE_NONE: names the layer only */
        CapabilityRange range; /* 0 to CAPABILITY_MAX without a range */
        uint32_t n_bytes;      /* of memory that it takes, local repositories aside */
        Text layer;
        size_t n_modes;        /* distinct modes, in ascending order of their flags */
        EntryMode modes[];
} Entry;

/* What an entry is made from; texts are copied. */
typedef struct EntryDraft {
        Text layer;
        Text device;                 /* absent: none */
        OptionalInteger min, max;
        bool removes;
        uint16_t source;
        const EntryMode *modes;      /* reference.layer absent: the entry's layer */
        size_t n_modes;
} EntryDraft;

/* Checks and makes. 0; 1 with a fault (invalid-name, -device, -range, -mode,
 * bad-request), in upstream's order of precedence for a single entry: range
 * (bounds on an unknown device are bounds on one without capabilities:
 * invalid-range), mode, device, then names; -ENOMEM. Of a list of entries a
 * faulty range or mode anywhere goes before an unknown device: the caller that
 * has invalid-device keeps it and looks at the rest first. */
int entry_new(const EntryDraft *draft, Entry **ret_entry, Fault *fault);

/* From a client's message. `locals` are the request's, by index; number n of
 * the request is number first_local + n of the session. */
int entry_from_message(const MsgEntry *message, Repository *const *locals, size_t n_locals, uint32_t first_local,
                       Entry **ret_entry, Fault *fault);

Entry *entry_ref(Entry *entry);
Entry *entry_unref(Entry *entry);
DEFINE_CLEANUP(Entry *, entry_unref)

/* Entries lie all over the memory: who walks over many fetches the next ones
 * into the cache, first the front alone, then, that being there, the rest. */
static inline void entry_fetch_front(const Entry *entry)
{
        __builtin_prefetch(entry);
        __builtin_prefetch(&entry->n_modes);
}

static inline void entry_fetch(const Entry *entry)
{
        size_t size = entry->n_bytes < 1024 ? entry->n_bytes : 1024;

        for (size_t at = 64; at < size; at += 64)
                __builtin_prefetch((const char *)entry + at);
        __builtin_prefetch((const char *)entry + size - 1);
}

#define ENTRY_NO_MODE UINT8_MAX

/* For each mode that can be asked for, by mode_request_number, which of the
 * entry's modes answers: the first of the chain that it has. */
void entry_answers(const Entry *entry, uint8_t ret_modes[MODE_REQUESTS]);

/* Checks one reference by the rules for its kind: exactly one of version,
 * revision, locked; names by proto/name.h. 0 or 1. */
int reference_check(const Reference *reference, Fault *fault);

/* For people: "org/name version 1", "local:0", "/opt/kernels/x". */
Text reference_describe(const Reference *reference, Arena *arena);

/* As an answer shows it; texts are those of the reference. */
void reference_to_message(const Reference *reference, MsgAnswerReference *ret_message);
