#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/hub_answer.h"

#define A40 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B40 "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

/* What the Hub double sent, in tests/data/hub. */
static Text recorded(const char *name, Arena *arena)
{
        size_t size;
        char *bytes = fixture_read(name, &size);
        Text text;

        ck_assert_int_eq(arena_copy(arena, (Text){ bytes, size }, &text), 0);
        alloc_free(bytes);
        return text;
}

START_TEST(test_refs)
{
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        HubRefs refs;
        Text commit = TEXT_NULL;

        ck_assert_int_eq(hub_refs_parse(recorded("hub/refs.json", &arena), &arena, &refs, &fault), 0);
        ck_assert_uint_eq(refs.n_branches, 3);
        ck_assert_uint_eq(refs.n_tags, 0);
        ck_assert(hub_refs_find(&refs, TEXT("v2"), &commit));
        ck_assert(text_equal(commit, TEXT("129b7478cb7c635a21eb0cc4407e76c2e96f11e2")));
        ck_assert(!hub_refs_find(&refs, TEXT("v3"), &commit));
}
END_TEST

START_TEST(test_branch_goes_before_tag)
{
        static const char body[] = "{\"tags\":[{\"name\":\"x\",\"targetCommit\":\"" A40 "\"},"
                                   "{\"name\":\"t\",\"targetCommit\":\"" A40 "\"}],"
                                   "\"branches\":[{\"name\":\"x\",\"targetCommit\":\"" B40 "\",\"more\":1}]}";
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        HubRefs refs;
        Text commit;

        ck_assert_int_eq(hub_refs_parse(text_of(body), &arena, &refs, &fault), 0);
        ck_assert(hub_refs_find(&refs, TEXT("x"), &commit) && text_equal(commit, TEXT(B40)));
        ck_assert(hub_refs_find(&refs, TEXT("t"), &commit) && text_equal(commit, TEXT(A40)));
}
END_TEST

START_TEST(test_hostile_refs_are_left_out)
{
        static const char body[] =
                "{\"branches\":[{\"name\":\"../../x\",\"targetCommit\":\"" A40 "\"},{\"name\":\"/etc\",\"targetCommit\":\"" A40
                "\"},{\"name\":\"a\\n\",\"targetCommit\":\"" A40 "\"},{\"name\":\"short\",\"targetCommit\":\"aaaa\"},"
                "{\"name\":\"upper\",\"targetCommit\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"},{\"name\":\"none\"},"
                "{\"name\":1,\"targetCommit\":\"" A40 "\"},7,[],null,{\"name\":\"good/one\",\"targetCommit\":\"" A40
                "\"}],\"tags\":[]}";
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        HubRefs refs;

        ck_assert_int_eq(hub_refs_parse(text_of(body), &arena, &refs, &fault), 0);
        ck_assert_uint_eq(refs.n_branches, 1);
        ck_assert(text_equal(refs.branches[0].name, TEXT("good/one")));
}
END_TEST

START_TEST(test_broken)
{
        static const char *const bodies[] = { "", "<html>", "[]", "{", "{}", "{\"branches\":{},\"tags\":[]}",
                                              "{\"branches\":[]}", "{\"branches\":[],\"tags\":1}", "\"x\"", "{\"sha\":1}",
                                              "{\"sha\":\"main\"}", "{\"sha\":\"../../etc\"}" };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        HubRefs refs;
        Text commit = TEXT("untouched");

        for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
                Fault fault = FAULT_NULL;

                ck_assert_int_eq(hub_refs_parse(text_of(bodies[i]), &arena, &refs, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_HUB);
                ck_assert_int_eq(hub_revision_parse(text_of(bodies[i]), &arena, &commit, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_HUB);
        }
        ck_assert(text_equal(commit, TEXT("untouched")));
}
END_TEST

START_TEST(test_version)
{
        static const struct {
                const char *branch;
                int64_t version; /* -1: none */
        } cases[] = { { "v1", 1 },   { "v0", 0 },    { "v12", 12 }, { "v9223372036854775807", INT64_MAX }, { "v", -1 },
                      { "v01", -1 }, { "v+1", -1 },  { "v-1", -1 }, { "v9223372036854775808", -1 },        { "", -1 },
                      { "v1 ", -1 }, { "v1a", -1 },  { "V1", -1 },  { "1", -1 },                           { "v00", -1 },
                      { "main", -1 } };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                int64_t version = -1;

                ck_assert_msg(hub_ref_version(text_of(cases[i].branch), &version) == (cases[i].version >= 0), "%s",
                              cases[i].branch);
                ck_assert_int_eq(version, cases[i].version);
        }
}
END_TEST

START_TEST(test_revision_and_overview)
{
        static const char *const untrusted[] = { "{}", "{\"trustedKernelPublisher\":false}", "{\"trustedKernelPublisher\":1}",
                                                 "{\"trustedKernelPublisher\":\"true\"}",
                                                 "{\"trustedKernelPublisher\":null}" };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        bool trusted = false;
        Text commit;

        ck_assert_int_eq(hub_revision_parse(recorded("hub/revision.json", &arena), &arena, &commit, &fault), 0);
        ck_assert(text_equal(commit, TEXT("129b7478cb7c635a21eb0cc4407e76c2e96f11e2")));
        ck_assert_int_eq(hub_overview_parse(recorded("hub/overview.json", &arena), &trusted, &fault), 0);
        ck_assert(trusted);
        for (size_t i = 0; i < ARRAY_SIZE(untrusted); i++) {
                trusted = true;
                ck_assert_int_eq(hub_overview_parse(text_of(untrusted[i]), &trusted, &fault), 0);
                ck_assert_msg(!trusted, "%s", untrusted[i]);
        }
        ck_assert_int_eq(hub_overview_parse(TEXT("[]"), &trusted, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_HUB);
        ck_assert_int_eq(hub_overview_parse(TEXT("{\"trustedKernelPublisher\":true,\"trustedKernelPublisher\":false}"),
                                            &trusted, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_HUB);
}
END_TEST

static int parse_all(void)
{
        static const char body[] = "{\"branches\":[{\"name\":\"x\",\"targetCommit\":\"" A40 "\"}],\"tags\":[],\"sha\":\"" A40 "\"}";
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault = FAULT_NULL;
        HubRefs refs;
        bool trusted;
        Text commit;
        int r = hub_refs_parse(text_of(body), &arena, &refs, &fault);

        if (!r)
                r = hub_revision_parse(text_of(body), &arena, &commit, &fault);
        return r ? r : hub_overview_parse(text_of(body), &trusted, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(parse_all());
        ck_assert_int_eq(parse_all(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/hub_answer", test_refs, test_branch_goes_before_tag, test_hostile_refs_are_left_out, test_broken,
             test_version, test_revision_and_overview, test_torture)
