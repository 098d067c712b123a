#include "kernels/policy.h"

#include <errno.h>

#include "tests/lib/fixture.h"

#define LIST(...) ((TextList){ (Text[]){ __VA_ARGS__ }, sizeof((Text[]){ __VA_ARGS__ }) / sizeof(Text) })
#define NOTHING ((TextList){ 0 })

static Policy *make(TextList allow, TextList deny, TextList private, bool trust_hub)
{
        Policy *policy = NULL;
        Fault fault;

        ck_assert_int_eq(policy_new(allow, deny, private, trust_hub, &policy, &fault), 0);
        return policy;
}

static Policy *usual(bool trust_hub)
{
        return make(LIST(TEXT("good"), TEXT("mixed/good")), LIST(TEXT("evil"), TEXT("good/bad")), LIST(TEXT("us/own")),
                    trust_hub);
}

typedef struct Case {
        const char *asked;
        const char *final; /* NULL: no redirect */
        PublisherTrust of_asked, of_final;
        bool trust_remote_code, offline, without_hub;
        int answer;
        FaultName fault;
        const char *says; /* part of the reason, the fault, or the publisher to ask about */
} Case;

#define UNKNOWN PUBLISHER_UNKNOWN
#define TRUSTED PUBLISHER_TRUSTED
#define UNTRUSTED PUBLISHER_UNTRUSTED

static const Case cases[] = {
        /* Who vouches. */
        { .asked = "good/x", .says = "allowed by trust.allow" },
        { .asked = "good/x", .of_asked = UNTRUSTED, .offline = true, .says = "allowed by trust.allow" },
        { .asked = "mixed/good", .without_hub = true, .says = "allowed by trust.allow" },
        { .asked = "new/x", .of_asked = TRUSTED, .says = "the Hub trusts the publisher" },
        { .asked = "new/x", .of_asked = TRUSTED, .offline = true, .says = "the Hub trusts the publisher" },
        { .asked = "new/x", .of_asked = UNTRUSTED, .trust_remote_code = true, .says = "trust_remote_code" },
        { .asked = "new/x", .trust_remote_code = true, .offline = true, .says = "trust_remote_code" },
        { .asked = "new/x", .trust_remote_code = true, .without_hub = true, .says = "trust_remote_code" },
        /* Nobody does. */
        { .asked = "new/x", .answer = POLICY_ASK, .says = "new" },
        { .asked = "mixed/other", .answer = POLICY_ASK, .says = "mixed" },
        { .asked = "Good/x", .answer = POLICY_ASK, .says = "Good" },
        { .asked = "goodness/x", .answer = POLICY_ASK, .says = "goodness" },
        { "new/x", .offline = true, .answer = POLICY_FAULT, .fault = FAULT_OFFLINE,
          .says = "\"trust\": {\"allow\": [\"new\"]}" },
        { "new/x", .of_asked = UNTRUSTED, .answer = POLICY_FAULT, .fault = FAULT_UNTRUSTED,
          .says = "\"trust\": {\"allow\": [\"new\"]}" },
        { "new/x", .of_asked = UNTRUSTED, .answer = POLICY_FAULT, .fault = FAULT_UNTRUSTED, .says = "77 s ago" },
        { "new/x", .of_asked = UNTRUSTED, .offline = true, .answer = POLICY_FAULT, .fault = FAULT_UNTRUSTED, .says = "new" },
        { "new/x", .of_asked = TRUSTED, .without_hub = true, .answer = POLICY_FAULT, .fault = FAULT_UNTRUSTED,
          .says = "the Hub's word does not count here" },
        { "new/x", .without_hub = true, .answer = POLICY_FAULT, .fault = FAULT_UNTRUSTED, .says = "\"allow\": [\"new\"]" },
        /* Denials go before all else. */
        { "evil/x", .of_asked = TRUSTED, .trust_remote_code = true, .answer = POLICY_FAULT,
          .fault = FAULT_DENIED_BY_POLICY, .says = "\"trust\": {\"deny\": [\"evil\"]}" },
        { "EviL/x", .of_asked = TRUSTED, .answer = POLICY_FAULT, .fault = FAULT_DENIED_BY_POLICY, .says = "[\"evil\"]" },
        { "good/bad", .answer = POLICY_FAULT, .fault = FAULT_DENIED_BY_POLICY, .says = "\"deny\": [\"good/bad\"]" },
        { "evil/x", .offline = true, .answer = POLICY_FAULT, .fault = FAULT_DENIED_BY_POLICY, .says = "evil/x is denied" },
        /* Of a redirect both count. */
        { "good/x", "mixed/good", .says = "allowed by trust.allow" },
        { "good/x", "new/x", .of_final = TRUSTED, .says = "good/x: allowed by trust.allow; new/x: the Hub trusts" },
        { "good/x", "new/x", .answer = POLICY_ASK, .says = "new" },
        { "a/x", "b/x", .answer = POLICY_ASK, .says = "a" },
        { "a/x", "b/x", .of_asked = TRUSTED, .answer = POLICY_ASK, .says = "b" },
        { "a/x", "b/x", .of_final = UNTRUSTED, .answer = POLICY_FAULT, .fault = FAULT_UNTRUSTED, .says = "a/x leads to b/x" },
        { "a/x", "b/x", .of_asked = UNTRUSTED, .answer = POLICY_FAULT, .fault = FAULT_UNTRUSTED, .says = "\"allow\": [\"a\"]" },
        { "good/x", "evil/x", .trust_remote_code = true, .answer = POLICY_FAULT, .fault = FAULT_DENIED_BY_POLICY,
          .says = "good/x leads to evil/x" },
        { "evil/x", "good/x", .answer = POLICY_FAULT, .fault = FAULT_DENIED_BY_POLICY, .says = "evil/x is denied" },
        { "good/x", "new/x", .offline = true, .answer = POLICY_FAULT, .fault = FAULT_OFFLINE, .says = "good/x leads to new/x" },
};

static int judge(const Policy *policy, const Case *c, Arena *arena, Text *ret_why, Fault *fault)
{
        TrustFacts asked = { text_of(c->asked), c->of_asked, INTEGER_PRESENT(77) };
        TrustFacts final = { text_of(c->final), c->of_final, INTEGER_ABSENT };

        return policy_judge(policy, &asked, c->final ? &final : NULL, c->trust_remote_code, c->offline, ret_why, arena,
                            fault);
}

static bool has(Text text, const char *part)
{
        return memmem(text.data, text.size, part, strlen(part));
}

START_TEST(test_judge)
{
        CLEANUP(policy_unrefp) Policy *with_hub = usual(true), *without_hub = usual(false);

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                const Case *c = &cases[i];
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                Fault fault = FAULT_NULL;
                Text why = TEXT("untouched");
                int r = judge(c->without_hub ? without_hub : with_hub, c, &arena, &why, &fault);

                ck_assert_msg(r == c->answer, "case %zu: %d, %s", i, r, fault.message);
                ck_assert_msg(fault.name == c->fault, "case %zu: %s", i, fault_spelling(fault.name));
                if (r == POLICY_FAULT)
                        ck_assert_msg(strstr(fault.message, c->says) && text_equal(why, TEXT("untouched")), "case %zu: %s", i,
                                      fault.message);
                else if (r == POLICY_ASK)
                        ck_assert_msg(text_equal(why, text_of(c->says)), "case %zu: %.*s", i, TEXT_PRINT(why));
                else
                        ck_assert_msg(has(why, c->says), "case %zu: %.*s", i, TEXT_PRINT(why));
        }
}
END_TEST

/* Whoever is refused learns which line allows it, never how to check less. */
START_TEST(test_no_advice_against_checks)
{
        CLEANUP(policy_unrefp) Policy *policy = usual(true);

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
                CLEANUP_ARENA Arena arena = ARENA_NULL;
                Fault fault = FAULT_NULL;
                Text why;

                if (judge(policy, &cases[i], &arena, &why, &fault) == POLICY_FAULT)
                        ck_assert_msg(!strstr(fault.message, "trust_remote_code"), "%s", fault.message);
        }
}
END_TEST

START_TEST(test_words)
{
        CLEANUP(policy_unrefp) Policy *policy = usual(true), *without_hub = usual(false);
        const struct { const Policy *policy; const char *repo; PublisherTrust trust; const char *word; } words[] = {
                { policy, "good/x", UNTRUSTED, "allowed" },  { policy, "good/bad", TRUSTED, "denied" },
                { policy, "new/x", TRUSTED, "trusted" },     { policy, "new/x", UNTRUSTED, "untrusted" },
                { policy, "new/x", UNKNOWN, "unknown" },     { without_hub, "new/x", UNKNOWN, "untrusted" },
                { without_hub, "new/x", TRUSTED, "untrusted" },
        };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
                TrustFacts facts = { text_of(words[i].repo), words[i].trust, INTEGER_ABSENT };

                ck_assert_msg(text_equal(policy_trust_word(words[i].policy, &facts), text_of(words[i].word)), "%zu", i);
        }
}
END_TEST

START_TEST(test_private)
{
        CLEANUP(policy_unrefp) Policy *policy = usual(true);
        Fault fault = FAULT_NULL;

        ck_assert(policy_is_private(policy, TEXT("us/own")));
        ck_assert(!policy_is_private(policy, TEXT("us/other")));
        ck_assert(!policy_is_private(policy, TEXT("us")));
        ck_assert_int_eq(policy_judge_private(policy, TEXT("us/own"), false, &fault), 0);
        ck_assert_int_eq(policy_judge_private(policy, TEXT("us/other"), true, &fault), 0);
        ck_assert_int_eq(policy_judge_private(policy, TEXT("us/other"), false, &fault), 1);
        ck_assert_int_eq(fault.name, FAULT_DENIED_BY_POLICY);
        ck_assert_ptr_nonnull(strstr(fault.message, "\"trust\": {\"private\": [\"us/other\"]}"));
}
END_TEST

START_TEST(test_items)
{
        static const char *const bad[] = { "", "a b", "-a", "a/b/c", "a//b", "/a", "a/", "a--b", "a\n" };
        Policy *policy = NULL;
        Fault fault;

        ck_assert_int_eq(policy_check_publisher(TEXT("org"), &fault), 0);
        ck_assert_int_eq(policy_check_publisher(TEXT("org/name"), &fault), 0);
        ck_assert_int_eq(policy_check_repository(TEXT("org/name"), &fault), 0);
        ck_assert_int_eq(policy_check_repository(TEXT("org"), &fault), 1);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
                ck_assert_msg(policy_check_publisher(text_of(bad[i]), &fault) == 1, "%s", bad[i]);
                ck_assert_int_eq(fault.name, FAULT_INVALID_NAME);
                ck_assert_int_eq(policy_new(LIST(TEXT("a"), text_of(bad[i])), NOTHING, NOTHING, true, &policy, &fault), 1);
                ck_assert_int_eq(policy_new(NOTHING, LIST(text_of(bad[i])), NOTHING, true, &policy, &fault), 1);
        }
        ck_assert_int_eq(policy_new(NOTHING, NOTHING, LIST(TEXT("org")), true, &policy, &fault), 1);
        ck_assert_ptr_null(policy);
}
END_TEST

/* 97 bytes: one more than either half of a name has. */
START_TEST(test_long_publisher)
{
        char name[97];
        Fault fault;

        memset(name, 'a', sizeof(name));
        ck_assert_int_eq(policy_check_publisher((Text){ name, 96 }, &fault), 0);
        ck_assert_int_eq(policy_check_publisher((Text){ name, 97 }, &fault), 1);
}
END_TEST

START_TEST(test_counts)
{
        char org[] = "good";
        Policy *policy = make(LIST(text_of(org)), NOTHING, NOTHING, false), *other = policy_ref(policy);
        TrustFacts facts = { .repo = TEXT("good/x") };

        org[0] = 'x';
        policy_unref(policy);
        ck_assert(text_equal(policy_trust_word(other, &facts), TEXT("allowed")));
        ck_assert_ptr_null(policy_unref(other));
        ck_assert_ptr_null(policy_unref(NULL));
        ck_assert_ptr_null(policy_ref(NULL));
}
END_TEST

static int all(void)
{
        CLEANUP(policy_unrefp) Policy *policy = NULL;
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Fault fault;
        Text why;
        Case redirect = { "good/x", "new/x", .of_final = TRUSTED };
        int r = policy_new(LIST(TEXT("good")), LIST(TEXT("bad")), LIST(TEXT("a/b")), true, &policy, &fault);

        return r ? r : judge(policy, &redirect, &arena, &why, &fault);
}

START_TEST(test_torture)
{
        FIXTURE_TORTURE(all());
        ck_assert_int_eq(all(), 0);
}
END_TEST

FIXTURE_MAIN("kernels/policy", test_judge, test_no_advice_against_checks, test_words, test_private, test_items,
             test_long_publisher, test_counts, test_torture)
