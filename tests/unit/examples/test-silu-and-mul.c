/* The example kernel against silu computed in double precision. */
#include "tests/lib/fixture.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "examples/activation/ffi.h"

int __tvm_ffi_silu_and_mul(void *self, const Any *arguments, int32_t n_arguments, Any *result);

#define GUARD 7 /* elements behind the output that must stay as they were */

/* Check's own assertions write a mark at every call, also where all is good:
 * too slow for millions of values. */
#define EXPECT(condition, ...)                      \
        do {                                        \
                if (!(condition))                   \
                        ck_abort_msg(__VA_ARGS__);  \
        } while (0)

static float float_from_bits(uint32_t bits)
{
        float value;

        memcpy(&value, &bits, sizeof(value));
        return value;
}

static double reference(double x, double y)
{
        return x / (1 + exp(-x)) * y;
}

/* Distance from the exact value in units of the last place of a float. */
static double error_in_ulps(float got, double exact)
{
        float nearest = (float)exact;
        double ulp;

        if (isnan(exact) || isinf(nearest))
                return (isnan(exact) && isnan(got)) || (double)got == (double)nearest ? 0 : INFINITY;
        ulp = (double)nextafterf(fabsf(nearest), INFINITY) - (double)fabsf(nearest);
        return fabs((double)got - exact) / ulp;
}

static Tensor tensor_float(float *data, int32_t n_dimensions, int64_t *shape)
{
        return (Tensor){ .data = data, .device = { DEVICE_CPU, 0 }, .n_dimensions = n_dimensions,
                         .element = { ELEMENT_FLOAT, 32, 1 }, .shape = shape };
}

static Tensor tensor_bfloat(uint16_t *data, int32_t n_dimensions, int64_t *shape)
{
        return (Tensor){ .data = data, .device = { DEVICE_CPU, 0 }, .n_dimensions = n_dimensions,
                         .element = { ELEMENT_BFLOAT, 16, 1 }, .shape = shape };
}

static int run(Tensor *out, Tensor *input)
{
        Any arguments[2] = { { .type = ANY_TENSOR, .tensor = out }, { .type = ANY_TENSOR, .tensor = input } };
        Any result = { 0 };

        return __tvm_ffi_silu_and_mul(NULL, arguments, 2, &result);
}

/* Numbers that differ from each other, about -9 to 9. */
static float sample(size_t i)
{
        return (float)((i * 7919 + 13) % 1801) / 100 - 9;
}

static void check_rows(size_t n_rows, size_t d)
{
        int64_t out_shape[2] = { (int64_t)n_rows, (int64_t)d }, input_shape[2] = { (int64_t)n_rows, 2 * (int64_t)d };
        float *input = malloc((n_rows * 2 * d + 1) * sizeof(float));
        float *out = malloc((n_rows * d + GUARD) * sizeof(float));
        Tensor to = tensor_float(out, 2, out_shape), from = tensor_float(input, 2, input_shape);

        ck_assert(input && out);
        for (size_t i = 0; i < n_rows * 2 * d; i++)
                input[i] = sample(i);
        for (size_t i = 0; i < n_rows * d + GUARD; i++)
                out[i] = 1234;
        ck_assert_int_eq(run(&to, &from), 0);
        for (size_t i = 0; i < n_rows * d; i++) {
                const float *row = input + i / d * 2 * d;

                EXPECT(error_in_ulps(out[i], reference(row[i % d], row[d + i % d])) < 4, "%zu of %zu x %zu is %a", i,
                       n_rows, d, (double)out[i]);
        }
        for (size_t i = 0; i < GUARD; i++)
                ck_assert(out[n_rows * d + i] == 1234);
        free(input);
        free(out);
}

START_TEST(test_shapes)
{
        static const size_t rows[] = { 0, 1, 2, 3, 33 };
        static const size_t sizes[] = { 0, 1, 2, 3, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 127, 1000 };

        for (size_t r = 0; r < ARRAY_SIZE(rows); r++)
                for (size_t s = 0; s < ARRAY_SIZE(sizes); s++)
                        check_rows(rows[r], sizes[s]);
}
END_TEST

/* Every 1009th of all floats, the special ones among them, times one. */
START_TEST(test_accuracy)
{
        enum { D = 4096 };
        static float input[2 * D], out[D];
        int64_t out_shape[1] = { D }, input_shape[1] = { 2 * D };
        Tensor to = tensor_float(out, 1, out_shape), from = tensor_float(input, 1, input_shape);
        uint64_t bits = 0;

        for (size_t i = 0; i < D; i++)
                input[D + i] = 1;
        while (bits <= UINT32_MAX) {
                for (size_t i = 0; i < D; i++, bits += 1009)
                        input[i] = float_from_bits(bits <= UINT32_MAX ? (uint32_t)bits : 0);
                ck_assert_int_eq(run(&to, &from), 0);
                for (size_t i = 0; i < D; i++)
                        EXPECT(error_in_ulps(out[i], reference(input[i], 1)) <= 3, "silu(%a) is %a",
                               (double)input[i], (double)out[i]);
        }
}
END_TEST

START_TEST(test_special_values)
{
        float input[16] = { INFINITY, -INFINITY, NAN, 0.0f, -0.0f, float_from_bits(1), float_from_bits(0x80000001),
                            -103.0f, 1, 1, 1, 1, 1, 4, 4, 1 };
        float out[8];
        int64_t out_shape[1] = { 8 }, input_shape[1] = { 16 };
        Tensor to = tensor_float(out, 1, out_shape), from = tensor_float(input, 1, input_shape);

        ck_assert_int_eq(run(&to, &from), 0);
        ck_assert(isinf(out[0]) && out[0] > 0);
        ck_assert(isnan(out[1]));
        ck_assert(isnan(out[2]));
        ck_assert(out[3] == 0 && !signbit(out[3]));
        ck_assert(out[4] == 0 && signbit(out[4]));
        ck_assert(out[5] <= float_from_bits(2) && !signbit(out[5]));
        ck_assert(out[6] >= float_from_bits(0x80000002) && signbit(out[6]));
        ck_assert(error_in_ulps(out[7], reference(-103, 1)) <= 1);
}
END_TEST

/* From here on silu(x) is x, so that the product decides the rounding:
 * 193.5 and 196.5 lie between two bfloats, the even one wins. */
START_TEST(test_bfloat_rounds_to_even)
{
        /*                    129     131     129     inf     NaN   (129 is 0x4301) */
        uint16_t input[10] = { 0x4301, 0x4303, 0x4301, 0x7f80, 0x7fff,
                               0x3fc0, 0x3fc0, 0xbfc0, 0x3f80, 0x3f80 }; /* 1.5, -1.5, 1 */
        uint16_t out[5];
        int64_t out_shape[1] = { 5 }, input_shape[1] = { 10 };
        Tensor to = tensor_bfloat(out, 1, out_shape), from = tensor_bfloat(input, 1, input_shape);

        ck_assert_int_eq(run(&to, &from), 0);
        ck_assert_uint_eq(out[0], 0x4342); /* 194 */
        ck_assert_uint_eq(out[1], 0x4344); /* 196 */
        ck_assert_uint_eq(out[2], 0xc342);
        ck_assert_uint_eq(out[3], 0x7f80);
        ck_assert_uint_eq(out[4] & 0x7fc0, 0x7fc0);
}
END_TEST

/* All bfloats that are numbers, in rows of an odd size, through strided rows. */
START_TEST(test_bfloat_values)
{
        enum { D = 257, ROWS = 65536 / D + 1, STRIDE = 2 * D + 5 };
        uint16_t *input = calloc(ROWS * STRIDE, sizeof(*input)), *out = calloc(ROWS * D, sizeof(*out));
        int64_t out_shape[3] = { ROWS, 1, D }, input_shape[3] = { ROWS, 1, 2 * D }, strides[3] = { STRIDE, 0, 1 };
        Tensor to = tensor_bfloat(out, 3, out_shape), from = tensor_bfloat(input, 3, input_shape);

        ck_assert(input && out);
        from.strides = strides;
        for (size_t i = 0; i < ROWS * D; i++) {
                input[i / D * STRIDE + i % D] = (uint16_t)i;
                input[i / D * STRIDE + D + i % D] = 0x3f80;
        }
        ck_assert_int_eq(run(&to, &from), 0);
        for (size_t i = 0; i < 65536; i++) {
                double exact = reference(float_from_bits((uint32_t)i << 16), 1);
                float got = float_from_bits((uint32_t)out[i] << 16);
                /* Half a place of a bfloat, and what silu in float may add. */
                double allowed = (exp2(15) + 4) * ((double)nextafterf(fabsf((float)exact), INFINITY) -
                                                   (double)fabsf((float)exact));

                if (isnan(exact))
                        EXPECT(isnan(got), "%zx: %x", i, out[i]);
                else if (isinf(exact))
                        EXPECT(isinf(got), "%zx: %x", i, out[i]);
                else
                        EXPECT(fabs((double)got - exact) <= allowed, "%zx: %x", i, out[i]);
        }
        free(input);
        free(out);
}
END_TEST

/* Three leading dimensions, the first two exchanged in the input, a byte
 * offset, and rows of the output turned round. */
START_TEST(test_strides)
{
        float input[1 + 2 * 3 * 4], out[2 * 3 * 2];
        int64_t out_shape[3] = { 3, 2, 2 }, input_shape[3] = { 3, 2, 4 };
        int64_t out_strides[3] = { -4, 2, 1 }, input_strides[3] = { 4, 12, 1 };
        Tensor to = tensor_float(out, 3, out_shape), from = tensor_float(input, 3, input_shape);

        for (size_t i = 0; i < ARRAY_SIZE(input); i++)
                input[i] = sample(i);
        to.strides = out_strides;
        to.byte_offset = 8 * sizeof(float);
        from.strides = input_strides;
        from.byte_offset = sizeof(float);
        ck_assert_int_eq(run(&to, &from), 0);
        for (size_t a = 0; a < 3; a++)
                for (size_t b = 0; b < 2; b++)
                        for (size_t i = 0; i < 2; i++) {
                                const float *row = input + 1 + a * 4 + b * 12;

                                ck_assert(error_in_ulps(out[8 - a * 4 + b * 2 + i], reference(row[i], row[2 + i])) < 4);
                        }
}
END_TEST

START_TEST(test_refusals)
{
        float input[16] = { 0 }, out[8];
        int64_t out_shape[2] = { 2, 4 }, input_shape[2] = { 2, 8 }, apart[2] = { 16, 2 };
        int64_t narrow[2] = { 2, 7 }, taller[2] = { 3, 8 }, negative[2] = { -2, 8 };
        const Tensor good_out = tensor_float(out, 2, out_shape), good_input = tensor_float(input, 2, input_shape);
        Any arguments[2] = { 0 };
        Tensor to = good_out, from = good_input;

#define REFUSES(change)                                     \
        do {                                                \
                to = good_out;                              \
                from = good_input;                          \
                change;                                     \
                ck_assert_int_ne(run(&to, &from), 0);       \
        } while (0)

        ck_assert_int_eq(run(&to, &from), 0);
        REFUSES(from.strides = apart);
        REFUSES(to.strides = apart);
        REFUSES(from.shape = narrow);
        REFUSES(from.shape = taller);
        REFUSES(from.shape = negative; to.shape = negative);
        REFUSES(from.shape = NULL);
        REFUSES(from.n_dimensions = 1);
        REFUSES(from.n_dimensions = to.n_dimensions = 0);
        REFUSES(from.n_dimensions = to.n_dimensions = 17);
        REFUSES(from.device.type = 2);
        REFUSES(from.element.bits = 64);
        REFUSES(from.element.lanes = 4);
        REFUSES(from.element.code = ELEMENT_BFLOAT; from.element.bits = 16);
        REFUSES(from.data = NULL);
        REFUSES(to.byte_offset = 1);

        ck_assert_int_ne(__tvm_ffi_silu_and_mul(NULL, arguments, 0, &arguments[0]), 0);
        ck_assert_int_ne(__tvm_ffi_silu_and_mul(NULL, arguments, 2, &arguments[0]), 0);
        ck_assert_int_ne(run(NULL, &from), 0);
}
END_TEST

FIXTURE_MAIN("examples/silu_and_mul", test_shapes, test_accuracy, test_special_values, test_bfloat_rounds_to_even,
             test_bfloat_values, test_strides, test_refusals)
