/* An owned list of texts: the value of an option of kind LIST. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/text.h"

typedef struct TextArray {
        char **items; /* n of them, each NUL-terminated */
        size_t n;
} TextArray;

#define TEXT_ARRAY_NULL ((TextArray){ 0 })

/* Replaces what the array holds by copies; on failure it stays. 0, -ENOMEM. */
int text_array_set(TextArray *array, const Text *items, size_t n);
int text_array_copy(TextArray *to, const TextArray *from);

bool text_array_equal(const TextArray *a, const TextArray *b);
void text_array_deinit(TextArray *array);
