/* Resolve cases: every step goes through the C library and a real daemon.
 * What the file calls the mapping in force is a view; pushing makes another. */
#include <stdlib.h>
#include <string.h>

#include "client/kernelsd.h"
#include "proto/mode.h"
#include "tests/conformance/case.h"
#include "tests/conformance/daemon.h"

#define MAX_SCOPES 64
#define LABEL_REPOSITORY "conformance/label"
#define LABEL_VERSION 1

typedef struct Scopes {
        kd_client *client;
        uint32_t views[MAX_SCOPES]; /* the mappings in force, innermost last */
        size_t n;
} Scopes;

/* Entries of one step; `references` holds those of all of them. */
typedef struct Batch {
        kd_entry *entries;
        size_t n;
        kd_reference *references;
} Batch;

static void batch_deinit(Batch *batch)
{
        free(batch->entries);
        free(batch->references);
}

static int64_t bound(const json_t *entry, const char *key)
{
        const json_t *value = json_object_get(entry, key);

        return json_is_integer(value) ? json_integer_value(value) : -1;
}

static size_t add_references(const json_t *modes, kd_reference *references)
{
        const char *mode;
        json_t *label;
        size_t n = 0;

        json_object_foreach((json_t *)modes, mode, label)
                references[n++] = (kd_reference){
                        .mode = mode, .repo = LABEL_REPOSITORY, .version = LABEL_VERSION,
                        .layer = json_string_value(label),
                };
        return n;
}

static void batch_init(Batch *batch, const json_t *step)
{
        const json_t *entries = json_object_get(step, "entries");
        size_t n_references = 0;
        kd_reference *next;

        batch->n = json_array_size(entries);
        for (size_t i = 0; i < batch->n; i++)
                n_references += json_object_size(json_object_get(json_array_get(entries, i), "modes"));
        batch->entries = calloc(batch->n + 1, sizeof(*batch->entries));
        batch->references = next = calloc(n_references + 1, sizeof(*batch->references));
        if (!batch->entries || !batch->references)
                abort();

        for (size_t i = 0; i < batch->n; i++) {
                const json_t *entry = json_array_get(entries, i);

                batch->entries[i] = (kd_entry){
                        .layer = case_text(entry, "layer"), .device = case_text_or_null(entry, "device"),
                        .min_capability = bound(entry, "min_capability"),
                        .max_capability = bound(entry, "max_capability"), .references = next,
                };
                batch->entries[i].n_references = add_references(json_object_get(entry, "modes"), next);
                next += batch->entries[i].n_references;
        }
}

/* The protocol's name of an error of the files. */
static const char *wire_name(const char *error, char *buffer, size_t size)
{
        static const char *const special[][2] = {
                { "unknown_device", "invalid-device" }, { "invalid_device", "invalid-device" },
                { "properties_device_mismatch", "invalid-range" }, { "invalid_range", "invalid-range" },
        };
        size_t i;

        for (i = 0; i < sizeof(special) / sizeof(*special); i++)
                if (strcmp(error, special[i][0]) == 0)
                        return special[i][1];
        for (i = 0; error[i] && i + 1 < size; i++)
                buffer[i] = (char)(error[i] == '_' ? '-' : error[i]);
        buffer[i] = 0;
        return buffer;
}

static void check_error(Verdict *verdict, size_t number, const json_t *expect, int code, const char *message)
{
        char buffer[64];
        const char *wanted = case_text_or_null(expect, "error");
        const char *got = code > 0 ? kd_fault_name(code) : NULL;

        if (wanted)
                wanted = wire_name(wanted, buffer, sizeof(buffer));
        if (code < 0)
                verdict_fail(verdict, "step %zu: %s", number, message);
        else if (!wanted && got)
                verdict_fail(verdict, "step %zu: expected no error, got %s (%s)", number, got, message);
        else if (wanted && (!got || strcmp(wanted, got) != 0))
                verdict_fail(verdict, "step %zu: expected %s, got %s", number, wanted, got ? got : "no error");
}

static void run_mapping_step(Scopes *scopes, const json_t *step, size_t number, Verdict *verdict)
{
        bool inherit = json_is_true(json_object_get(step, "inherit"));
        bool push = strcmp(case_text(step, "op"), "push_scope") == 0;
        kd_error error = { 0 };
        uint32_t top = scopes->views[scopes->n - 1], view;
        Batch batch;
        int r;

        if (push && scopes->n == MAX_SCOPES) {
                verdict_fail(verdict, "step %zu: more than %d scopes", number, MAX_SCOPES);
                return;
        }
        batch_init(&batch, step);
        if (push)
                r = kd_view_create(scopes->client, inherit ? (int64_t)top : -1, batch.entries, batch.n, &view, &error);
        else
                r = kd_view_extend(scopes->client, top, inherit, batch.entries, batch.n, &error);
        batch_deinit(&batch);
        check_error(verdict, number, json_object_get(step, "expect"), r, error.message);
        if (push && r == 0)
                scopes->views[scopes->n++] = view;
}

static void run_pop(Scopes *scopes, size_t number, Verdict *verdict)
{
        kd_error error = { 0 };

        if (scopes->n < 2)
                verdict_fail(verdict, "step %zu: nothing was pushed", number);
        else if (kd_view_drop(scopes->client, scopes->views[--scopes->n], &error) != 0)
                verdict_fail(verdict, "step %zu: %s", number, error.message);
}

/* Modes are sums of flags: the order in which they are spelled is nobody's. */
static bool same_mode(const char *a, const char *b)
{
        Mode one, other;
        Fault fault;

        return mode_parse(text_of(a), &one, &fault) == 0 && mode_parse(text_of(b), &other, &fault) == 0 &&
               one == other;
}

static void check_answer(const kd_answer *answer, const json_t *expect, size_t number, Verdict *verdict)
{
        check_error(verdict, number, expect, answer->code, answer->message ? answer->message : "");
        if (answer->code || verdict->failed)
                return;
        if (strcmp(answer->repo ? answer->repo : "", LABEL_REPOSITORY) != 0 || answer->version != LABEL_VERSION)
                verdict_fail(verdict, "step %zu: the reference is not the one registered", number);
        else if (strcmp(case_text(expect, "repo"), answer->reference_layer ? answer->reference_layer : "") != 0)
                verdict_fail(verdict, "step %zu: expected %s, got %s", number, case_text(expect, "repo"),
                             answer->reference_layer);
        else if (!same_mode(case_text(expect, "mode"), answer->mode))
                verdict_fail(verdict, "step %zu: expected mode %s, got %s", number, case_text(expect, "mode"),
                             answer->mode);
}

static void run_query(Scopes *scopes, const json_t *step, size_t number, Verdict *verdict)
{
        kd_query query = {
                .layer = case_text(step, "layer"), .device = case_text(step, "device"),
                .capability = bound(step, "capability"), .mode = case_text(step, "mode"),
        };
        kd_answers *answers;
        kd_error error = { 0 };
        int r = kd_resolve(scopes->client, scopes->views[scopes->n - 1], &query, 1, 0, &answers, &error);

        if (r != 0) {
                check_error(verdict, number, json_object_get(step, "expect"), r, error.message);
                return;
        }
        check_answer(kd_answers_get(answers, 0), json_object_get(step, "expect"), number, verdict);
        kd_answers_free(answers);
}

static void run_step(Scopes *scopes, const json_t *step, size_t number, Verdict *verdict)
{
        const char *op = case_text(step, "op");

        if (strcmp(op, "query") == 0)
                run_query(scopes, step, number, verdict);
        else if (strcmp(op, "pop_scope") == 0)
                run_pop(scopes, number, verdict);
        else if (strcmp(op, "register") == 0 || strcmp(op, "push_scope") == 0)
                run_mapping_step(scopes, step, number, verdict);
        else
                verdict_fail(verdict, "step %zu: no such step as '%s'", number, op);
}

void run_resolve(const json_t *one, Verdict *verdict)
{
        const json_t *steps = json_object_get(one, "steps");
        Scopes scopes = { .client = daemon_client() };
        kd_error error = { 0 };

        if (!scopes.client) {
                verdict_fail(verdict, "there is no daemon to ask");
                return;
        }
        if (kd_view_create(scopes.client, -1, NULL, 0, &scopes.views[0], &error) != 0) {
                verdict_fail(verdict, "no view: %s", error.message);
                return;
        }
        scopes.n = 1;
        for (size_t i = 0; i < json_array_size(steps) && !verdict->failed; i++)
                run_step(&scopes, json_array_get(steps, i), i, verdict);
        while (scopes.n)
                if (kd_view_drop(scopes.client, scopes.views[--scopes.n], &error) != 0)
                        verdict_fail(verdict, "a view does not go away: %s", error.message);
}
