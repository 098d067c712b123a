#include "tests/lib/fixture.h"

#include <errno.h>
#include <stdio.h>

#include "kernels/text_table.h"

#define N 1000

typedef struct Item {
        TableItem item;
        char a[16], b[16];
        bool seen;
} Item;

static Item items[N];

static void make_items(void)
{
        for (size_t i = 0; i < N; i++) {
                items[i].item.a = (Text){ items[i].a, (size_t)sprintf(items[i].a, "a%zu", i / 10) };
                items[i].item.b = (Text){ items[i].b, (size_t)sprintf(items[i].b, "b%zu", i % 10) };
                items[i].seen = false;
        }
}

static void empty(TextTable *table)
{
        (void)text_table_take_all(table);
}

START_TEST(test_find)
{
        TextTable table = TEXT_TABLE_OF(42);

        make_items();
        ck_assert_ptr_null(text_table_find(&table, TEXT("a1"), TEXT("b1")));
        for (size_t i = 0; i < N; i++)
                ck_assert_int_eq(text_table_put(&table, &items[i].item), 0);
        ck_assert_uint_eq(table.n, N);
        for (size_t i = 0; i < N; i++)
                ck_assert_ptr_eq(text_table_find(&table, items[i].item.a, items[i].item.b), &items[i].item);
        ck_assert_ptr_null(text_table_find(&table, TEXT("a1"), TEXT("b10")));
        ck_assert_ptr_null(text_table_find(&table, TEXT("b1"), TEXT("a1")));
        ck_assert_ptr_null(text_table_find(&table, TEXT("a1b1"), TEXT("")));
        ck_assert_ptr_null(text_table_find(&table, TEXT("a"), TEXT("1b1")));
        empty(&table);
}
END_TEST

/* The texts count, not their hash alone. */
START_TEST(test_same_hash)
{
        TextTable table = TEXT_TABLE_OF(42);
        Item item = { .item = { .a = TEXT("a"), .b = { item.b, 1 } }, .b = "b" };
        Item other = { .item = { .a = { other.a, 1 }, .b = TEXT("c") }, .a = "a" };

        ck_assert_int_eq(text_table_put(&table, &item.item), 0);
        ck_assert_int_eq(text_table_put(&table, &other.item), 0);
        item.b[0] = other.a[0] = 'x';
        ck_assert_ptr_null(text_table_find(&table, TEXT("a"), TEXT("b")));
        ck_assert_ptr_null(text_table_find(&table, TEXT("a"), TEXT("c")));
        empty(&table);
}
END_TEST

START_TEST(test_remove)
{
        TextTable table = TEXT_TABLE_OF(42);

        make_items();
        for (size_t i = 0; i < N; i++)
                ck_assert_int_eq(text_table_put(&table, &items[i].item), 0);
        for (size_t i = 0; i < N; i += 2)
                text_table_remove(&table, &items[i].item);
        ck_assert_uint_eq(table.n, N / 2);
        for (size_t i = 0; i < N; i++)
                ck_assert_ptr_eq(text_table_find(&table, items[i].item.a, items[i].item.b), i % 2 ? &items[i].item : NULL);
        empty(&table);
}
END_TEST

START_TEST(test_walk)
{
        TextTable table = TEXT_TABLE_OF(7);
        TableItem *all;
        size_t n = 0;

        make_items();
        ck_assert_ptr_null(text_table_next(&table, NULL));
        for (size_t i = 0; i < N; i++)
                ck_assert_int_eq(text_table_put(&table, &items[i].item), 0);
        for (TableItem *item = text_table_next(&table, NULL); item; item = text_table_next(&table, item), n++) {
                ck_assert(!((Item *)item)->seen);
                ((Item *)item)->seen = true;
        }
        ck_assert_uint_eq(n, N);
        all = text_table_take_all(&table);
        for (; all; all = all->next)
                n--;
        ck_assert_uint_eq(n, 0);
        ck_assert(table.n == 0 && table.key == 7);
        ck_assert_ptr_null(text_table_next(&table, NULL));
        ck_assert_ptr_null(text_table_find(&table, TEXT("a1"), TEXT("b1")));
        ck_assert_int_eq(text_table_put(&table, &items[0].item), 0); /* good for more */
        empty(&table);
}
END_TEST

START_TEST(test_item_text)
{
        char bytes[8] = "", *at = bytes;
        Text first = table_item_text(&at, TEXT("abc")), none = table_item_text(&at, TEXT_NULL);
        Text second = table_item_text(&at, TEXT("de"));

        ck_assert_ptr_eq(at, bytes + 5);
        ck_assert(text_equal(first, TEXT("abc")) && text_equal(second, TEXT("de")) && none.size == 0);
        ck_assert_ptr_eq(first.data, bytes);
}
END_TEST

static int put_all(void)
{
        TextTable table = TEXT_TABLE_OF(1);
        int r = 0;

        for (size_t i = 0; !r && i < N; i++) {
                r = text_table_put(&table, &items[i].item);
                ck_assert_uint_eq(table.n, r ? i : i + 1);
        }
        for (size_t i = 0; i < table.n; i++)
                ck_assert_ptr_eq(text_table_find(&table, items[i].item.a, items[i].item.b), &items[i].item);
        empty(&table);
        return r;
}

START_TEST(test_torture)
{
        make_items();
        FIXTURE_TORTURE(put_all());
}
END_TEST

FIXTURE_MAIN("kernels/text_table", test_find, test_same_hash, test_remove, test_walk, test_item_text, test_torture)
