#include "tests/unit/kernels/fetch_help.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernels/hash.h"

#define ANSWERS_MAX 8192
#define OUT_MAX 64

/* --- texts, which the faults of allocations do not touch --- */

static char pool[8 << 20];
static size_t pool_used;

static char *pool_take(size_t size)
{
        char *taken = pool + pool_used;

        ck_assert_uint_le(size, sizeof(pool) - pool_used);
        pool_used += size;
        return taken;
}

const char *hub_text(const char *format, ...)
{
        va_list arguments;
        char *text = pool + pool_used;
        int n;

        va_start(arguments, format);
        n = vsnprintf(text, sizeof(pool) - pool_used, format, arguments);
        va_end(arguments);
        return pool_take((size_t)n + 1);
}

/* --- the table --- */

static HubAnswer answers[ANSWERS_MAX];
static size_t n_answers;
static char log_text[1 << 20];
static size_t log_used;
static size_t n_out_max, n_refills;

void hub_log_clear(void)
{
        log_text[log_used = 0] = 0;
        n_out_max = n_refills = 0;
}

void hub_forget(void)
{
        n_answers = 0;
        pool_used = 0;
        hub_log_clear();
}

void hub_say(HubAnswer answer)
{
        ck_assert_uint_lt(n_answers, ANSWERS_MAX);
        answers[n_answers++] = answer;
}

static HubAnswer *find_answer(const char *path)
{
        for (size_t i = n_answers; i-- > 0;)
                if (answers[i].path && strcmp(answers[i].path, path) == 0)
                        return &answers[i];
        return NULL;
}

static const char *listing_line(const HubFile *file)
{
        size_t n = strlen(file->bytes);

        if (file->lfs)
                return hub_text("{\"type\": \"file\", \"path\": \"%s\", \"size\": %zu, \"oid\": \"%040x\", "
                                "\"lfs\": {\"oid\": \"%s\", \"size\": %zu, \"pointerSize\": 132}}",
                                file->path, n, 1, help_etag(file->bytes, n, true), n);
        return hub_text("{\"type\": \"file\", \"path\": \"%s\", \"size\": %zu, \"oid\": \"%s\"}", file->path, n,
                        help_etag(file->bytes, n, false));
}

static const char *page_path(const char *repo, const char *commit, const char *folder, bool all, size_t number)
{
        char escaped[512] = "";

        for (const char *at = folder; *at; at++)
                (void)snprintf(escaped + strlen(escaped), 4, *at == '/' ? "%%2F" : "%c", *at);
        return hub_text("/api/kernels/%s/tree/%s%s%s?recursive=%s&expand=false%s%.0zu", repo, commit, *folder ? "/" : "",
                        escaped, all ? "true" : "false", number ? "&cursor=" : "", number);
}

static void say_pages(const char *repo, const char *commit, const char *folder, bool all, const char *const *lines,
                      size_t n, size_t page)
{
        for (size_t i = 0, number = 0; number == 0 || i < n; number++) {
                const char *path = page_path(repo, commit, folder, all, number), *link = NULL;
                char *body = pool_take(1 + (page && page < n ? page : n + 1) * 400);
                size_t used = (size_t)sprintf(body, "[");

                for (size_t k = 0; i < n && (!page || k < page); i++, k++)
                        used += (size_t)sprintf(body + used, "%s%s", k ? ", " : "", lines[i]);
                (void)sprintf(body + used, "]");
                if (i < n)
                        link = hub_text("<" HUB "%s>; rel=\"next\"", page_path(repo, commit, folder, all, number + 1));
                hub_say((HubAnswer){ .path = path, .body = body, .link = link });
        }
}

void hub_list(const char *repo, const char *commit, const char *folder, const HubFile *files, size_t n, size_t page)
{
        static const char *lines[4096];

        ck_assert_uint_le(n, ARRAY_SIZE(lines));
        for (size_t i = 0; i < n; i++)
                lines[i] = listing_line(&files[i]);
        say_pages(repo, commit, folder, true, lines, n, page);
}

/* What lies right in a folder. */
static void say_children(const char *repo, const char *commit, const char *folder, const HubFile *files, size_t n)
{
        const char *lines[64], *last = "";
        size_t n_lines = 0, prefix = *folder ? strlen(folder) + 1 : 0;

        for (size_t i = 0; i < n; i++) {
                const char *rest = files[i].path + prefix, *slash = strchr(rest, '/');
                const char *child = hub_text("%.*s", (int)(slash ? slash - files[i].path : 500), files[i].path);

                if (strncmp(files[i].path, folder, prefix ? prefix - 1 : 0) != 0 || strcmp(child, last) == 0)
                        continue;
                last = child;
                lines[n_lines++] = !slash ? listing_line(&files[i]) :
                                            hub_text("{\"type\": \"directory\", \"path\": \"%s\", \"oid\": \"%040x\", "
                                                     "\"size\": 0}", child, 2);
        }
        say_pages(repo, commit, folder, false, lines, n_lines, 0);
}

static void say_variant(const char *repo, const char *commit, const char *folder, const HubFile *files, size_t n)
{
        HubFile inside[64];
        size_t n_inside = 0, size = strlen(folder);

        for (size_t i = 0; i < n; i++)
                if (strncmp(files[i].path, folder, size) == 0 && files[i].path[size] == '/')
                        inside[n_inside++] = files[i];
        hub_list(repo, commit, folder, inside, n_inside, 0);
}

void hub_have(const char *repo, const char *commit, const HubFile *files, size_t n)
{
        const char *last = "";

        say_children(repo, commit, "", files, n);
        say_children(repo, commit, "build", files, n);
        for (size_t i = 0; i < n; i++) {
                const char *name = strncmp(files[i].path, "build/", 6) == 0 ? files[i].path + 6 : "";
                const char *slash = strchr(name, '/'), *folder;

                hub_say((HubAnswer){ .path = hub_text("/kernels/%s/resolve/%s/%s", repo, commit, files[i].path),
                                     .body = files[i].bytes });
                if (!slash)
                        continue;
                folder = hub_text("build/%.*s", (int)(slash - name), name);
                if (strcmp(folder, last) != 0)
                        say_variant(repo, commit, folder, files, n);
                last = folder;
        }
}

static const char *refs_text(const char *refs)
{
        const char *text = "";

        while (*refs) {
                size_t name = strcspn(refs, "="), commit = strcspn(refs + name + 1, " ");

                text = hub_text("%s%s{\"name\": \"%.*s\", \"ref\": \"x\", \"targetCommit\": \"%.*s\"}", text, *text ? ", " : "",
                                (int)name, refs, (int)commit, refs + name + 1);
                refs += name + 1 + commit;
                refs += *refs == ' ';
        }
        return text;
}

void hub_have_refs(const char *repo, const char *branches, const char *tags)
{
        hub_say((HubAnswer){ .path = hub_text("/api/kernels/%s/refs", repo),
                             .body = hub_text("{\"branches\": [%s], \"converts\": [], \"tags\": [%s]}", refs_text(branches),
                                              refs_text(tags)) });
}

void hub_have_publisher(const char *organization, bool trusted)
{
        hub_say((HubAnswer){ .path = hub_text("/api/organizations/%s/overview", organization),
                             .body = trusted ? "{\"trustedKernelPublisher\": true}" : "{\"trustedKernelPublisher\": false}" });
}

const char *hub_digest(HashKind kind, const char *bytes)
{
        CLEANUP(hash_freep) Hash *hash = NULL;
        char text[HASH_BASE64_MAX + 1];
        uint8_t raw[HASH_MAX];
        size_t size;

        ck_assert_int_eq(hash_new(kind, &hash), 0);
        ck_assert_int_eq(hash_update(hash, bytes, strlen(bytes)), 0);
        ck_assert_int_eq(hash_finish(hash, raw, &size), 0);
        (void)hash_base64(raw, size, text);
        return hub_text("%s", text);
}

/* --- the log --- */

static void log_call(const FetchCall *call)
{
        const char *path = call->url.data + strlen(HUB);

        ck_assert(strncmp(call->url.data, HUB, strlen(HUB)) == 0 && strlen(call->url.data) == call->url.size);
        log_used += (size_t)snprintf(log_text + log_used, sizeof(log_text) - log_used, "%s%s", path,
                                     call->with_token ? " token" : "");
        if (call->from)
                log_used += (size_t)sprintf(log_text + log_used, " from=%lld", (long long)call->from);
        if (call->delay_ms)
                log_used += (size_t)sprintf(log_text + log_used, " delay=%llu", (unsigned long long)call->delay_ms);
        log_used += (size_t)sprintf(log_text + log_used, "\n");
        ck_assert_uint_lt(log_used, sizeof(log_text) - 4096);
}

const char *hub_log(void)
{
        return log_text;
}

size_t hub_max_out(void)
{
        return n_out_max;
}

size_t hub_refills(void)
{
        return n_refills;
}

size_t hub_log_count(const char *part)
{
        size_t n = 0;

        for (const char *at = log_text; (at = strstr(at, part)); at++)
                n++;
        return n;
}

void hub_assert_log(const char *const *lines, size_t n, const char *file, int line)
{
        const char *at = log_text;

        for (size_t i = 0; i < n; i++) {
                size_t size = strcspn(at, "\n");

                if (strlen(lines[i]) != size || memcmp(lines[i], at, size) != 0)
                        ck_abort_msg("%s:%d: line %zu must be %s, all are\n%s", file, line, i, lines[i], log_text);
                at += size + (at[size] == '\n');
        }
        if (*at)
                ck_abort_msg("%s:%d: more than %zu lines:\n%s", file, line, n, log_text);
}

/* --- answering --- */

static void copy_text(char *to, size_t size, const char *from)
{
        if (from)
                (void)snprintf(to, size, "%s", from);
}

static void fill_reply(const HubAnswer *answer, HubReply *reply)
{
        *reply = (HubReply){ .trouble = answer->trouble, .status = answer->status ? answer->status : 200 };
        copy_text(reply->link, sizeof(reply->link), answer->link);
        copy_text(reply->error_code, sizeof(reply->error_code), answer->code);
        copy_text(reply->error_message, sizeof(reply->error_message), answer->message);
        copy_text(reply->retry_after, sizeof(reply->retry_after), answer->retry_after);
        copy_text(reply->rate_limit, sizeof(reply->rate_limit), answer->rate_limit);
}

/* In two pieces; whether the sink took them. */
static bool send_bytes(Fetch *fetch, FetchCall *call, const char *bytes, size_t n)
{
        size_t half = n / 2;

        return fetch_call_write(fetch, call, bytes, half) == 0 && fetch_call_write(fetch, call, bytes + half, n - half) == 0;
}

static void send_file(Fetch *fetch, FetchCall *call, const HubAnswer *answer, HubReply *reply)
{
        size_t from = answer->no_ranges ? 0 : (size_t)call->from, n = strlen(answer->body);

        reply->ranged = from > 0;
        if (reply->ranged)
                reply->status = 206;
        fetch_call_started(fetch, call, reply);
        if (answer->n_sent && answer->n_sent < n - from)
                n = from + answer->n_sent;
        if (!send_bytes(fetch, call, answer->body + from, n - from))
                reply->trouble = HUB_REFUSED_LOCALLY;
        else if (n < strlen(answer->body))
                reply->trouble = HUB_BROKEN;
}

static void answer_call(Fetch *fetch, FetchCall *call)
{
        static const HubAnswer unknown = { .status = 404, .code = "RepoNotFound" };
        HubAnswer *known = find_answer(call->url.data + strlen(HUB));
        HubAnswer answer = known ? *known : unknown;
        HubReply reply;

        if (known && known->once)
                known->path = NULL;
        fill_reply(&answer, &reply);
        if (call->is_file && reply.trouble == HUB_REPLIED && reply.status == 200)
                send_file(fetch, call, &answer, &reply);
        else if (reply.trouble == HUB_REPLIED)
                fetch_call_started(fetch, call, &reply);
        if (!call->is_file && answer.body)
                reply.body = text_of(answer.body);
        fetch_call_done(fetch, call, &reply);
}

/* --- an order --- */

FetchOrder *order_for(Cache *cache, FetchGoal goal, const char *revision)
{
        FetchOrder *order = NULL;

        ck_assert_int_eq(fetch_order_new(&order), 0);
        order->goal = goal;
        order->cache = cache;
        order->endpoint = TEXT(HUB "/");
        order->repo = TEXT(REPO);
        order->revision = text_of(revision);
        order->max_bytes = INT64_MAX;
        order->takes_effect = true;
        order_policy(order, NULL, NULL, NULL);
        order->publishers = arena_zeroed(&order->arena, 2, sizeof(*order->publishers));
        order->targets = arena_zeroed(&order->arena, 8, sizeof(Target *));
        return order;
}

void order_version(FetchOrder *order, const char *revision)
{
        order->revision = text_of(revision);
        order->version = true;
}

void order_policy(FetchOrder *order, const char *allow, const char *deny, const char *private)
{
        Text items[3] = { TEXT_NULL };
        TextList lists[3] = { { 0 } };
        const char *const from[3] = { allow, deny, private };
        Fault fault;

        for (size_t i = 0; i < 3; i++)
                if (from[i]) {
                        items[i] = text_of(from[i]);
                        lists[i] = (TextList){ &items[i], 1 };
                }
        policy_unref(order->policy);
        order->policy = NULL;
        ck_assert_int_eq(policy_new(lists[0], lists[1], lists[2], true, &order->policy, &fault), 0);
}

void order_publisher(FetchOrder *order, const char *name, bool trusted)
{
        order->publishers[order->n_publishers++] = (FetchPublisher){ .name = text_of(name), .trusted = trusted };
}

void order_target(FetchOrder *order, Device device, const char *backend, int64_t capability)
{
        const MsgEnvironment message = { .torch = TEXT("2.7"), .cxx11_abi = 1, .backend = text_of(backend),
                                         .cpu = TEXT("x86_64"), .os = TEXT("linux"), .free_threaded = -1 };
        Environment environment;
        Fault fault;

        ck_assert_int_eq(environment_init(&environment, &message, false, &fault), 0);
        ck_assert_int_eq(target_new(&environment, device, capability ? INTEGER_PRESENT(capability) : INTEGER_ABSENT, TEXT_NULL,
                                    &order->targets[order->n_targets]), 0);
        order->n_targets++;
}

void order_known(FetchOrder *order, bool listed, KnownVariant *variants, size_t n)
{
        ck_assert_int_eq(known_new(TEXT(REPO), TEXT(COMMIT), listed, variants, n, &order->known), 0);
}

/* --- driving --- */

Target *newcomer;

static int drive(Fetch *fetch, Fetched *fetched, void (*paused)(void))
{
        FetchCall *out[OUT_MAX];
        size_t n_out = 0;

        for (;;) {
                size_t n_before = n_out;
                int r;

                fetch_progress(fetch, &fetched->progress);
                r = fetch_step(fetch, &fetched->fault);
                if (r == FETCH_PAUSES && paused && fetched->n_pauses < 100) {
                        ck_assert_uint_eq(n_out, 0);
                        fetched->n_pauses++;
                        paused();
                        continue;
                }
                if (r == FETCH_CONFIRMS) {
                        fetched->n_confirms++;
                        ck_assert_int_eq(fetch_confirm(fetch, &newcomer, newcomer ? 1 : 0), 0);
                        continue;
                }
                if (r != STEP_MORE && r != FETCH_WAITS)
                        return r;
                while ((out[n_out] = fetch_take_call(fetch))) {
                        log_call(out[n_out]);
                        ck_assert_uint_lt(++n_out, OUT_MAX);
                }
                n_refills += n_before > 0 && n_out > n_before;
                n_out_max = n_out > n_out_max ? n_out : n_out_max;
                if (r == STEP_MORE)
                        continue;
                ck_assert_uint_gt(n_out, 0);
                answer_call(fetch, out[0]);
                memmove(out, out + 1, --n_out * sizeof(out[0]));
        }
}

int fetch_turn(Fetch *fetch, Fault *fault)
{
        int r = fetch_step(fetch, fault);
        FetchCall *call;

        while ((r == STEP_MORE || r == FETCH_WAITS) && (call = fetch_take_call(fetch))) {
                log_call(call);
                answer_call(fetch, call);
        }
        return r;
}

Fetched fetch_all(FetchOrder *order, void (*paused)(void))
{
        CLEANUP(fetch_freep) Fetch *fetch = NULL;
        Fetched fetched = { .fault = FAULT_NULL };

        fetched.r = fetch_new(order, &fetch);
        if (fetched.r == 0) {
                fetched.r = drive(fetch, &fetched, paused);
                fetched.result = fetch_take_result(fetch);
        }
        return fetched;
}

void fetched_deinit(Fetched *fetched)
{
        fetched->result = fetch_result_free(fetched->result);
}

bool fetched_has(const Fetched *fetched, size_t n, const char *variant, FaultName name)
{
        const FetchedTarget *target = &fetched->result->targets[n];

        if (variant)
                return text_equal(target->variant, text_of(variant));
        return !target->variant.data && target->fault.name == name;
}

const char *help_content(const char *path)
{
        static char content[1 << 16];
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n;

        if (fd < 0)
                return NULL;
        n = read(fd, content, sizeof(content) - 1);
        ck_assert_int_ge(n, 0);
        ck_assert_int_eq(close(fd), 0);
        content[n] = 0;
        return content;
}
