/* One load of the host mapping, a job of the file thread: reads the files,
 * builds the index, looks at the repositories that it names by path, and finds
 * out what to watch. A value: it shares nothing with the loop. */
#pragma once

#include <stdint.h>

#include "daemon/fault_list.h"
#include "daemon/places.h"
#include "daemon/watch_points.h"
#include "daemon/worker.h"
#include "kernels/host_mapping.h"
#include "kernels/kept_files.h"
#include "kernels/mapping_file.h"
#include "kernels/stored.h"

typedef struct MappingLoad {
        Job job;       /* job.done and `data` are the submitter's */
        void *data;

        Arena arena;   /* holds the folders */
        const char *folders[PLACES_MAX_FOLDERS];
        size_t n_folders;
        uint64_t generation;
        uint64_t key;
        Stored *stored;       /* what lies on top of the files; counted; NULL: nothing */
        bool first;           /* nothing is in force: in the place of faulty files `kept`, or the stored mapping alone */
        KeptFiles *kept;      /* the last good files of an earlier start; counted; NULL: none */
        bool keep;            /* fill in `files` */
        bool is_known;        /* `known` has the digest of files that are kept already */
        uint8_t known[KEPT_DIGEST];

        HostMapping *mapping; /* NULL: what there is has faults; with `first` perhaps one beside the faults */
        bool used_kept;       /* it is made of `kept` */
        KeptFiles *files;     /* what is to be kept now; NULL: nothing new */
        size_t n_scanned;     /* of its paths */
        size_t n_files;
        FaultList faults;
        WatchPoints points;
} MappingLoad;

/* `generation` is what a good set becomes, `key` is the index's hash key. */
int mapping_load_new(const Places *places, uint64_t generation, uint64_t key, MappingLoad **ret_load);
MappingLoad *mapping_load_free(MappingLoad *load);
DEFINE_CLEANUP(MappingLoad *, mapping_load_free)

/* The points for the folders alone, before anything is read. 0, -ENOMEM. */
int mapping_load_watch_folders(MappingLoad *load);
