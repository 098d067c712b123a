/* What reading a mapping file and gathering a set share. */
#pragma once

#include "kernels/json.h"
#include "kernels/mapping_file.h"

/* Records a fault of the file, if there is still room. 0, -ENOMEM. */
int mapping_set_fault_at(MappingSet *set, Text file, const JsonPath *path, const char *message);
int mapping_set_fault_position(MappingSet *set, Text file, const JsonError *error);
int mapping_set_fault_whole(MappingSet *set, Text file, const char *message);

/* Where a file that is read into a set stands; the set is borrowed, the path too. */
typedef struct MappingPlace {
        MappingSet *set;
        Text path;
} MappingPlace;

/* Records that what stands at `path` breaks a rule. 1; -ENOMEM. */
int mapping_bad(const MappingPlace *place, const JsonPath *path, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* 0: the value is of that kind; else as mapping_bad. */
int mapping_expect(const MappingPlace *place, const JsonValue *value, JsonKind kind, const JsonPath *path);

/* The entry's reference becomes the set's. */
int mapping_set_add_entry(MappingSet *set, Entry *entry);

/* Copies; a path that is there already is not added again. */
int mapping_set_watch(MappingSet *set, Text path);

/* Reads one file into the set, as source `number`, which is there already. 0,
 * with faults or not; negative. */
int mapping_file_read(MappingSet *set, uint16_t number, Text bytes, const MappingReader *reader);
