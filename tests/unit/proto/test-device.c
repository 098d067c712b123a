#include "tests/lib/fixture.h"

#include "proto/device.h"

START_TEST(test_parse)
{
        Device device;
        Fault fault;

        for (unsigned i = 0; i < _DEVICE_MAX; i++) {
                ck_assert_int_eq(device_parse(text_of(device_spelling((Device)i)), &device, &fault), 0);
                ck_assert_uint_eq(device, i);
                ck_assert(device_has_capability(device) == (i == DEVICE_CUDA || i == DEVICE_ROCM));
        }
        for (size_t i = 0; i < 6; i++) {
                static const char *const bad[] = { "", "none", "CUDA", "cuda ", "gpu", "metal" };

                ck_assert_int_eq(device_parse(text_of(bad[i]), &device, &fault), 1);
                ck_assert_int_eq(fault.name, FAULT_INVALID_DEVICE);
        }
        ck_assert_ptr_nonnull(strstr(fault.message, "mps"));
}
END_TEST

static int range(Device device, int64_t min, int64_t max, CapabilityRange *ret_range)
{
        Fault fault;
        int r = device_range(device, min == INT64_MIN ? NULL : &min, max == INT64_MIN ? NULL : &max, ret_range, &fault);

        if (r)
                ck_assert_int_eq(fault.name, FAULT_INVALID_RANGE);
        return r;
}

START_TEST(test_range)
{
        CapabilityRange got;

        ck_assert_int_eq(range(DEVICE_CUDA, 75, 89, &got), 0);
        ck_assert(got.min == 75 && got.max == 89);
        ck_assert_int_eq(range(DEVICE_ROCM, INT64_MIN, 89, &got), 0);
        ck_assert(got.min == 0 && got.max == 89);
        ck_assert_int_eq(range(DEVICE_CUDA, 75, INT64_MIN, &got), 0);
        ck_assert(got.min == 75 && got.max == CAPABILITY_MAX);
        ck_assert_int_eq(range(DEVICE_CPU, INT64_MIN, INT64_MIN, &got), 0);
        ck_assert(got.min == 0 && got.max == CAPABILITY_MAX);
        ck_assert_int_eq(range(DEVICE_CUDA, 90, 90, &got), 0);
        ck_assert_int_eq(range(DEVICE_CUDA, 91, 90, &got), 1);
        ck_assert_int_eq(range(DEVICE_CUDA, -1, 90, &got), 1);
        ck_assert_int_eq(range(DEVICE_CUDA, INT64_MIN, -5, &got), 1);
        ck_assert_int_eq(range(DEVICE_XPU, 1, INT64_MIN, &got), 1);
        ck_assert_int_eq(range(DEVICE_NONE, INT64_MIN, 1, &got), 1);
}
END_TEST

FIXTURE_MAIN("proto/device", test_parse, test_range)
