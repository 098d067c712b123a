/* silu_and_mul(out, input): out = silu(input[..., :d]) * input[..., d:], for
 * input [..., 2 * d] and out [..., d] on the CPU, float32 or bfloat16.
 *
 * Leading dimensions may have any strides, the last one must be compact. out
 * must not overlap input. Called from any number of threads; starts none. */
#include <stdbool.h>
#include <stddef.h>

#include "ffi.h"
#include "silu.h"

#define MAX_DIMENSIONS 16

/* tvm-ffi's value for "an error"; there is no message without its library. */
#define REFUSED (-1)

FFI_PUBLIC int __tvm_ffi_silu_and_mul(void *self, const Any *arguments, int32_t n_arguments, Any *result);

static bool tensor_is_float(const Tensor *tensor)
{
        return tensor->element.code == ELEMENT_FLOAT && tensor->element.bits == 32 && tensor->element.lanes == 1;
}

static bool tensor_is_bfloat(const Tensor *tensor)
{
        return tensor->element.code == ELEMENT_BFLOAT && tensor->element.bits == 16 && tensor->element.lanes == 1;
}

/* Whether the last dimension is compact and every dimension a count. */
static bool tensor_layout_is_known(const Tensor *tensor)
{
        int32_t last = tensor->n_dimensions - 1;

        if (last < 0 || last >= MAX_DIMENSIONS || !tensor->shape)
                return false;
        for (int32_t i = 0; i <= last; i++)
                if (tensor->shape[i] < 0)
                        return false;
        return !tensor->strides || tensor->shape[last] <= 1 || tensor->strides[last] == 1;
}

static bool tensor_is_fit(const Tensor *tensor)
{
        return tensor && tensor->device.type == DEVICE_CPU && (tensor_is_float(tensor) || tensor_is_bfloat(tensor)) &&
               tensor_layout_is_known(tensor);
}

static bool shapes_agree(const Tensor *out, const Tensor *input)
{
        int32_t last = out->n_dimensions - 1;
        int64_t doubled;

        if (input->n_dimensions != out->n_dimensions || input->element.code != out->element.code)
                return false;
        for (int32_t i = 0; i < last; i++)
                if (input->shape[i] != out->shape[i])
                        return false;
        return !__builtin_mul_overflow(out->shape[last], 2, &doubled) && input->shape[last] == doubled;
}

static bool tensor_is_empty(const Tensor *tensor)
{
        for (int32_t i = 0; i < tensor->n_dimensions; i++)
                if (tensor->shape[i] == 0)
                        return true;
        return false;
}

/* The first element, or NULL if it is not aligned to its size. */
static char *tensor_first(const Tensor *tensor)
{
        char *first = tensor->data ? (char *)tensor->data + tensor->byte_offset : NULL;

        return (uintptr_t)first % (tensor->element.bits / 8) ? NULL : first;
}

/* Strides in elements, worked out where the tensor gives none. */
static void tensor_strides(const Tensor *tensor, int64_t *strides)
{
        int64_t compact = 1;

        for (int32_t i = tensor->n_dimensions - 1; i >= 0; i--) {
                strides[i] = tensor->strides ? tensor->strides[i] : compact;
                compact *= tensor->shape[i];
        }
}

/* Where in its tensor the row is, in elements: `row` taken apart by the
 * leading dimensions. */
static int64_t row_offset(const Tensor *tensor, const int64_t *strides, int64_t row)
{
        int64_t offset = 0;

        for (int32_t i = tensor->n_dimensions - 2; i >= 0; i--) {
                offset += row % tensor->shape[i] * strides[i];
                row /= tensor->shape[i];
        }
        return offset;
}

static void run_rows(const Tensor *out, char *to, const Tensor *input, const char *from)
{
        int64_t out_strides[MAX_DIMENSIONS], input_strides[MAX_DIMENSIONS];
        int64_t d = out->shape[out->n_dimensions - 1];
        int64_t n_rows = 1;

        tensor_strides(out, out_strides);
        tensor_strides(input, input_strides);
        for (int32_t i = 0; i < out->n_dimensions - 1; i++)
                n_rows *= out->shape[i];
        for (int64_t row = 0; row < n_rows; row++) {
                int64_t at = row_offset(out, out_strides, row);
                int64_t of = row_offset(input, input_strides, row);

                if (tensor_is_float(out))
                        silu_row_float((float *)to + at, (const float *)from + of, (const float *)from + of + d, d);
                else
                        silu_row_bfloat((uint16_t *)to + at, (const uint16_t *)from + of,
                                        (const uint16_t *)from + of + d, d);
        }
}

int __tvm_ffi_silu_and_mul(void *self, const Any *arguments, int32_t n_arguments, Any *result)
{
        const Tensor *out, *input;
        char *to, *from;

        (void)self;
        (void)result; /* stays none */
        if (n_arguments != 2 || arguments[0].type != ANY_TENSOR || arguments[1].type != ANY_TENSOR)
                return REFUSED;
        out = arguments[0].tensor;
        input = arguments[1].tensor;
        if (!tensor_is_fit(out) || !tensor_is_fit(input) || !shapes_agree(out, input))
                return REFUSED;
        if (tensor_is_empty(out))
                return 0;
        to = tensor_first(out);
        from = tensor_first(input);
        if (!to || !from)
                return REFUSED;
        run_rows(out, to, input, from);
        return 0;
}
