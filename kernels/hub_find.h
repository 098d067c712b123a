/* Where a reference to a Hub repository leads, by what is known on this host:
 * which commit, which variant, and whether it is here. */
#pragma once

#include "kernels/entry.h"
#include "kernels/pins.h"
#include "kernels/resolve.h"

/* What a reference asks the Hub for. */
typedef struct HubName {
        Text repo;
        Text revision; /* "v12", a branch or a tag; the commit itself where it is fixed */
        bool version;  /* the revision is that of a version */
        bool fixed;    /* the revision is a commit: the reference's own, a lock's or a pin's */
        char storage[PIN_REVISION];
} HubName;

/* The texts are the reference's and the object's own: it must not move. */
void hub_name_init(HubName *name, const Reference *reference);

typedef enum HubState {
        HUB_UNKNOWN, /* the Hub must be asked */
        HUB_ABSENT,  /* the variant is known, and not here */
        HUB_READY,   /* all of it is here */
} HubState;

typedef struct HubFound {
        HubState state;
        Text repo;               /* the repository that the kernel is of */
        Text redirect;           /* the same where it is another than asked for; else absent */
        Text commit;             /* absent: not known */
        OptionalInteger age_s;   /* since the Hub said so; absent: fixed, or not known */
        const Revision *revision; /* NULL: none is known, or what counts is remembered */
        Repository *repository;  /* what was chosen of; NULL: nothing was */
        size_t variant;
        ArchVerdict arch;
} HubFound;

/* From memory alone. 0; 1 with what stands against it (no-variant, arch,
 * corrupt); -ENOMEM. */
int hub_find(const Asker *asker, const HubName *name, const MsgQuery *query, Device device, Trace *trace,
             HubFound *ret_found, Fault *fault);

/* The chosen variant's name; absent while none is chosen. */
Text hub_found_variant(const HubFound *found);

/* "ready", "absent", "unknown" */
Text hub_state_text(HubState state);
