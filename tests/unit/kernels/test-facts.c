#include "kernels/facts.h"

#include "tests/lib/fixture.h"

START_TEST(test_copy)
{
        char repo[] = "o/n", bytes[] = "\x80";
        Fact fact = { .kind = FACT_USE, .use = { .domain_uid = 7, .repo = text_of(repo), .revision = TEXT(""),
                                                 .environment = { bytes, 1 }, .device = TEXT("cuda"), .capability = 90,
                                                 .at_s = 5 } };
        CLEANUP_ALLOC char *room = alloc_bytes(fact_room(&fact) + 1);
        Fact copy;

        ck_assert_uint_eq(fact_room(&fact), 3 + 1 + 4);
        fact_copy(&fact, room, &copy);
        repo[0] = bytes[0] = 'x';
        ck_assert(text_equal(copy.use.repo, TEXT("o/n")));
        ck_assert(text_equal(copy.use.environment, TEXT("\x80")));
        ck_assert(text_equal(copy.use.device, TEXT("cuda")));
        ck_assert_ptr_nonnull(copy.use.revision.data);
        ck_assert_ptr_null(copy.use.arch.data);
        ck_assert_int_eq(copy.use.domain_uid, 7);
        ck_assert_int_eq(copy.use.capability, 90);
}
END_TEST

/* Every member of every kind is a column, in its order. */
START_TEST(test_layouts)
{
        static const size_t sizes[] = {
                [FACT_COLUMN_TEXT] = sizeof(Text), [FACT_COLUMN_OPTIONAL] = sizeof(Text), [FACT_COLUMN_BYTES] = sizeof(Text),
                [FACT_COLUMN_INTEGER] = sizeof(int64_t), [FACT_COLUMN_BOOL] = sizeof(int64_t),
                [FACT_COLUMN_FINGERPRINT] = FACT_FINGERPRINT,
        };

        for (int kind = 0; kind < _FACT_MAX; kind++) {
                const FactLayout *layout = &fact_layouts[kind];
                size_t end = 0;

                for (size_t i = 0; i < layout->n_columns; i++) {
                        ck_assert_uint_eq(layout->columns[i].offset, end);
                        end += sizes[layout->columns[i].kind];
                }
                ck_assert_uint_eq(end, layout->size);
        }
}
END_TEST

START_TEST(test_facts)
{
        Facts *facts = NULL;

        ck_assert_int_eq(facts_new(&facts), 0);
        ck_assert_ptr_null(facts_free(facts));
        ck_assert_ptr_null(facts_free(NULL));
}
END_TEST

FIXTURE_MAIN("kernels/facts", test_copy, test_layouts, test_facts)
