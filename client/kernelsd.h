/* kernelsd.h - ask the host's kernelsd which kernel implements a layer.
 *
 * The library starts no thread, installs no signal handler, prints nothing,
 * never exits and never calls setlocale. Descriptors are close-on-exec. A
 * client may be used from several threads; its lock is never held while it
 * waits for the daemon. After fork the child owns nothing but the leases it
 * inherited: the first call on an inherited client opens a connection of its
 * own and makes the same views there; pending calls are the parent's alone. A
 * child that is forked inside a callback must not return from it.
 *
 * A connection that ends is made again by the next call, with the same views. A
 * call that was cut off is repeated once where that is safe, else it fails with
 * -ECONNRESET.
 *
 * Every function that can fail returns 0, a negative errno (this process or
 * the connection failed), or a positive kd_fault (the daemon's answer is that
 * error). `error` may be NULL; otherwise it is filled in on failure and left
 * alone on success. Out-parameters are written only on success.
 *
 * Texts are NUL-terminated UTF-8. Units are in the names: _ms, _s. */
#ifndef KERNELSD_H
#define KERNELSD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KD_PUBLIC __attribute__((visibility("default")))

/* --- errors --- */

/* The errors that the daemon answers with; kd_fault_name gives the spelling of
 * the protocol ("no-mapping"). Numbers are stable. */
typedef enum kd_fault {
        KD_BAD_REQUEST = 1, KD_UNKNOWN_METHOD, KD_TOO_LARGE, KD_LIMIT, KD_DENIED, KD_PROTOCOL,
        KD_INVALID_MODE, KD_INVALID_DEVICE, KD_INVALID_RANGE, KD_INVALID_NAME,
        KD_NO_MAPPING, KD_NO_DEVICE, KD_NO_CAPABILITY, KD_NO_MODE,
        KD_NO_VARIANT, KD_ARCH, KD_UNTRUSTED, KD_DENIED_BY_POLICY, KD_OFFLINE, KD_CORRUPT,
        KD_NO_REPOSITORY, KD_NO_REVISION, KD_AUTH, KD_GONE, KD_CANCELLED, KD_INTERNAL,
        KD_HUB, KD_RATE_LIMITED, KD_NO_SPACE, KD_BUSY, KD_TIMEOUT
} kd_fault;

typedef struct kd_error {
        int code;            /* what the function returned */
        bool retry;          /* trying the same again may help */
        char name[32];       /* "no-mapping"; "unreachable": a connection that failed; a gate's, as kd_kernelize says;
                                else "ENOMEM" and such */
        char message[1024];  /* what is wrong and what to do; begins in lower case, ends without a full stop */
} kd_error;

/* "no-mapping"; NULL for a number that is no fault. A literal. */
KD_PUBLIC const char *kd_fault_name(int fault);

/* The exit status that kernelsctl uses for a return value: 3 for a negative one. */
KD_PUBLIC int kd_exit_status(int code);

/* "0.1.0". A literal. */
KD_PUBLIC const char *kd_version(void);

/* --- connecting --- */

typedef struct kd_client kd_client;

/* What this process runs with; decides which build variants fit. NULL or -1:
 * not there, or not known. */
typedef struct kd_environment {
        const char *torch;    /* "2.7" */
        int cxx11_abi;        /* 1, 0 or -1 */
        const char *tvm_ffi;  /* "0.1" */
        const char *backend;  /* in variant spelling: "cu128", "cpu" */
        const char *cpu;      /* "x86_64"; NULL: this machine's */
        const char *os;       /* "linux"; NULL: this system's */
        const char *python;   /* "3.11" */
        int free_threaded;    /* 1, 0 or -1 */
        const char *glibc;
        const char *program;  /* for people; NULL: this process's name */
} kd_environment;

#define KD_ENVIRONMENT_INIT { NULL, -1, NULL, NULL, NULL, NULL, NULL, -1, NULL, NULL }

typedef struct kd_options {
        const char *socket;               /* NULL: KERNELSD_SOCKET, the user's, the system's */
        const char *client;               /* name and version of the program; NULL: the library's */
        const kd_environment *environment; /* NULL: cpu and os of this process alone */
        bool native;                      /* this program loads native kernels (kd_native) */
        int timeout_ms;                   /* for a call other than acquire; 0: 5,000 */
        const char *job;                  /* clients of the same user that name the same job get the same commit of a
                                             version, whenever they ask for it; NULL: this client alone remembers */
        int offline;                      /* 1: nothing is asked of the Hub for this client; 0: it may be; -1: as
                                             HF_HUB_OFFLINE says in the environment, else TRANSFORMERS_OFFLINE */
} kd_options;

#define KD_OPTIONS_INIT { NULL, NULL, NULL, false, 0, NULL, -1 }

/* Connects, checks whom the socket belongs to, says hello. options may be
 * NULL. The client is freed with kd_close. -ENOENT, -ECONNREFUSED: no daemon;
 * -EACCES: a server of a foreign uid; KD_PROTOCOL: it speaks another one. */
KD_PUBLIC int kd_connect(const kd_options *options, kd_client **ret_client, kd_error *error);

/* Ends the session: its views are gone; leases that kernels hold stay. Calls of
 * kd_start that are not over are dropped, their kd_done is not called. NULL is
 * allowed; returns NULL. Not while another thread is inside a call. */
KD_PUBLIC kd_client *kd_close(kd_client *client);

/* Replaces the session's environment, also for connections made later.
 * environment NULL: cpu and os of this process alone. Texts are copied.
 * KD_INVALID_NAME, KD_BAD_REQUEST: a value that is not as kd_environment says;
 * then the old one stays. */
KD_PUBLIC int kd_set_environment(kd_client *client, const kd_environment *environment, kd_error *error);

/* What the daemon said in hello; valid until kd_close. */
KD_PUBLIC const char *kd_daemon_version(kd_client *client);

/* --- views --- */

#define KD_VIEW_HOST 0u    /* the host mapping */
#define KD_VIEW_SESSION 1u /* made by the connection, on the host mapping */

/* Where a mapping leads: repo with version (>= 0) or revision, or a local
 * directory that this process reads. */
typedef struct kd_reference {
        const char *mode;      /* "inference", "training|torch_compile", "fallback"… */
        const char *repo;      /* "org/name", or NULL */
        int64_t version;       /* -1: none */
        const char *revision;  /* or NULL */
        const char *local;     /* absolute path of a local repository, or NULL */
        const char *layer;     /* the layer's name in there; NULL: the entry's */
} kd_reference;

typedef struct kd_entry {
        const char *layer;
        const char *device;       /* NULL: names the layer without devices */
        int64_t min_capability;   /* -1: none */
        int64_t max_capability;   /* -1: no limit */
        const kd_reference *references;
        size_t n_references;
} kd_entry;

/* Makes a view on parent: KD_VIEW_HOST, another view (whose own entries are
 * copied, on the same ground), or -1 for nothing. A mapping of any size is
 * sent in parts; either all of it is registered or nothing. */
KD_PUBLIC int kd_view_create(kd_client *client, int64_t parent, const kd_entry *entries, size_t n_entries,
                             uint32_t *ret_view, kd_error *error);

/* Registers entries: the same layer, device and range again replaces. With
 * inherit false the view first loses its own entries and the host mapping. */
KD_PUBLIC int kd_view_extend(kd_client *client, uint32_t view, bool inherit, const kd_entry *entries,
                             size_t n_entries, kd_error *error);

/* Drops a view, which kd_view_create made or KD_VIEW_SESSION is; views made from
 * it stay. KD_BAD_REQUEST: no such view, or KD_VIEW_HOST. */
KD_PUBLIC int kd_view_drop(kd_client *client, uint32_t view, kd_error *error);

/* --- asking --- */

typedef struct kd_query {
        const char *layer;
        const char *device;   /* "cuda" */
        int64_t capability;   /* 90 for 9.0; -1 where it plays no part */
        const char *mode;     /* "inference" */
        const char *arch;     /* rocm: the gfx name, or NULL */
} kd_query;

/* One answer; texts live as long as the kd_answers or kd_kernel they are in.
 * What is absent is NULL or -1. */
typedef struct kd_answer {
        int code;              /* 0, or the kd_fault of this query; then only name and message hold */
        const char *name;
        const char *message;
        const char *layer;
        const char *mode;      /* the mode that matched */
        const char *source;    /* "file:NAME", "view" */
        int64_t min_capability, max_capability;
        const char *repo;
        int64_t version;
        const char *revision;
        const char *locked;
        const char *path;      /* the directory that the host mapping, or this process, named */
        const char *reference_layer;
        const char *redirect;  /* the repository that the Hub's redirect of `repo` leads to */
        const char *commit;
        int64_t commit_age_s;
        const char *variant;
        const char *arch;      /* "ok", "unknown" */
        const char *state;     /* "ready", "absent", "unknown", "local" */
        const char *digest;    /* of kd_acquire and kd_acquire_repository: "ok"; "missing": the kernel states none */
} kd_answer;

typedef struct kd_answers kd_answers;

/* Flags of resolve and acquire. */
#define KD_FRESH 1u             /* the commits of now, not those that the client or its job had */
#define KD_TRUST_REMOTE_CODE 2u /* acquire: takes the kernel of a publisher whom nobody trusts; lifts no denial */

/* Resolves any number of queries, at most 1,024 at a time, which are answered
 * from one generation; every query has its own answer or error, in order. What
 * fails as a whole (no such view, no daemon) is the function's error. flags: 0
 * or KD_FRESH; -EINVAL for others. */
KD_PUBLIC int kd_resolve(kd_client *client, uint32_t view, const kd_query *queries, size_t n_queries, unsigned flags,
                         kd_answers **ret_answers, kd_error *error);

/* How many answers there are; number 0 to count - 1, else NULL; the generation
 * of the last of them. Answers are freed all together (NULL is allowed; returns
 * NULL). */
KD_PUBLIC size_t kd_answers_count(const kd_answers *answers);
KD_PUBLIC const kd_answer *kd_answers_get(const kd_answers *answers, size_t number);
KD_PUBLIC uint64_t kd_answers_generation(const kd_answers *answers);
KD_PUBLIC kd_answers *kd_answers_free(kd_answers *answers);

/* --- kernels --- */

typedef struct kd_kernel kd_kernel;

/* Called while an acquire waits, in the calling thread: when there is news and
 * when a signal came while it waited, at most ten times a second; and once a
 * second in any case, with the numbers known last. Totals are -1 while unknown.
 * Return non-zero to give up: the acquire then returns KD_CANCELLED. */
typedef int (*kd_progress)(void *data, int64_t files, int64_t files_total, int64_t bytes, int64_t bytes_total);

/* Resolves one query, has the kernel fetched where it is not there, and
 * checked, and takes a lease on it: its files stay until kd_kernel_free, in
 * children too. flags: KD_FRESH and KD_TRUST_REMOTE_CODE, or 0; -EINVAL for
 * others. deadline_ms 0: 600,000. */
KD_PUBLIC int kd_acquire(kd_client *client, uint32_t view, const kd_query *query, unsigned flags, int64_t deadline_ms,
                         kd_progress progress, void *data, kd_kernel **ret_kernel, kd_error *error);

/* One kernel that kd_acquire_all asks for. */
typedef struct kd_acquisition {
        kd_query query;     /* as for kd_acquire */
        unsigned flags;     /* as for kd_acquire */
        kd_kernel *kernel;  /* result: the caller's, freed with kd_kernel_free; NULL where it failed */
        kd_error error;     /* result: code 0, or why it failed */
} kd_acquisition;

/* Acquires n kernels at the same time; each has its own result. `progress` gets
 * the sums of all whose progress the daemon has told; a total is -1 while one of
 * theirs is not known. What fails as a whole (a query without its texts, flags,
 * no such view, a connection that cannot be made or is lost twice, no answer in
 * time, no memory, a progress that gives up) is the function's error: then no
 * item has a kernel, leases that were got are given back, and the items' errors
 * mean nothing. */
KD_PUBLIC int kd_acquire_all(kd_client *client, uint32_t view, kd_acquisition *items, size_t n, int64_t deadline_ms,
                             kd_progress progress, void *data, kd_error *error);

/* A kernel by its repository, whatever a mapping says. */
typedef struct kd_repository_query {
        const char *repo;      /* "org/name" */
        int64_t version;       /* >= 0; -1: none, then revision says it */
        const char *revision;  /* a branch, a tag or a commit; or NULL */
        const char *device;    /* "cuda"; NULL: that of the environment's backend */
        int64_t capability;    /* as in kd_query */
        const char *arch;      /* as in kd_query */
} kd_repository_query;

#define KD_REPOSITORY_QUERY_INIT { NULL, -1, NULL, NULL, -1, NULL }

/* As kd_acquire; the answer then has no layer, mode or source. */
KD_PUBLIC int kd_acquire_repository(kd_client *client, const kd_repository_query *query, unsigned flags,
                                    int64_t deadline_ms, kd_progress progress, void *data, kd_kernel **ret_kernel,
                                    kd_error *error);

/* Gives the lease back, unloads what kd_native loaded. NULL is allowed; returns
 * NULL. Also after kd_close. */
KD_PUBLIC kd_kernel *kd_kernel_free(kd_kernel *kernel);

/* What was acquired; lives as long as the kernel. */
KD_PUBLIC const kd_answer *kd_kernel_answer(const kd_kernel *kernel);

/* The variant folder as this process can open it: the path that the daemon
 * named if it leads to the same folder here, else /proc/self/fd/N. */
KD_PUBLIC const char *kd_kernel_path(const kd_kernel *kernel);

/* The lease: a directory descriptor that the kernel owns. */
KD_PUBLIC int kd_kernel_fd(const kd_kernel *kernel);

/* Bytes of metadata.json with a NUL behind them, as long as the kernel lives, or
 * NULL if it has none. ret_size may be NULL. */
KD_PUBLIC const char *kd_kernel_metadata(const kd_kernel *kernel, size_t *ret_size);

/* --- native kernels: functions of the calling convention of tvm-ffi --- */

/* A tensor as DLPack 1.x lays it out; strides NULL means row-major, compact. */
typedef struct kd_tensor {
        void *data;
        struct { int32_t type; int32_t number; } device; /* 1 cpu, 2 cuda */
        int32_t n_dimensions;
        struct { uint8_t code; uint8_t bits; uint16_t lanes; } element; /* code 2 float, 4 bfloat */
        int64_t *shape;
        int64_t *strides;
        uint64_t byte_offset;
} kd_tensor;

/* One argument or result, 16 bytes. type: 0 none, 1 integer, 2 boolean, 3
 * float, 4 pointer, 7 tensor (pointer to kd_tensor). */
typedef struct kd_any {
        int32_t type;
        uint32_t zero;
        union { int64_t integer; double real; void *pointer; kd_tensor *tensor; };
} kd_any;

/* 0, or non-zero on failure. result is initialised to none by the caller. */
typedef int (*kd_forward)(void *self, const kd_any *arguments, int32_t n_arguments, kd_any *result);

/* Loads the library that the kernel's metadata names and finds the function
 * for `layer` (NULL: the layer that was acquired). The function is valid until
 * kd_kernel_free. -ENOENT: the kernel has no native table, or not that layer;
 * -ELIBBAD: the library does not load (the message is the loader's). */
KD_PUBLIC int kd_native(kd_kernel *kernel, const char *layer, kd_forward *ret_function, kd_error *error);

/* What the kernel's metadata states of the layer, for kd_gate_judge: each 1, 0,
 * or -1 for nothing. Errors as kd_native; loads nothing. */
KD_PUBLIC int kd_native_states(const kd_kernel *kernel, const char *layer, int *ret_has_backward,
                               int *ret_can_torch_compile, kd_error *error);

/* --- gates --- */

typedef enum kd_gate {
        KD_GATE_USE_KERNEL, KD_GATE_USE_ORIGINAL, KD_GATE_INVALID_MODE, KD_GATE_NO_MAPPING, KD_GATE_NO_MODE,
        KD_GATE_REGISTERED_MODE_UNSUPPORTED, KD_GATE_REQUESTED_MODE_UNSUPPORTED
} kd_gate;

/* Whether a kernel that was found under mode `registered` (NULL: none was) may
 * be used for `requested`. has_backward and can_torch_compile: 1, 0, or -1 for
 * what the kernel does not state. */
KD_PUBLIC kd_gate kd_gate_judge(const char *requested, const char *registered, int has_backward,
                                int can_torch_compile, bool use_fallback);

/* --- layers --- */

/* A layer of the program's: a function that a kernel's can take the place of. */
typedef struct kd_layer {
        const char *name;          /* as mappings name it */
        kd_forward forward;        /* what the program calls, with `self`: its own function, or the kernel's that
                                      kd_kernelize put in its place */
        void *self;                /* the program's; the library never looks at it */
        int n_arguments;           /* that forward is called with: a kernel that states another number is refused with
                                      -EPROTOTYPE; -1: whatever it states */
        int has_backward;          /* taken for a kernel that states nothing, as kd_gate_judge has it: 1, 0 or -1 */
        int can_torch_compile;
        /* What kd_kernelize leaves; the program only reads it. */
        kd_forward original;       /* what to go back to; NULL: forward is the original */
        kd_kernel *kernel;         /* the kernel in use, shared by all layers that have it; NULL: forward is the original */
        int code;                  /* 0, or for what the original was kept: a kd_fault or a negative errno */
        char reason[256];          /* for people: which kernel, or why none; "" before the first call */
} kd_layer;

#define KD_LAYER_INIT { NULL, NULL, NULL, -1, -1, -1, NULL, NULL, 0, "" }

/* Flags of kd_kernelize, besides KD_FRESH and KD_TRUST_REMOTE_CODE. */
#define KD_USE_FALLBACK 4u        /* keeps the original where the view has nothing for the layer, device, capability or
                                     mode, the kernel cannot be used for the mode that is asked for, or there is no
                                     daemon */
#define KD_USE_FALLBACK_ALWAYS 8u /* the same, and also where the kernel cannot be had or loaded, whatever the reason:
                                     none fits, not trusted, offline, damaged, no native function */

/* Puts in each layer's `forward` the function of the kernel that the view has
 * for it: for `mode` ("inference", never "fallback") on `device`, of which
 * `capability` counts where devices have one, else -1. Either every layer gets
 * its kernel or, where a flag says so, its original, with `code` and `reason`
 * set; or on an error no layer, lease or descriptor is changed.
 *
 * All names are resolved at once; a kernel is acquired once for all layers that
 * lead to it. A layer that had a kernel begins from its original again; the old
 * lease is given back once the new functions are in place. The daemon is told
 * what was put in place.
 *
 * -ENOTSUP, with the gate as the error's name: "requested-mode-unsupported", or
 * "registered-mode-unsupported": the mapping registers the kernel for a mode that
 * it cannot be used for, an error whatever the flags. No flag covers mistakes of
 * the call either (KD_BAD_REQUEST, KD_INVALID_MODE and such, -EINVAL), nor
 * -ENOMEM. client NULL counts as a daemon that is not there, -ENOTCONN: with
 * KD_USE_FALLBACK a program may go on without one. A client must say
 * `native` in kd_options, or no kernel fits that has a native function.
 *
 * Meanwhile no other thread may use the same layers; other layers may be
 * kernelized on the same client at the same time. A child of fork may go on to
 * call its layers: it has inherited the leases; it undoes only its own copy. */
KD_PUBLIC int kd_kernelize(kd_client *client, uint32_t view, kd_layer *layers, size_t n, const char *mode,
                           const char *device, int64_t capability, unsigned flags, kd_error *error);

/* Puts the originals back and gives the leases back: layers are as before the
 * first kd_kernelize. Also after kd_close. A layer that is dropped without it
 * keeps its lease. */
KD_PUBLIC void kd_unkernelize(kd_layer *layers, size_t n);

/* --- who uses what --- */

/* What one layer of this process uses, for `kernelsctl clients` and `history`.
 * Texts NULL where absent. */
typedef struct kd_used {
        const char *layer;
        const char *device;  /* device type */
        const char *mode;    /* the mode asked for */
        const char *repo;    /* "org/name", or "local:NAME" for a folder; NULL: the original is used */
        const char *commit;
        const char *variant;
        const char *reason;  /* one line, at most 256 bytes: why */
} kd_used;

/* Tells the daemon, for a program that puts kernels in place by itself;
 * kd_kernelize does it by itself. Waits for nothing: the daemon's answer is not
 * looked at, and without a connection nothing is told. Rows that the daemon
 * would refuse are left out. */
KD_PUBLIC int kd_report(kd_client *client, const kd_used *used, size_t n, kd_error *error);

/* --- any method, for programs that show what the daemon says --- */

typedef struct kd_value kd_value;

typedef enum kd_kind { KD_NIL, KD_BOOL, KD_INTEGER, KD_STRING, KD_BINARY, KD_LIST, KD_MAP } kd_kind;

/* Makers; NULL without memory. Texts and bytes are copied; a text of NULL makes
 * nil. kd_value_free frees a value and all in it; NULL is allowed; returns NULL. */
KD_PUBLIC kd_value *kd_value_nil(void);
KD_PUBLIC kd_value *kd_value_bool(bool value);
KD_PUBLIC kd_value *kd_value_integer(int64_t value);
KD_PUBLIC kd_value *kd_value_string(const char *text);
KD_PUBLIC kd_value *kd_value_binary(const void *bytes, size_t size);
KD_PUBLIC kd_value *kd_value_list(void);
KD_PUBLIC kd_value *kd_value_map(void);
/* Take ownership of `item`, also on failure: 0; -ENOMEM, also when item is NULL;
 * -EINVAL: not a list, not a map. Setting a key again replaces. */
KD_PUBLIC int kd_value_append(kd_value *list, kd_value *item);
KD_PUBLIC int kd_value_set(kd_value *map, const char *key, kd_value *item);
KD_PUBLIC kd_value *kd_value_free(kd_value *value);

/* Readers; pointers live until the value is changed or freed. A NULL value reads
 * as nil; a value of another kind as false, `otherwise`, 0 or NULL. */
KD_PUBLIC kd_kind kd_value_kind(const kd_value *value);
KD_PUBLIC bool kd_value_as_bool(const kd_value *value);
KD_PUBLIC int64_t kd_value_as_integer(const kd_value *value, int64_t otherwise);
KD_PUBLIC const char *kd_value_as_string(const kd_value *value, size_t *ret_size); /* also of binary; else NULL */
KD_PUBLIC size_t kd_value_count(const kd_value *value);                            /* of list or map */
KD_PUBLIC const kd_value *kd_value_at(const kd_value *value, size_t number);
KD_PUBLIC const char *kd_value_key(const kd_value *map, size_t number);
KD_PUBLIC const kd_value *kd_value_get(const kd_value *map, const char *key);      /* NULL if it is not there */

/* JSON text of the value (binary as base64), NUL-terminated, to be given to
 * free(); indent 0: one line. NULL without memory. */
KD_PUBLIC char *kd_value_to_json(const kd_value *value, int indent);

/* Calls a method by name. params: a map, or NULL for an empty one; stays the
 * caller's. A key `view` is the caller's number of the view. The result is
 * freed with kd_value_free. Methods for which there is a function that keeps
 * count (hello, environment.set, view.*, acquire, release) are refused with
 * -EINVAL, as are params that are no map, or have more than 7 lists and maps
 * inside each other. It waits for timeout_ms; of a method that has the key
 * `deadline_ms` for so much longer (not there: 600,000). */
KD_PUBLIC int kd_call(kd_client *client, const char *method, const kd_value *params, kd_value **ret_result,
                      kd_error *error);

/* --- for programs with a loop of their own --- */

/* A call that does not wait: started, then driven by kd_process whenever the
 * descriptor of kd_fd is ready for kd_events (poll's bits). Blocking calls are
 * built on the same. The descriptor changes when a connection is made again and
 * is -1 while there is none, so ask for both before each wait. kd_done is
 * called once, by kd_process, or by a blocking call, kd_start or kd_kernel_free
 * on the same client in any thread, then at once; after it the kd_pending is
 * gone. There is no timeout: the program's own timer calls kd_pending_cancel.
 * Where other threads use the client too, wake the loop after a kd_start of
 * theirs, and give its wait an end, such as a second: what their last call left
 * to be sent is seen by the next kd_events only. */
typedef struct kd_pending kd_pending;
typedef void (*kd_done)(void *data, int code, const kd_value *result, const kd_error *error);

/* Starts a call; params as for kd_call. ret_pending is the library's; in a child
 * after fork it is gone. Errors are those of a call that could not be started:
 * then kd_done is not called. */
KD_PUBLIC int kd_start(kd_client *client, const char *method, const kd_value *params, kd_done done, void *data,
                       kd_pending **ret_pending, kd_error *error);
/* Gives a started call up; its kd_done is not called any more. NULL is allowed. */
KD_PUBLIC void kd_pending_cancel(kd_pending *pending);
/* The descriptor to poll, which stays the library's, or -1; and for what. */
KD_PUBLIC int kd_fd(kd_client *client);
KD_PUBLIC short kd_events(kd_client *client);
/* Reads and writes what can be without waiting, calls kd_done of what ended. The
 * end of a connection is no error: who waits for an answer is told. */
KD_PUBLIC int kd_process(kd_client *client, kd_error *error);

#ifdef __cplusplus
}
#endif

#endif
