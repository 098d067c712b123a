/* silu(x) * y over a row, for each element type. Rows do not overlap. */
#pragma once

#include <stdint.h>

void silu_row_float(float *out, const float *x, const float *y, int64_t n);

/* Computes in float and rounds once, to the nearest, ties to even. */
void silu_row_bfloat(uint16_t *out, const uint16_t *x, const uint16_t *y, int64_t n);
