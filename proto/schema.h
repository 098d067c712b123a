/* The messages of protocol 1, once: from the lists below come the structs, the
 * codec's descriptions of them (proto/codec.h) and the tables of
 * docs/protocol.md.
 *
 * A list gives for each key: kind, name, need, element type, limit, meaning.
 *
 * kind        C type of the member                on the wire
 * BOOL        bool, false if absent               true or false
 * TRISTATE    int8_t: -1 if absent                true, false, nil
 * INTEGER     int64_t                             an integer that fits
 * OPTIONAL    OptionalInteger                     an integer or nil
 * STRING      Text, absent: data NULL             str
 * BINARY      Text, absent: data NULL             bin
 * MAP         struct *, absent: NULL              map
 * LIST        struct { T *items; size_t n; }      array of maps
 * STRINGS     TextList                            array of str
 * TABLE       struct { Text *keys; T *items; size_t n; }  map with free keys to maps
 *
 * need: REQUIRED (there, and not nil) or NILABLE (nil and absence are the
 * same). limit: bytes of a STRING or BINARY, elements of a LIST, STRINGS or
 * TABLE; 0: only the message's own limit. Unknown keys are passed over. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/text.h"
#include "proto/limits.h"

typedef struct OptionalInteger {
        int64_t value;
        bool present;
} OptionalInteger;

#define INTEGER_ABSENT ((OptionalInteger){ 0 })
#define INTEGER_PRESENT(n) ((OptionalInteger){ .value = (n), .present = true })

typedef struct TextList {
        Text *items;
        size_t n;
} TextList;

#define ENVIRONMENT_KEYS(F) \
        F(STRING, torch, NILABLE, _, LIMIT_WORD, "Torch's version, major.minor (\"2.7\"); nil without Torch") \
        F(TRISTATE, cxx11_abi, NILABLE, _, 0, "whether Torch was built with the C++11 ABI") \
        F(STRING, tvm_ffi, NILABLE, _, LIMIT_WORD, "tvm-ffi's version, major.minor") \
        F(STRING, backend, NILABLE, _, LIMIT_WORD, "backend in variant spelling (\"cu128\", \"cpu\")") \
        F(STRING, cpu, NILABLE, _, LIMIT_WORD, "machine name (\"x86_64\")") \
        F(STRING, os, NILABLE, _, LIMIT_WORD, "system name in lower case (\"linux\")") \
        F(STRING, python, NILABLE, _, LIMIT_WORD, "Python's version, major.minor") \
        F(TRISTATE, free_threaded, NILABLE, _, 0, "whether that Python runs without the interpreter lock") \
        F(STRING, glibc, NILABLE, _, LIMIT_WORD, "the C library's version") \
        F(STRING, program, NILABLE, _, LIMIT_WORD, "the program's name, for people")

#define HELLO_KEYS(F) \
        F(INTEGER, protocol, REQUIRED, _, 0, "1") \
        F(STRING, client, REQUIRED, _, LIMIT_WORD, "name and version of the client library or program") \
        F(STRINGS, features, NILABLE, _, 64, "features the client would use; none are defined yet") \
        F(MAP, environment, NILABLE, Environment, 0, "what the client runs with") \
        F(BOOL, native, NILABLE, _, 0, "the client loads native kernels: sets `tvm_ffi` to \"0.1\" where the environment has none") \
        F(STRING, job, NILABLE, _, LIMIT_WORD, "sessions of the same domain that name the same job share the memory of which commit a version had") \
        F(BOOL, offline, NILABLE, _, 0, "nothing is asked of the Hub for this session: what is complete on this host is served, all else fails with `offline`")

#define HELLO_RESULT_KEYS(F) \
        F(INTEGER, protocol, REQUIRED, _, 0, "1") \
        F(STRING, daemon, REQUIRED, _, LIMIT_WORD, "name and version of the daemon") \
        F(INTEGER, uid, REQUIRED, _, 0, "the uid that the daemon runs as") \
        F(STRINGS, features, REQUIRED, _, 64, "features that the daemon offers") \
        F(STRING, instance, REQUIRED, _, LIMIT_WORD, "differs after every start of the daemon") \
        F(INTEGER, session, REQUIRED, _, 0, "this session's number in `clients`") \
        F(INTEGER, generation, REQUIRED, _, 0, "of the host mapping")

#define ENVIRONMENT_SET_KEYS(F) \
        F(MAP, environment, REQUIRED, Environment, 0, "replaces the session's environment") \
        F(BOOL, native, NILABLE, _, 0, "as in `hello`")

#define REFERENCE_KEYS(F) \
        F(STRING, repo, NILABLE, _, LIMIT_REPOSITORY, "`org/name` on the Hub, with exactly one of `version`, `revision`") \
        F(OPTIONAL, version, NILABLE, _, 0, "N, meaning branch vN") \
        F(STRING, revision, NILABLE, _, LIMIT_REVISION, "a branch, a tag or a commit") \
        F(OPTIONAL, local, NILABLE, _, 0, "instead of `repo`: an index into the request's `locals`") \
        F(STRING, layer, NILABLE, _, LIMIT_LAYER, "the layer's name in there; as the entry's where nil")

#define ENTRY_KEYS(F) \
        F(STRING, layer, REQUIRED, _, 0, "the layer") \
        F(STRING, device, NILABLE, _, 0, "device type; nil names the layer without devices") \
        F(OPTIONAL, min_capability, NILABLE, _, 0, "lowest capability; nil: 0") \
        F(OPTIONAL, max_capability, NILABLE, _, 0, "highest capability; nil: no limit") \
        F(TABLE, modes, NILABLE, Reference, 0, "mode to reference; may be empty")

#define LOCAL_VARIANT_KEYS(F) \
        F(STRING, variant, REQUIRED, _, 0, "name of a folder under the repository's `build`") \
        F(BINARY, metadata, NILABLE, _, 0, "bytes of its metadata.json (at most 64 KiB); nil if it has none")

#define LOCAL_KEYS(F) \
        F(LIST, variants, REQUIRED, LocalVariant, 0, "at most 64 of them, 2 MiB of metadata in one request")

#define VIEW_CREATE_KEYS(F) \
        F(INTEGER, view, REQUIRED, _, 0, "a number of the client's choice, 1 to 4294967295, not in use") \
        F(OPTIONAL, parent, NILABLE, _, 0, "0: on the host mapping; nil: on nothing; another view: on the same ground with copies of its entries") \
        F(LIST, entries, NILABLE, Entry, 0, "the view's own entries") \
        F(LIST, locals, NILABLE, Local, 0, "local repositories that `entries` refer to")

#define VIEW_EXTEND_KEYS(F) \
        F(INTEGER, view, REQUIRED, _, 0, "a view of this session; not 0") \
        F(BOOL, inherit, REQUIRED, _, 0, "false first drops the view's own entries and takes it off the host mapping") \
        F(LIST, entries, NILABLE, Entry, 0, "more own entries") \
        F(LIST, locals, NILABLE, Local, 0, "local repositories that `entries` refer to")

#define VIEW_RESULT_KEYS(F) \
        F(INTEGER, entries, REQUIRED, _, 0, "how many own entries the view has now") \
        F(OPTIONAL, first_local, NILABLE, _, 0, "the request's local number i is number first_local + i of the session, which answers name; nil where it sent none")

#define VIEW_DROP_KEYS(F) \
        F(INTEGER, view, REQUIRED, _, 0, "a view of this session; not 0")

#define EMPTY_KEYS(F)

#define QUERY_KEYS(F) \
        F(STRING, layer, REQUIRED, _, 0, "the layer") \
        F(STRING, device, REQUIRED, _, 0, "device type") \
        F(OPTIONAL, capability, NILABLE, _, 0, "of the device, for cuda and rocm: 90 means 9.0") \
        F(STRING, mode, REQUIRED, _, 0, "a mode that holds inference or training") \
        F(STRING, arch, NILABLE, _, LIMIT_WORD, "for rocm: the gfx name, without which archs are not judged")

#define RESOLVE_KEYS(F) \
        F(INTEGER, view, REQUIRED, _, 0, "the view to look in; 0 is the host mapping") \
        F(LIST, queries, REQUIRED, Query, LIMIT_QUERIES, "1 to 1,024 of them") \
        F(BOOL, fresh, NILABLE, _, 0, "the commits of now, not those that the session or its job had")

#define ANSWER_REFERENCE_KEYS(F) \
        F(STRING, repo, NILABLE, _, 0, "`org/name` on the Hub") \
        F(OPTIONAL, version, NILABLE, _, 0, "as the mapping says it") \
        F(STRING, revision, NILABLE, _, 0, "as the mapping says it") \
        F(STRING, locked, NILABLE, _, 0, "the lock file that names the commit") \
        F(STRING, path, NILABLE, _, 0, "a directory of the host mapping") \
        F(OPTIONAL, local, NILABLE, _, 0, "a client's local repository, by the session's number") \
        F(STRING, layer, NILABLE, _, 0, "the layer's name in there")

#define ANSWER_FACT_KEYS(F) \
        F(STRING, layer, NILABLE, _, 0, "as asked for") \
        F(STRING, mode, NILABLE, _, 0, "the mode that matched; `fallback` may be one") \
        F(STRING, source, NILABLE, _, 0, "`file:NAME`, `stored` or `view`") \
        F(OPTIONAL, min, NILABLE, _, 0, "lowest capability of the entry; nil on devices without") \
        F(OPTIONAL, max, NILABLE, _, 0, "highest capability of the entry; nil: no limit") \
        F(MAP, reference, NILABLE, AnswerReference, 0, "what the entry refers to") \
        F(STRING, redirect, NILABLE, _, 0, "the repository that the Hub's redirect of `reference.repo` leads to; nil: none") \
        F(STRING, commit, NILABLE, _, 0, "40 hex digits, or nil") \
        F(OPTIONAL, commit_age_s, NILABLE, _, 0, "seconds since the Hub said so; nil if fixed or not known") \
        F(STRING, variant, NILABLE, _, 0, "the build variant, or nil") \
        F(STRING, arch, NILABLE, _, 0, "`ok` or `unknown`") \
        F(STRING, state, NILABLE, _, 0, "`local`; `ready`: complete on disk; `absent`: would be fetched; `unknown`: the Hub must be asked")

#define ANSWER_KEYS(F) \
        ANSWER_FACT_KEYS(F) \
        F(STRING, name, NILABLE, _, 0, "of an error, instead of all else") \
        F(STRING, message, NILABLE, _, 0, "of an error; at most 256 bytes")

#define RESOLVE_RESULT_KEYS(F) \
        F(INTEGER, generation, REQUIRED, _, 0, "of the host mapping that all answers come from") \
        F(LIST, answers, REQUIRED, Answer, 0, "one for each query, in order; an error is {name, message}")

#define EXPLAIN_KEYS(F) \
        F(INTEGER, view, REQUIRED, _, 0, "the view to look in") \
        F(MAP, query, REQUIRED, Query, 0, "what `resolve` would be asked")

#define TRACE_STEP_KEYS(F) \
        F(STRING, step, REQUIRED, _, 0, "`layer`, `device`, `capability`, `mode`, `reference`, `commit`, `variant`, `arch`, `trust`, `digest` or `signature`") \
        F(STRING, candidate, REQUIRED, _, 0, "what was looked at") \
        F(STRING, verdict, REQUIRED, _, 0, "`taken` or `refused`") \
        F(STRING, reason, REQUIRED, _, 0, "why") \
        F(STRING, source, NILABLE, _, 0, "`file:NAME`, `stored`, `view`, `path:DIRECTORY`, `pin:COMMIT`, `hub`, `cache` or `policy`") \
        F(OPTIONAL, age_s, NILABLE, _, 0, "seconds since that source was read")

#define EXPLAIN_RESULT_KEYS(F) \
        F(INTEGER, generation, REQUIRED, _, 0, "of the host mapping") \
        F(MAP, answer, REQUIRED, Answer, 0, "what `resolve` would answer") \
        F(LIST, trace, REQUIRED, TraceStep, 0, "each candidate at each step, in order")

#define ACQUIRE_KEYS(F) \
        F(OPTIONAL, view, NILABLE, _, 0, "the view to look in; goes with `query`") \
        F(MAP, query, NILABLE, Query, 0, "as for `resolve`; or else `repo`") \
        F(STRING, repo, NILABLE, _, LIMIT_REPOSITORY, "instead of a query: `org/name` on the Hub, with exactly one of `version`, `revision`") \
        F(OPTIONAL, version, NILABLE, _, 0, "N, meaning branch vN") \
        F(STRING, revision, NILABLE, _, LIMIT_REVISION, "a branch, a tag or a commit") \
        F(STRING, device, NILABLE, _, 0, "goes with `repo`: device type; nil: that of the environment's backend, else cpu") \
        F(OPTIONAL, capability, NILABLE, _, 0, "goes with `repo`: of the device") \
        F(STRING, arch, NILABLE, _, LIMIT_WORD, "goes with `repo`: the gfx name") \
        F(BOOL, fresh, NILABLE, _, 0, "asks the Hub which commit it is now, whatever is known") \
        F(BOOL, trust_remote_code, NILABLE, _, 0, "takes the kernel of a publisher whom nobody trusts; lifts no denial") \
        F(OPTIONAL, deadline_ms, NILABLE, _, 0, "give up after this; nil: 600,000")

#define NATIVE_LAYER_KEYS(F) \
        F(STRING, function, REQUIRED, _, 0, "the symbol is __tvm_ffi_<function>") \
        F(STRINGS, arguments, NILABLE, _, 64, "names of the arguments, in order") \
        F(TRISTATE, has_backward, NILABLE, _, 0, "absent: true") \
        F(TRISTATE, can_torch_compile, NILABLE, _, 0, "absent: false")

#define NATIVE_KEYS(F) \
        F(STRING, library, REQUIRED, _, 0, "file in the variant folder") \
        F(TABLE, layers, REQUIRED, NativeLayer, LIMIT_KEYS, "layer to function")

#define ACQUIRE_RESULT_KEYS(F) \
        ANSWER_FACT_KEYS(F) \
        F(INTEGER, generation, REQUIRED, _, 0, "of the host mapping") \
        F(STRING, path, NILABLE, _, 0, "the variant folder as the daemon sees it; nil for a client's own local repository") \
        F(OPTIONAL, lease, NILABLE, _, 0, "for `release`; nil for a client's own local repository") \
        F(STRING, digest, NILABLE, _, 0, "`ok`: the files hash to what metadata.json states; `missing`: it states nothing; nil for a client's own local repository") \
        F(BINARY, metadata, NILABLE, _, 0, "bytes of the kernel's metadata.json") \
        F(MAP, native, NILABLE, Native, 0, "its `native` table, decoded")

#define RELEASE_KEYS(F) \
        F(INTEGER, lease, REQUIRED, _, 0, "from `acquire`")

#define USED_KEYS(F) \
        F(STRING, layer, REQUIRED, _, LIMIT_LAYER, "the layer") \
        F(STRING, device, NILABLE, _, LIMIT_DEVICE, "device type") \
        F(STRING, mode, NILABLE, _, LIMIT_MODE, "the mode that was asked for; it holds inference or training") \
        F(STRING, repo, NILABLE, _, LIMIT_REPOSITORY, "`org/name` on the Hub, or `local:NAME` for a local repository; nil: the original is used, and there is neither commit nor variant") \
        F(STRING, commit, NILABLE, _, LIMIT_WORD, "40 hex digits; nil for a local repository") \
        F(STRING, variant, NILABLE, _, LIMIT_VARIANT, "the build variant") \
        F(STRING, reason, REQUIRED, _, LIMIT_ANSWER_MESSAGE, "why, in the client's words; not empty, without control characters")

#define REPORT_KEYS(F) \
        F(LIST, used, REQUIRED, Used, LIMIT_REPORT, "1 to 1,024 of them; of the same layer and device the later one counts")

#define CANCEL_KEYS(F) \
        F(INTEGER, id, REQUIRED, _, 0, "of the request to give up")

#define PROGRESS_KEYS(F) \
        F(INTEGER, id, REQUIRED, _, 0, "of the request") \
        F(INTEGER, files, REQUIRED, _, 0, "done") \
        F(OPTIONAL, files_total, NILABLE, _, 0, "nil while unknown") \
        F(INTEGER, bytes, REQUIRED, _, 0, "done") \
        F(OPTIONAL, bytes_total, NILABLE, _, 0, "nil while unknown")

#define MAPPING_FAULT_KEYS(F) \
        F(STRING, file, REQUIRED, _, 0, "the file") \
        F(OPTIONAL, line, NILABLE, _, 0, "from 1; nil where a pointer says it") \
        F(OPTIONAL, column, NILABLE, _, 0, "from 1") \
        F(STRING, pointer, NILABLE, _, 0, "JSON pointer") \
        F(STRING, message, REQUIRED, _, 0, "what is wrong and what to do")

#define STATUS_RESULT_KEYS(F) \
        F(STRING, daemon, REQUIRED, _, 0, "name and version") \
        F(INTEGER, uid, REQUIRED, _, 0, "the uid that the daemon runs as") \
        F(BOOL, system, REQUIRED, _, 0, "whether it is the host's") \
        F(STRING, instance, REQUIRED, _, 0, "differs after every start") \
        F(INTEGER, uptime_s, REQUIRED, _, 0, "since the start") \
        F(INTEGER, generation, REQUIRED, _, 0, "of the host mapping") \
        F(INTEGER, layers, REQUIRED, _, 0, "in the host mapping") \
        F(INTEGER, index_bytes, REQUIRED, _, 0, "size of the index") \
        F(BOOL, mapping_ok, REQUIRED, _, 0, "false: the newest files have errors and the last good set is in force") \
        F(LIST, mapping_faults, REQUIRED, MappingFault, 0, "why not; at most 16 of them") \
        F(BOOL, state_ok, REQUIRED, _, 0, "false: what is stored cannot be changed, or some of it was lost") \
        F(STRING, state_message, NILABLE, _, 0, "why not, or what was mended at the start; nil: nothing to tell") \
        F(INTEGER, sessions, REQUIRED, _, 0, "this one included") \
        F(INTEGER, views, REQUIRED, _, 0, "beyond view 1 of each session, which `hello` makes") \
        F(INTEGER, entries, REQUIRED, _, 0, "own entries of all views") \
        F(INTEGER, leases, REQUIRED, _, 0, "of living sessions, not released") \
        F(INTEGER, leases_unlocked, REQUIRED, _, 0, "handed out while a foreign process holds the folder's exclusive lock") \
        F(INTEGER, acquires, REQUIRED, _, 0, "waiting") \
        F(STRING, hub, REQUIRED, _, 0, "where kernels are fetched from") \
        F(BOOL, offline, REQUIRED, _, 0, "the configuration says that nothing is fetched") \
        F(STRING, hub_message, NILABLE, _, 0, "how the last request to the Hub failed; nil: it did not") \
        F(STRING, cache, NILABLE, _, 0, "the folder of the Hub's files; nil: this daemon keeps none, and fetches nothing") \
        F(STRING, cache_message, NILABLE, _, 0, "what is wrong with that folder; nil: nothing") \
        F(INTEGER, kernels, REQUIRED, _, 0, "complete in the cache") \
        F(INTEGER, fetches, REQUIRED, _, 0, "running") \
        F(INTEGER, queued_bytes, REQUIRED, _, 0, "input and output that sessions hold, this request's aside") \
        F(INTEGER, requests, REQUIRED, _, 0, "handled since the start") \
        F(INTEGER, refused, REQUIRED, _, 0, "connections turned away since the start") \
        F(STRINGS, absent, REQUIRED, _, 64, "newer kernel features that were tried and are not there")

#define MAPPING_BYTES_KEYS(F) \
        F(BINARY, bytes, REQUIRED, _, 0, "a mapping in the form of a mapping file")

#define MAPPING_PART_KEYS(F) \
        F(INTEGER, part, REQUIRED, _, 0, "0, then one more each time; 0 begins anew") \
        F(BOOL, last, REQUIRED, _, 0, "the parts, one behind the other, are the mapping file") \
        F(BINARY, bytes, REQUIRED, _, 0, "the next bytes of a mapping file")

#define MAPPING_REMOVE_KEYS(F) \
        F(STRING, layer, REQUIRED, _, 0, "the layer") \
        F(STRING, device, NILABLE, _, 0, "device type; nil: all that is stored for the layer") \
        F(OPTIONAL, min_capability, NILABLE, _, 0, "lowest capability") \
        F(OPTIONAL, max_capability, NILABLE, _, 0, "highest capability; both nil: all ranges of the device")

#define CHANGE_RESULT_KEYS(F) \
        F(INTEGER, changed, REQUIRED, _, 0, "how many entries, pins or environments were set or removed") \
        F(INTEGER, generation, REQUIRED, _, 0, "of the host mapping that is in force now") \
        F(BOOL, in_force, REQUIRED, _, 0, "false: it is kept, but mapping files have errors, and it waits for these to be mended; also after a part that is not the last")

#define MAPPING_DUMP_RESULT_KEYS(F) \
        F(INTEGER, generation, REQUIRED, _, 0, "of what is stored; a page of another one means: begin again") \
        F(BINARY, bytes, REQUIRED, _, 0, "the next bytes of the stored mapping, in the form of a mapping file") \
        F(OPTIONAL, next, NILABLE, _, 0, "for `after`; nil: that was all")

#define PIN_KEYS(F) \
        F(STRING, repo, REQUIRED, _, 0, "`org/name` on the Hub") \
        F(STRING, revision, REQUIRED, _, 0, "a branch or a tag; version N is the branch vN") \
        F(STRING, commit, REQUIRED, _, 0, "what it means on this host: 40 hex digits")

#define PIN_SET_KEYS(F) \
        F(STRING, repo, REQUIRED, _, LIMIT_REPOSITORY, "`org/name` on the Hub, with exactly one of `version`, `revision`") \
        F(OPTIONAL, version, NILABLE, _, 0, "N, meaning branch vN") \
        F(STRING, revision, NILABLE, _, LIMIT_REVISION, "a branch or a tag") \
        F(STRING, commit, REQUIRED, _, 0, "what it shall mean on this host: 40 hex digits")

#define PIN_DROP_KEYS(F) \
        F(STRING, repo, REQUIRED, _, LIMIT_REPOSITORY, "`org/name` on the Hub, with exactly one of `version`, `revision`") \
        F(OPTIONAL, version, NILABLE, _, 0, "N, meaning branch vN") \
        F(STRING, revision, NILABLE, _, LIMIT_REVISION, "a branch or a tag")

#define PIN_LIST_RESULT_KEYS(F) \
        F(INTEGER, generation, REQUIRED, _, 0, "of what is stored; a page of another one means: begin again") \
        F(LIST, pins, REQUIRED, Pin, 0, "sorted by repository, revision") \
        F(OPTIONAL, next, NILABLE, _, 0, "for `after`; nil: that was all")

#define PAGE_KEYS(F) \
        F(OPTIONAL, after, NILABLE, _, 0, "`next` of the page before; nil: the first") \
        F(OPTIONAL, limit, NILABLE, _, 0, "at most so many; nil: 1,000, which is the most")

#define CLIENT_LEASE_KEYS(F) \
        F(INTEGER, lease, REQUIRED, _, 0, "its number in the session") \
        F(STRING, layer, NILABLE, _, 0, "the layer it was acquired for; nil: it was acquired by its repository") \
        F(STRING, kernel, REQUIRED, _, 0, "repository or path") \
        F(STRING, commit, NILABLE, _, 0, "nil for a path") \
        F(STRING, variant, REQUIRED, _, 0, "the build variant")

#define CLIENT_KEYS(F) \
        F(INTEGER, session, REQUIRED, _, 0, "its number") \
        F(INTEGER, pid, REQUIRED, _, 0, "of who connected") \
        F(INTEGER, uid, REQUIRED, _, 0, "of who connected") \
        F(BOOL, admin, REQUIRED, _, 0, "on the admin socket") \
        F(STRING, client, NILABLE, _, 0, "from `hello`") \
        F(INTEGER, age_s, REQUIRED, _, 0, "since it connected") \
        F(INTEGER, requests, REQUIRED, _, 0, "handled") \
        F(INTEGER, views, REQUIRED, _, 0, "beyond view 1") \
        F(INTEGER, entries, REQUIRED, _, 0, "own entries of its views") \
        F(MAP, environment, NILABLE, Environment, 0, "what it said it runs with") \
        F(LIST, leases, REQUIRED, ClientLease, 0, "not released; at most 64 of them") \
        F(INTEGER, n_leases, REQUIRED, _, 0, "how many there are") \
        F(LIST, used, REQUIRED, Used, 0, "what it said in `report`, the newest first; at most 64 of them. Nobody checked it") \
        F(INTEGER, n_used, REQUIRED, _, 0, "how many there are")

#define CLIENTS_RESULT_KEYS(F) \
        F(LIST, clients, REQUIRED, Client, 0, "the asking session too; own uid only, all on the admin socket") \
        F(OPTIONAL, next, NILABLE, _, 0, "for `after`; nil: that was all")

#define MAPPING_ENTRY_KEYS(F) \
        F(STRING, layer, REQUIRED, _, 0, "the layer") \
        F(STRING, device, NILABLE, _, 0, "device type") \
        F(OPTIONAL, min_capability, NILABLE, _, 0, "lowest capability") \
        F(OPTIONAL, max_capability, NILABLE, _, 0, "highest capability; nil: no limit") \
        F(TABLE, modes, REQUIRED, AnswerReference, 0, "mode to reference") \
        F(STRING, source, REQUIRED, _, 0, "`file:NAME` or `stored`") \
        F(BOOL, hidden, NILABLE, _, 0, "another one lies on top of it")

#define MAPPING_LIST_RESULT_KEYS(F) \
        F(INTEGER, generation, REQUIRED, _, 0, "of the host mapping; a page of another generation means: begin again") \
        F(LIST, entries, REQUIRED, MappingEntry, 0, "sorted by layer, device type, range; behind each the one that it hides, if another source names the same layer, device type and range") \
        F(OPTIONAL, next, NILABLE, _, 0, "for `after`; nil: that was all")

#define VERSIONS_KEYS(F) \
        F(STRING, repo, REQUIRED, _, LIMIT_REPOSITORY, "`org/name` on the Hub") \
        F(OPTIONAL, deadline_ms, NILABLE, _, 0, "give up after this; nil: 600,000")

#define REVISION_KEYS(F) \
        F(STRING, revision, REQUIRED, _, 0, "a branch or a tag") \
        F(OPTIONAL, version, NILABLE, _, 0, "N, where it is the branch vN") \
        F(STRING, commit, REQUIRED, _, 0, "what it is") \
        F(BOOL, tag, REQUIRED, _, 0, "a tag, not a branch")

#define VERSIONS_RESULT_KEYS(F) \
        F(LIST, revisions, REQUIRED, Revision, 0, "versions first, rising; then branches, then tags, by name") \
        F(BOOL, asked, REQUIRED, _, 0, "false: what this host knows, as the Hub was not asked")

#define VARIANTS_KEYS(F) \
        F(STRING, repo, REQUIRED, _, LIMIT_REPOSITORY, "`org/name` on the Hub, with exactly one of `version`, `revision`") \
        F(OPTIONAL, version, NILABLE, _, 0, "N, meaning branch vN") \
        F(STRING, revision, NILABLE, _, LIMIT_REVISION, "a branch, a tag or a commit") \
        F(STRING, device, NILABLE, _, 0, "device type; nil: that of the environment's backend, else cpu") \
        F(OPTIONAL, capability, NILABLE, _, 0, "of the device") \
        F(STRING, arch, NILABLE, _, LIMIT_WORD, "the gfx name") \
        F(OPTIONAL, deadline_ms, NILABLE, _, 0, "give up after this; nil: 600,000")

#define VARIANT_KEYS(F) \
        F(STRING, variant, REQUIRED, _, 0, "name of the folder under `build`") \
        F(STRING, state, REQUIRED, _, 0, "`ready` or `absent`") \
        F(STRING, verdict, REQUIRED, _, 0, "`taken`, `accepted` or `refused`, for the session's environment") \
        F(STRING, reason, NILABLE, _, 0, "why it is refused")

#define VARIANTS_RESULT_KEYS(F) \
        F(STRING, commit, REQUIRED, _, 0, "that it stands for now") \
        F(OPTIONAL, commit_age_s, NILABLE, _, 0, "seconds since the Hub said so; nil if fixed") \
        F(STRING, redirect, NILABLE, _, 0, "the repository that the Hub's redirect leads to; nil: none") \
        F(STRING, trust, REQUIRED, _, 0, "`allowed`, `trusted`, `untrusted`, `denied` or `unknown`") \
        F(OPTIONAL, trust_age_s, NILABLE, _, 0, "seconds since the Hub said so") \
        F(LIST, variants, REQUIRED, Variant, LIMIT_VARIANTS, "by name")

#define REFRESH_KEYS(F) \
        F(STRING, repo, NILABLE, _, LIMIT_REPOSITORY, "`org/name` on the Hub; nil: every repository and version that this host knows") \
        F(OPTIONAL, version, NILABLE, _, 0, "N, meaning branch vN; nil with `revision` nil: all that are known") \
        F(STRING, revision, NILABLE, _, LIMIT_REVISION, "a branch or a tag") \
        F(OPTIONAL, deadline_ms, NILABLE, _, 0, "give up after this; nil: 600,000")

#define PREFETCH_KEYS(F) \
        F(STRING, repo, NILABLE, _, LIMIT_REPOSITORY, "`org/name` on the Hub, with exactly one of `version`, `revision`; nil, without `lock` too: all that the host mapping names") \
        F(OPTIONAL, version, NILABLE, _, 0, "N, meaning branch vN") \
        F(STRING, revision, NILABLE, _, LIMIT_REVISION, "a branch, a tag or a commit") \
        F(BINARY, lock, NILABLE, _, LIMIT_LOCK, "instead of `repo`: bytes of a kernels.lock, all of which is fetched at its commits") \
        F(STRING, environment, NILABLE, _, LIMIT_WORD, "name of an environment; nil: the session's if it said one, else every named one") \
        F(STRING, device, NILABLE, _, 0, "device type; nil: that of the environment") \
        F(OPTIONAL, capability, NILABLE, _, 0, "of the device") \
        F(STRING, arch, NILABLE, _, LIMIT_WORD, "the gfx name") \
        F(BOOL, trust_remote_code, NILABLE, _, 0, "as for `acquire`") \
        F(OPTIONAL, deadline_ms, NILABLE, _, 0, "give up after this; nil: 600,000")

#define FETCHED_KEYS(F) \
        F(STRING, repo, REQUIRED, _, 0, "`org/name`") \
        F(STRING, revision, REQUIRED, _, 0, "branch, tag or commit") \
        F(STRING, environment, NILABLE, _, 0, "the name of the environment; nil: a session's") \
        F(STRING, commit, NILABLE, _, 0, "that is in force now") \
        F(STRING, variant, NILABLE, _, 0, "that is complete on disk") \
        F(STRING, name, NILABLE, _, 0, "of an error, instead") \
        F(STRING, message, NILABLE, _, 0, "of an error")

#define FETCHED_RESULT_KEYS(F) \
        F(LIST, fetched, REQUIRED, Fetched, 0, "one for each repository, revision and environment; at most 1,000") \
        F(INTEGER, failed, REQUIRED, _, 0, "how many ended with an error")

#define NAMED_ENVIRONMENT_KEYS(F) \
        F(STRING, name, NILABLE, _, LIMIT_WORD, "its name; nil: seen, not named") \
        F(STRING, source, REQUIRED, _, 0, "`file:NAME`, `stored` or `seen`") \
        F(MAP, environment, REQUIRED, Environment, 0, "what it is") \
        F(STRING, device, NILABLE, _, 0, "device type") \
        F(OPTIONAL, capability, NILABLE, _, 0, "of the device") \
        F(STRING, arch, NILABLE, _, LIMIT_WORD, "the gfx name") \
        F(OPTIONAL, uid, NILABLE, _, 0, "of who was seen with it") \
        F(OPTIONAL, seen_s, NILABLE, _, 0, "seconds since it was last seen")

#define ENVIRONMENT_ADD_KEYS(F) \
        F(STRING, name, REQUIRED, _, LIMIT_WORD, "its name, which replaces one that was stored") \
        F(MAP, environment, NILABLE, Environment, 0, "what it is; nil: it is removed") \
        F(STRING, device, NILABLE, _, 0, "device type; nil: that of the backend") \
        F(OPTIONAL, capability, NILABLE, _, 0, "of the device") \
        F(STRING, arch, NILABLE, _, LIMIT_WORD, "the gfx name")

#define ENVIRONMENT_LIST_RESULT_KEYS(F) \
        F(LIST, environments, REQUIRED, NamedEnvironment, 0, "named ones by name, then seen ones, the latest first") \
        F(OPTIONAL, next, NILABLE, _, 0, "for `after`; nil: that was all")

#define CACHED_KEYS(F) \
        F(STRING, repo, REQUIRED, _, 0, "`org/name`") \
        F(STRING, commit, REQUIRED, _, 0, "the commit") \
        F(STRING, variant, REQUIRED, _, 0, "the build variant") \
        F(STRING, revisions, NILABLE, _, 0, "branches and tags that stand for the commit, \", \" between") \
        F(STRING, digest, REQUIRED, _, 0, "`ok`, `missing`, `corrupt`, or `unchecked`: nobody acquired it since it was found") \
        F(OPTIONAL, used_s, NILABLE, _, 0, "seconds since it was last acquired")

#define CACHE_LIST_RESULT_KEYS(F) \
        F(INTEGER, generation, REQUIRED, _, 0, "of what is known of the cache; a page of another one means: begin again") \
        F(LIST, kernels, REQUIRED, Cached, 0, "complete ones, by repository, commit, variant") \
        F(OPTIONAL, next, NILABLE, _, 0, "for `after`; nil: that was all")

#define CACHE_VERIFY_KEYS(F) \
        F(STRING, repo, NILABLE, _, LIMIT_REPOSITORY, "`org/name`; nil: all") \
        F(OPTIONAL, after, NILABLE, _, 0, "`next` of the page before; nil: the first") \
        F(OPTIONAL, limit, NILABLE, _, 0, "at most so many; nil: 1,000, which is the most") \
        F(OPTIONAL, deadline_ms, NILABLE, _, 0, "give up after this; nil: 600,000")

#define VERIFIED_KEYS(F) \
        F(STRING, repo, REQUIRED, _, 0, "`org/name`") \
        F(STRING, commit, REQUIRED, _, 0, "the commit") \
        F(STRING, variant, REQUIRED, _, 0, "the build variant") \
        F(STRING, digest, REQUIRED, _, 0, "`ok`, `missing` or `corrupt`") \
        F(STRING, message, NILABLE, _, 0, "what is wrong") \
        F(STRING, signature, REQUIRED, _, 0, "`not checked`")

#define CACHE_VERIFY_RESULT_KEYS(F) \
        F(LIST, kernels, REQUIRED, Verified, 0, "by repository, commit, variant") \
        F(INTEGER, failed, REQUIRED, _, 0, "how many are corrupt") \
        F(OPTIONAL, next, NILABLE, _, 0, "for `after`; nil: that was all")

#define EVENT_KEYS(F) \
        F(INTEGER, number, REQUIRED, _, 0, "rising; the newest comes first") \
        F(INTEGER, time_s, REQUIRED, _, 0, "seconds since 1970") \
        F(INTEGER, uid, REQUIRED, _, 0, "of who asked") \
        F(INTEGER, pid, REQUIRED, _, 0, "of who asked") \
        F(STRING, what, REQUIRED, _, 0, "`acquire`; `report`; or a method that changes what is kept") \
        F(STRING, layer, NILABLE, _, 0, "the layer") \
        F(STRING, repo, NILABLE, _, 0, "repository or path") \
        F(STRING, commit, NILABLE, _, 0, "the commit") \
        F(STRING, variant, NILABLE, _, 0, "the build variant") \
        F(STRING, outcome, REQUIRED, _, 0, "`ok`, or the name of the error") \
        F(STRING, reason, NILABLE, _, 0, "of a `report`: in the client's words; the daemon did not check it")

#define HISTORY_RESULT_KEYS(F) \
        F(LIST, events, REQUIRED, Event, 0, "the newest first; own uid only, all on the admin socket") \
        F(OPTIONAL, next, NILABLE, _, 0, "for `after`; nil: that was all")

/* type, title in docs/protocol.md, keys; a type stands after those it uses */
#define SCHEMA_STRUCTS(S) \
        S(Empty, "empty", EMPTY_KEYS) \
        S(Environment, "environment", ENVIRONMENT_KEYS) \
        S(Hello, "hello", HELLO_KEYS) \
        S(HelloResult, "hello, result", HELLO_RESULT_KEYS) \
        S(EnvironmentSet, "environment.set", ENVIRONMENT_SET_KEYS) \
        S(Reference, "reference", REFERENCE_KEYS) \
        S(Entry, "entry", ENTRY_KEYS) \
        S(LocalVariant, "local variant", LOCAL_VARIANT_KEYS) \
        S(Local, "local repository", LOCAL_KEYS) \
        S(ViewCreate, "view.create", VIEW_CREATE_KEYS) \
        S(ViewExtend, "view.extend", VIEW_EXTEND_KEYS) \
        S(ViewResult, "view.create and view.extend, result", VIEW_RESULT_KEYS) \
        S(ViewDrop, "view.drop", VIEW_DROP_KEYS) \
        S(Query, "query", QUERY_KEYS) \
        S(Resolve, "resolve", RESOLVE_KEYS) \
        S(AnswerReference, "reference in an answer", ANSWER_REFERENCE_KEYS) \
        S(Answer, "answer", ANSWER_KEYS) \
        S(ResolveResult, "resolve, result", RESOLVE_RESULT_KEYS) \
        S(Explain, "explain", EXPLAIN_KEYS) \
        S(TraceStep, "step of a trace", TRACE_STEP_KEYS) \
        S(ExplainResult, "explain, result", EXPLAIN_RESULT_KEYS) \
        S(Acquire, "acquire", ACQUIRE_KEYS) \
        S(NativeLayer, "native layer", NATIVE_LAYER_KEYS) \
        S(Native, "native", NATIVE_KEYS) \
        S(AcquireResult, "acquire, result", ACQUIRE_RESULT_KEYS) \
        S(Release, "release", RELEASE_KEYS) \
        S(Used, "what a client says it uses", USED_KEYS) \
        S(Report, "report", REPORT_KEYS) \
        S(Cancel, "cancel", CANCEL_KEYS) \
        S(Progress, "progress", PROGRESS_KEYS) \
        S(MappingFault, "fault in a mapping file", MAPPING_FAULT_KEYS) \
        S(StatusResult, "status, result", STATUS_RESULT_KEYS) \
        S(Page, "clients, history, mapping.list, mapping.dump, pin.list, environment.list and cache.list", PAGE_KEYS) \
        S(ClientLease, "lease of a client", CLIENT_LEASE_KEYS) \
        S(Client, "client", CLIENT_KEYS) \
        S(ClientsResult, "clients, result", CLIENTS_RESULT_KEYS) \
        S(MappingEntry, "entry of mapping.list", MAPPING_ENTRY_KEYS) \
        S(MappingListResult, "mapping.list, result", MAPPING_LIST_RESULT_KEYS) \
        S(MappingBytes, "mapping.store", MAPPING_BYTES_KEYS) \
        S(MappingRemove, "mapping.remove", MAPPING_REMOVE_KEYS) \
        S(MappingPart, "mapping.load", MAPPING_PART_KEYS) \
        S(MappingDumpResult, "mapping.dump, result", MAPPING_DUMP_RESULT_KEYS) \
        S(PinSet, "pin.set", PIN_SET_KEYS) \
        S(PinDrop, "pin.drop", PIN_DROP_KEYS) \
        S(Pin, "pin", PIN_KEYS) \
        S(PinListResult, "pin.list, result", PIN_LIST_RESULT_KEYS) \
        S(Versions, "versions", VERSIONS_KEYS) \
        S(Revision, "revision", REVISION_KEYS) \
        S(VersionsResult, "versions, result", VERSIONS_RESULT_KEYS) \
        S(Variants, "variants", VARIANTS_KEYS) \
        S(Variant, "variant", VARIANT_KEYS) \
        S(VariantsResult, "variants, result", VARIANTS_RESULT_KEYS) \
        S(Refresh, "refresh", REFRESH_KEYS) \
        S(Prefetch, "prefetch", PREFETCH_KEYS) \
        S(Fetched, "what was fetched", FETCHED_KEYS) \
        S(FetchedResult, "refresh and prefetch, result", FETCHED_RESULT_KEYS) \
        S(NamedEnvironment, "named environment", NAMED_ENVIRONMENT_KEYS) \
        S(EnvironmentAdd, "environment.add", ENVIRONMENT_ADD_KEYS) \
        S(EnvironmentListResult, "environment.list, result", ENVIRONMENT_LIST_RESULT_KEYS) \
        S(Cached, "kernel in the cache", CACHED_KEYS) \
        S(CacheListResult, "cache.list, result", CACHE_LIST_RESULT_KEYS) \
        S(CacheVerify, "cache.verify", CACHE_VERIFY_KEYS) \
        S(Verified, "verified kernel", VERIFIED_KEYS) \
        S(CacheVerifyResult, "cache.verify, result", CACHE_VERIFY_RESULT_KEYS) \
        S(Event, "event of history", EVENT_KEYS) \
        S(HistoryResult, "history, result", HISTORY_RESULT_KEYS) \
        S(ChangeResult, "mapping.store, mapping.remove, mapping.load, pin.set, pin.drop and environment.add, result", CHANGE_RESULT_KEYS)

/* Message structs are called Msg<Type>; a list of them Msg<Type>List. */
#define SCHEMA_C_BOOL(name, type) bool name;
#define SCHEMA_C_TRISTATE(name, type) int8_t name;
#define SCHEMA_C_INTEGER(name, type) int64_t name;
#define SCHEMA_C_OPTIONAL(name, type) OptionalInteger name;
#define SCHEMA_C_STRING(name, type) Text name;
#define SCHEMA_C_BINARY(name, type) Text name;
#define SCHEMA_C_MAP(name, type) struct Msg##type *name;
#define SCHEMA_C_LIST(name, type) struct { struct Msg##type *items; size_t n; } name;
#define SCHEMA_C_STRINGS(name, type) TextList name;
#define SCHEMA_C_TABLE(name, type) struct { Text *keys; struct Msg##type *items; size_t n; } name;
#define SCHEMA_MEMBER(kind, name, need, type, limit, meaning) SCHEMA_C_##kind(name, type)
#define SCHEMA_STRUCT(type, title, keys) typedef struct Msg##type { keys(SCHEMA_MEMBER) } Msg##type;

SCHEMA_STRUCTS(SCHEMA_STRUCT)
