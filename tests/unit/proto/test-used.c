#include "proto/used.h"

#include "tests/lib/fixture.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static MsgUsed good(void)
{
        return (MsgUsed){ .layer = TEXT("Silu"), .device = TEXT("cpu"), .mode = TEXT("inference"), .repo = TEXT("o/n"),
                          .commit = TEXT(COMMIT), .variant = TEXT("torch-cpu"), .reason = TEXT("why") };
}

static int check(const MsgUsed *used, Fault *fault)
{
        MsgUsed checked;

        *fault = FAULT_NULL;
        return used_check(used, &checked, fault);
}

START_TEST(test_good)
{
        MsgUsed used = good(), checked;
        Fault fault;

        ck_assert_int_eq(used_check(&used, &checked, &fault), 0);
        used.mode = TEXT("torch_compile|training");
        ck_assert_int_eq(used_check(&used, &checked, &fault), 0);
        ck_assert(text_equal(checked.mode, TEXT("training|torch_compile")));
        ck_assert(text_equal(checked.layer, used.layer) && text_equal(checked.commit, used.commit));
        used = (MsgUsed){ .layer = TEXT("Silu"), .reason = TEXT("the original") };
        ck_assert_int_eq(check(&used, &fault), 0);
        used = good();
        used.repo = TEXT("local:folder");
        used.commit = TEXT_NULL;
        ck_assert_int_eq(check(&used, &fault), 0);
}
END_TEST

START_TEST(test_bad)
{
        const struct { size_t offset; Text text; FaultName fault; } rows[] = {
                { offsetof(MsgUsed, layer), TEXT("a\nb"), FAULT_INVALID_NAME },
                { offsetof(MsgUsed, device), TEXT("metal"), FAULT_INVALID_DEVICE },
                { offsetof(MsgUsed, mode), TEXT("fallback"), FAULT_INVALID_MODE },
                { offsetof(MsgUsed, repo), TEXT("no organisation"), FAULT_INVALID_NAME },
                { offsetof(MsgUsed, repo), TEXT("local:folder"), FAULT_BAD_REQUEST }, /* with a commit */
                { offsetof(MsgUsed, repo), TEXT_NULL, FAULT_BAD_REQUEST },
                { offsetof(MsgUsed, commit), TEXT("abc"), FAULT_INVALID_NAME },
                { offsetof(MsgUsed, variant), TEXT("a/b"), FAULT_INVALID_NAME },
                { offsetof(MsgUsed, reason), TEXT(""), FAULT_INVALID_NAME },
                { offsetof(MsgUsed, reason), TEXT("two\nlines"), FAULT_INVALID_NAME },
        };

        for (size_t i = 0; i < ARRAY_SIZE(rows); ++i) {
                MsgUsed used = good();
                Fault fault;

                *(Text *)((char *)&used + rows[i].offset) = rows[i].text;
                ck_assert_msg(check(&used, &fault) == 1, "row %zu", i);
                ck_assert_msg(fault.name == rows[i].fault, "row %zu: %d %s", i, fault.name, fault.message);
        }
}
END_TEST

FIXTURE_MAIN("proto/used", test_good, test_bad)
