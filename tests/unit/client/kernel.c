/* What a kernel's library looks like: for test-acquire. */
#include "client/kernelsd.h"

#ifndef KERNEL_ADDS
#define KERNEL_ADDS 1
#endif

int __tvm_ffi_add_one(void *self, const kd_any *arguments, int32_t n, kd_any *result);
int __tvm_ffi_fails(void *self, const kd_any *arguments, int32_t n, kd_any *result);

int KD_PUBLIC __tvm_ffi_add_one(void *self, const kd_any *arguments, int32_t n, kd_any *result)
{
        if (n != 1 || arguments[0].type != 1)
                return -1;
        result->type = 1;
        result->integer = arguments[0].integer + KERNEL_ADDS;
        return 0;
}

int KD_PUBLIC __tvm_ffi_fails(void *self, const kd_any *arguments, int32_t n, kd_any *result)
{
        return -1;
}
