/* What a fuzzer offers: one function that takes any bytes and returns 0. What
 * must hold it says with fuzz_require, which is there in every build. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

#define fuzz_require(truth)                                                            \
        do {                                                                           \
                if (!(truth)) {                                                        \
                        (void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #truth); \
                        abort();                                                       \
                }                                                                      \
        } while (0)
