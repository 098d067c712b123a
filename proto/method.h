/* The methods of protocol 1, in one table. */
#pragma once

#include <stdbool.h>

#include "proto/codec.h"

typedef enum MethodNeeds {
        METHOD_ANY,   /* either socket */
        METHOD_OWN,   /* either socket; own rows only, all on the admin socket */
        METHOD_ADMIN, /* the admin socket, or the one socket of a user's daemon */
} MethodNeeds;

/* constant, name, needs, params, result, idempotent, what it does */
#define METHOD_TABLE(M)                                                                                            \
        M(HELLO, "hello", ANY, Hello, HelloResult, false, "The first request, once, within 5 s. Makes view 1 on view 0.") \
        M(ENVIRONMENT_SET, "environment.set", ANY, EnvironmentSet, Empty, true, "Replaces the session's environment.") \
        M(VIEW_CREATE, "view.create", ANY, ViewCreate, ViewResult, false, "Makes a view.")                         \
        M(VIEW_EXTEND, "view.extend", ANY, ViewExtend, ViewResult, false, "Registers entries in a view; the same layer, device type and range again replaces.") \
        M(VIEW_DROP, "view.drop", ANY, ViewDrop, Empty, false, "Drops a view.")                                    \
        M(RESOLVE, "resolve", ANY, Resolve, ResolveResult, true, "Looks layers up, and says what is known of each kernel, from memory alone.") \
        M(EXPLAIN, "explain", ANY, Explain, ExplainResult, true, "As `resolve` for one query, with every candidate and why it was taken or refused.") \
        M(ACQUIRE, "acquire", ANY, Acquire, AcquireResult, true, "As `resolve` for one query; then checks the kernel and leases it. One descriptor comes with the answer: the variant folder.") \
        M(RELEASE, "release", ANY, Release, Empty, false, "Says that a lease was given back.")                     \
        M(REPORT, "report", ANY, Report, Empty, true, "Says what the client put in place for its layers, or why it kept the original; shown by `clients` and `history` as the client's word, which nobody checks. A row that breaks a rule refuses all.") \
        M(CANCEL, "cancel", ANY, Cancel, Empty, true, "Gives up a request in flight, which is then answered with `cancelled`.") \
        M(STATUS, "status", ANY, Empty, StatusResult, true, "Totals, and what is wrong.")                          \
        M(CLIENTS, "clients", OWN, Page, ClientsResult, true, "Who is connected and holds what.")                  \
        M(MAPPING_LIST, "mapping.list", ADMIN, Page, MappingListResult, true, "The host mapping.") \
        M(MAPPING_STORE, "mapping.store", ADMIN, MappingBytes, ChangeResult, false, "Puts entries into the stored mapping, which lies on top of the files; the same layer, device type and range again replaces. Answered when it is on the disk and in force.") \
        M(MAPPING_REMOVE, "mapping.remove", ADMIN, MappingRemove, ChangeResult, false, "Removes entries from the stored mapping. What a file says is removed there.") \
        M(MAPPING_LOAD, "mapping.load", ADMIN, MappingPart, ChangeResult, false, "Replaces the stored mapping whole; nothing changes before the last part.") \
        M(MAPPING_DUMP, "mapping.dump", ADMIN, Page, MappingDumpResult, true, "The stored mapping as a mapping file; `after` and `limit` are bytes, at most 524,288 at once.") \
        M(PIN_SET, "pin.set", ADMIN, PinSet, ChangeResult, false, "Says which commit a version or a branch of a repository means on this host.") \
        M(PIN_DROP, "pin.drop", ADMIN, PinDrop, ChangeResult, false, "Takes that back.") \
        M(PIN_LIST, "pin.list", ADMIN, Page, PinListResult, true, "The pins.")                                    \
        M(VERSIONS, "versions", ANY, Versions, VersionsResult, true, "The versions, branches and tags of a repository; asks the Hub unless offline.") \
        M(VARIANTS, "variants", ANY, Variants, VariantsResult, true, "The build variants of a repository, and how they suit the session's environment; may ask the Hub.") \
        M(HISTORY, "history", OWN, Page, HistoryResult, true, "What was acquired, changed, and said to be used, by whom; kept for 30 days, at most 100,000 of them, of which at most 10,000 are one uid's reports; of too many the oldest go of the uid that has the most.") \
        M(REFRESH, "refresh", ADMIN, Refresh, FetchedResult, true, "Asks the Hub for newer commits and fetches them for every named environment and every one that uses them.") \
        M(PREFETCH, "prefetch", ADMIN, Prefetch, FetchedResult, true, "Fetches kernels before anybody asks for them.") \
        M(ENVIRONMENT_LIST, "environment.list", ADMIN, Page, EnvironmentListResult, true, "The environments that this host knows.") \
        M(ENVIRONMENT_ADD, "environment.add", ADMIN, EnvironmentAdd, ChangeResult, false, "Stores a named environment, or removes one. Answered when it is on the disk.") \
        M(CACHE_LIST, "cache.list", ADMIN, Page, CacheListResult, true, "The kernels in the cache.") \
        M(CACHE_VERIFY, "cache.verify", ADMIN, CacheVerify, CacheVerifyResult, true, "Hashes the files of kernels in the cache anew.")

typedef enum MethodNumber {
#define M(constant, name, needs, params, result, idempotent, meaning) METHOD_##constant,
        METHOD_TABLE(M)
#undef M
        _METHOD_MAX,
} MethodNumber;

typedef struct Method {
        const char *name;
        MethodNeeds needs;
        const SchemaStruct *params;
        const SchemaStruct *result;
        bool idempotent;
        const char *meaning;
} Method;

extern const Method method_table[_METHOD_MAX];

/* _METHOD_MAX if there is none. */
MethodNumber method_find(Text name);
