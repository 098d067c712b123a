#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/entry.h"
#include "kernels/repository.h"

#define COMMIT "0123456789abcdef0123456789abcdef01234567"

static int make(const MsgEntry *message, FaultName *ret_name, Entry **ret_entry)
{
        Fault fault = FAULT_NULL;
        int r = entry_from_message(message, NULL, 0, 0, ret_entry, &fault);

        *ret_name = fault.name;
        return r;
}

static FaultName refusal(Text layer, const char *device, OptionalInteger min, OptionalInteger max, const char *mode,
                         MsgReference reference)
{
        Text key = text_of(mode);
        MsgEntry message = { .layer = layer, .device = text_of(device), .min_capability = min, .max_capability = max,
                             .modes = { &key, &reference, mode ? 1 : 0 } };
        Entry *entry = NULL;
        FaultName name;

        if (make(&message, &name, &entry))
                ck_assert_ptr_null(entry);
        entry_unref(entry);
        return name;
}

#define NIL INTEGER_ABSENT
#define AT INTEGER_PRESENT
static const MsgReference good = { .repo = { "o/n", 3 }, .version = { 1, true } };

/* Range, mode, device, names: upstream's order. */
START_TEST(test_what_is_refused_and_which_fault_goes_first)
{
        Text layer = TEXT("A");

        ck_assert_int_eq(refusal(layer, "cuda", AT(75), AT(89), "training", good), FAULT_NONE);
        ck_assert_int_eq(refusal(TEXT(""), "cuda", NIL, NIL, "none", good), FAULT_NONE);
        ck_assert_int_eq(refusal(layer, NULL, NIL, NIL, NULL, good), FAULT_NONE);
        ck_assert_int_eq(refusal(layer, "cuda", AT(90), AT(89), "training", good), FAULT_INVALID_RANGE);
        ck_assert_int_eq(refusal(layer, "cuda", AT(-1), NIL, "training", good), FAULT_INVALID_RANGE);
        ck_assert_int_eq(refusal(layer, "cpu", AT(1), NIL, "training", good), FAULT_INVALID_RANGE);
        ck_assert_int_eq(refusal(layer, "vulkan", AT(1), NIL, "bad", good), FAULT_INVALID_RANGE);
        ck_assert_int_eq(refusal(layer, NULL, AT(1), NIL, NULL, good), FAULT_INVALID_RANGE);
        ck_assert_int_eq(refusal(layer, "vulkan", NIL, NIL, "inference|training", good), FAULT_INVALID_MODE);
        ck_assert_int_eq(refusal(layer, "vulkan", NIL, NIL, "training", good), FAULT_INVALID_DEVICE);
        ck_assert_int_eq(refusal(layer, "metal", NIL, NIL, "training", good), FAULT_INVALID_DEVICE);
        ck_assert_int_eq(refusal((Text){ "a\0b", 3 }, "cuda", NIL, NIL, "training", good), FAULT_INVALID_NAME);
        ck_assert_int_eq(refusal(layer, NULL, NIL, NIL, "training", good), FAULT_BAD_REQUEST);
}
END_TEST

START_TEST(test_references)
{
        static const struct { MsgReference reference; FaultName name; } cases[] = {
                { { .repo = { "o/n", 3 }, .revision = { "main", 4 } }, FAULT_NONE },
                { { .repo = { "o/n", 3 } }, FAULT_BAD_REQUEST },
                { { .repo = { "o/n", 3 }, .revision = { "main", 4 }, .version = { 1, true } }, FAULT_BAD_REQUEST },
                { { .version = { 1, true } }, FAULT_BAD_REQUEST },
                { { .local = { 0, true } }, FAULT_BAD_REQUEST }, /* of no locals */
                { { .local = { 0, true }, .repo = { "o/n", 3 } }, FAULT_BAD_REQUEST },
                { { .repo = { "o", 1 }, .version = { 1, true } }, FAULT_INVALID_NAME },
                { { .repo = { "o/n", 3 }, .version = { -1, true } }, FAULT_INVALID_NAME },
                { { .repo = { "o/n", 3 }, .revision = { "a..b", 4 } }, FAULT_INVALID_NAME },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                ck_assert_int_eq(refusal(TEXT("A"), "cuda", NIL, NIL, "training", cases[i].reference), cases[i].name);
}
END_TEST

START_TEST(test_what_is_kept)
{
        char repo[] = "o/n", revision[] = COMMIT;
        Text keys[] = { TEXT("torch_compile|training"), TEXT("fallback") };
        MsgReference items[] = { { .repo = text_of(repo), .revision = text_of(revision) },
                                 { .repo = text_of(repo), .version = { 2, true }, .layer = TEXT("Other") } };
        MsgEntry message = { .layer = TEXT("A"), .device = TEXT("rocm"), .max_capability = AT(950),
                             .modes = { keys, items, 2 } };
        CLEANUP(entry_unrefp) Entry *entry = NULL;
        FaultName name;

        ck_assert_int_eq(make(&message, &name, &entry), 0);
        repo[0] = revision[0] = 'x';
        ck_assert(entry->has_range && entry->has_bounds && entry->range.min == 0 && entry->range.max == 950);
        ck_assert_uint_eq(entry->n_modes, 2);
        ck_assert_uint_eq(entry->modes[0].mode, MODE_FALLBACK);
        ck_assert(text_equal(entry->modes[0].reference.layer, TEXT("Other")));
        ck_assert(!entry->modes[0].reference.commit.data);
        ck_assert_uint_eq(entry->modes[1].mode, MODE_TRAINING | MODE_TORCH_COMPILE);
        ck_assert(text_equal(entry->modes[1].reference.repo, TEXT("o/n")));
        ck_assert(text_equal(entry->modes[1].reference.commit, TEXT(COMMIT)));
        ck_assert(text_equal(entry->modes[1].reference.layer, TEXT("A")));
}
END_TEST

START_TEST(test_a_mode_twice_is_refused)
{
        Text keys[] = { TEXT("torch_compile|training"), TEXT("training|torch_compile") };
        MsgReference items[] = { good, good };
        MsgEntry message = { .layer = TEXT("A"), .device = TEXT("rocm"), .modes = { keys, items, 2 } };
        Entry *entry;
        FaultName name;

        ck_assert_int_eq(make(&message, &name, &entry), 1);
        ck_assert_int_eq(name, FAULT_INVALID_MODE);
}
END_TEST

START_TEST(test_answers_follow_the_chain)
{
        Text keys[] = { TEXT("fallback"), TEXT("training") };
        MsgReference items[] = { good, good };
        MsgEntry message = { .layer = TEXT("A"), .device = TEXT("rocm"), .modes = { keys, items, 2 } };
        uint8_t modes[MODE_REQUESTS];
        CLEANUP(entry_unrefp) Entry *entry = NULL;
        FaultName name;

        ck_assert_int_eq(make(&message, &name, &entry), 0);
        entry_answers(entry, modes);
        ck_assert_mem_eq(modes, ((uint8_t[]){ 1, 0, 1, 0 }), 4);
}
END_TEST

START_TEST(test_locals_are_counted)
{
        MsgLocalVariant variant = { .variant = TEXT("torch-cpu") };
        MsgLocal local = { .variants = { &variant, 1 } };
        Text key = TEXT("fallback");
        MsgReference item = { .local = { 0, true } };
        MsgEntry message = { .layer = TEXT("A"), .device = TEXT("cpu"), .modes = { &key, &item, 1 } };
        CLEANUP_ARENA Arena arena = ARENA_NULL;
        Repository *repository;
        Entry *entry;
        Fault fault;

        ck_assert_int_eq(repository_from_message(&local, &repository, &fault), 0);
        ck_assert_int_eq(entry_from_message(&message, &repository, 1, 40, &entry, &fault), 0);
        ck_assert_uint_eq(repository->n_users, 2);
        ck_assert(text_equal(reference_describe(&entry->modes[0].reference, &arena), TEXT("local:40")));
        entry_unref(entry_ref(entry));
        entry_unref(entry);
        ck_assert_uint_eq(repository->n_users, 1);
        repository_unref(repository);
}
END_TEST

FIXTURE_MAIN("kernels/entry", test_what_is_refused_and_which_fault_goes_first, test_references, test_what_is_kept,
             test_a_mode_twice_is_refused, test_answers_follow_the_chain, test_locals_are_counted)
