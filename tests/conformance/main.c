/* conformance FILE...: runs the cases of vector files of any of the five
 * schemas. What a case is, its content says: a member of a list by its keys, a
 * member of an object by the list that it stands in.
 *
 * A line for each failed case, last "N passed, M failed"; 0 only if none did. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/conformance/case.h"
#include "tests/conformance/daemon.h"
#include "tests/conformance/difference.h"

typedef struct Kind {
        const char *list; /* key of the list in the file's object; NULL: the file is the list */
        const char *mark; /* a key that every such case has */
        Section section;
        void (*run)(const json_t *one, Verdict *verdict);
} Kind;

static const Kind kinds[] = {
        { NULL, "steps", SECTION_RESOLVE, run_resolve },
        { NULL, "requested", SECTION_GATE, run_gate },
        { "parse", "variant", SECTION_VARIANT_PARSE, run_variant_parse },
        { "resolve", "variants", SECTION_VARIANT_RESOLVE, run_variant_resolve },
        { "locks", "files", SECTION_LOCK_HASH, run_lock_hash },
        { "lookup", "lock_json", SECTION_LOCK_LOOKUP, run_lock_lookup },
        { "hash", "tree", SECTION_DIGEST_HASH, run_digest_hash },
        { "validate", "actual", SECTION_DIGEST_VALIDATE, run_digest_validate },
        { "verify", "tree", SECTION_DIGEST_VERIFY, run_digest_verify },
        { "parse", "json", SECTION_DIGEST_PARSE, run_digest_parse },
};

typedef struct Tally {
        unsigned n_passed;
        unsigned n_failed;
} Tally;

static void tally_failure(Tally *tally, const char *file, const char *name, const char *why)
{
        tally->n_failed++;
        printf("FAILED %s: %s: %s\n", file, name, why);
}

static const Kind *kind_find(const char *list, const json_t *one)
{
        for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
                if (!list != !kinds[i].list || (list && strcmp(list, kinds[i].list) != 0))
                        continue;
                if (json_object_get(one, kinds[i].mark))
                        return &kinds[i];
        }
        return NULL;
}

/* A name to find the case again by: cases of some lists have none. */
static const char *case_name(const json_t *one, const char *list, size_t number, char *buffer, size_t size)
{
        const char *name = case_text_or_null(one, "name");

        if (!name)
                name = case_text_or_null(one, "variant");
        if (name)
                snprintf(buffer, size, "%s%s%.120s", list ? list : "", list ? "/" : "", name);
        else
                snprintf(buffer, size, "%s%snumber %zu", list ? list : "", list ? "/" : "", number);
        return buffer;
}

static void run_case(Tally *tally, const char *file, const char *list, size_t number, const json_t *one)
{
        char name[256];
        Verdict verdict = { 0 };
        const Kind *kind = kind_find(list, one);
        json_t *ours;

        case_name(one, list, number, name, sizeof(name));
        if (!kind) {
                tally_failure(tally, file, name, "a case of none of the five schemas");
                return;
        }

        ours = difference_apply(kind->section, one);
        kind->run(ours, &verdict);
        json_decref(ours);

        if (verdict.failed)
                tally_failure(tally, file, name, verdict.why);
        else
                tally->n_passed++;
}

static void run_list(Tally *tally, const char *file, const char *list, const json_t *cases)
{
        if (!json_is_array(cases)) {
                tally_failure(tally, file, list, "not a list of cases");
                return;
        }
        for (size_t i = 0; i < json_array_size(cases); i++)
                run_case(tally, file, list, i, json_array_get(cases, i));
}

static void run_file(Tally *tally, const char *file)
{
        json_error_t error;
        json_t *root = json_load_file(file, JSON_ALLOW_NUL, &error);
        const char *list;
        json_t *cases;

        if (!root) {
                char why[512];

                snprintf(why, sizeof(why), "line %d: %s", error.line, error.text);
                tally_failure(tally, file, "the file", why);
                return;
        }
        if (json_is_array(root))
                run_list(tally, file, NULL, root);
        json_object_foreach(root, list, cases)
                run_list(tally, file, list, cases);
        json_decref(root);
}

int main(int argc, char **argv)
{
        Tally tally = { 0 };

        if (argc < 2) {
                fprintf(stderr, "usage: %s FILE...\n", argv[0]);
                return 2;
        }
        setvbuf(stdout, NULL, _IOLBF, 0);
        for (int i = 1; i < argc; i++)
                run_file(&tally, argv[i]);
        daemon_stop();
        printf("%u passed, %u failed\n", tally.n_passed, tally.n_failed);
        return tally.n_failed ? 1 : 0;
}
