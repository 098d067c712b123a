#include "tests/lib/fixture.h"

#include "kernels/range_steps.h"
#include "tests/unit/kernels/mapping_model.h"

/* The rule, word by word. */
static uint32_t plain_choice(const CapabilityRange *ranges, size_t n, int64_t capability)
{
        uint32_t best = RANGE_STEP_NONE;

        for (uint32_t i = 0; i < n; i++) {
                __int128 width = (__int128)ranges[i].max - ranges[i].min;

                if (capability < ranges[i].min || capability > ranges[i].max)
                        continue;
                if (best == RANGE_STEP_NONE || width < (__int128)ranges[best].max - ranges[best].min ||
                    (width == (__int128)ranges[best].max - ranges[best].min && ranges[i].min > ranges[best].min))
                        best = i;
        }
        return best;
}

static uint32_t step_choice(const RangeSteps *steps, int64_t capability)
{
        size_t i = 0;

        while (i + 1 < steps->n && steps->items[i + 1].start <= capability)
                i++;
        return steps->items[i].chosen;
}

static size_t draw_ranges(MappingDice *dice, CapabilityRange *ranges, uint32_t most, uint32_t reach)
{
        size_t n = 0, wanted = mapping_dice(dice, most);

        while (n < wanted) {
                int64_t a = mapping_dice(dice, reach), b = mapping_dice(dice, reach);
                CapabilityRange range = { a < b ? a : b, mapping_dice(dice, 5) ? (a < b ? b : a) : CAPABILITY_MAX };
                bool there = false;

                for (size_t i = 0; i < n; i++)
                        there |= range_equal(ranges[i], range);
                if (there)
                        wanted--;
                else
                        ranges[n++] = range;
        }
        return n;
}

START_TEST(test_steps_are_the_plain_rule)
{
        MappingDice dice = { 11 };
        RangeSteps steps = RANGE_STEPS_NULL;

        for (uint32_t round = 0; round < 2000; round++) {
                CapabilityRange ranges[200];
                size_t n = draw_ranges(&dice, ranges, round % 20 ? 8 : 200, 60);

                ck_assert_int_eq(range_steps_make(&steps, ranges, n), 0);
                ck_assert_int_eq(steps.items[0].start, 0);
                for (size_t i = 1; i < steps.n; i++) {
                        ck_assert_int_lt(steps.items[i - 1].start, steps.items[i].start);
                        ck_assert_uint_ne(steps.items[i - 1].chosen, steps.items[i].chosen);
                }
                for (int64_t capability = 0; capability < 62; capability++)
                        ck_assert_uint_eq(step_choice(&steps, capability), plain_choice(ranges, n, capability));
                ck_assert_uint_eq(step_choice(&steps, CAPABILITY_MAX), plain_choice(ranges, n, CAPABILITY_MAX));
        }
        range_steps_deinit(&steps);
}
END_TEST

static int torture(void)
{
        CLEANUP(range_steps_deinit) RangeSteps steps = RANGE_STEPS_NULL;
        int r = range_steps_make(&steps, &(CapabilityRange){ 1, 2 }, 1);

        return r ? r : range_steps_make(&steps, (CapabilityRange[20]){ { 1, 2 }, { 2, 3 } }, 2);
}

START_TEST(test_memory_runs_out)
{
        FIXTURE_TORTURE(torture());
}
END_TEST

FIXTURE_MAIN("kernels/range_steps", test_steps_are_the_plain_rule, test_memory_runs_out)
