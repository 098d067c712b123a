/* Modes: what a layer is used for. A mode is a sum of flags; upstream's names,
 * and its rule that training and inference exclude each other and that
 * fallback stands alone. */
#pragma once

#include <stdint.h>

#include "proto/base/text.h"
#include "proto/fault.h"

typedef unsigned Mode;

enum {
        MODE_NONE = 0, /* spelled "none": can be registered, is never found */
        MODE_FALLBACK = 1,
        MODE_TRAINING = 2,
        MODE_INFERENCE = 4,
        MODE_TORCH_COMPILE = 8,
        _MODE_MAX = 16,
};

/* The four modes that can be asked for, as dense numbers for tables. */
#define MODE_REQUESTS 4

/* Parses a sum of flags in any order ("training|torch_compile"); 0, or 1 with
 * FAULT_INVALID_MODE: unknown word, repeated or contradictory flags. */
int mode_parse(Text text, Mode *ret_mode, Fault *fault);

/* The same for a mode that is asked for: it holds inference or training. */
int mode_parse_request(Text text, Mode *ret_mode, Fault *fault);

/* Whether it is one that mode_parse can give. */
bool mode_is_valid(Mode mode);

/* The canonical spelling, a literal: "inference|torch_compile". */
const char *mode_spelling(Mode mode);
Text mode_text(Mode mode);

/* 0..3 for inference, inference|torch_compile, training, training|torch_compile. */
unsigned mode_request_number(Mode mode);
Mode mode_of_request_number(unsigned number);

/* The modes to look for, in order, for a mode that is asked for; ends with
 * MODE_FALLBACK. Returns how many (2 to 5); *ret_chain is static. */
size_t mode_chain(Mode request, const Mode **ret_chain);

/* The first of a chain that is there: `numbers` has for each mode what it is
 * called by, or `none`. */
uint8_t mode_chain_pick(unsigned request_number, const uint8_t numbers[_MODE_MAX], uint8_t none);
