#include "tests/lib/fixture.h"

#include <string.h>

#include "kernels/arch.h"

/* Splits "9.0 10.0a" into a list and judges it. */
static ArchVerdict judge(const char *archs, Device device, OptionalInteger capability, Text gfx)
{
        Text items[8];
        TextList list = { .items = items };
        const char *start = archs;

        while (*start) {
                size_t n = strcspn(start, " ");

                items[list.n++] = (Text){ start, n };
                start += n + strspn(start + n, " ");
        }
        return arch_judge(&list, device, capability, gfx);
}

START_TEST(test_cuda)
{
        static const struct { const char *archs; int64_t capability; ArchVerdict verdict; } cases[] = {
                { "9.0", 90, ARCH_OK },            { "8.0", 90, ARCH_REFUSED },     { "8.0", 86, ARCH_OK },
                { "8.9", 86, ARCH_REFUSED },       { "8.0 9.0", 90, ARCH_OK },      { "9.0a", 90, ARCH_OK },
                { "9.0a", 91, ARCH_REFUSED },      { "10.0a", 103, ARCH_REFUSED },  { "10.0f", 103, ARCH_OK },
                { "10.3f", 100, ARCH_REFUSED },    { "10.0f", 120, ARCH_REFUSED },  { "8.0+PTX", 120, ARCH_OK },
                { "8.0+PTX", 75, ARCH_REFUSED },   { "12.0", 120, ARCH_OK },        { "", 90, ARCH_REFUSED },
                { "sm_90", 90, ARCH_UNKNOWN },     { "sm_90 8.0", 90, ARCH_UNKNOWN }, { "sm_90 9.0", 90, ARCH_OK },
                { "9", 90, ARCH_UNKNOWN },         { "9.0b", 90, ARCH_UNKNOWN },    { "+PTX", 90, ARCH_UNKNOWN },
                { "9.10", 90, ARCH_UNKNOWN },      { "9.0a+PTX", 90, ARCH_UNKNOWN },
        };

        for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
                ck_assert_msg(judge(cases[i].archs, DEVICE_CUDA, INTEGER_PRESENT(cases[i].capability), TEXT_NULL) ==
                                      cases[i].verdict,
                              "%s on %ld", cases[i].archs, (long)cases[i].capability);
}
END_TEST

START_TEST(test_rocm)
{
        OptionalInteger none = INTEGER_ABSENT;

        ck_assert_int_eq(judge("gfx90a gfx942", DEVICE_ROCM, none, TEXT("gfx942")), ARCH_OK);
        ck_assert_int_eq(judge("gfx90a", DEVICE_ROCM, none, TEXT("gfx942")), ARCH_REFUSED);
        ck_assert_int_eq(judge("gfx90a", DEVICE_ROCM, none, TEXT("gfx90a:sramecc+:xnack-")), ARCH_OK);
        ck_assert_int_eq(judge("gfx9-4-generic", DEVICE_ROCM, none, TEXT("gfx942")), ARCH_UNKNOWN);
        ck_assert_int_eq(judge("gfx90a", DEVICE_ROCM, INTEGER_PRESENT(94), TEXT_NULL), ARCH_UNKNOWN);
}
END_TEST

START_TEST(test_what_is_not_judged)
{
        ck_assert_int_eq(arch_judge(NULL, DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL), ARCH_UNKNOWN);
        ck_assert_int_eq(judge("8.0", DEVICE_CUDA, INTEGER_ABSENT, TEXT_NULL), ARCH_UNKNOWN);
        ck_assert_int_eq(judge("8.0", DEVICE_CPU, INTEGER_ABSENT, TEXT_NULL), ARCH_UNKNOWN);
        ck_assert_int_eq(judge("pvc", DEVICE_XPU, INTEGER_PRESENT(1), TEXT("gfx942")), ARCH_UNKNOWN);
}
END_TEST

START_TEST(test_why_not_judged)
{
        TextList archs = { 0 };

#define WHY(archs, device, capability, gfx, part) \
        ck_assert_ptr_nonnull(strstr(arch_explain_unknown(archs, device, capability, gfx), part))
        WHY(&archs, DEVICE_CPU, INTEGER_ABSENT, TEXT_NULL, "no archs");
        WHY(NULL, DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL, "metadata.json");
        WHY(&archs, DEVICE_CUDA, INTEGER_ABSENT, TEXT_NULL, "capability");
        WHY(&archs, DEVICE_ROCM, INTEGER_ABSENT, TEXT_NULL, "gfx");
        WHY(&archs, DEVICE_CUDA, INTEGER_PRESENT(90), TEXT_NULL, "of a form");
#undef WHY
}
END_TEST

FIXTURE_MAIN("kernels/arch", test_cuda, test_rocm, test_what_is_not_judged, test_why_not_judged)
