/* A Hub that only answers what a table says, and what asks it: one fetch, driven
 * as the file thread does, its calls written down. */
#pragma once

#include "kernels/fetch.h"
#include "tests/unit/kernels/cache_help.h"

#define HUB "http://hub"
#define REPO "kernels-test/fake-relu" /* HELP_REPO */
#define OTHER_REPO "new-org/new-relu"
#define OTHER_FOLDER "kernels--new-org--new-relu"
#define COMMIT HELP_COMMIT_TEXT
#define OTHER_COMMIT "0123456789012345678901234567890123456789"
#define API "/api/kernels/" REPO
#define TREE API "/tree/" COMMIT
#define LISTED "?recursive=false&expand=false"
#define LISTED_ALL "?recursive=true&expand=false"
#define BUILD TREE "/build" LISTED
#define OVERVIEW "/api/organizations/kernels-test/overview"
#define FILES "/kernels/" REPO "/resolve/" COMMIT "/"

#define META_HEAD "{\"name\": \"fake-relu\", \"id\": \"x\", \"version\": 1, \"license\": \"MIT\", \"python-depends\": [], "
#define META_CPU META_HEAD "\"backend\": {\"type\": \"cpu\"}}"
#define META_CUDA(archs) META_HEAD "\"backend\": {\"type\": \"cuda\", \"archs\": [" archs "]}}"

#define CPU_27 "torch27-cxx11-cpu-x86_64-linux"
#define CUDA_126 "torch27-cxx11-cu126-x86_64-linux"
#define CUDA_128 "torch27-cxx11-cu128-x86_64-linux"

/* --- the Hub --- */

typedef struct HubFile {
        const char *path;
        const char *bytes;
        bool lfs;
} HubFile;

/* One reply to one address, for good or once. */
typedef struct HubAnswer {
        const char *path; /* behind HUB */
        int status;       /* 0: 200 */
        HubTrouble trouble;
        const char *body;
        const char *link, *code, *message, *retry_after, *rate_limit;
        size_t n_sent;    /* of a file: the connection breaks after that many of its bytes; 0: never */
        bool no_ranges;   /* a question for the rest is answered with all */
        bool once;
} HubAnswer;

void hub_forget(void); /* all of it */

/* Goes before what was said to that address before. */
void hub_say(HubAnswer answer);

/* The listings and files of a commit: of its root, of build/, of each variant. */
void hub_have(const char *repo, const char *commit, const HubFile *files, size_t n);

/* One listing of all below a folder, `page` entries a page (0: all in one). */
void hub_list(const char *repo, const char *commit, const char *folder, const HubFile *files, size_t n, size_t page);

/* "main=COMMIT v1=COMMIT"; text is kept. */
void hub_have_refs(const char *repo, const char *branches, const char *tags);
void hub_have_publisher(const char *organization, bool trusted);

/* A text for the Hub's table: lives until hub_forget. */
const char *hub_text(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The name of a file's bytes in a digest. */
const char *hub_digest(HashKind kind, const char *bytes);

/* What was asked for, an address a line; behind it "token", "from=N" and "delay=N" where there are such. */
const char *hub_log(void);
size_t hub_log_count(const char *part);
size_t hub_max_out(void);   /* calls that were out at the same time */
size_t hub_refills(void);   /* how often one was begun while others were out */
void hub_log_clear(void);

#define ck_assert_log(...)                                                                             \
        do {                                                                                           \
                static const char *const log_lines_[] = { __VA_ARGS__ };                               \
                hub_assert_log(log_lines_, ARRAY_SIZE(log_lines_), __FILE__, __LINE__);                \
        } while (0)
#define ck_assert_silent() ck_assert_str_eq(hub_log(), "")

void hub_assert_log(const char *const *lines, size_t n, const char *file, int line);

/* --- a fetch --- */

/* For REPO at "main", the Hub trusting by policy, no target, effective. */
FetchOrder *order_for(Cache *cache, FetchGoal goal, const char *revision);
void order_version(FetchOrder *order, const char *revision);
void order_policy(FetchOrder *order, const char *allow, const char *deny, const char *private);
void order_publisher(FetchOrder *order, const char *name, bool trusted);
void order_target(FetchOrder *order, Device device, const char *backend, int64_t capability);
void order_known(FetchOrder *order, bool listed, KnownVariant *variants, size_t n);
#define order_cpu(order) order_target(order, DEVICE_CPU, "cpu", 0)
#define order_cuda(order, capability) order_target(order, DEVICE_CUDA, "cu128", capability)

typedef struct Fetched {
        int r;
        Fault fault;
        FetchResult *result;
        Progress progress; /* before the last step */
        unsigned n_pauses;
        unsigned n_confirms;
} Fetched;

/* Who has come by the time that a fetch confirms; NULL: nobody. Borrowed. */
extern Target *newcomer;

/* Takes the order, steps until its end, gives every call its answer, the oldest
 * first; at a pause calls `paused`, and ends there if that is NULL or after a
 * hundred. */
Fetched fetch_all(FetchOrder *order, void (*paused)(void));

/* One step, after which every call that came out is answered at once. */
int fetch_turn(Fetch *fetch, Fault *fault);
void fetched_deinit(Fetched *fetched);
#define CLEANUP_FETCHED CLEANUP(fetched_deinit)

/* Whether the n-th target has that variant (NULL: the fault of that name). */
bool fetched_has(const Fetched *fetched, size_t n, const char *variant, FaultName name);
const char *help_content(const char *path); /* of a file of the cache; NULL: not there */
