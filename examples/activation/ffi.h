/* What a native kernel sees of its caller: the calling convention of tvm-ffi,
 * with tensors as DLPack lays them out. A kernel stands alone, so this is its
 * own copy of the few lines it needs; kernelsd.h has the caller's side. */
#pragma once

#include <stdint.h>

typedef struct Tensor {
        void *data;
        struct { int32_t type; int32_t number; } device;
        int32_t n_dimensions;
        struct { uint8_t code; uint8_t bits; uint16_t lanes; } element;
        int64_t *shape;
        int64_t *strides; /* in elements; NULL: row-major, compact */
        uint64_t byte_offset;
} Tensor;

typedef struct Any {
        int32_t type;
        uint32_t zero;
        union { int64_t integer; double real; void *pointer; Tensor *tensor; };
} Any;

_Static_assert(sizeof(Any) == 16, "an argument is 16 bytes");

enum { ANY_TENSOR = 7 };
enum { DEVICE_CPU = 1 };
enum { ELEMENT_FLOAT = 2, ELEMENT_BFLOAT = 4 };

#define FFI_PUBLIC __attribute__((visibility("default")))
