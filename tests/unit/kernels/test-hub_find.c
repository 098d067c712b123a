#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/hub_find.h"

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define REPO TEXT("o/n")
#define NOW 1700000000
#define BEST "torch-stable-abi25-cpu-x86_64-linux"
#define SECOND "torch27-cxx11-cpu-x86_64-linux"
#define CUDA "torch27-cxx11-cu128-x86_64-linux"

static const MsgEnvironment message = { .torch = TEXT("2.7"), .cxx11_abi = 1, .backend = TEXT("cu128"), .cpu = TEXT("x86_64"),
                                        .os = TEXT("linux"), .free_threaded = -1 };
static Environment environment;
static Catalog *catalog;
static CommitMemory *memory;
static ChoiceMemo *memo;

static Asker begin(void)
{
        Fault fault;

        ck_assert_int_eq(environment_init(&environment, &message, false, &fault), 0);
        ck_assert_int_eq(catalog_new(3, &catalog), 0);
        ck_assert_int_eq(commit_memory_new(3, &memory), 0);
        return (Asker){ .environment = &environment, .memo = &memo, .catalog = catalog, .memory = memory, .now_s = NOW };
}

static void end(void)
{
        choice_memo_forget(&memo);
        memory = commit_memory_unref(memory);
        catalog = catalog_free(catalog);
}

static void put_revision(const char *revision, const char *commit, const char *final_repo, const char *final_commit)
{
        const RevisionFacts facts = { .repo = REPO, .revision = text_of(revision), .commit = text_of(commit),
                                      .final_repo = final_repo ? text_of(final_repo) : TEXT_NULL,
                                      .final_commit = final_commit ? text_of(final_commit) : TEXT_NULL, .at_s = NOW - 100 };

        ck_assert_int_eq(catalog_put_revision(catalog, &facts), 0);
}

static void put_known(Text repo, const char *commit, bool listed, KnownVariant *variants, size_t n)
{
        CLEANUP(known_unrefp) Known *known = NULL;

        ck_assert_int_eq(known_new(repo, text_of(commit), listed, variants, n, &known), 0);
        ck_assert_int_eq(catalog_put_known(catalog, known), 0);
}

static Reference reference_to(const char *revision)
{
        return (Reference){ .kind = REFERENCE_REVISION, .repo = REPO, .revision = text_of(revision) };
}

static int find_on(const Asker *asker, const Reference *reference, Device device, HubFound *found, Fault *fault)
{
        static HubName name;
        const MsgQuery query = { .capability = INTEGER_PRESENT(90) };

        hub_name_init(&name, reference);
        return hub_find(asker, &name, &query, device, NULL, found, fault);
}

static HubFound find(const Asker *asker, const char *revision)
{
        Reference reference = reference_to(revision);
        HubFound found;
        Fault fault;

        ck_assert_msg(find_on(asker, &reference, DEVICE_CPU, &found, &fault) == 0, "%s", fault.message);
        return found;
}

/* --- names --- */

START_TEST(test_name)
{
        static const struct {
                Reference reference;
                const char *revision;
                bool version, fixed;
        } cases[] = {
                { { .kind = REFERENCE_VERSION, .version = 12 }, "v12", true, false },
                { { .kind = REFERENCE_REVISION, .revision = TEXT("main") }, "main", false, false },
                { { .kind = REFERENCE_REVISION, .revision = TEXT(A), .commit = TEXT(A) }, A, false, true },
                { { .kind = REFERENCE_LOCKED, .locked = TEXT("/x"), .commit = TEXT(B) }, B, false, true },
                { { .kind = REFERENCE_VERSION, .version = 1, .commit = TEXT(A) }, A, false, true }, /* a pin's */
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                Reference reference = cases[i].reference;
                HubName name;

                reference.repo = REPO;
                hub_name_init(&name, &reference);
                ck_assert(text_equal(name.repo, REPO) && text_equal(name.revision, text_of(cases[i].revision)));
                ck_assert(name.version == cases[i].version && name.fixed == cases[i].fixed);
        }
}
END_TEST

/* --- commits --- */

START_TEST(test_unknown)
{
        Asker asker = begin();
        HubFound found = find(&asker, "main");

        ck_assert(found.state == HUB_UNKNOWN && text_equal(found.repo, REPO) && !found.commit.data && !found.age_s.present);
        ck_assert_ptr_null(hub_found_variant(&found).data);
        put_revision("main", A, NULL, NULL);
        found = find(&asker, "main");
        ck_assert(found.state == HUB_UNKNOWN && text_equal(found.commit, TEXT(A)) && found.age_s.value == 100);
        ck_assert_ptr_eq(found.revision, catalog_revision(catalog, REPO, TEXT("main")));
        asker.now_s = NOW - 200; /* a clock that was set back */
        found = find(&asker, "main");
        ck_assert(found.age_s.present && found.age_s.value == 0);
        asker.catalog = NULL;
        found = find(&asker, "main");
        ck_assert(found.state == HUB_UNKNOWN && !found.commit.data);
        end();
}
END_TEST

/* What the asker had before, though the branch has moved. */
START_TEST(test_memory)
{
        Asker asker = begin();
        HubFound found;

        put_revision("main", A, NULL, NULL);
        ck_assert_int_eq(commit_memory_put(memory, catalog_revision(catalog, REPO, TEXT("main"))), 0);
        found = find(&asker, "main");
        ck_assert(text_equal(found.commit, TEXT(A)) && found.age_s.value == 100);
        ck_assert_ptr_null(found.revision);
        put_revision("main", B, NULL, NULL);
        found = find(&asker, "main");
        ck_assert(text_equal(found.commit, TEXT(A)) && !found.age_s.present);
        asker.fresh = true;
        found = find(&asker, "main");
        ck_assert(text_equal(found.commit, TEXT(B)) && found.age_s.present && found.revision);
        asker.fresh = false;
        asker.memory = NULL;
        ck_assert(text_equal(find(&asker, "main").commit, TEXT(B)));
        end();
}
END_TEST

START_TEST(test_fixed)
{
        Asker asker = begin();
        Reference reference = { .kind = REFERENCE_LOCKED, .repo = REPO, .commit = TEXT(B) };
        HubFound found;
        Fault fault;

        put_revision("main", A, NULL, NULL);
        ck_assert_int_eq(find_on(&asker, &reference, DEVICE_CPU, &found, &fault), 0);
        ck_assert(text_equal(found.commit, TEXT(B)) && text_equal(found.repo, REPO) && !found.age_s.present);
        put_known(REPO, B, false, (KnownVariant[]){ { .name = TEXT(BEST), .complete = true } }, 1);
        ck_assert_int_eq(find_on(&asker, &reference, DEVICE_CPU, &found, &fault), 0);
        ck_assert_int_eq(found.state, HUB_READY);
        put_revision(B, B, "p/q", A); /* a commit of a repository that has moved */
        ck_assert_int_eq(find_on(&asker, &reference, DEVICE_CPU, &found, &fault), 0);
        ck_assert(text_equal(found.redirect, TEXT("p/q")) && text_equal(found.commit, TEXT(A)) && !found.age_s.present);
        ck_assert_int_eq(found.state, HUB_UNKNOWN);
        ck_assert_int_eq(commit_memory_put(memory, catalog_revision(catalog, REPO, TEXT(B))), 0);
        put_revision(B, B, NULL, NULL);
        ck_assert_int_eq(find_on(&asker, &reference, DEVICE_CPU, &found, &fault), 0);
        ck_assert(!found.redirect.data && found.state == HUB_READY); /* nobody remembers what is fixed */
        end();
}
END_TEST

START_TEST(test_redirect)
{
        Asker asker = begin();
        HubFound found;

        put_revision("main", A, "p/q", B);
        put_known(REPO, A, true, (KnownVariant[]){ { .name = TEXT(SECOND), .complete = true } }, 1);
        put_known(TEXT("p/q"), B, true, (KnownVariant[]){ { .name = TEXT(BEST), .complete = true } }, 1);
        found = find(&asker, "main");
        ck_assert(text_equal(found.repo, TEXT("p/q")) && text_equal(found.redirect, TEXT("p/q")));
        ck_assert(text_equal(found.commit, TEXT(B)) && found.state == HUB_READY && found.age_s.present);
        ck_assert(text_equal(hub_found_variant(&found), TEXT(BEST)));
        ck_assert_int_eq(commit_memory_put(memory, found.revision), 0);
        put_revision("main", A, NULL, NULL);
        found = find(&asker, "main"); /* remembered with where it led */
        ck_assert(text_equal(found.repo, TEXT("p/q")) && !found.age_s.present);
        asker.fresh = true;
        found = find(&asker, "main");
        ck_assert(text_equal(found.repo, REPO) && !found.redirect.data);
        end();
}
END_TEST

/* --- variants --- */

START_TEST(test_listed)
{
        Asker asker = begin();
        Reference reference = reference_to("main");
        HubFound found;
        Fault fault;

        put_revision("main", A, NULL, NULL);
        put_known(REPO, A, true, (KnownVariant[]){ { .name = TEXT(BEST) }, { .name = TEXT(SECOND), .complete = true } }, 2);
        found = find(&asker, "main");
        ck_assert_int_eq(found.state, HUB_ABSENT); /* the best one counts, not what is here */
        ck_assert(text_equal(hub_found_variant(&found), TEXT(BEST)));
        put_known(REPO, A, true, (KnownVariant[]){ { .name = TEXT(BEST), .complete = true } }, 1);
        found = find(&asker, "main");
        ck_assert_int_eq(found.state, HUB_READY);
        ck_assert_ptr_eq(found.repository, catalog_known(catalog, REPO, TEXT(A))->all);
        ck_assert_int_eq(find_on(&asker, &reference, DEVICE_CUDA, &found, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_NO_VARIANT);
        ck_assert_ptr_null(found.repository);
        end();
}
END_TEST

/* What is here is all that can be had: the best of it, and what does not fit is not known. */
static void assert_here_counts(const Asker *asker, bool listed)
{
        Reference reference = reference_to("main");
        HubFound found;
        Fault fault;

        put_revision("main", A, NULL, NULL);
        put_known(REPO, A, listed, (KnownVariant[]){ { .name = TEXT(BEST) }, { .name = TEXT(SECOND), .complete = true } }, 2);
        found = find(asker, "main");
        ck_assert_int_eq(found.state, HUB_READY);
        ck_assert(text_equal(hub_found_variant(&found), TEXT(SECOND)));
        ck_assert_int_eq(find_on(asker, &reference, DEVICE_CUDA, &found, &fault), 0);
        ck_assert(found.state == HUB_UNKNOWN && !found.repository);
        ck_assert_ptr_null(hub_found_variant(&found).data);
}

START_TEST(test_offline)
{
        Asker asker = begin();

        asker.offline = true;
        assert_here_counts(&asker, true);
        end();
}
END_TEST

START_TEST(test_unlisted)
{
        Asker asker = begin();

        assert_here_counts(&asker, false);
        end();
}
END_TEST

START_TEST(test_corrupt)
{
        Asker asker = begin();
        Reference reference = reference_to("main");
        HubFound found;
        Fault fault;

        put_revision("main", A, NULL, NULL);
        put_known(REPO, A, true, (KnownVariant[]){ { .name = TEXT(BEST), .corrupt = TEXT("a.py differs") },
                                                   { .name = TEXT(SECOND), .complete = true } }, 2);
        ck_assert_int_eq(find_on(&asker, &reference, DEVICE_CPU, &found, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_CORRUPT);
        ck_assert(strstr(fault.message, "o/n at " A) && strstr(fault.message, BEST) && strstr(fault.message, "a.py differs"));
        asker.offline = true; /* what is here is whole */
        found = find(&asker, "main");
        ck_assert(text_equal(hub_found_variant(&found), TEXT(SECOND)));
        end();
}
END_TEST

START_TEST(test_arch)
{
        static const char text[] = "{\"name\": \"my-kernel\", \"id\": \"x\", \"version\": 1, \"license\": \"MIT\", "
                                   "\"python-depends\": [], \"backend\": {\"type\": \"cuda\", \"archs\": [\"8.0\"]}}";
        CLEANUP(metadata_freep) Metadata *metadata = NULL;
        Asker asker = begin();
        Reference reference = reference_to("main");
        HubFound found;
        Fault fault;

        ck_assert_int_eq(metadata_parse(text_of(text), &metadata, &fault), 0);
        put_revision("main", A, NULL, NULL);
        put_known(REPO, A, true, (KnownVariant[]){ { .name = TEXT(CUDA), .metadata = metadata, .complete = true } }, 1);
        ck_assert_int_eq(find_on(&asker, &reference, DEVICE_CUDA, &found, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_ARCH);
        asker.offline = true; /* another one might be there */
        ck_assert_int_eq(find_on(&asker, &reference, DEVICE_CUDA, &found, &fault), 0);
        ck_assert_int_eq(found.state, HUB_UNKNOWN);
        end();
}
END_TEST

/* With a trace the same, and it is told. */
START_TEST(test_trace)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Asker asker = begin();
        Reference reference = reference_to("main");
        const MsgQuery query = { 0 };
        Trace trace = { .arena = &arena };
        HubName name;
        HubFound found;
        Fault fault;

        put_revision("main", A, NULL, NULL);
        put_known(REPO, A, true, (KnownVariant[]){ { .name = TEXT(BEST), .complete = true }, { .name = TEXT(CUDA) } }, 2);
        hub_name_init(&name, &reference);
        ck_assert_int_eq(hub_find(&asker, &name, &query, DEVICE_CPU, &trace, &found, &fault), 0);
        ck_assert(found.state == HUB_READY && text_equal(hub_found_variant(&found), TEXT(BEST)));
        ck_assert_uint_ge(trace.n, 2);
        ck_assert(text_equal(hub_state_text(HUB_READY), TEXT("ready")) && text_equal(hub_state_text(HUB_ABSENT), TEXT("absent")));
        ck_assert(text_equal(hub_state_text(HUB_UNKNOWN), TEXT("unknown")));
        end();
}
END_TEST

static int find_once(const Asker *asker)
{
        Reference reference = reference_to("main");
        HubFound found;
        Fault fault;

        choice_memo_forget(&memo);
        return find_on(asker, &reference, DEVICE_CPU, &found, &fault);
}

START_TEST(test_torture)
{
        Asker asker = begin();

        put_revision("main", A, NULL, NULL);
        put_known(REPO, A, true, (KnownVariant[]){ { .name = TEXT(BEST), .complete = true } }, 1);
        FIXTURE_TORTURE(find_once(&asker));
        end();
}
END_TEST

FIXTURE_MAIN("kernels/hub_find", test_name, test_unknown, test_memory, test_fixed, test_redirect, test_listed, test_offline,
             test_unlisted, test_corrupt, test_arch, test_trace, test_torture)
