#include "client/text_table.h"

#include <errno.h>
#include <stdio.h>

#include "tests/lib/fixture.h"

enum { MANY = 20000 };

static char texts[MANY][8];

START_TEST(test_numbers)
{
        CLEANUP(text_table_deinit) TextTable table = TEXT_TABLE_NULL;

        ck_assert_int_eq(text_table_init(&table, MANY + 1), 0);
        for (unsigned i = 0; i < MANY; ++i) {
                (void)snprintf(texts[i], sizeof(texts[i]), "%u", i);
                ck_assert_uint_eq(text_table_number(&table, text_of(texts[i])), i);
        }
        ck_assert_uint_eq(text_table_number(&table, TEXT("")), MANY);
        for (unsigned i = 0; i < MANY; ++i)
                ck_assert_uint_eq(text_table_number(&table, (Text){ texts[i], strlen(texts[i]) }), i);
        ck_assert_uint_eq(table.n, MANY + 1);
        ck_assert(text_equal(table.texts[123], TEXT("123")));
}
END_TEST

static int make_once(void)
{
        CLEANUP(text_table_deinit) TextTable table = TEXT_TABLE_NULL;

        return text_table_init(&table, 5);
}

START_TEST(test_memory)
{
        CLEANUP(text_table_deinit) TextTable table = TEXT_TABLE_NULL;

        FIXTURE_TORTURE(make_once());
        ck_assert_int_eq(text_table_init(&table, SIZE_MAX), -ENOMEM);
}
END_TEST

FIXTURE_MAIN("client/text_table", test_numbers, test_memory)
