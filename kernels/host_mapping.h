/* One generation of the host mapping: what files and administrators say, as an index, and what
 * the daemon has read of the directories that it names.
 *
 * Built on the file thread, handed to the loop as a value, counted (the count
 * is atomic). The index never changes; the repositories of paths and the faults
 * of newer files belong to the loop once it has the mapping. */
#pragma once

#include "kernels/entry.h"
#include "kernels/pins.h"
#include "proto/index_reader.h"

typedef struct HostSource {
        Text name;          /* as answers show it: "file:NAME", "stored" */
        int64_t read_at_s; /* when it was read, on the clock that explain is given */
} HostSource;

typedef struct HostPath {
        Text path;              /* NUL-terminated */
        Repository *repository; /* counted; NULL: could not be read, or not yet */
        Fault *fault;           /* why not; NULL if nothing is known */
} HostPath;

typedef struct HostMapping {
        unsigned n_users;   /* atomic */
        uint64_t generation;
        void *block;
        size_t block_size;
        Index index;
        size_t n_sources;
        int64_t *read_at_s; /* by source */
        size_t n_paths;     /* the distinct paths of references, as the index numbers them */
        HostPath *paths;
        struct HostMapping *hidden; /* what `mapping.list` shows below entries of the same layer, device and range;
                                     * NULL: nothing. No lookup looks in there, and its paths are not read */
        Pins *pins;         /* counted; NULL: none */
        Arena fault_arena;
        MsgMappingFault *faults; /* of newer files than those in force, or of these if none ever were */
        size_t n_faults;
} HostMapping;

/* Entries in the order of index_build; they can be let go afterwards. No
 * entries at all are an empty mapping. 0; 1 with FAULT_LIMIT; -ENOMEM. */
int host_mapping_new(Entry *const *entries, size_t n_entries, const HostSource *sources, size_t n_sources,
                     uint64_t generation, uint64_t key, HostMapping **ret_mapping, Fault *fault);

HostMapping *host_mapping_ref(HostMapping *mapping);
HostMapping *host_mapping_unref(HostMapping *mapping);
DEFINE_CLEANUP(HostMapping *, host_mapping_unref)

/* The pins that hold for it, counted up here; before the loop has it. */
void host_mapping_set_pins(HostMapping *mapping, Pins *pins);

/* Says what path number n is: a repository (counted up here), or NULL and why.
 * 0 or -ENOMEM. */
int host_mapping_set_path(HostMapping *mapping, size_t n, Repository *repository, const Fault *fault);

/* Whether the two say the same, their generations and the times of reading
 * aside: the files, what is stored, the pins, and what was read of the directories. */
bool host_mapping_is_same(const HostMapping *a, const HostMapping *b);

/* Replaces the faults, copying them. 0 or -ENOMEM, which leaves the old ones. */
int host_mapping_set_faults(HostMapping *mapping, const MsgMappingFault *faults, size_t n_faults);

/* A reference of the index, texts pointing into it; false: the index is damaged. */
bool host_mapping_reference(const HostMapping *mapping, const IndexLayer *layer, const IndexReference *encoded,
                            Reference *ret_reference);

/* Every reference that is in force, those of one layer after the other: some come
 * many times. Ends with the first that the function does not answer with 0, and
 * with that. -EINVAL: the index is damaged. */
typedef int HostReferenceFunction(void *data, const Reference *reference);
int host_mapping_each_reference(const HostMapping *mapping, HostReferenceFunction *function, void *data);

/* A page of mapping.list, of at most `limit` entries; none where `after` comes
 * from a larger mapping, whose generation was another. Texts point into the
 * mapping, the rest lies in the arena. 0; 1 with FAULT_BAD_REQUEST for an
 * `after` that no page gives; -ENOMEM. */
int host_mapping_list(const HostMapping *mapping, OptionalInteger after, size_t limit, Arena *arena,
                      MsgMappingListResult *ret_result, Fault *fault);
